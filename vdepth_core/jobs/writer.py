"""The last stage of a shot: from settled maps to EXR files, and to what `assemble` needs of it."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..budget import MB, at_most
from ..clip import ClipReader, ClipScan, ShotView
from ..clip.timing import last_duration
from ..geometry.camera import Intrinsics
from ..output.attributes import FrameAttributes
from ..output.finish import DepthMapping, fit_mapping
from ..output.journal import FileEntry, not_ours
from ..output.manifest import ShotEntry, ratio
from ..output.naming import JobNames
from ..output.preview import PreviewWriter, write_picture
from ..output.report import ReportCollector, ReportPictures
from ..output.sky import Sky, SkySearch
from ..output.writer import SequenceSettings, SequenceWriter, WrittenFrame
from ..runs import runs
from ..store import DepthStore
from ..types import ClipInfo, Frame, Shot, ShotAlignment
from .cameras import shot_camera
from .config import EstimateConfig
from .events import JobProgress
from .folder import JobFolder
from .numbering import Numbering
from .plan import Plan
from .results import ShotResult, Shown
from .shots import alignment_of, seconds_of, warnings_of

# Up-sampling and compression release the interpreter. One thread more than cores, as each also waits for the
# disk; more than seven fill no disk.
_THREADS = min(6, os.cpu_count() or 1) + 1
# A pixel of a frame at work: plate, disparity, depth and normalised depth are 15, the rest what up-sampling
# takes a tile at a time. With normals more: what they are of, themselves before and after they are smoothed,
# and the strip that is being fitted.
_PIXEL_BYTES = 18
_NORMAL_BYTES = 40
_SKY_BYTES = 12
_SKY_FRAMES = 32  # of a shot that the sky is looked for in
_FRAMES_BYTES = 1024 * MB


@dataclass(frozen=True)
class _Pending:
    frame: Frame
    numbers: range
    work: Future[list[WrittenFrame]]


class ShotWriter:
    """Finishes settled shots: EXR files, a part of the preview, and a `ShotResult`; use as a context manager.

    One shot at a time. Frames whose files are there already are decoded only where the shot's part of the
    preview has to be made, and compressed never.
    """

    def __init__(self, plan: Plan, folder: JobFolder, progress: JobProgress) -> None:
        self._plan, self._folder, self._progress = plan, folder, progress
        self._reader = ClipReader(plan.clip)
        self._numbering = plan.numbering
        self._files = SequenceWriter(
            folder.out, plan.clip.info.name, sequence_settings(plan.config), folder.place, self._is_whole
        )

    def __enter__(self) -> ShotWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the decoder; the next shot opens another."""
        self._reader.close()

    def finish(self, shot: Shot, store: DepthStore) -> ShotResult:
        """Writes all that is missing of a settled shot.

        At a constant output rate the clip's scan must be over: a frame's last moment is known only then.

        Args:
            shot: Which one.
            store: Of the shot.

        Raises:
            ResourceError: the disk is full or not writable.
            InputError: the clip cannot be read any more.
            Cancelled: the user asked to stop.
        """
        began = time.monotonic()
        plan, info = self._plan, self._plan.clip.info
        camera, notes = shot_camera(plan.camera, store.fov, info)
        alignment = alignment_of(store)
        alignment = replace(alignment, notes=(*alignment.notes, *notes))
        gain = info.width / camera.fx if plan.spec.canonical else 1.0
        mapping = fit_mapping(
            store.result,
            plan.spec.space,
            plan.config.near,
            plan.config.far,
            gain=gain,
            quantity=plan.spec.quantity,
        ).lifted()
        done = self._folder.result(shot.index, plan.record.job)
        wanted_sky = plan.config.sky and (done is None or bool(self._folder.lost(done)))
        sky = self._find_sky(shot, store, mapping) if wanted_sky else None
        if sky is not None and sky.colours is None:
            alignment = replace(alignment, notes=(*alignment.notes, "No sky was found in this shot."))
        job = _Job(shot, store, alignment, mapping, camera, sky)
        if done is not None:
            lost = self._folder.lost(done)
            wanted = {shown.frame for shown in done.shown if self._names(shown.number) & lost}
            files: dict[str, FileEntry] = {}
            for start, stop in runs(sorted(wanted)):
                for _, written in self._frames(job, start, stop):
                    files |= {path.name: self._entry(path.name) for path in written.paths}
            self._progress.skip("write", len(shot) - len(wanted))
            for shown in done.shown:
                if shown.frame not in wanted:
                    self._tell(shown.frame, shown.number)
            result = done.model_copy(update={"files": done.files | files})
        else:
            result = self._whole(job)
        seconds = seconds_of(store)
        seconds["write"] = result.seconds.get("write", 0.0) + time.monotonic() - began
        result = result.model_copy(update={"seconds": seconds, "warnings": warnings_of(store)})
        self._folder.save_result(result)
        return result

    def _find_sky(self, shot: Shot, store: DepthStore, mapping: DepthMapping) -> Sky:
        """What the sky of the shot looks like, in frames spread over it."""
        clip, search = self._plan.clip, SkySearch()
        chosen = np.unique(np.linspace(shot.start, shot.stop - 1, _SKY_FRAMES).round().astype(int)).tolist()
        # A film is decoded from its start anyway, pictures lie by themselves.
        spans = runs(chosen) if clip.info.kind == "sequence" else [(shot.start, shot.stop)]
        side = 2 * max(store.result.shape)
        for first, last in spans:
            with closing(clip.read(first, last, exposure=shot.exposure, max_side=side)) as frames:
                for frame in frames:
                    self._progress.check()
                    if frame.index in chosen:
                        final = store.result.read(frame.index - shot.start)[0]
                        search.add(frame.rgb, mapping.normalised(mapping.disparity(final)))
        return search.found()

    def _whole(self, job: _Job) -> ShotResult:
        """Passes over all frames of the shot: the preview needs them."""
        plan, info, shot = self._plan, self._plan.clip.info, job.shot
        still = job_names(info, plan.config).still
        path = self._folder.film(shot.index, still)
        size = (info.width, info.height)
        shown: list[Shown] = []
        files: dict[str, FileEntry] = {}
        report: ReportCollector | None = None
        with ExitStack() as opened:
            film: PreviewWriter | None = None
            for pending, written in self._frames(job, shot.start, shot.stop):
                number, frame = pending
                if report is None:
                    begin = self._place(number)
                    report = ReportCollector(info.pixel_aspect, begin)
                    if not still:
                        film = opened.enter_context(
                            PreviewWriter(
                                path, self._numbering.rate, size, info.pixel_aspect, self._folder.own
                            )
                        )
                steps = number - self._numbering.output_first
                seconds = steps / self._numbering.rate if self._numbering.constant else frame.time
                shown.append(Shown(number, frame.index, frame.pts, ratio(seconds)))
                if film is None:
                    write_picture(path, frame.rgb, written.d, info.pixel_aspect, self._folder.own)
                else:
                    film.write(frame.rgb, written.d, seconds - shown[0].seconds)
                report.add(number, frame.rgb, written.d)
                files |= {file.name: self._entry(file.name) for file in written.paths}
                del pending, frame, written  # seven bytes a pixel, while the next one is made
        first = self._numbers_at(shot.start)
        numbers = range(first.start, first.start + len(shown))
        entry = ShotEntry.of(shot, job.alignment, job.mapping, job.camera, numbers)
        return ShotResult(
            job=plan.record.job,
            entry=entry,
            curves={name: list(values) for name, values in job.alignment.curves.items()},
            shown=shown,
            files=files,
            film=FileEntry.of(path) if shown else None,
            still=still,
            pictures=report.pictures() if report is not None else ReportPictures(),
        )

    def _frames(self, job: _Job, start: int, stop: int) -> Iterator[tuple[tuple[int, Frame], WrittenFrame]]:
        """Writes clip frames [start, stop), which lie in the shot; yields (number, frame) and what it became,
        in order.
        """
        plan, shot = self._plan, job.shot
        threads, frames_at_once = room_for(plan.clip.info, plan.config.normals, plan.config.sky)
        pending: deque[_Pending] = deque()
        view = ShotView(self._reader, shot)
        with (
            ThreadPoolExecutor(threads, "exr") as pool,
            closing(view.frames(start - shot.start, stop - shot.start)) as frames,
        ):
            for frame in frames:
                self._progress.check()
                numbers = self._numbering.numbers(frame.index, frame.time, self._until(frame))
                headers = [self._attributes(frame, number, job) for number in numbers]
                pending.append(_Pending(frame, numbers, pool.submit(self._write, frame, job, headers)))
                del frame
                if len(pending) >= frames_at_once:
                    yield from self._collect(pending.popleft())
            while pending:
                yield from self._collect(pending.popleft())

    def _collect(self, pending: _Pending) -> Iterator[tuple[tuple[int, Frame], WrittenFrame]]:
        frame = pending.frame
        for number, written in zip(pending.numbers, pending.work.result(), strict=True):
            yield (number, frame), written
            self._tell(frame.index, number)
        self._progress.advance("write")

    def _tell(self, index: int, number: int) -> None:
        self._progress.frame_done(index, number, next(iter(self._files.paths(number).values())))

    def _write(self, frame: Frame, job: _Job, headers: list[FrameAttributes]) -> list[WrittenFrame]:
        final = job.store.result.read(frame.index - job.shot.start)[0]
        return [
            self._files.write(frame.rgb, header.mapping.disparity(final), header, sky=job.sky)
            for header in headers
        ]

    def _place(self, number: int) -> int:
        """Place of output frame ``number`` among all the job writes."""
        return number - self._numbers_at(self._plan.frames[0]).start

    def _numbers_at(self, index: int) -> range:
        """Numbers of clip frame ``index``."""
        if not self._numbering.constant:
            return self._numbering.numbers(index, Fraction(0), Fraction(0))
        facts = self._plan.clip.facts
        assert facts is not None
        following = facts.times[index + 1] if index + 1 < facts.frames else facts.times[index]
        return self._numbering.numbers(index, facts.times[index], following)

    def _until(self, frame: Frame) -> Fraction:
        """The time at which the next frame replaces this one; only constant rates need it."""
        if not self._numbering.constant:
            return frame.time
        facts = self._plan.clip.facts
        assert facts is not None
        if frame.index + 1 < facts.frames:
            return facts.times[frame.index + 1]
        return frame.time + last_duration(facts.times, 1 / self._plan.clip.info.rate)

    def _attributes(self, frame: Frame, number: int, job: _Job) -> FrameAttributes:
        plan, info, within = self._plan, self._plan.clip.info, frame.index - job.shot.start
        spec, alignment, mapping = plan.spec, job.alignment, job.mapping
        licence, commercial = plan.record.terms
        own = frame.timecode is not None and not self._numbering.constant
        return FrameAttributes(
            number=number,
            rate=self._numbering.rate,
            pixel_aspect=info.pixel_aspect,
            mapping=mapping,
            scale=alignment.scale[within] * mapping.gain,
            shift=alignment.shift[within] * mapping.gain + mapping.offset,
            shot=job.shot.index,
            method=plan.method.name,
            model=spec.name,
            weights_sha256=spec.weights_sha256,
            license=licence,
            source=plan.record.clip.file,
            source_pts=frame.pts,
            intrinsics=job.camera,
            job=plan.record.job,
            timecode=frame.timecode if own else info.timecode,
            since_start=None if own else number - self._numbering.output_first,
            origin=info.origin,
            comments="" if commercial else f"Non-commercial use only ({licence}).",
        )

    def _is_whole(self, path: Path) -> bool:
        """Whether a file found here still holds what was written, to the last byte."""
        return self._folder.journal.owned(path.name) is not None

    def _names(self, number: int) -> set[str]:
        return {path.name for path in self._files.paths(number).values()}

    def _entry(self, name: str) -> FileEntry:
        entry = self._folder.journal.owned(name)
        if entry is None:
            raise not_ours([self._folder.out / name])
        return entry


