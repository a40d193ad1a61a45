"""Fine-tuning of a latent diffusion model on clips with known depth.

The loop is `learning.loop`'s, whose moving average is warmed up as diffusers' `EMAModel` is. accelerate says
the precision, and lets several processes share a step. What is written is a folder that loads wherever
the model does that the training started from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from ...choices import one_of
from ...errors import ResourceError, UsageError
from ...learning.checkpoint import Counters, Standing, read_counters, resumable
from ...learning.config import LoopConfig, Stepped
from ...learning.diffusion.adapters import INSTALL, Trained, choose, fold
from ...learning.diffusion.memory import Plan, plan
from ...learning.diffusion.moments import make_optimiser
from ...learning.diffusion.recipe import CONFIG, DiffusionRecipe, Stage
from ...learning.diffusion.table import RECIPES
from ...learning.loop import learn, parameter_groups
from ...models.device import pick_device
from ...options import sentence, user_names, written_options
from ...progress import Progress
from ...weights.catalogue import find_entry
from ...weights.hashing import folder_sha256
from ...weights.location import find_weights
from .. import curves
from ..threads import torch_threads
from .footage import PROCEDURAL, Split, joined, procedural
from .layouts import find_footage
from .lesson import SAMPLES, DepthLesson
from .release import copy_parts, write_card, write_unet
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
        resume: Go on where a run with the same options stopped.
        progress: Stage ``train``; may cancel.
        **options: Fields of `Settings`, and the recipe's own by the user's names.

    Raises:
        UsageError: an option is wrong, a package is missing, or the folder holds another run.
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
    if accelerator.is_main_process and not resume:
        _check_empty(out)
    accelerator.wait_for_everyone()  # before one of them writes
    split = _split(data, settings, out)
    out.mkdir(parents=True, exist_ok=True)
    said = written_options(recipe, settings) | own
    facts = {
        "recipe": recipe, "options": own, "settings": settings.model_dump(mode="json", exclude=set(_FREE)),
        "data": split.facts, "start": folder_sha256(start),
    }  # fmt: skip
    identity = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]
    with (
        torch.random.fork_rng([device] if device.startswith("cuda") else []),
        torch_threads(settings.threads),
    ):
        torch.manual_seed(settings.seed)
        net = chosen.load(start, device, torch.float32)
        if settings.lora and settings.precision == "bf16":
            net.parts.unet.to(torch.bfloat16)
        if accelerator.is_main_process:
            copy_parts(start, out, chosen, net)
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

            standing = _standing(out, chosen, stage, identity, trained, settings, resume)
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


def planned(recipe: str, init: str | Path, **options: Any) -> dict[str, Plan]:
    """What each stage of a training would take, computed: nothing is read but the UNet's configuration.

    Args:
        recipe, init, **options: As of `train_diffusion`.

    Raises:
        UsageError: an option is wrong.
        WeightsError: there is no such model, or its configuration is damaged.
    """
    settings, chosen, _ = read_settings(recipe, options)
    start = find_start(init)
    config = start / chosen.unet / CONFIG
    if not config.is_file():
        config = start / "unet" / CONFIG
    return {
        stage.name: plan(
            chosen,
            stage,
            config,
            (settings.height, settings.width),
            at_once=settings.at_once,
            rank=settings.lora,
            checkpointing=settings.checkpointing,
            moments=settings.moments,
            half=settings.precision == "bf16",
        )
        for stage in chosen.stages(settings.steps)
    }


def read_settings(
    recipe: str, options: Mapping[str, Any]
) -> tuple[Settings, DiffusionRecipe, dict[str, Any]]:
    """Settings, the recipe, and all its options as the user knows them.

    Args:
        recipe: Its name.
        options: By the user's names; those left out are at their defaults.

    Raises:
        UsageError: there is no such recipe or option, or one is wrong.
    """
    model = RECIPES.options_of(recipe)
    known = {*Settings.model_fields, *user_names(recipe, model)}
    for name in options:
        if name not in known:
            raise UsageError(f"The recipe {recipe} has no option {name}.", one_of(name, known))
    try:
        settings = Settings(**{k: v for k, v in options.items() if k in Settings.model_fields})
    except ValidationError as error:
        raise UsageError(sentence(error, Settings), "See vdepth train-diffusion --help.") from error
    own = RECIPES.read(recipe, {k: v for k, v in options.items() if k not in Settings.model_fields})
    chosen = RECIPES.create(recipe, own)
    if settings.height % chosen.multiple or settings.width % chosen.multiple:
        raise UsageError(
            f"{settings.width}x{settings.height} is no size for {recipe}.",
            f"Both sides are multiples of {chosen.multiple}.",
        )
    return settings, chosen, written_options(recipe, own)


def find_start(init: str | Path) -> Path:
    """The folder of the model to start from.

    Args:
        init: A folder, or the name of installed weights.

    Raises:
        UsageError: it is neither.
        WeightsError: they are not installed.
    """
    folder = Path(init).expanduser()
    if folder.is_dir():
        return folder
    found = find_weights(str(init))
    if not found.is_dir():
        raise UsageError(f"{init} is no latent diffusion model.", "Give one, as a folder or by its name.")
    return found


def _check_empty(out: Path) -> None:
    """Refuses a folder that holds anything but rendered scenes."""
    if not out.is_dir() or not (others := {path.name for path in out.iterdir()} - {CACHE}):
        return
    run = any(name.startswith("state-") for name in others)
    what = "a run" if run else f"{min(others)}, which is not ours to replace"
    raise UsageError(f"The folder {out} holds {what}.", "Go on with --resume, or choose another folder.")


def _split(data: Sequence[str | Path], settings: Settings, out: Path) -> Split:
    if not data:
        raise UsageError("There is nothing to learn from.", f"Give folders with depth, or {PROCEDURAL}.")
    size = settings.height, settings.width
    return joined(
        [
            procedural(settings.cache or out / CACHE, settings.seed, settings.scenes, settings.frames, size)
            if str(place) == PROCEDURAL
            else find_footage(Path(place).expanduser())
            for place in data
        ]
    )


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
    resume: bool,
) -> Standing:  # fmt: skip
    groups = parameter_groups(trained.parameters(), settings.rate or recipe.rate, settings.decay)
    optimiser = make_optimiser([group for group in groups if group["params"]], settings.moments)
    state, first = _state(out, stage), recipe.stages(settings.steps)[0].name == stage.name
    if resume and (first or state.is_file()):
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


__all__ = ["SAMPLES", "FineTuned", "find_start", "planned", "read_settings", "train_diffusion"]
