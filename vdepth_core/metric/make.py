"""``vdepth metric``: a finished job again, in metres; no model that predicted it runs.

A folder of its own, with everything that a finished job has: whatever reads one reads it. What a shot's
metres are by is found once and written down; then frames are brought over one by one, so that a stopped run
goes on to the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..align.metric import Line
from ..budget import MB, at_most
from ..choices import one_of
from ..errors import InputError, UsageError
from ..files import require_space
from ..geometry.sparse_points import SparsePoints, read_points
from ..jobs.results import read_result
from ..output.attributes import PREFIX
from ..output.channels import SEQUENCES, SequenceKind, channels_of, units
from ..output.exr import COMPRESSIONS, read_exr, write_exr
from ..output.exr_header import read_header
from ..output.journal import WORK, FileEntry
from ..output.manifest import Manifest, ShotEntry, write_manifest
from ..output.metric_entry import MetricEntry, ShotMetric
from ..output.naming import manifest_path, report_path
from ..output.plate import camera_plate, plate_of, shift_of
from ..output.report import ReportCollector
from ..output.sequence import DepthSequence, read_sequence
from ..progress import Listening, Progress
from .by_model import STAGE as MODEL
from .by_model import MetricModel
from .decide import decide
from .evidence import Evidence, by_distances, by_ends, by_points
from .folder import MetricFolder, opened
from .known import Known
from .maps import MetricMaps
from .values import ShotValues

VERSION = 1
STAGE = "metric"
_THREADS = 4
_PIXEL_BYTES = 60  # of a frame at work: planes as they were and as they are, some rows in double precision
_ZIP = 4.0  # times as large as PXR24, at most


@dataclass(frozen=True)
class MetricResult:
    """A job in metres.

    Attributes:
        out: Its folder.
        manifest: What it says of itself.
        warnings: What was said of its distances.
    """

    out: Path
    manifest: Manifest
    warnings: tuple[str, ...]


def make_metric(
    out: str | Path,
    known: Known,
    destination: str | Path | None = None,
    *,
    device: str = "cpu",
    compression: str = "zip",
    overwrite: bool = False,
    progress: Progress | None = None,
    clip: str | Path | None = None,
) -> MetricResult:
    """Writes a finished job again, in metres.

    Args:
        out: Output folder of `estimate`.
        known: What is known of its distances.
        destination: Folder for the files; default: ``out/metric``.
        device: Where a metric model runs.
        compression: Of the EXR files: ``zip`` keeps every bit.
        overwrite: Replace what was made with other distances.
        progress: Hears of the work and may stop it.
        clip: Where the job's clip is now; None: where it was, or as far from the folder as it was.

    Returns:
        What there is now.

    Raises:
        UsageError: what is known does not determine the scale, or contradicts itself; no such compression.
        InputError: the job is not finished, its clip is needed and gone, or a file cannot be read.
        WeightsError: the metric model's weights are missing or damaged.
        JobConflictError: the folder holds something else.
        ResourceError: the disk is full or not writable.
        Cancelled: the user asked to stop.
    """
    if compression not in COMPRESSIONS:
        raise UsageError(f"Unknown EXR compression {compression}.", one_of(compression, COMPRESSIONS))
    progress, sequence = progress or Progress(), read_sequence(out, clip)
    manifest = sequence.manifest
    if manifest.metric is not None:
        raise UsageError(
            f"{out} was brought to metres before.", f"Give the job it was made of: {manifest.metric.path}."
        )
    asked = {
        "version": VERSION, "job": manifest.job, "compression": compression, "known": known.facts(),
    }  # fmt: skip
    with opened(Path(destination) if destination else Path(out) / "metric", asked, overwrite) as folder:
        if folder.found is None:
            entry, warnings = _find(sequence, known, device, progress)
            folder.keep(entry, warnings)
        else:
            entry, warnings = folder.found
            for warning in warnings:
                progress.warn(warning)
        made = _Making(sequence, entry, warnings, folder, compression, progress).run()
        return MetricResult(folder.path, made, tuple(warnings))


def _find(
    sequence: DepthSequence, known: Known, device: str, progress: Progress
) -> tuple[MetricEntry, list[str]]:
    """How each shot gets its metres, and what is to be said of it."""
    manifest, hears = sequence.manifest, Listening(progress)
    for one in known.distances:
        if one.frame not in sequence.numbers:
            raise UsageError(
                f"The job has no frame {one.frame}.",
                f"Its files are numbered {sequence.numbers[0]} to {sequence.numbers[-1]}.",
            )
    model = None if known.model is None else MetricModel(known.model, device)
    points, first = (None, 0) if known.points is None else _points(sequence, known.points, hears)
    if model is not None:
        looks = sum(min(known.frames, shot.count) for shot in manifest.shots)
        progress.stage(MODEL, looks)
    found: list[ShotMetric] = []
    for shot in manifest.shots:
        if not shot.count:  # at a constant rate a shot may show no frame
            continue
        values = ShotValues(sequence, shot)
        told: list[Evidence] = [by_distances(values, known.distances, known.along_ray)]
        if points is not None:
            told.append(by_points(values, points, known.unit, first))
        told.append(by_ends(values, known.near, known.far))
        if model is not None:
            told.append(model.evidence(values, known.frames, progress))
        decision = decide(values, told)
        for warning in decision.warnings:
            hears.warn(warning)
        found.append(decision.entry)
    entry = MetricEntry(
        job=manifest.job, path=str(sequence.out), space=manifest.model.space,
        quantity=manifest.model.quantity, shots=found,
    )  # fmt: skip
    return entry, hears.warnings


def _points(sequence: DepthSequence, file: Path, progress: Progress) -> tuple[SparsePoints, int]:
    """A solve's points, and what to add to the clip's own numbers to get the files'."""
    manifest = sequence.manifest
    clip = plate_of(manifest)
    list(clip.scan(shots=False, progress=progress))
    facts = clip.facts
    count = facts.frames if facts is not None else manifest.frames.stop
    times = facts.times if facts is not None else None
    points = read_points(file, camera_plate(sequence, clip, count, times))
    for note in points.notes:
        progress.warn(note)
    return points, shift_of(manifest, clip)


