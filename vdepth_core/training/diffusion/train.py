"""Fine-tuning of a latent diffusion model on clips with known depth.

The loop is `learning.loop`'s, whose moving average is warmed up as diffusers' `EMAModel` is. accelerate says
the precision, and lets several processes share a step. What is written is a folder that loads wherever
the model does that the training started from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ...errors import ResourceError, UsageError
from ...files import make_folder
from ...learning.checkpoint import Counters, Standing, read_counters, resumable
from ...learning.config import LoopConfig, Stepped
from ...learning.diffusion.adapters import INSTALL, Trained, choose, fold
from ...learning.diffusion.moments import make_optimiser
from ...learning.diffusion.recipe import DiffusionRecipe, Stage
from ...learning.loop import learn, parameter_groups
from ...models.device import pick_device
from ...models.diffusion.parts import quiet_diffusers
from ...progress import Progress
from ...weights.catalogue import find_entry
from ...weights.hashing import folder_sha256
from .. import curves
from ..threads import torch_threads
from .begun import Begun, alone, begin, check_empty, check_same, mendable, read_begun
from .lesson import DepthLesson
from .release import FINISHED, copy_parts, parts_of, write_card, write_unet
from .request import find_data, find_start, read_settings
from .settings import Settings

CACHE = "scenes"  # in the output folder
_WARM_UP = 100  # steps, less of short runs
_FREE = ("steps", "every", "held_out", "device", "cache", "save")  # may change when a run goes on


@dataclass(frozen=True)
class FineTuned:
    """What `train_diffusion` did.

    Attributes:
        folder: ``estimate --model`` takes it.
        steps: Of all stages, over all runs.
        held_out: Mean relative error of depth before and after the last stage.
    """

    folder: Path
    steps: int
    held_out: tuple[float, float]


def train_diffusion(
    recipe: str,
    data: Sequence[str | Path],
    init: str | Path,
    out: str | Path,
    *,
    resume: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> FineTuned:
    """Trains, and writes the model's folder.

    The folder also has a checkpoint and a table and drawing of the losses for each stage, sample pictures,
    and a card (``README.md``); all is rewritten with every checkpoint.

    Args:
        recipe: A name of `RECIPES`.
        data: Folders of clips with depth (see `layouts`), or the word ``procedural``.
        init: Folder or installed name of the model to start from.
        out: Folder to write into; made where it is missing.
        resume: Go on where a run with the same options stopped; one without a checkpoint begins anew.
        progress: Stage ``train``; may cancel.
        **options: Fields of `Settings`, and the recipe's own by the user's names.

    Raises:
        UsageError: an option is wrong, a package is missing, or the folder holds another run.
        BusyError: another process trains into the folder.
        InputError: the data cannot be read.
        WeightsError: the model cannot be read, or there is nothing to resume from.
        ResourceError: disk full or out of memory.
        Cancelled: somebody asked to stop; ``resume`` goes on.
    """
    out, progress = Path(out), progress or Progress()
    settings, chosen, own = read_settings(recipe, options)
    start = find_start(init)
    device = pick_device(settings.device)
    accelerator = _accelerator(device, settings)
    begun = read_begun(out)
    if accelerator.is_main_process and not resume:
        check_empty(out, CACHE, begun)
    accelerator.wait_for_everyone()  # before one of them writes
    split = find_data(data, settings, settings.cache or out / CACHE, progress)
    said = settings.model_dump(mode="json") | own
    facts = {
        "recipe": recipe, "options": own, "settings": settings.model_dump(mode="json", exclude=set(_FREE)),
        "data": split.facts, "start": folder_sha256(start),
    }  # fmt: skip
    identity = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]
    if resume and begun:
        check_same(out, begun, facts)
    elif resume:  # nobody's folder is written into before it is known to be ours
        state = _state(out, chosen.stages(settings.steps)[0])
        with mendable(state, begun):
            read_counters(state, identity)
    make_folder(out)
    with (
        alone(out) if accelerator.is_main_process else nullcontext(),
        torch.random.fork_rng([device] if device.startswith("cuda") else []),
        torch_threads(settings.threads),
    ):
        torch.manual_seed(settings.seed)
        net = chosen.load(start, device, torch.float32)
        if settings.lora and settings.precision == "bf16":
            with quiet_diffusers():  # it advises another way to read weights
                net.parts.unet.to(torch.bfloat16)
        if accelerator.is_main_process:
            parts = parts_of(start, chosen, net)
            if not (resume and _state(out, chosen.stages(settings.steps)[0]).is_file() and begun):
                begin(out, facts, [*parts, *FINISHED], begun)
            copy_parts(parts, out, chosen)
        if settings.checkpointing:
            net.parts.unet.enable_gradient_checkpointing()
        passed: dict[str, Counters] = {}
        known = None if Path(init).expanduser().is_dir() else find_entry(str(init))
        licence = known.license if known else net.model.spec.license

        for number, stage in enumerate(chosen.stages(settings.steps)):
            trained = choose(net.parts.unet, stage.trains, settings.lora).to(device)

            def saved(standing: Standing, stage: Stage = stage, trained: Trained = trained) -> None:
                passed[stage.name] = counters = standing.counters
                curves.write(out / f"losses-{stage.name}", counters.losses, counters.history)
                with standing.averaged():
                    write_unet(net, out, chosen)
                write_card(out, recipe, (init, licence), split.origins, passed, said, trained.count())

            standing = _standing(out, chosen, stage, identity, trained, settings, begun, resume)
            passed[stage.name] = standing.counters
            lesson = DepthLesson(
                chosen, net, stage, number, split, settings, accelerator, standing.counters.step, out, saved
            )
            try:
                if not standing.counters.history:
                    standing.counters.history.append((0, lesson.validate(standing)))
                with resumable():
                    learn(lesson, standing, _loop(chosen, stage, settings), _state(out, stage), progress)
            except torch.cuda.OutOfMemoryError as error:
                raise ResourceError(
                    f"Training {recipe} at {settings.width}x{settings.height} does not fit the GPU's memory.",
                    "Use --lora, --checkpointing, --moments bf16, --precision bf16 or smaller pictures.",
                ) from error
            finally:
                lesson.close()
            trained.load_state_dict(standing.released())
            fold(net.parts.unet)
    history = standing.counters.history
    errors = history[0][1]["abs_rel"], history[-1][1]["abs_rel"]
    return FineTuned(out, sum(counters.step for counters in passed.values()), errors)


def _accelerator(device: str, settings: Settings) -> Any:
    try:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
    except ImportError as error:
        raise UsageError("Training needs the package accelerate, which is not installed.", INSTALL) from error
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    mixed = "bf16" if settings.precision == "bf16" else "no"
    AcceleratorState._reset_state()  # one for every training, not for every process
    return Accelerator(cpu=device == "cpu", mixed_precision=mixed)


def _state(out: Path, stage: Stage) -> Path:
    return out / f"state-{stage.name}.training"


def _standing(
    out: Path, recipe: DiffusionRecipe, stage: Stage, identity: str, trained: Trained, settings: Settings,
    begun: Begun | None, resume: bool,
) -> Standing:  # fmt: skip
    groups = parameter_groups(trained.parameters(), settings.rate or recipe.rate, settings.decay)
    optimiser = make_optimiser([group for group in groups if group["params"]], settings.moments)
    state, first = _state(out, stage), recipe.stages(settings.steps)[0].name == stage.name
    if resume and (state.is_file() or (first and not begun)):
        with mendable(state, begun):
            return Standing.restored(state, trained, optimiser, read_counters(state, identity))
    counters = Counters(identity, threads=torch.get_num_threads())
    return Standing.fresh(trained, optimiser, counters, keep=False)


def _loop(recipe: DiffusionRecipe, stage: Stage, settings: Settings) -> LoopConfig:
    return LoopConfig(
        seed=settings.seed,
        steps=stage.steps,
        batch=settings.batch or recipe.batch,
        rate=settings.rate or recipe.rate,
        schedule=Stepped((), 1.0, _WARM_UP),
        decay=settings.decay,
        average=settings.average,
        clip=settings.clip,
        validate_every=settings.every,
        patience=None,
        save_every=settings.save,
    )
