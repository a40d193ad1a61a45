"""What the manifest of a job in metres says of where its metres come from."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from ..types import Quantity, Space


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class SourceEntry(_Entry):
    """One thing that was known of a shot's distances.

    Attributes:
        name: What it is.
        points: How many pixels it speaks of.
        scale, shift, residual, inliers: Of its own fit; None where it determines none.
        farther: How much farther the shot's depth would be by it than it is, relative; the median of its
            points. None: it knows distances up to a factor only.
        nearest, farthest: The same of the third of its points that are nearest and farthest.
    """

    name: str
    points: int
    scale: float | None = None
    shift: float | None = None
    residual: float | None = None
    inliers: float | None = None
    farther: float | None = None
    nearest: float = 0.0
    farthest: float = 0.0


class ShotMetric(_Entry):
    """A shot's way to metres: ``scale · x + shift``, x as of `MetricEntry`.

    Attributes:
        index: Of the shot.
        source: What decided.
        scale, shift: From the files of the job it was made of to metres.
        residual: How far the points that agree are off in depth, relative, rms.
        inliers: Share of the points that agree.
        points: How many there were.
        sources: All that was known, what decided first.
    """

    index: int
    source: str
    scale: float
    shift: float
    residual: float
    inliers: float
    points: int
    sources: list[SourceEntry] = Field(default_factory=list)


class MetricEntry(_Entry):
    """How a job got its metres.

    Attributes:
        job: Identity of the job that it was made of.
        path: Its folder, as it was named.
        space, quantity: What was known there; x is the depth of its files for affine-invariant depth (the
            result is in m), else their disparity (in 1/m).
        shots: One a shot.
    """

    job: str
    path: str
    space: Space
    quantity: Quantity
    shots: list[ShotMetric]

    @property
    def in_depth(self) -> bool:
        """Whether scale and shift are of depth."""
        return line_in_depth(self.space, self.quantity)


def line_in_depth(space: Space, quantity: Quantity) -> bool:
    """Whether a shot is a line away from metres in depth, and not in inverse depth.

    Args:
        space, quantity: Of the model's predictions.
    """
    return space == "affine_invariant" and quantity == "depth"