class _Making:
    """One run over the frames."""

    def __init__(
        self, sequence: DepthSequence, entry: MetricEntry, warnings: list[str], folder: MetricFolder,
        compression: str, progress: Progress,
    ) -> None:  # fmt: skip
        self._sequence, self._entry, self._warnings = sequence, entry, warnings
        self._folder, self._compression, self._progress = folder, compression, progress
        self._before = sequence.manifest
        facts = [VERSION, self._before.job, entry.model_dump(mode="json", exclude={"path"})]
        digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
        self._job = digest.hexdigest()[: len(self._before.job)]
        self._by_shot = {shot.index: shot for shot in entry.shots}

    def run(self) -> Manifest:
        """Writes what is missing, the manifest last."""
        manifest = self._before
        self._need_space()
        self._progress.stage(STAGE, manifest.count)
        shots: list[ShotEntry] = []
        files: dict[str, FileEntry] = {}
        for shot in manifest.shots:
            metric = self._by_shot.get(shot.index)
            if metric is None:
                shots.append(shot)
                continue
            values = ShotValues(self._sequence, shot)
            maps = MetricMaps.of(values, Line(metric.scale, metric.shift))
            ends, near, far = maps.ends(values)
            new = shot.model_copy(update={"lo": ends.lo, "hi": ends.hi, "near": near, "far": far})
            shots.append(new)
            for names in self._frames(new, metric, maps):
                files |= names
        return self._finish(shots, files)

    def _need_space(self) -> None:
        before = self._before
        names = {
            before.path(Path(), kind, number).name for kind in before.sequences for number in before.numbers
        }
        larger = 1.0 if self._compression == "pxr24" else _ZIP
        size = sum(
            entry.size for name, entry in before.files.items()
            if name in names and self._folder.entry(name) is None
        )  # fmt: skip
        require_space(
            self._folder.path, round(size * larger), "depth in metres needs at most",
            "Free some space, choose another disk with -o, or --compression pxr24.",
        )  # fmt: skip

    def _frames(
        self, shot: ShotEntry, metric: ShotMetric, maps: MetricMaps
    ) -> Iterator[dict[str, FileEntry]]:
        """Brings the frames of a shot over, several at a time; yields the files of each, in order."""
        clip = self._before.clip
        threads = at_most(_THREADS, clip.width * clip.height * _PIXEL_BYTES, 1024 * MB)
        numbers = range(shot.start_number, shot.start_number + shot.count)
        with ThreadPoolExecutor(threads, STAGE) as pool:
            made = pool.map(lambda number: self._frame(number, shot, metric, maps), numbers)
            for number, fresh in zip(numbers, made, strict=True):
                names = [self._before.path(Path(), kind, number).name for kind in self._before.sequences]
                if fresh:
                    self._folder.publish(fresh)
                    self._progress.advance(STAGE)
                else:
                    self._progress.skip(STAGE)
                found = {name: self._folder.entry(name) for name in names}
                yield {name: entry for name, entry in found.items() if entry is not None}

    def _frame(self, number: int, shot: ShotEntry, metric: ShotMetric, maps: MetricMaps) -> list[str]:
        """Writes what is missing of a frame to the stage; the names."""
        self._progress.check()
        paths = {kind: self._before.path(self._sequence.out, kind, number) for kind in self._before.sequences}
        missing = {kind: path for kind, path in paths.items() if not self._done(path.name)}
        if not missing:
            return []
        planes: dict[str, np.ndarray] = {}
        headers: dict[SequenceKind, dict[str, Any]] = {}
        for kind, path in paths.items():
            channels, headers[kind] = read_exr(path)
            for channel, (plane, _) in SEQUENCES[kind].channels.items():
                if channel in channels:
                    planes[plane] = channels[channel]
        if not {"depth", "disparity"} <= planes.keys():
            raise InputError(
                f"{self._sequence.out} lacks depth or disparity.", "Estimate the clip again, as of now."
            )
        new = maps.planes(planes)
        for kind, path in missing.items():
            header = headers[kind] | self._said(kind, shot, metric)
            write_exr(
                self._folder.stage / path.name, channels_of(kind, new), header, self._compression,
                origin=self._before.clip.origin,
            )  # fmt: skip
        return [path.name for path in missing.values()]

    def _done(self, name: str) -> bool:
        if self._folder.entry(name) is None:
            return False
        return read_header(self._folder.path / name).attributes.get(PREFIX + "job") == self._job

    def _said(self, kind: SequenceKind, shot: ShotEntry, metric: ShotMetric) -> dict[str, Any]:
        """What the header of a file says now."""
        own: dict[str, Any] = {
            "space": "metric",
            "units": units(kind, "metric"),
            "near": shot.near,
            "far": shot.far,
            "disparity_lo": shot.lo,
            "disparity_hi": shot.hi,
            "job": self._job,
            "metric_source": metric.source,
            "metric_scale": metric.scale,
            "metric_shift": metric.shift,
            "metric_residual": metric.residual,
            "metric_inliers": metric.inliers,
        }
        return {PREFIX + name: value for name, value in own.items()}

    def _finish(self, shots: list[ShotEntry], files: dict[str, FileEntry]) -> Manifest:
        before = self._before
        manifest = before.model_copy(
            update={
                "job": self._job,
                "shots": shots,
                "model": before.model.model_copy(update={"space": "metric"}),
                "metric": self._entry,
                "files": {},
                "warnings": list(dict.fromkeys([*before.warnings, *self._warnings])),
                "timings": {},
                "preview": None,
                "report": report_path(Path()).name,
            }
        )
        preview = None if before.preview is None else self._sequence.out / Path(before.preview).name
        if preview is not None and preview.is_file():  # nearest to farthest looks as it did
            self._folder.copy(preview)
            manifest = manifest.model_copy(update={"preview": preview.name})
        self._report(manifest)
        for name in filter(None, (manifest.preview, manifest.report)):
            entry = self._folder.entry(name)
            assert entry is not None
            files[name] = entry
        manifest = manifest.model_copy(update={"files": dict(sorted(files.items()))})
        name = manifest_path(Path()).name
        write_manifest(manifest, self._folder.stage / name)
        self._folder.publish([name])
        return manifest

    def _report(self, manifest: Manifest) -> None:
        """The job's report with what is new; without pictures where the job's work folder is gone."""
        report = ReportCollector(Fraction(manifest.clip.pixel_aspect))
        for shot in self._before.shots:
            result = read_result(self._sequence.out / WORK, shot.index, self._before.job)
            if result is None:
                report = ReportCollector(Fraction(manifest.clip.pixel_aspect))
                break
            report.add_shot(result.shot, result.alignment)
            report.take(result.pictures, len(result.shown))
        path = self._folder.stage / report_path(Path()).name
        report.write(path, manifest)
        self._folder.write(path.name, path.read_bytes())
