"""The last thread of a job: from a settled shot to EXR files, preview, report and manifest."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from ..budget import MB, at_most
from ..clip import Clip, ClipReader, ShotView
from ..clip.timing import last_duration
from ..geometry.camera import Intrinsics
from ..output.attributes import FrameAttributes
from ..output.finish import DepthMapping, fit_mapping
from ..output.journal import FileEntry, not_ours
from ..output.manifest import (
    CameraEntry,
    ClipEntry,
    FramesEntry,
    Manifest,
    ModelEntry,
    ShotEntry,
    write_manifest,
)
from ..output.naming import JobNames, frame_pattern, manifest_path, preview_path, report_path
from ..output.preview import PreviewWriter
from ..output.report import ReportCollector
from ..output.writer import SequenceSettings, SequenceWriter, WrittenFrame
from ..store import DepthStore
from ..types import ClipInfo, Frame, ModelSpec, Shot, ShotAlignment
from .cameras import shot_camera
from .config import EstimateConfig
from .events import FrameDone, JobProgress
from .folder import JobFolder
from .numbering import Numbering
from .record import JobRecord

# Up-sampling and compression release the interpreter. One thread more than cores, as each also waits for the
# disk; more than seven fill no disk.
_THREADS = min(6, os.cpu_count() or 1) + 1
_PIXEL_BYTES = 24  # plate, disparity, depth, preview and what compression needs, each a pixel
_NORMAL_BYTES = 40  # more with normals
_FRAMES_BYTES = 1024 * MB


@dataclass(frozen=True)
class _Pending:
    frame: Frame
    numbers: range
    work: Future[list[WrittenFrame]]


@dataclass(frozen=True)
class _Shown:
    """One output frame: its number, and the source's time stamp and the time in seconds it stands for."""

    number: int
    pts: int
    time: Fraction


