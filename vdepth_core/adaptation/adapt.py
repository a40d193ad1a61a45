"""The public `adapt`: fine-tunes a per-frame model on the user's own clip, so that it becomes steady there.

The clip is read once, the teacher predicts it once; both lie in a folder beside the weights until the run is
over (``.footage``), and so does the checkpoint (``.adapting``), which stays.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from ..choices import TemporalForm
from ..clip import Clip, fingerprint, open_clip, parse_range
from ..errors import Cancelled, InputError, ResourceError, UsageError, WeightsError
from ..files import plain_files, refuse_link
from ..learning.checkpoint import Counters, check_identity, is_checkpoint, read_counters
from ..learning.loop import LoopConfig, Outcome, fine_tune
from ..learning.student import Student, is_adapted, load_student, write_weights
from ..models.device import pick_device, probe_threads
from ..models.registry import load_model
from ..models.sizing import network_size
from ..progress import Progress
from ..store import remove_store
from ..types import DepthModel, Shot
from .footage import Footage, find_motion, read_frames
from .recipes import find_recipe
from .supervision import check_teacher, supervise

_log = logging.getLogger(__name__)

MINUTES = 5.0
_RUN = "run.json"
_BYTES, _TEACHER_BYTES = 12, 9  # a pixel: picture, flow, visibility, target; prediction, final, luma


@dataclass(frozen=True)
class Adaptation:
    """What `adapt` did.

    Attributes:
        weights: The file; ``estimate --model`` takes it.
        steps: Training steps, over all runs.
        before, after: Loss on held-out pairs by term, untouched and adapted.
        early: Whether it stopped because nothing improved any more.
    """

    weights: Path
    steps: int
    before: dict[str, float]
    after: dict[str, float]
    early: bool

    @property
    def changed(self) -> bool:
        """Whether anything was gained; if not, the weights are the untouched ones."""
        return sum(self.after.values()) < sum(self.before.values())


def adapt(
    clip: str | Path,
    out: str | Path,
    *,
    recipe: str = "tc",
    model: str | Path = "embedded",
    teacher: str | Path | None = None,
    minutes: float = MINUTES,
    steps: int | None = None,
    form: TemporalForm = "residual",
    size: int | None = None,
    seed: int = 0,
    device: str = "auto",
    frames: str | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> Adaptation:
    """Fine-tunes a per-frame model on a clip and writes its weights.

    A run limited by ``steps`` is repeatable on the same machine, and a resumed one ends as if it had not been
    stopped.

    Args:
        clip: A movie, an image of a sequence, or a folder with one.
        out: Weights file to write, ``.safetensors``.
        recipe: A name of `recipes.RECIPES`.
        model: The student: a registered model, or a weights file of its network.
        teacher: Any per-frame model whose depth to keep; None: the student before it is adapted.
        minutes: Training time over all runs, not counting what comes before; ignored with ``steps``.
        steps: Training steps over all runs.
        form: The temporal loss: ``residual`` or ``plain``, see `temporal_loss`.
        size: Shorter side of the network's input, pixels; None: the model's own.
        seed: Decides the order of the samples.
        device: ``auto``, ``cpu``, ``cuda``, ``mps``.
        frames: ``A-B``, inclusive, in the clip's own numbering.
        resume: Go on where a run with the same options stopped; ``minutes`` and ``steps`` may be more.
        progress: Stages ``scan``, ``infer``, ``settle``, ``flow``, ``adapt``; may cancel.

    Raises:
        UsageError: an option is wrong, or the model is none that can be adapted.
        InputError: the clip cannot be read, or shows no two frames of one shot.
        WeightsError: weights are missing, or there is nothing to resume from.
        ResourceError: disk full or out of memory.
        Cancelled: somebody asked to stop; ``resume`` goes on.
    """
    out, progress = Path(out), progress or Progress()
    chosen = find_recipe(recipe)
    if form not in chosen.forms:
        raise UsageError(f"There is no form {form} of {recipe}.", f"Choose one of {', '.join(chosen.forms)}.")
    _check(out, minutes, steps, size)
    state, folder = out.with_suffix(".adapting"), out.with_suffix(".footage")
    plain_files(folder)
    refuse_link(state)
    device = pick_device(device)
    student = load_student(model, device)
    guide = load_model(teacher if teacher is not None else model, device)
    check_teacher(guide.spec)
    opened = open_clip(clip)
    info = opened.info
    identity = _identity(
        recipe=recipe, form=form, seed=seed, size=size, device=device, frames=frames,
        clip=fingerprint(opened).digest, model=student.spec.weights_sha256,
        teacher=guide.spec.weights_sha256 or guide.spec.name,
    )  # fmt: skip
    height, width = network_size(info.width, info.height, info.pixel_aspect, student.spec, size)
    guide_size = height, width
    if teacher is not None:
        guide_size = network_size(info.width, info.height, info.pixel_aspect, guide.spec)
    trained = resume and state.exists()
    if trained:
        counters = read_counters(state, identity)
    elif resume:
        counters = _prepared(folder, identity)
    else:
        _clear(state, folder)
        threads = probe_threads(student, (height, width)) if device == "cpu" else torch.get_num_threads()
        counters = Counters(identity, threads)
        folder.mkdir(exist_ok=True)
        (folder / _RUN).write_text(json.dumps({"identity": identity, "threads": threads}))
    with _resumable():
        shots = _shots(opened, frames, progress)
        a_frame = height * width * _BYTES + guide_size[0] * guide_size[1] * _TEACHER_BYTES
        _need(folder, sum(map(len, shots)) * a_frame)
        with _threads(counters.threads), Footage(folder, shots, height, width) as footage:
            read_frames(opened, footage, shots, progress)
            find_motion(footage, progress)
            supervision = supervise(opened, shots, guide, student, footage, folder, guide_size, progress)
            if not supervision.agreement:
                progress.warn(
                    f"{guide.spec.name} and {student.spec.name} hardly agree about this clip; "
                    "the model may change a lot."
                )
            objective = chosen.build(footage, supervision, form, device)
            config = LoopConfig(seed=seed, minutes=minutes, steps=steps)
            outcome = fine_tune(student, objective, config, state, counters, progress, trained)
    facts = _facts(student, guide, recipe, outcome)
    write_weights(out, outcome.best, facts)
    with suppress(OSError):  # what is left of it is in nobody's way
        remove_store(folder)
    return Adaptation(out, outcome.steps, outcome.before, outcome.after, outcome.early)


def _check(out: Path, minutes: float, steps: int | None, size: int | None) -> None:
    if out.suffix != ".safetensors":
        raise UsageError(f"{out.name} is no name for weights.", "Let it end in .safetensors.")
    if not out.parent.is_dir():
        raise UsageError(f"The folder {out.parent} does not exist.", "Make it first.")
    if os.path.lexists(out) and not is_adapted(out):
        raise UsageError(
            f"{out} is there, and vdepth adapt did not write it.", "Choose another name with -o."
        )
    if not (minutes > 0 and math.isfinite(minutes)) or (steps is not None and steps < 1):
        raise UsageError("Minutes and steps must be positive.", "Leave the option out for its default.")
    if size is not None and not 32 <= size <= 4096:
        raise UsageError(f"A size of {size} pixels is not possible.", "Give 32 to 4096.")


def _clear(state: Path, folder: Path) -> None:
    """Removes what a former run left; nothing that could be somebody else's.

    Raises:
        UsageError: the folder or the checkpoint is none of ours.
    """
    if os.path.lexists(state) and not is_checkpoint(state):
        raise UsageError(
            f"{state} is in the way; it is no checkpoint of vdepth.", "Choose another name with -o."
        )
    if folder.exists():
        if not (folder / _RUN).is_file():
            raise UsageError(
                f"{folder} is in the way; it is no folder of vdepth.", "Choose another name with -o."
            )
        remove_store(folder)
    state.unlink(missing_ok=True)


def _prepared(folder: Path, identity: str) -> Counters:
    """Counters of a run that was stopped before its first step."""
    try:
        facts = json.loads((folder / _RUN).read_text())
        found, threads = facts["identity"], int(facts["threads"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"There is nothing to resume from: neither a checkpoint nor {folder} is there.",
            "Start without --resume.",
        ) from error
    check_identity(folder, found, identity)
    return Counters(identity, threads)


def _identity(**facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _shots(clip: Clip, frames: str | None, progress: Progress) -> list[Shot]:
    """The clip's shots of two frames and more; the others hold no pair."""
    first = clip.info.first_number or 0
    start, stop = (0, None) if frames is None else parse_range(frames, first)
    progress.stage("scan", None)
    shots = [shot for shot in clip.scan(start=start, stop=stop, progress=progress) if len(shot) > 1]
    for note in (*clip.info.notes, *(clip.facts.warnings if clip.facts else ())):
        progress.warn(note)
    if not shots:
        raise InputError(
            f"{clip.info.path.name} has no two frames in one shot here; nothing can be learnt from it.",
            "Give a clip, or a longer range of frames.",
        )
    return shots


