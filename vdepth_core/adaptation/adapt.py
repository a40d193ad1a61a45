"""The public `adapt`: fine-tunes a per-frame model on the user's own clip, so that it becomes steady there.

The clip is read once, the teacher predicts it once; both lie in a folder beside the weights until the run is
over (``.footage``), and so does the checkpoint (``.adapting``), which stays.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from pydantic import ValidationError

from ..choices import StereoLayout, check_seed, listed
from ..clip import Clip, fingerprint, open_clip, parse_range
from ..clip.options import ClipOptions
from ..errors import InputError, UsageError
from ..geometry.camera_files.formats import check_writable, write_camera
from ..geometry.camera_path import CameraPath
from ..learning.checkpoint import Counters, copied, resumable
from ..learning.config import LoopConfig
from ..learning.loop import run_over
from ..learning.state import parts_of
from ..learning.student import load_student, write_weights
from ..models.device import pick_device, probe_threads
from ..models.registry import load_model, plugin_of
from ..models.sizing import network_size
from ..options import flag, sentence
from ..plugins import answering
from ..progress import Listening, Progress
from ..protocols import DepthModel, Recipe
from ..types import Shot
from .eyes import check_eyes, eyes_identity, open_eyes
from .footage import Footage, read_frames
from .lens import given_lens, known_identity, lens_of, plate_of, read_path
from .parallax import refuse_still
from .places import Places
from .recipes import RECIPES, create_recipe
from .release import camera_path, report, weights_facts
from .session import STUDENT, Session, train
from .supervision import check_teacher

MINUTES = 5.0
_BYTES, _TEACHER_BYTES = 12, 9  # a pixel: picture, flow, visibility, target; prediction, final, luma


@dataclass(frozen=True)
class Adaptation:
    """What `adapt` did.

    Attributes:
        weights: The file; ``estimate --model`` takes it.
        steps: Training steps, over all runs.
        before, after: Loss on what was held out, by term, untouched and adapted.
        early: Whether it stopped because nothing improved any more.
        report: Pictures, figures and curves as HTML.
        path: Where the cameras were, of recipes that find out; its unit is that of the camera file, if any.
    """

    weights: Path
    steps: int
    before: dict[str, float]
    after: dict[str, float]
    early: bool
    report: Path
    path: CameraPath | None = None

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
    size: int | None = None,
    seed: int = 0,
    device: str = "auto",
    frames: str | None = None,
    right: str | Path | None = None,
    stereo: str | None = None,
    camera: str | Path | None = None,
    camera_out: str | Path | None = None,
    fov: float | None = None,
    intrinsics: str | Path | None = None,
    resume: bool | None = False,
    overwrite: bool = False,
    progress: Progress | None = None,
    **options: Any,
) -> Adaptation:
    """Fine-tunes a per-frame model on a clip and writes its weights.

    A run limited by ``steps`` is repeatable on the same machine, and a resumed one ends as if it had not been
    stopped.

    Args:
        clip: A movie, an image of a sequence, or a folder with one.
        out: Weights file to write, ``.safetensors``.
        recipe: A name of `recipes.RECIPES`.
        model: The student: a registered model, or a weights file of its network.
        teacher: Any per-frame model whose depth to keep, for recipes that are taught; None: the student
            before it is adapted.
        minutes: Training time over all runs, not counting what comes before; ignored with ``steps``.
        steps: Training steps over all runs.
        size: Shorter side of the network's input, pixels; None: the model's own.
        seed: Decides the order of the samples.
        device: ``auto``, ``cpu``, ``mps``, ``cuda``, or one of several: ``cuda:1``.
        frames: ``A-B``, inclusive, in the clip's own numbering.
        right: The right eye's clip, for recipes that learn from two.
        stereo: One of `choices.StereoLayout`: how both eyes lie in ``clip``; other recipes take the left one.
        camera: File with the camera's path, for recipes that need one; None: it is found from the clip.
        camera_out: File to write the path to.
        fov: Horizontal field of view, degrees.
        intrinsics: JSON file with the lens. Without it, ``fov`` or ``camera``, the focal length is learnt.
        resume: Go on where a run with the same options stopped; ``minutes`` and ``steps`` may be more. None:
            go on if there is one, begin if there is none, and do nothing if it is over.
        overwrite: Begin anew even over a run that is not over, and with ``resume`` None over one with other
            options.
        progress: Stages ``scan``, ``infer``, ``settle``, ``flow``, ``solve``, ``depth``, ``adapt`` and
            ``report``; may cancel.
        **options: How the clip is read (``rate``, ``layer``, ``transfer`` …, see `ClipOptions`), and the
            recipe's own (``form`` …, see its ``Options``).

    Raises:
        UsageError: an option is wrong, the model is none that can be adapted, or a run that is not over would
            be lost.
        InputError: the clip cannot be read, or shows no two frames of one shot.
        WeightsError: weights are missing, or there is nothing to resume from.
        ResourceError: disk full or out of memory.
        Cancelled: somebody asked to stop; ``resume`` goes on.

    Examples:
        >>> import vdepth_core
        >>> done = vdepth_core.adapt("shot.mov", "steady.safetensors", steps=1)
        >>> done.steps, done.weights.name
        (1, 'steady.safetensors')
    """
    out, progress = Path(out), progress or Progress()
    reading = _reading({name: options.pop(name) for name in ClipOptions.model_fields if name in options})
    chosen, own = create_recipe(recipe, options)
    _check(minutes, steps, size)
    check_seed(seed)
    check_eyes(chosen, right, stereo)
    known = {"camera": camera, "camera_out": camera_out, "fov": fov, "intrinsics": intrinsics}
    _check_known(chosen, known)
    if camera_out is not None:
        check_writable(Path(camera_out))
    _check_apart({"-o": out, "--camera-out": camera_out}, (model, teacher, clip, right, camera, intrinsics))
    places = Places(out)
    device = pick_device(device)
    student = load_student(model, device)
    guide = _teacher(chosen, teacher, model, device)
    how = reading.clip_options()
    layout = cast(StereoLayout | None, stereo)
    opened, other = open_eyes(open_clip(clip, **how), right, layout, how)
    info = opened.info
    start, stop = (0, None) if frames is None else parse_range(frames, info.first_number or 0)
    if camera is None and "camera" in getattr(chosen, "knows", ()):
        refuse_still(opened, start, stop)
    lens_file, path_file = (Path(name) if name is not None else None for name in (intrinsics, camera))
    lens = given_lens(info, fov, lens_file)
    identity = _identity(
        recipe=recipe, options=own, seed=seed, size=size, device=device, frames=frames,
        clip=fingerprint(opened).digest, layer=info.layer, colour=info.colour or info.transfer,
        every_file=reading.every_file, model=student.spec.weights_sha256,
        teacher=guide and (guide.spec.weights_sha256 or guide.spec.name), **eyes_identity(other, stereo),
        **known_identity(fov, lens_file, path_file),
        **({} if info.shown == "upright" else {"shown": info.shown}),
    )  # fmt: skip
    height, width = network_size(info.width, info.height, info.pixel_aspect, student.spec, size)
    guide_size = height, width
    if guide is not None and teacher is not None:
        guide_size = network_size(info.width, info.height, info.pixel_aspect, guide.spec)
    pace = {name: getattr(chosen, name) for name in ("rate", "share") if hasattr(chosen, name)}
    config = LoopConfig(seed=seed, minutes=minutes, steps=steps, **pace)
    if resume is None:
        before = places.former(identity, student.spec.name)
        if before is not None and places.tidied and run_over(config, before):
            return _result(places, config, before, None)
        resume = before is not None
        if not resume and not overwrite:
            places.spare_other()
    elif not resume and not overwrite:
        places.spare_unfinished(identity)
    trained = resume and places.state.exists()
    if resume:
        counters = places.resume(identity, student.spec.name)
        places.claim(identity, counters.threads)
    else:
        threads = probe_threads(student, (height, width)) if device == "cpu" else torch.get_num_threads()
        counters = places.begin(identity, student.spec.name, threads)
    heard = Listening(progress)
    with resumable(), _clean(places, resumed=resume):
        # poses without numbers are told by how many frames the whole clip has
        shots = _shots(opened, start, stop, heard, whole=path_file is not None)
        taught = guide_size[0] * guide_size[1] * _TEACHER_BYTES if guide is not None else 0
        places.need(sum(map(len, shots)) * (height * width * _BYTES + taught))
        with _threads(counters.threads), Footage(places.folder, shots, height, width) as footage:
            read_frames(opened, footage, shots, heard)
            path = read_path(path_file, opened, lens, heard) if path_file is not None else None
            lens = lens_of(path) if lens is None and path is not None else lens
            session = Session(
                opened, shots, footage, student, guide, guide_size, places.folder, seed, heard, lens, path,
                right=other,
            )  # fmt: skip
            untouched = copied(student.network.state_dict())
            plugins = plugin_of(str(teacher)), plugin_of(str(model)), RECIPES.plugin(recipe)
            with closing(session), answering(*plugins):
                standing = train(session, chosen, config, counters, places.state, trained)
            session.trained().load_state_dict(standing.kept)
            found = camera_path(session)
            report(places.report, session, recipe, standing, untouched, found, heard.warnings)
            facts = weights_facts(session, recipe, counters.step)
            write_weights(out, parts_of(standing.kept, STUDENT), facts)
            if camera_out is not None and found is not None:  # last: not every format can hold every lens
                write_camera(found, Path(camera_out), plate_of(opened, lens))
    places.tidy()
    return _result(places, config, counters, found)


def _result(places: Places, config: LoopConfig, counters: Counters, found: CameraPath | None) -> Adaptation:
    history = counters.history
    after = min(history, key=lambda entry: sum(entry[1].values()))[1]
    early = config.patience is not None and counters.since >= config.patience
    return Adaptation(places.out, counters.step, history[0][1], after, early, places.report, found)


def _reading(options: dict[str, Any]) -> ClipOptions:
    """How the clip is read.

    Raises:
        UsageError: an option is wrong.
    """
    try:
        return ClipOptions(**options)
    except ValidationError as error:
        raise UsageError(sentence(error, ClipOptions), "See vdepth adapt --help.") from error


def _teacher(recipe: Recipe, teacher: str | Path | None, model: str | Path, device: str) -> DepthModel | None:
    """Whose depth a taught recipe keeps.

    Raises:
        UsageError: the model cannot teach, or the recipe cannot be taught.
    """
    if not recipe.taught:
        if teacher is not None:
            raise UsageError(f"The recipe {recipe.name} has no teacher.", "Leave --teacher out.")
        return None
    guide = load_model(teacher if teacher is not None else model, device)
    check_teacher(guide.spec)
    return guide


def _check_known(recipe: Recipe, known: dict[str, Any]) -> None:
    """Refuses to be told of a camera what nobody looks at.

    Raises:
        UsageError: the recipe has no use for it.
    """
    useful = getattr(recipe, "knows", ())
    given = [flag(name) for name, value in known.items() if value is not None and name not in useful]
    if given:
        what = "camera path" if useful else "camera"
        raise UsageError(f"The recipe {recipe.name} needs no {what}.", f"Leave {listed(given)} out.")
    if getattr(recipe, "needs_lens", False) and not (known["fov"] or known["intrinsics"]):
        raise UsageError("Metres need the lens beside the baseline.", "Give --fov or --intrinsics, too.")


def _check_apart(written: dict[str, str | Path | None], read: Iterable[str | Path | None]) -> None:
    """Refuses to write over what is read.

    Raises:
        UsageError: two names are the same file.
    """
    sources = [Path(name) for name in read if name is not None and os.path.exists(name)]
    for name, file in written.items():
        if file is not None and os.path.exists(file) and any(source.samefile(file) for source in sources):
            raise UsageError(f"{file} is read here, and {name} would replace it.", "Choose another name.")


def _check(minutes: float, steps: int | None, size: int | None) -> None:
    if not (minutes > 0 and math.isfinite(minutes)) or (steps is not None and steps < 1):
        raise UsageError("Minutes and steps must be positive.", "Leave the option out for its default.")
    if size is not None and not 32 <= size <= 4096:
        raise UsageError(f"A size of {size} pixels is not possible.", "Give 32 to 4096.")


def _identity(**facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _shots(clip: Clip, start: int, stop: int | None, progress: Progress, whole: bool) -> list[Shot]:
    """The clip's shots of two frames and more in a range; the others hold no pair.

    ``whole``: everything is scanned, so that all of the clip's frames are known afterwards.
    """
    progress.stage("scan", None)
    if whole:
        every = [shot.within(start, stop) for shot in clip.scan(progress=progress)]
    else:
        every = list(clip.scan(start=start, stop=stop, progress=progress))
    shots = [shot for shot in every if shot is not None and len(shot) > 1]
    for note in (*clip.info.notes, *(clip.facts.warnings if clip.facts else ())):
        progress.warn(note)
    if not shots:
        raise InputError(
            f"{clip.info.path.name} has no two frames in one shot here; nothing can be learnt from it.",
            "Give a clip, or a longer range of frames.",
        )
    return shots


@contextmanager
def _clean(places: Places, resumed: bool) -> Iterator[None]:
    """Leaves no folder beside the weights where a new run found that nothing can be learnt from the clip."""
    try:
        yield
    except InputError:
        if not resumed and not places.state.exists():
            places.tidy()
        raise


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