class ClipWriter:
    """Writes everything a job leaves behind, shot by shot, frames in order.

    Frames whose files are there already cost a decode and an up-sampling, for the preview, but no
    compression.
    """

    def __init__(
        self,
        clip: Clip,
        folder: JobFolder,
        record: JobRecord,
        spec: ModelSpec,
        camera: Intrinsics,
        method: str,
        progress: JobProgress,
    ) -> None:
        self._clip, self._folder, self._record, self._spec = clip, folder, record, spec
        self._reader = ClipReader(clip)
        self._camera, self._method, self._progress = camera, method, progress
        self._config = config = record.chosen
        info = clip.info
        self._numbering = Numbering.of(info, config)
        self._files = SequenceWriter(
            folder.out, info.name, sequence_settings(config), folder.place, self._is_whole
        )
        size = (info.width, info.height)
        self._preview = PreviewWriter(
            preview_path(folder.out), self._numbering.rate, size, info.pixel_aspect, folder.place
        )
        self._report = ReportCollector(info.pixel_aspect)
        self._shots: list[tuple[Shot, ShotAlignment, DepthMapping, Intrinsics, range]] = []
        self._shown: list[_Shown] = []
        self._written: dict[str, FileEntry] = {}

    def write_shot(self, shot: Shot, store: DepthStore, alignment: ShotAlignment) -> None:
        """Writes all frames of a settled shot.

        At a constant output rate the clip's scan must be over: the last frame's duration is known only then.

        Raises:
            ResourceError: the disk is full or not writable.
            Cancelled: the user asked to stop.
        """
        camera, notes = shot_camera(self._camera, store.fov, self._clip.info)
        alignment = replace(alignment, notes=(*alignment.notes, *notes))
        gain = self._clip.info.width / camera.fx if self._spec.canonical else 1.0
        mapping = fit_mapping(
            store.final,
            self._spec.space,
            self._config.near,
            self._config.far,
            gain=gain,
            quantity=self._spec.quantity,
        ).lifted()
        self._report.add_shot(shot, alignment)
        threads, frames_at_once = room_for(self._clip.info, self._config.normals)
        pending: deque[_Pending] = deque()
        files: list[range] = []
        with (
            ThreadPoolExecutor(threads, "exr") as pool,
            closing(ShotView(self._reader, shot).frames()) as frames,
        ):
            for frame in frames:
                self._progress.check()
                numbers = self._numbering.numbers(frame.index, frame.time, self._until(frame))
                files.append(numbers)
                headers = [
                    self._attributes(frame, number, shot, alignment, mapping, camera) for number in numbers
                ]
                work = pool.submit(self._write_frame, frame, shot, store, headers)
                pending.append(_Pending(frame, numbers, work))
                del frame
                if len(pending) >= frames_at_once:
                    self._collect(pending.popleft())
            while pending:
                self._collect(pending.popleft())
        self._shots.append((shot, alignment, mapping, camera, range(files[0].start, files[-1].stop)))

    def finish(self, timings: dict[str, float]) -> Manifest:
        """Closes the preview and writes report and manifest; call once, after the last shot.

        Files of a former job that this one has no new ones for are removed before the manifest says that all
        is done: a job killed in between removes the rest when it goes on.

        Raises:
            ResourceError: the disk is full or not writable.
        """
        self._reader.close()
        self._preview.close()
        manifest = self._manifest(timings)
        out, place = self._folder.out, self._folder.place
        self._report.write(report_path(out), manifest, place)
        for path in (preview_path(out), report_path(out)):
            self._note(path.name)
        manifest = manifest.model_copy(update={"files": dict(sorted(self._written.items()))})
        names = {*self._written, manifest_path(out).name}
        self._folder.retire(names)
        self._folder.keep(manifest)
        write_manifest(manifest, manifest_path(out), place)
        self._folder.conclude(names)
        return manifest

    def abandon(self) -> None:
        """Drops the unfinished preview of a job that failed or was cancelled."""
        self._reader.close()
        self._preview.abandon()

    def _until(self, frame: Frame) -> Fraction:
        """The time at which the next frame replaces this one; only constant rates need it."""
        if not self._numbering.constant:
            return frame.time
        facts = self._clip.facts
        assert facts is not None
        if frame.index + 1 < facts.frames:
            return facts.times[frame.index + 1]
        return frame.time + last_duration(facts.times, 1 / self._clip.info.rate)

    def _attributes(
        self,
        frame: Frame,
        number: int,
        shot: Shot,
        alignment: ShotAlignment,
        mapping: DepthMapping,
        camera: Intrinsics,
    ) -> FrameAttributes:
        info, within = self._clip.info, frame.index - shot.start
        own = frame.timecode is not None and not self._numbering.constant
        return FrameAttributes(
            number=number,
            rate=self._numbering.rate,
            pixel_aspect=info.pixel_aspect,
            mapping=mapping,
            scale=alignment.scale[within] * mapping.gain,
            shift=alignment.shift[within] * mapping.gain + mapping.offset,
            shot=shot.index,
            method=self._method,
            model=self._spec.name,
            weights_sha256=self._spec.weights_sha256,
            license=self._spec.license,
            source=self._record.clip.file,
            source_pts=frame.pts,
            intrinsics=camera,
            job=self._record.job,
            timecode=frame.timecode if own else info.timecode,
            since_start=None if own else number - self._numbering.output_first,
            origin=info.origin,
            comments="" if self._spec.commercial else f"Non-commercial use only ({self._spec.license}).",
        )

    def _write_frame(
        self, frame: Frame, shot: Shot, store: DepthStore, headers: list[FrameAttributes]
    ) -> list[WrittenFrame]:
        final = store.final.read(frame.index - shot.start)[0]
        return [self._files.write(frame.rgb, header.mapping.disparity(final), header) for header in headers]

    def _collect(self, pending: _Pending) -> None:
        frame, clip = pending.frame, self._progress.clip
        for number, written in zip(pending.numbers, pending.work.result(), strict=True):
            steps = number - self._numbering.output_first
            time = steps / self._numbering.rate if self._numbering.constant else frame.time
            self._shown.append(_Shown(number, frame.pts, time))
            self._preview.write(frame.rgb, written.d, time - self._shown[0].time)
            self._report.add(number, frame.rgb, written.d)
            for file in written.paths:
                self._note(file.name)
            path = str(written.paths[0])
            self._progress.tell(FrameDone(clip=clip, index=frame.index, number=number, path=path))
        self._progress.advance("write")

    def _is_whole(self, path: Path) -> bool:
        """Whether a file found here still holds what was written, to the last byte."""
        return self._folder.journal.owned(path.name) is not None

    def _note(self, name: str) -> None:
        entry = self._folder.journal.owned(name)
        if entry is None:
            raise not_ours([self._folder.out / name])
        self._written[name] = entry

    def _manifest(self, timings: dict[str, float]) -> Manifest:
        info, facts = self._clip.info, self._clip.facts
        assert facts is not None
        assert self._shown
        first, stop = self._shots[0][0].start, self._shots[-1][0].stop
        pts, times = [shown.pts for shown in self._shown], [shown.time for shown in self._shown]
        return Manifest(
            job=self._record.job,
            clip=ClipEntry.of(info, self._record.clip.digest, pts, times),
            frames=FramesEntry(
                first=first, stop=stop, start_number=self._shown[0].number, count=len(self._shown)
            ),
            shots=[ShotEntry.of(*parts) for parts in self._shots],
            model=ModelEntry.of(self._spec),
            method=self._method,
            camera=CameraEntry.of(self._shots[0][3]),
            sequences={kind: frame_pattern(info.name, kind) for kind in self._files.settings.kinds},
            preview=preview_path(self._folder.out).name,
            report=report_path(self._folder.out).name,
            configuration=self._config.model_dump(mode="json"),
            warnings=list(self._progress.warnings),
            timings={name: round(seconds, 3) for name, seconds in timings.items()},
        )


def room_for(info: ClipInfo, normals: bool) -> tuple[int, int]:
    """How many threads write a clip's frames, and how many full-size frames may be in memory for them."""
    each = info.width * info.height * (_PIXEL_BYTES + (_NORMAL_BYTES if normals else 0))
    frames = at_most(_THREADS + 2, each, _FRAMES_BYTES)
    return min(_THREADS, frames), frames


def sequence_settings(config: EstimateConfig) -> SequenceSettings:
    """Which sequences a job writes, and how."""
    return SequenceSettings(normals=config.normals, layered=config.layered, compression=config.compression)


def job_names(info: ClipInfo, config: EstimateConfig) -> JobNames:
    """Names of all files a job writes.

    Raises:
        UsageError: the range of frames is malformed or begins before the clip.
    """
    kinds = sequence_settings(config).kinds
    return Numbering.of(info, config).names(info, kinds, config.frames)
