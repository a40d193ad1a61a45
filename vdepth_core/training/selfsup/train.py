"""Training of a depth network on KITTI's raw recordings or on a folder of clips, by a published system.

The loop is `learning.loop`'s with the published optimiser: Adam without decay, clipping only where a system
has it, no average of the weights. What is written is what the authors' code writes: `models.layouts`.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import nn

from ...choices import listed, one_of
from ...errors import ResourceError, UsageError
from ...files import make_folder, write_bytes
from ...learning.checkpoint import Counters, Standing, read_counters, resumable
from ...learning.config import LoopConfig, Stepped
from ...learning.loop import learn, parameter_groups
from ...learning.systems.system import Course, System
from ...learning.systems.table import SYSTEMS
from ...models.device import pick_device
from ...models.layouts import depth_and_pose_files
from ...networks.monodepth2 import DepthDecoder
from ...networks.monodepth2_pose import SharedPose
from ...options import flag, sentence, user_names, written_options
from ...progress import Progress
from .. import curves
from ..threads import torch_threads
from .clips import ClipFolder, find_clips, find_pairs, has_eyes, size_like
from .gallery import Gallery
from .kitti import KittiRaw, sources_of
from .lesson import DEPTH, MASK, POSE, SelfSupervision
from .networks import DepthNetwork, depth_network, pose_network, shared_network, states_of
from .settings import Settings

STATE, CURVES, CACHE = "state.training", "losses", "frames"  # in the output folder
_FOREVER = 10**9  # validations without a better one: the best is kept, and the run goes on
_MOST_STEPS = 1000  # between validations
_FREE = ("steps", "epochs", "device", "workers", "cache", "save")  # may change when a run goes on


@dataclass(frozen=True)
class Trained:
    """What `train_selfsup` did.

    Attributes:
        folder: ``estimate --model`` takes it.
        steps: Over all runs.
        held_out: Errors of what was written, by term.
    """

    folder: Path
    steps: int
    held_out: dict[str, float]


def train_selfsup(
    data: str | Path,
    out: str | Path,
    *,
    recipe: str = "monodepth2",
    resume: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Trained:
    """Trains, and writes the networks' files into a folder.

    The folder also has the checkpoint (``state.training``), and the loss of every step (``losses.csv``,
    ``losses.png``); all is rewritten with every checkpoint.

    Args:
        data: KITTI's folder of days with ``split``, else a clip or a folder of clips.
        out: Folder to write into; made where it is missing.
        recipe: A name of `SYSTEMS`.
        resume: Go on where a run with the same options stopped.
        progress: Stages ``scan``, ``read`` and ``train``; may cancel.
        **options: Fields of `Settings`, and the system's own by the user's names.

    Raises:
        UsageError: an option is wrong, or the folder holds another run.
        InputError: the data cannot be read.
        WeightsError: weights to start from are missing, or there is nothing to resume from.
        ResourceError: disk full or out of memory.
        Cancelled: somebody asked to stop; ``resume`` goes on.
    """
    data, out, progress = Path(data), Path(out), progress or Progress()
    settings, system, own = _read(data, recipe, options)
    course = _course(settings, system)
    state = out / STATE
    if not resume and out.is_dir() and (others := {path.name for path in out.iterdir()} - {CACHE}):
        what = "a run" if STATE in others else f"{min(others)}, which is not ours to replace"
        raise UsageError(f"The folder {out} holds {what}.", "Go on with --resume, or choose another folder.")
    make_folder(out)
    device = pick_device(settings.device)
    with (
        torch.random.fork_rng([device] if device.startswith("cuda") else []),
        torch_threads(settings.threads),
    ):
        torch.manual_seed(settings.seed)
        depth = depth_network(settings, system.network)
        if system.stereo and depth.family != system.network:
            raise UsageError(
                f"The recipe {recipe} trains no network of {depth.family}.",
                "Leave --network and --init out: it must say both eyes' disparity.",
            )
        gallery, course = _gallery(data, settings, course, depth, out, progress)
        try:
            trained = _modules(settings, system, gallery, depth).to(device)
            epoch = course.epoch or max(1, len(gallery.training) // course.batch)
            steps = settings.steps or course.epochs * epoch
            config = _loop(settings, course, steps, epoch)
            identity = _identity(recipe, own, settings, course, gallery, depth)
            groups = parameter_groups(trained.parameters(), config.rate, config.decay)
            optimiser = torch.optim.Adam(groups)
            if resume:
                standing = Standing.restored(state, trained, optimiser, read_counters(state, identity))
            else:
                threads = torch.get_num_threads()
                standing = Standing.fresh(trained, optimiser, Counters(identity, threads=threads))
            torch.set_num_threads(standing.counters.threads)

            def saved(standing: Standing) -> None:
                _write(out, settings, gallery, depth, trained, standing, epoch)

            lesson = SelfSupervision(
                gallery, system, course, depth, trained, settings.seed, device, settings.workers,
                standing.counters.step, saved,
            )  # fmt: skip
            try:
                with resumable():
                    learn(lesson, standing, config, state, progress)
            finally:
                lesson.close()
        except torch.cuda.OutOfMemoryError as error:
            raise ResourceError(
                f"Training {recipe} at {course.size[1]}x{course.size[0]} in batches of {course.batch} "
                "does not fit the GPU's memory.",
                "Use a smaller --batch, --height or --width.",
            ) from error
        finally:
            gallery.close()
    history = standing.counters.history
    shown = (
        min(history, key=lambda entry: sum(entry[1].values())) if settings.release == "best" else history[-1]
    )
    return Trained(out, standing.counters.step, shown[1])


def _read(data: Path, recipe: str, options: Mapping[str, Any]) -> tuple[Settings, System, dict[str, Any]]:
    """Settings, the system, and all its options as the user knows them."""
    model = SYSTEMS.options_of(recipe)
    known = {*Settings.model_fields, *user_names(recipe, model)}
    others = {name for other, more in SYSTEMS.all_options().items() for name in user_names(other, more)}
    for name in options:
        if name not in known:
            if name in others:
                raise UsageError(f"The recipe {recipe} has no option {name}.", "Leave it out.")
            raise UsageError(f"There is no option {name}.", one_of(name, known))
    try:
        settings = Settings(**{k: v for k, v in options.items() if k in Settings.model_fields})
    except ValidationError as error:
        raise UsageError(sentence(error, Settings), "See vdepth train-selfsup --help.") from error
    chosen = SYSTEMS.read(recipe, {k: v for k, v in options.items() if k not in Settings.model_fields})
    system, own = SYSTEMS.create(recipe, chosen), written_options(recipe, chosen)
    if settings.pose is not None and settings.pose not in system.pose_kinds:
        raise UsageError(
            f"The recipe {recipe} has no pose network {settings.pose}.",
            one_of(settings.pose, system.pose_kinds),
        )
    if system.stereo and settings.use != "stereo":
        raise UsageError(
            f"The recipe {recipe} learns from stereo partners.", "Give --use stereo and --split."
        )
    if settings.velocity and recipe != "packnet":
        raise UsageError("Measured motion is packnet's.", "Leave --velocity out, or use --recipe packnet.")
    if settings.velocity and settings.use != "mono":
        raise UsageError("Motion is measured in time only.", "Leave --velocity or --use out.")
    if settings.predictive_mask and (recipe != "monodepth2" or own["automask"]):
        raise UsageError(
            "A predictive mask is monodepth2's, in place of the auto-mask.",
            "Give --no-automask beside it, or leave --predictive-mask out.",
        )
    clips_only = [flag(name) for name in ("fov", "intrinsics", "gap") if getattr(settings, name) is not None]
    if settings.split is not None and clips_only:
        raise UsageError(
            f"With --split the data is KITTI's, and nobody would look at {listed(clips_only)}.",
            f"Leave {listed(clips_only)} out, or --split for clips.",
        )
    if settings.split is None and settings.camera is not None:
        raise UsageError(
            f"--camera {settings.camera} is of KITTI's recordings.",
            "Give a list with --split; clips have camera files, --intrinsics or --fov.",
        )
    if settings.split is None and (settings.velocity or settings.val_split):
        raise UsageError("Lists and measured motion are KITTI's.", "Give a list with --split.")
    if settings.split is None and settings.use != "mono" and not has_eyes(data):
        raise UsageError(
            f"There are no folders left and right in {data}.",
            "Put the eyes' clips there, or give a list of KITTI's with --split.",
        )
    return settings, system, own


def _course(settings: Settings, system: System) -> Course:
    """The published course with what the user changed."""
    course = system.course
    size = settings.height or course.size[0], settings.width or course.size[1]
    if any(side % 32 for side in size):
        raise UsageError(f"{size[1]}x{size[0]} is no size for a network.", "Both sides are multiples of 32.")
    return replace(
        course,
        size=size,
        batch=settings.batch or course.batch,
        rate=settings.rate or course.rate,
        epochs=settings.epochs or course.epochs,
        drops=tuple(drop * (settings.epochs or course.epochs) / course.epochs for drop in course.drops),
    )


def _loop(settings: Settings, course: Course, steps: int, epoch: int) -> LoopConfig:
    return LoopConfig(
        seed=settings.seed,
        steps=steps,
        batch=course.batch,
        rate=course.rate,
        schedule=Stepped(tuple(drop / course.epochs for drop in course.drops), course.factor, course.warm_up),
        decay=0.0,
        average=0.0,
        clip=math.inf if course.clip is None else course.clip,
        validate_every=settings.every or min(_MOST_STEPS, epoch),
        patience=_FOREVER,
        save_every=settings.save,
    )


def _gallery(
    data: Path, settings: Settings, course: Course, depth: DepthNetwork, out: Path, progress: Progress
) -> tuple[Gallery, Course]:
    """The training set, and the course at its size."""
    if settings.split is not None:
        offsets, partner = sources_of(settings.use, course.offsets)
        calibrated = settings.camera == "calibrated" if settings.camera else not course.nominal

        def resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
            resampled = depth.reads.resampled
            if picture.shape[:2] == size or resampled is None:
                return picture
            small = resampled(torch.from_numpy(picture)[None], size)[0]
            return small.mul(255).round_().byte().permute(1, 2, 0).numpy()

        kitti = KittiRaw(
            data, settings.split, settings.val_split, course.size, offsets, partner, calibrated,
            settings.velocity, resize,
        )  # fmt: skip
        if kitti.dropped:
            progress.warn(f"{kitti.dropped} targets lack a neighbour and are left out.")
        return kitti, course
    partners = None if settings.use == "mono" else find_pairs(data)
    clips = find_clips(data) if partners is None else [left for left, _ in partners]
    if settings.height is None and settings.width is None:
        course = replace(course, size=size_like(course.size, clips[0]))
    cache = settings.cache or out / CACHE
    offsets, _ = sources_of(settings.use, course.offsets)
    return ClipFolder(
        clips, course.size, offsets, settings.gap, settings.fov, settings.intrinsics, cache, progress,
        None if partners is None else [right for _, right in partners],
    ), course  # fmt: skip


def _modules(settings: Settings, system: System, gallery: Gallery, depth: DepthNetwork) -> nn.ModuleDict:
    modules = nn.ModuleDict({DEPTH: depth.network})
    if gallery.offsets:
        kind = settings.pose or system.pose_kinds[0]
        if kind == "shared":
            new: nn.Module = SharedPose(shared_network(depth).encoder.channels[-1])
        else:
            new = system.pose_network(kind, len(gallery.offsets))
        modules[POSE] = pose_network(new, settings.encoder)
    if settings.predictive_mask:
        network, sources = shared_network(depth), len(gallery.offsets) + (settings.use != "mono")
        modules[MASK] = DepthDecoder(network.encoder.channels, network.decoder.scales, sources)
    for name, module in system.modules().items():
        modules[name] = module
    return modules


def _identity(
    recipe: str, own: dict[str, Any], settings: Settings, course: Course, gallery: Gallery,
    depth: DepthNetwork,
) -> str:  # fmt: skip
    said = settings.model_dump(mode="json", exclude=set(_FREE))
    facts = {
        "recipe": recipe, "options": own, "settings": said, "data": gallery.facts, "batch": course.batch,
        "start": depth.facts,
    }  # fmt: skip
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _write(
    out: Path, settings: Settings, gallery: Gallery, depth: DepthNetwork, trained: nn.ModuleDict,
    standing: Standing, epoch: int,
) -> None:  # fmt: skip
    counters = standing.counters
    curves.write(out / CURVES, counters.losses, counters.history)
    weights = standing.kept if settings.release == "best" else standing.average
    states = states_of(dict(trained.items()), weights)
    height, width = gallery.size
    sized = depth.family in {"monodepth2", "diffnet", "ddv"} or gallery.size != _usual_size(depth)
    facts = {"height": height, "width": width} if sized else {}
    if depth.family in {"monodepth2", "diffnet", "ddv"}:
        facts["use_stereo"] = settings.use != "mono"
    files = depth_and_pose_files(
        depth.family, states[DEPTH], states.get(POSE), states.get("features"), facts | depth.facts,
        counters.step // epoch, states.get(MASK),
    )  # fmt: skip
    for name, content in files.items():
        buffer = io.BytesIO()  # torch writes a file's name into it
        torch.save(content, buffer)
        write_bytes(out / name, buffer.getvalue())


def _usual_size(depth: DepthNetwork) -> tuple[int, int] | None:
    """The size that the family's own weights are for."""
    from ...types import ModelSpec
    from ...weights.catalogue import find_entry

    known = depth.reads.stands_for
    return (known if isinstance(known, ModelSpec) else find_entry(known).spec()).fixed_size