def _need(folder: Path, size: int) -> None:
    """Refuses early what would fill the disk in the end."""
    free = shutil.disk_usage(folder.parent).free
    if size > free:
        raise ResourceError(
            f"Preparing the clip needs {size / 1e9:.1f} GB beside the weights; {free / 1e9:.1f} GB are free.",
            "Free some space, or adapt to fewer --frames.",
        )


@contextmanager
def _resumable() -> Iterator[None]:
    """Says how to go on after a stop, or a full disk."""
    try:
        yield
    except Cancelled as error:
        raise Cancelled("Cancelled.", "Run the same with --resume to go on where it stopped.") from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise ResourceError("The disk is full.", "Free some space and run the same with --resume.") from error


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _facts(student: Student, teacher: DepthModel, recipe: str, outcome: Outcome) -> dict[str, str]:
    """What the weights say about themselves: the stricter terms of student and teacher hold."""
    own, other = student.spec, teacher.spec
    licences = list(dict.fromkeys((own.license, other.license)))
    return {
        "license": " AND ".join(licences),
        "commercial": "true" if own.commercial and other.commercial else "false",
        "source": own.name,
        "sha256": own.weights_sha256,
        "teacher": other.name,
        "recipe": recipe,
        "steps": str(outcome.steps),
    }
