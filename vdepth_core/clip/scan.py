"""The one pass over a clip that finds its frames, times, shots and damage, and hands on each shot when it is
complete.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Self

import numpy as np
from pydantic import BaseModel, Field, PositiveInt, model_validator

from ..errors import InputError, UsageError
from ..progress import Progress
from ..types import Shot
from .cuts import CutDetector
from .display import ExposureMeter

if TYPE_CHECKING:
    from .base import Clip


@dataclass(frozen=True)
class ClipScan:
    """What only a pass over the frames can tell.

    Attributes:
        frames: Number of frames that decode, or up to the end of the scanned range.
        times: Seconds from the first frame, strictly increasing, one a frame.
        pts: The container's own timestamps (file numbers for a sequence), one a frame.
        shots: The shots of the scanned range, in order, without gaps.
        warnings: Sentences about damage and repairs; empty for a sound clip.
    """

    frames: int
    times: tuple[Fraction, ...]
    pts: tuple[int, ...]
    shots: tuple[Shot, ...]
    warnings: tuple[str, ...] = ()

    def to_json(self) -> str:
        """One JSON object; times as whole multiples of a common tick, so they stay exact."""
        per_second = math.lcm(*(time.denominator for time in self.times))
        return json.dumps(
            {
                "frames": self.frames,
                "ticks_per_second": per_second,
                "ticks": [int(time * per_second) for time in self.times],
                "pts": self.pts,
                "shots": [[shot.index, shot.start, shot.stop, shot.exposure] for shot in self.shots],
                "warnings": self.warnings,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> ClipScan:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: the text is damaged.
        """
        data = _Saved.model_validate_json(text)
        return cls(
            frames=data.frames,
            times=tuple(Fraction(tick, data.ticks_per_second) for tick in data.ticks),
            pts=tuple(data.pts),
            shots=tuple(Shot(*shot) for shot in data.shots),
            warnings=tuple(data.warnings),
        )


class _Saved(BaseModel):
    """A scan as JSON, checked."""

    frames: PositiveInt
    ticks_per_second: PositiveInt
    ticks: list[int]
    pts: list[int]
    shots: list[tuple[int, int, int, Annotated[float, Field(gt=0, allow_inf_nan=False)]]]
    warnings: list[str]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        ends = [shot[1] for shot in self.shots[1:]] + [self.frames]
        if (
            not self.shots
            or not len(self.ticks) == len(self.pts) == self.frames
            or any(later <= earlier for earlier, later in pairwise(self.ticks))
            or self.shots[0][1] < 0
            or any(
                (number, stop) != (index, end) or start >= stop
                for (index, (number, start, stop, _)), end in zip(enumerate(self.shots), ends, strict=True)
            )
        ):
            raise ValueError("the scan contradicts itself")
        return self


@dataclass(frozen=True)
class Probe:
    """One frame as the scan sees it.

    Attributes:
        time, pts: As in `vdepth_core.types.Frame`.
        thumbnail: (h, w, 3) uint8 BGR, comparable between frames at any exposure; None before the scanned
            range.
        light: `ExposureMeter.measure` of the frame; None for display-referred clips.
    """

    time: Fraction
    pts: int
    thumbnail: np.ndarray | None = None
    light: np.ndarray | None = None


def scan_clip(clip: Clip, *, shots: bool, start: int, stop: int | None, progress: Progress) -> Iterator[Shot]:
    """Yields the shots of frames [start, stop) and leaves ``clip.facts`` behind; see `Clip.scan`."""
    found: list[Shot] = []
    warnings: list[str] = []
    detector = CutDetector(clip.info.rate) if shots else None
    pending: deque[np.ndarray | None] = deque()  # light of the frames whose shot is not certain yet
    first, meter = start, ExposureMeter()
    times, pts = clip.begin_scan()
    progress.stage("scan", stop if stop is not None else clip.info.frames_declared)

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

    with closing(clip.probes(start, stop, warnings)) as probes:
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
        raise InputError(
            f"No frame of {clip.info.path} can be decoded.", "The file is damaged; copy it again."
        )
    if start >= frames:
        number = clip.info.first_number or 0
        raise UsageError(
            f"The frame range starts at {start + number}, "
            f"but {clip.info.path.name} ends at frame {frames - 1 + number}."
        )
    if stop is not None and frames < stop:
        warnings.append(
            f"The frame range asks for {stop - start} frames, "
            f"but {clip.info.path.name} has only {frames - start} of them."
        )
    last = complete(frames)
    clip.facts = ClipScan(frames, tuple(times), tuple(pts), tuple(found), tuple(warnings))
    for sentence in warnings:
        progress.warn(sentence)
    yield last
