"""The one pass over a clip that finds its frames, times, shots and damage, and hands on each shot when it is
complete.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing

import numpy as np

from ..errors import InputError, UsageError
from ..progress import Progress
from ..types import ClipInfo, Shot
from .cuts import CutDetector
from .display import ExposureMeter
from .facts import ClipScan, ClipTimes, Probe


def scan_frames(
    info: ClipInfo,
    probes: Generator[Probe],
    seen: ClipTimes,
    *,
    shots: bool,
    start: int,
    stop: int | None,
    progress: Progress,
    finish: Callable[[ClipScan], None],
) -> Iterator[Shot]:
    """Yields the shots of frames [start, stop), each as soon as it is complete; see `Clip.scan`.

    Args:
        info: The clip.
        probes: Its frames, from the first on; closed at the end.
        seen: Gets the times of the frames, one by one, and the warnings.
        shots: Look for cuts.
        start, stop: The range.
        progress: Told about frames; may cancel.
        finish: Gets what was found, before the last shot is yielded.

    Raises:
        InputError: no frame decodes.
        UsageError: the range starts behind the clip's end.
    """
    found: list[Shot] = []
    times, pts, warnings = seen.times, seen.pts, seen.warnings
    detector = CutDetector(info.rate) if shots else None
    pending: deque[np.ndarray | None] = deque()  # light of the frames whose shot is not certain yet
    first, meter = start, ExposureMeter()
    progress.stage("scan", stop if stop is not None else info.frames_declared)

    def measure(end: int) -> None:
        while len(pending) > len(times) - end:
            light = pending.popleft()
            if light is not None:
                meter.add(light)

    def complete(end: int) -> Shot:
        nonlocal first, meter
        measure(end)
        shot = Shot(len(found), first, end, meter.exposure())
        found.append(shot)
        first, meter = end, ExposureMeter()
        return shot

    with closing(probes):
        for probe in probes:
            with progress.step("scan"):
                times.append(probe.time)
                pts.append(probe.pts)
            if probe.thumbnail is None:
                continue
            pending.append(probe.light)
            if detector is None:
                measure(len(times))
                continue
            for cut in detector.push(len(times) - 1, probe.time, probe.thumbnail):
                yield complete(cut)
            measure(detector.settled)
    for cut in detector.flush() if detector else ():
        yield complete(cut)
    frames = len(times)
    if not frames:
        raise InputError(f"No frame of {info.path} can be decoded.", "The file is damaged; copy it again.")
    if start >= frames:
        number = info.first_number or 0
        raise UsageError(
            f"The frame range starts at {start + number}, "
            f"but {info.path.name} ends at frame {frames - 1 + number}.",
            "Choose frames the clip has.",
        )
    if stop is not None and frames < stop:
        warnings.append(
            f"The frame range asks for {stop - start} frames, "
            f"but {info.path.name} has only {frames - start} of them."
        )
    last = complete(frames)
    finish(ClipScan(frames, tuple(times), tuple(pts), tuple(found), tuple(warnings)))
    for sentence in warnings:
        progress.warn(sentence)
    yield last
