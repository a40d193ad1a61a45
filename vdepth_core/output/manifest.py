"""The manifest beside the frames: what was read, what was done to it and what lies in the folder.

Everything but ``timings`` is the same for the same input and configuration.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from ..checksums import Checksums
from ..choices import Shown
from ..errors import InputError
from ..files import Place, atomic_path, require_file, write_bytes
from ..geometry.camera import CameraSource, Intrinsics
from ..types import ClipInfo, ModelSpec, Quantity, Shot, ShotAlignment, Space
from ..version import __version__
from .channels import SequenceKind
from .exr import exr_matches
from .finish import DepthMapping, DisparityRange
from .journal import WORK, Fault, FileEntry, Journal, find_fault
from .metric_entry import MetricEntry
from .naming import manifest_path

SCHEMA_VERSION = 2


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


def _exact(text: str) -> str:
    """An exact number: refused here, with the manifest's name, rather than where somebody uses it."""
    if Fraction(text) < 0:  # ZeroDivisionError and ValueError say what is wrong
        raise ValueError("is negative")
    return text


def _positive(text: str) -> str:
    if Fraction(text) <= 0:
        raise ValueError("is not positive")
    return text


def _damage_of_division(check: Callable[[str], str]) -> Callable[[str], str]:
    def checked(text: str) -> str:
        try:
            return check(text)
        except ZeroDivisionError as error:
            raise ValueError("divides by zero") from error

    return checked


Time = Annotated[str, AfterValidator(_damage_of_division(_exact))]
Ratio = Annotated[str, AfterValidator(_damage_of_division(_positive))]
Side = Annotated[int, Field(ge=1, le=1 << 20)]
Count = Annotated[int, Field(ge=0, le=100_000_000)]


class ClipEntry(_Model):
    """The clip, by its path from the root. Rates, ratios and times are exact: ``"24000/1001"``.

    ``pts`` and ``times`` (seconds since the clip's first frame) hold one value for every frame of
    ``FramesEntry``.
    """

    path: str
    name: str
    kind: str
    fingerprint: str
    width: Side
    height: Side
    pixel_aspect: Ratio
    rate: Ratio
    timecode: str | None = None
    codec: str = ""
    pixel_format: str = ""
    bit_depth: int = 8
    transfer: str = ""
    rotation: int = 0
    mirrored: bool = False
    shown: Shown = "upright"
    has_alpha: bool = False
    interlaced: bool = False
    layer: str = ""
    layers: list[str] = Field(default_factory=list)
    origin: tuple[int, int] = (0, 0)
    pts: list[int] = Field(default_factory=list)
    times: list[Time] = Field(default_factory=list)

    @classmethod
    def of(cls, info: ClipInfo, fingerprint: str, pts: list[int], times: list[Fraction]) -> ClipEntry:
        """The entry of an opened clip.

        Args:
            info: What is known of the clip.
            fingerprint: SHA-256 of what it holds.
            pts, times: Of each frame that the job read: timestamp, and seconds since the clip's first frame.
        """
        same = (
            "shown",
            "name",
            "kind",
            "width",
            "height",
            "timecode",
            "codec",
            "pixel_format",
            "bit_depth",
            "transfer",
        )
        more = ("rotation", "mirrored", "has_alpha", "interlaced", "layer", "origin")
        return cls(
            path=os.path.abspath(info.path),
            fingerprint=fingerprint,
            pixel_aspect=ratio(info.pixel_aspect),
            rate=ratio(info.rate),
            pts=pts,
            times=[ratio(time) for time in times],
            layers=list(info.layers),
            **{name: getattr(info, name) for name in same + more},
        )


class FramesEntry(_Model):
    """The frames done: clip frame indices [first, stop); ``count`` files from ``start_number`` on, no gaps.

    ``count`` is stop − first, unless the job resampled to a constant rate.
    """

    first: int
    stop: int
    start_number: int
    count: Count


