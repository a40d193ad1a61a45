"""Everything that decides a job's bytes, settled and checked before anything is written."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from ..checksums import Checksums
from ..choices import Runtime
from ..clip import Clip, fingerprint, open_clip
from ..errors import UsageError, WeightsError
from ..geometry.camera import Intrinsics
from ..methods.registry import METHODS
from ..methods.windowed.method import sees_windows
from ..methods.windowed.plan import WINDOW
from ..models.device import pick_device
from ..models.registry import ModelEntry, list_models, plugin_of
from ..models.runtime import INSTALL, TORCH, onnx_runtime, runtime_of, wanted_runtime
from ..options import flag, user_names
from ..output.manifest import CameraEntry, ClipEntry
from ..plugins import Plugin, answering
from ..progress import Progress
from ..protocols import DepthModel, Method, Refiner, WeightedRefiner
from ..refiners.registry import REFINERS
from ..types import ModelSpec
from ..version import __version__
from .accelerator import ModelShelf
from .cameras import moving_camera, plate_camera
from .config import MOTION, EstimateConfig, JobOptions
from .identity import Identity, frame_range
from .numbering import Numbering
from .presets import resolve, usual_dtype
from .record import ClipRecord, JobRecord, keep_choice, read_record, weights_seen

_SAME = ("model", "predicts", "device", "dtype", "runtime", "compile")  # of two jobs that load the same model


@dataclass(frozen=True)
class Plan:
    """One job, ready to run; what it decides stands in ``record``, which is kept as JSON.

    Attributes:
        clip: The clip, opened.
        record: What ``job.json`` is to say.
        before: What it says; None where there is no job.
        config: The options, resolved.
        device: Where the network runs.
        spec: What the model is.
        load: Loads the model, the first time; see `make_plan` for what it raises.
        plugins: What of the job is other packages', of the kinds it is called with: ``model``, ``method``,
            ``refiner``.
        method: What predicts.
        refiner: What improves its settled maps; None: nothing.
        size: (height, width) of the network's input.
        camera: The plate's camera.
        frames: Clip frame indices [start, stop); None: to the end of a movie.
    """

    clip: Clip
    record: JobRecord
    before: JobRecord | None
    config: EstimateConfig
    device: str
    spec: ModelSpec
    load: Callable[[], DepthModel]
    plugins: Callable[..., list[Plugin]]
    method: Method
    refiner: Refiner | None
    size: tuple[int, int]
    camera: Intrinsics
    frames: tuple[int, int | None]

    @property
    def refined_size(self) -> tuple[int, int]:
        """(height, width) of the refiner's maps; there must be one.

        Raises:
            PluginError: it gave no size.
        """
        assert self.refiner is not None
        with answering(*self.plugins("refiner")):
            return _checked_size("size", self.refiner.size(self.clip.info, self.spec, self.size))

    @property
    def numbering(self) -> Numbering:
        """The frames' numbers."""
        return Numbering.of(self.clip.info, self.config)


