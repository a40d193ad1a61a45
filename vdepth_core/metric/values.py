"""The numbers of a finished shot that a line takes to metric ones: inverse depth, or depth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..geometry.camera import Intrinsics
from ..output.finish import FAR_AWAY
from ..output.manifest import ShotEntry
from ..output.metric_entry import line_in_depth
from ..output.sequence import DepthSequence

NOTHING = np.float32(0.5) * FAR_AWAY
"""Z from where on a pixel has no depth."""


@dataclass(frozen=True)
class ShotValues:
    """A shot of a finished job.

    Attributes:
        sequence: The job.
        entry: The shot.
    """

    sequence: DepthSequence
    entry: ShotEntry

    @property
    def words(self) -> str:
        """What messages call it."""
        first, count = self.entry.start_number, self.entry.count
        frames = f"frames {first}-{first + count - 1}" if count > 1 else f"frame {first}"
        return f"shot {self.entry.index + 1} ({frames})"

    @property
    def numbers(self) -> range:
        """Of its files."""
        return range(self.entry.start_number, self.entry.start_number + self.entry.count)

    @property
    def camera(self) -> Intrinsics:
        """The plate's."""
        return self.entry.camera.intrinsics()

    @property
    def shifted(self) -> bool:
        """Whether a shift is unknown beside the scale."""
        return self.sequence.manifest.model.space == "affine_invariant"

    @property
    def in_depth(self) -> bool:
        """Whether the line is one of depth; else of inverse depth."""
        model = self.sequence.manifest.model
        return line_in_depth(model.space, model.quantity)

    @property
    def ends(self) -> tuple[float, float]:
        """x at the near and at the far end of the shot's robust range."""
        entry = self.entry
        return (entry.near, entry.far) if self.in_depth else (entry.hi, entry.lo)

    @property
    def span(self) -> float:
        """Of x, between the ends."""
        return abs(self.ends[0] - self.ends[1])

    def x(self, number: int) -> np.ndarray:
        """(H, W) float64, NaN where there is no depth.

        Args:
            number: Of the frame's files.

        Raises:
            InputError: a file is missing or damaged.
        """
        index = number - self.sequence.numbers.start
        z = self.sequence[index]
        values = z if self.in_depth else self.sequence.disparity[index]
        known = z < NOTHING
        if not self.shifted:
            known &= values > 0
        return np.where(known, values.astype(np.float64), np.nan)

    def target(self, metres: np.ndarray) -> np.ndarray:
        """What the line is to reach for depths in metres.

        Args:
            metres: Planar z, of any shape, > 0.
        """
        metres = np.asarray(metres, np.float64)
        return metres if self.in_depth else 1 / metres

    def metres(self, target: np.ndarray) -> np.ndarray:
        """The way back from `target`; infinite where it is not above 0.

        Args:
            target: Of any shape.
        """
        target = np.asarray(target, np.float64)
        if self.in_depth:
            return target
        found: np.ndarray = np.divide(1, target, out=np.full(target.shape, np.inf), where=target > 0)
        return found

    def spread_over(self, count: int) -> list[int]:
        """Numbers of so many frames, evenly over the shot.

        Args:
            count: At most.
        """
        places = np.linspace(0, self.entry.count - 1, min(count, self.entry.count)).round().astype(int)
        return [self.entry.start_number + int(place) for place in np.unique(places)]
