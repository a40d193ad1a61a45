"""What a pass over a clip finds: its frames, times and shots, and what it sees of one frame."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, Field, PositiveInt, model_validator

from ..types import Shot


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

        Args:
            text: JSON.

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


@dataclass
class ClipTimes:
    """What a scan under way has seen so far; other threads read it.

    Attributes:
        times, pts: As in `ClipScan`, of the frames passed.
        warnings: Sentences about damage found on the way.
    """

    times: list[Fraction] = field(default_factory=list)
    pts: list[int] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