def make_plan(
    path: Path,
    out: Path,
    given: EstimateConfig,
    shelf: ModelShelf,
    checksums: Checksums,
    progress: Progress,
    *,
    overwrite: bool = False,
) -> Plan:
    """Opens the clip, learns what the model is and checks every option; writes nothing.

    The model is loaded, unless the folder's job knows it and its weights are the same, or gone.

    Args:
        path: The clip.
        out: The job's folder. What its job chose is kept, unless with ``overwrite``.
        given: The options as given.
        shelf: Where models come from.
        checksums: What is known of the clip's files.
        progress: Asked for cancellation.
        overwrite: Choose anew.

    Raises:
        UsageError: an option is wrong, or not possible here or for this clip.
        InputError: the clip, or the camera's file, cannot be used.
        WeightsError: the model cannot be loaded.
    """
    before = read_record(out)
    clip = open_clip(path, **given.clip_options())
    config = given if overwrite else keep_choice(given, before)
    device, info = _device(config, given, out), clip.info
    refiner = REFINERS.create(config.refiner, config.refiner_options()) if config.refiner else None
    camera, said = plate_camera(info, config)
    start, stop = frames = frame_range(info, config)
    if config.camera == MOTION:
        source = fingerprint(clip, start, stop, checksums=checksums, progress=progress)
        again = open_clip(path, **given.clip_options())  # the job's own scan is still to come
        camera = moving_camera(again, start, stop, before, source.digest, progress)
    if info.kind == "sequence" and stop is not None:
        Numbering.of(info, config).check_shown(start / info.rate, stop / info.rate)
    config = config.model_copy(update={"runtime": _runtime_wanted(config, device, clip, frames)})
    models = list_models()  # from here on a model may be loaded, which takes a while
    config = resolve(config, models, device, windows=_sees_windows(config, models, device, shelf, before))
    assert config.method is not None
    plugins = _plugins(config)
    method = METHODS.create(config.method, config.method_options())
    found = next((entry.path for entry in models if entry.name == config.model), Path(str(config.model)))
    weights = weights_seen(found)

    def load() -> DepthModel:
        model = _model(config, given, shelf, out, before)
        with answering(*plugins("model", "method")):
            method.check(model)
        if known is not None and model.spec != known:
            raise WeightsError(
                f"The weights of {known.name} changed since the job in {out} was begun.",
                "Use --overwrite to replace it, or another folder with -o.",
            )
        return model

    known = _known_spec(before, config, weights)
    model = None if known is not None else load()
    runtime = _runtime(before) if model is None else runtime_of(model)
    config = config.model_copy(update={"runtime": TORCH if runtime == TORCH else "onnx"})
    assert config.method is not None
    spec = known if model is None else model.spec
    assert spec is not None
    with answering(*plugins("method")):
        size = _checked_size("input_size", method.input_size(info, spec, config.size))
    with answering(*plugins("refiner")):
        if refiner is not None:
            _checked_size("size", refiner.size(info, spec, size))  # refuses what it is nothing for
        brought = refiner.weights() if isinstance(refiner, WeightedRefiner) else None
    identity = Identity.of(config, info, spec, size, camera, brought, runtime)
    source = fingerprint(clip, start, stop, checksums=checksums, progress=progress)
    seen = ClipRecord.of(info, source)
    same = before is not None and before.spec == spec
    record = JobRecord(
        job=identity.job(source.digest),
        vdepth=__version__,
        given=given,
        chosen=config,
        identity=identity.facts,
        clip=seen,
        spec=spec,
        weights=weights or (before.weights if before is not None and same else ""),
        size=size,
        refiner_weights=brought,
        camera=CameraEntry.of(camera),
        warnings=[*info.notes, *said, *_idle_options(given, config.method, spec), *_doubts(clip, start)],
    )
    if before is not None and record.goes_on(before):
        # A clip that was moved or renamed is the same; the names of its files are what they were.
        kept = {"name": before.clip.name, "file": before.clip.file}
        record = record.model_copy(update={"clip": seen.model_copy(update=kept), "threads": before.threads})
        clip.info = replace(info, name=before.clip.name)
    elif before is not None and record.predictions == before.predictions:
        record = record.model_copy(update={"threads": before.threads})
    entry = ClipEntry.of(clip.info, source.digest, [], [])
    record = record.model_copy(update={"source": entry, "beside": _beside(clip.info.path, out)})
    return Plan(
        clip, record, before, config, device, spec, load, plugins, method, refiner, size, camera, frames
    )


def _beside(path: Path, out: Path) -> str:
    """The clip's path from the job's folder, for when both are moved; none between two drives."""
    try:
        return os.path.relpath(path, out)
    except ValueError:
        return ""


def _plugins(config: EstimateConfig) -> Callable[..., list[Plugin]]:
    """`Plan.plugins`, looked up once: all packages are read for it, while the accelerator would wait."""
    found = {
        "model": plugin_of(config.model),
        "method": METHODS.plugin(config.method),
        "refiner": REFINERS.plugin(config.refiner),
    }
    return lambda *kinds: [plugin for kind in kinds if (plugin := found[kind]) is not None]


def _sees_windows(
    config: EstimateConfig,
    models: Collection[ModelEntry],
    device: str,
    shelf: ModelShelf,
    before: JobRecord | None,
) -> bool:
    """Whether weights of the user's own, given without a method, are for `windowed`.

    The folder's job tells, where it had the same weights; else loading them does.
    """
    if config.method is not None or config.model is None or plugin_of(config.model) is not None:
        return False
    if any(entry.name == config.model for entry in models):
        return False
    known = _known_spec(before, config, weights_seen(Path(config.model)), ("model",))
    if known is not None:
        return known.window == WINDOW  # the file may be gone by now
    dtype = usual_dtype(device) if config.dtype == "auto" else config.dtype
    return sees_windows(
        shelf.get(config.model, device, dtype, config.predicts, config.compile, config.runtime)
    )