class CameraEntry(_Model):
    """The plate's camera in pixels, where it comes from, and how sure that is; unknowns are left out."""

    fx: Annotated[float, Field(gt=0)]
    fy: Annotated[float, Field(gt=0)]
    cx: float
    cy: float
    source: CameraSource
    detail: str = ""
    error: float | None = None

    @model_serializer(mode="wrap")
    def _known(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = write(self)
        return {name: value for name, value in values.items() if value not in ("", None)}

    @classmethod
    def of(cls, intrinsics: Intrinsics) -> CameraEntry:
        """The entry of a camera.

        Args:
            intrinsics: Of the plate.
        """
        return cls(**{name: getattr(intrinsics, name) for name in cls.model_fields})

    def intrinsics(self) -> Intrinsics:
        """The camera again."""
        return Intrinsics(self.fx, self.fy, self.cx, self.cy, self.source, self.detail, self.error)


class ShotEntry(_Model):
    """One shot: clip frame indices [start, stop), its alignment (one value a frame) and its depth mapping.

    Its files are ``count`` from ``start_number`` on; at a constant output rate that may be more or fewer.
    """

    index: int
    start: int
    stop: int
    start_number: int
    count: int
    exposure: float = 1.0
    scale: list[float] = Field(default_factory=list)
    shift: list[float] = Field(default_factory=list)
    lo: float
    hi: float
    near: float
    far: float
    camera: CameraEntry
    notes: list[str] = Field(default_factory=list)

    @classmethod
    def of(
        cls, shot: Shot, alignment: ShotAlignment, mapping: DepthMapping, camera: Intrinsics, numbers: range
    ) -> ShotEntry:
        """The entry of a finished shot.

        Args:
            shot: Which one.
            alignment: What the method did.
            mapping: From disparity to depth.
            camera: The plate's in this shot.
            numbers: Of its files.
        """
        return cls(
            index=shot.index,
            start=shot.start,
            stop=shot.stop,
            start_number=numbers.start,
            count=len(numbers),
            exposure=shot.exposure,
            scale=list(alignment.scale),
            shift=list(alignment.shift),
            lo=mapping.range.lo,
            hi=mapping.range.hi,
            near=mapping.near,
            far=mapping.far,
            camera=CameraEntry.of(camera),
            notes=list(alignment.notes),
        )

    def mapping(self, space: Space) -> DepthMapping:
        """The shot's depth mapping again.

        Args:
            space: Of the model's prediction.
        """
        return DepthMapping(space, DisparityRange(self.lo, self.hi), self.near, self.far)


class ModelEntry(_Model):
    """The model and the terms of its weights."""

    name: str
    quantity: Quantity
    space: Space
    license: str
    commercial: bool
    weights_sha256: str = ""

    @classmethod
    def of(cls, spec: ModelSpec, license_: str, commercial: bool) -> ModelEntry:
        """The entry of a model.

        Args:
            spec: Its description.
            license_: Names of the licences of all weights in the job, a refiner's too.
            commercial: Whether they all allow commercial use.
        """
        facts = {name: getattr(spec, name) for name in cls.model_fields}
        return cls(**facts | {"license": license_, "commercial": commercial})


class Manifest(_Model):
    """All facts of a finished job; ``sequences`` holds file names with ``####`` for the frame number.

    ``files`` says what every file of the job but this one holds, by name. ``camera`` is the first shot's; a
    model that sees the lens estimates one a shot. ``metric``: where the metres of a job come from whose model
    knows none. ``adapted``: whether the model is `ADAPTED` beside the frames, made by this job.
    """

    schema_version: int = SCHEMA_VERSION
    version: str = __version__
    job: str
    clip: ClipEntry
    frames: FramesEntry
    shots: list[ShotEntry]
    model: ModelEntry
    adapted: bool = False
    method: str
    metric: MetricEntry | None = None
    camera: CameraEntry
    sequences: Annotated[dict[SequenceKind, str], Field(min_length=1)]
    preview: str | None = None
    report: str | None = None
    files: dict[str, FileEntry] = Field(default_factory=dict)
    configuration: dict[str, Any] = Field(default_factory=dict)
    warnings: list[str] = Field(default_factory=list)
    timings: dict[str, float] = Field(default_factory=dict)

    @model_serializer(mode="wrap")
    def _only_what_there_is(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """What is as usual goes unsaid, as before there was another way: bytes stay what they were."""
        facts: dict[str, Any] = serialise(self)
        if facts.get("metric", 0) is None:
            del facts["metric"]
        if facts.get("adapted") is False:
            del facts["adapted"]
        if facts["clip"].get("shown") == "upright":
            del facts["clip"]["shown"]
        return facts

    @property
    def count(self) -> int:
        """Number of output frames."""
        return self.frames.count

    @property
    def numbers(self) -> range:
        """The frames' numbers in the file names."""
        return range(self.frames.start_number, self.frames.start_number + self.count)

    def path(self, out: Path, kind: SequenceKind, number: int) -> Path:
        """The file of one frame.

        Args:
            out: The job's folder, wherever it lies now.
            kind: Of the sequence.
            number: As in the file's name.

        Raises:
            InputError: the job has no such sequence.
        """
        if kind not in self.sequences:
            raise InputError(f"{out} holds no {kind} sequence.", f"It holds {', '.join(self.sequences)}.")
        return out / Path(self.sequences[kind]).name.replace("####", f"{number:04d}")

    @property
    def names(self) -> list[str]:
        """Names of all files of the job but the manifest itself."""
        frames = [self.path(Path(), kind, number).name for kind in self.sequences for number in self.numbers]
        return frames + [Path(name).name for name in (self.preview, self.report) if name]

    def faults(self, out: Path, checksums: Checksums | None = None) -> Iterator[Fault]:
        """Files of the job that are missing or damaged.

        Where nothing says what a file should hold (schema 1 did not), a frame has to be complete and of this
        job.

        Args:
            out: The job's folder, wherever it lies now.
            checksums: Of files read before; None: all are read.
        """
        checksums, size = checksums or Checksums(), (self.clip.width, self.clip.height)
        for name in self.names:
            fault = find_fault(out, name, self.files.get(name), checksums)
            if fault is None and name not in self.files and name.endswith(".exr"):
                whole = exr_matches(out / name, {"vdepth/job": self.job}, size)
                fault = None if whole else Fault(name, "damaged")
            if fault is not None:
                yield fault

    def complete(self, out: Path, checksums: Checksums | None = None) -> bool:
        """Whether every file the manifest names is there and holds what it should.

        Args:
            out: The job's folder, wherever it lies now.
            checksums: Of files read before; None: all are read.
        """
        return next(self.faults(out, checksums), None) is None


def ratio(value: Fraction) -> str:
    """An exact number as ``"n/d"``.

    Args:
        value: Reduced.
    """
    return f"{value.numerator}/{value.denominator}"


def write_manifest(manifest: Manifest, path: Path, place: Place = atomic_path) -> None:
    """Writes the manifest atomically.

    Args:
        manifest: All of it.
        path: The file, replaced if it is there.
        place: How it gets to its place.

    Raises:
        ResourceError: the disk is full or the folder cannot be written.
        ValueError: a value is not finite: JSON has no word for it.
    """
    text = json.dumps(
        manifest.model_dump(mode="python"), indent=1, ensure_ascii=False, allow_nan=False, default=str
    )
    write_bytes(path, f"{text}\n".encode(), place)


def read_manifest(path: Path) -> Manifest:
    """Reads a manifest.

    Args:
        path: The file.

    Raises:
        InputError: it is missing, damaged, or of a later schema.
    """
    require_file(path)
    try:
        values = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except FileNotFoundError as error:
        raise InputError(
            f"{path.parent} holds no finished depth sequence: {path.name} is missing.",
            "Give the output folder of vdepth estimate, after it has finished.",
        ) from error
    except NotADirectoryError as error:
        raise InputError(
            f"{path.parent} is a file, not the folder of a depth sequence.",
            "Give the output folder of vdepth estimate.",
        ) from error
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.", "Check the folder.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged: {error}.", "Run the same vdepth estimate again.") from error
    schema = values.get("schema_version") if isinstance(values, dict) else None
    if isinstance(schema, int) and schema > SCHEMA_VERSION:
        raise InputError(f"{path} was written by a later version of vdepth.", "Update vdepth.")
    try:
        manifest = Manifest.model_validate(values)
        wrong = "" if manifest.shots else "it has no shots"
        for name in ("pts", "times"):
            if len(getattr(manifest.clip, name)) not in (0, manifest.count):
                wrong = f"it has not one of clip.{name} a frame"
        if wrong:
            raise InputError(f"{path} is damaged: {wrong}.", "Run the same vdepth estimate again.")
        return manifest
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(
            f"{path} is damaged: {where}: {first['msg']}.", "Run the same vdepth estimate again."
        ) from error


def found_manifest(path: Path, job: str) -> Manifest | None:
    """The manifest at ``path``, if it is there, whole and of ``job``.

    Args:
        path: The file, which need not be there.
        job: Its identity.
    """
    try:
        manifest = read_manifest(path)
    except InputError:
        return None
    return manifest if manifest.job == job else None


def known_journal(out: Path, checksums: Checksums | None = None) -> Journal:
    """The journal of ``out``; what it should say and does not, it has from the job's second manifest.

    Args:
        out: A job's folder.
        checksums: Of files read before; None: those the folder remembers.
    """
    journal = Journal(out, checksums)
    recall(journal)
    return journal


def recall(journal: Journal) -> None:
    """Tells a journal of the files of the finished job in its folder, which the second manifest names.

    Args:
        journal: Of the folder.
    """
    path = manifest_path(journal.out / WORK)
    try:
        kept, entry = read_manifest(path), FileEntry.of(path)
    except (InputError, OSError):
        return
    journal.recall(kept.job, {**kept.files, path.name: entry})


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON number")