@dataclass(frozen=True)
class _Job:
    """A shot, and what decides its files."""

    shot: Shot
    store: DepthStore
    alignment: ShotAlignment
    mapping: DepthMapping
    camera: Intrinsics
    sky: Sky | None


def room_for(info: ClipInfo, normals: bool, sky: bool = False) -> tuple[int, int]:
    """How many threads write a clip's frames, and how many full-size frames may be in memory for them.

    Args:
        info: The clip.
        normals, sky: Whether they are written, which takes more memory.
    """
    more = (_NORMAL_BYTES if normals else 0) + (_SKY_BYTES if sky else 0)
    each = info.width * info.height * (_PIXEL_BYTES + more)
    frames = at_most(_THREADS + 2, each, _FRAMES_BYTES)
    return min(_THREADS, frames), frames


def sequence_settings(config: EstimateConfig) -> SequenceSettings:
    """Which sequences a job writes, and how.

    Args:
        config: Of the job.
    """
    return SequenceSettings(
        normals=config.normals,
        sky=config.sky,
        sky_depth=config.sky_depth,
        layered=config.layered,
        compression=config.compression,
        sharpen=config.sharpen,
    )


def job_names(info: ClipInfo, config: EstimateConfig, scan: ClipScan | None = None) -> JobNames:
    """Names of all files a job writes.

    Args:
        info: The clip.
        config: The options.
        scan: What the pass over the clip found; None: it is taken to be as long as it says.

    Raises:
        UsageError: the range of frames is malformed or begins before the clip.
    """
    kinds, numbering = sequence_settings(config).kinds, Numbering.of(info, config)
    if scan is None:
        return numbering.names(info, kinds, config.frames)
    numbers = numbering.shown(scan, info.rate)
    still = info.kind == "sequence" and not numbering.constant and len(numbers) == 1
    return JobNames(info.name, kinds, numbers.start, numbers.stop, still)