def _checked_size(function: str, size: tuple[int, int]) -> tuple[int, int]:
    height, width = size
    if not all(isinstance(side, int) and side > 0 for side in size):
        raise ValueError(f"{function} gave {size}, which is no height and width")
    return height, width


def _known_spec(
    before: JobRecord | None, config: EstimateConfig, weights: str, same: Collection[str] = _SAME
) -> ModelSpec | None:
    """What the model is, where the folder's job says so and its weights have not changed since.

    Args:
        before: The folder's job.
        config: Of the one that is planned.
        weights: What the model's file or folder looks like now; empty: it is gone.
        same: Options that must be what they were.
    """
    if before is None or not before.weights or weights not in ("", before.weights):
        return None
    if any(getattr(before.chosen, name) != getattr(config, name) for name in same):
        return None
    return before.spec


def _device(config: EstimateConfig, given: EstimateConfig, out: Path) -> str:
    try:
        return pick_device(config.device)
    except UsageError as error:
        if config.device == given.device:
            raise
        raise UsageError(
            f"The job in {out} was begun on {config.device}, which is not available on this machine.",
            "Go on where it was begun, or start anew with --overwrite or in another folder with -o.",
        ) from error


def _runtime_wanted(
    config: EstimateConfig, device: str, clip: Clip, frames: tuple[int, int | None]
) -> Runtime:
    start, stop = frames
    stop = clip.info.frames_declared if stop is None else stop
    return wanted_runtime(
        config.runtime,
        device,
        dtype=config.dtype,
        compiled=config.compile,
        frames=None if stop is None else stop - start,
    )


def _runtime(before: JobRecord | None) -> str:
    """What would run the model of a folder's job here, which is not loaded; what did, where that is gone."""
    assert before is not None
    ran = str(before.identity.get("runtime", TORCH))
    return ran if ran == TORCH else onnx_runtime() or ran


def _model(
    config: EstimateConfig, given: EstimateConfig, shelf: ModelShelf, out: Path, before: JobRecord | None
) -> DepthModel:
    assert config.model is not None
    if config.runtime == "onnx" and given.runtime != "onnx" and onnx_runtime() is None:
        ran = _runtime(before)
        raise UsageError(
            f"The job in {out} was begun on {ran}, which is not installed here.",
            f"{INSTALL}, or start anew with --overwrite or in another folder with -o.",
        )
    try:
        return shelf.get(
            config.model, config.device, config.dtype, config.predicts, config.compile, config.runtime
        )
    except (UsageError, WeightsError) as error:
        if given.model is not None:
            raise
        raise WeightsError(
            f"The job in {out} was begun with the model {config.model}, which cannot be used now: "
            f"{error.message}",
            f"{error.hint} Or start anew with --overwrite.".strip(),
        ) from error


def _idle_options(given: EstimateConfig, method: str, spec: ModelSpec) -> list[str]:
    """Sentences about what was asked for and makes no difference with this model, method or refiner."""
    sentences = []
    if spec.fixed_size and given.size:
        rows, columns = spec.fixed_size
        sentences.append(f"{spec.name} sees pictures of {columns}x{rows} only; --size is ignored.")
    if spec.space != "affine_invariant" and (given.near is not None or given.far is not None):
        measured = "in metres" if spec.space == "metric" else "up to one scale"
        sentences.append(f"{spec.name} measures depth itself, {measured}; --near and --far are ignored.")
    options = METHODS.all_options()
    used = user_names(method, options[method]) if method in options else {}
    others = {name for owner, model in options.items() for name in user_names(owner, model)} - set(used)
    sentences += [
        f"{flag(name)} does nothing with --method {method}."
        for name in sorted(given.model_fields_set & others - JobOptions.model_fields.keys())
        if getattr(given, name) != type(given).model_fields[name].default
    ]
    if given.refiner is None:
        sentences += [
            f"{flag(name)} does nothing without --refiner {refiner}."
            for refiner, options in REFINERS.all_options().items()
            for name in sorted(given.model_fields_set & user_names(refiner, options).keys())
            if name not in JobOptions.model_fields
        ]
    return sentences


def _doubts(clip: Clip, start: int) -> list[str]:
    declared = clip.info.frames_declared
    if clip.info.kind == "movie" and declared and start >= declared:
        return [
            f"{clip.info.path.name} declares {declared} frame{'s' * (declared != 1)} only, and the frame "
            f"range starts at {start}; "
            "declarations can be wrong, so it is read to its end."
        ]
    return []
