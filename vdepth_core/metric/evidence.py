"""What each source says of a shot: its numbers x, and the metric ones that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import UsageError
from ..geometry.sparse_points import SparsePoints
from .known import Distance
from .values import ShotValues

AROUND = 2  # pixels about a known distance that should be about as far
_PATCH = 1  # pixels about a solved point whose median is taken

Kind = Literal["distances", "ends", "both", "solve", "model"]
"""What a source is; ``both``: distances and an end."""


@dataclass(frozen=True)
class Evidence:
    """What one source says of a shot.

    Attributes:
        kind: What it is.
        name: The same for people.
        x: (N,) the shot's numbers.
        target: (N,) metric ones, as `ShotValues.target` gives them.
        absolute: Whether they are metres; else they are up to a factor.
        said: Each point in words, where there are few.
        around: (N, 2) the least and the largest x near each point, where there are few.
        parts: Its points as sources of their own, most trusted first, where it is more than one thing.
    """

    kind: Kind
    name: str
    x: np.ndarray
    target: np.ndarray
    absolute: bool = True
    said: tuple[str, ...] = ()
    around: np.ndarray | None = None
    parts: tuple[Evidence, ...] = ()

    def __len__(self) -> int:
        return len(self.x)

    @property
    def everything(self) -> str:
        """All its points, in words."""
        if self.kind == "distances":
            return f"all {len(self)} {self.name}"
        if self.kind == "ends" and len(self) > 1:
            return f"both {self.name}"
        points = f"all {len(self)} points" if len(self) > 1 else "the one point"
        return f"{points} of {'the ' * (self.kind == 'solve')}{self.name}"


def by_distances(shot: ShotValues, distances: Sequence[Distance], along_ray: bool) -> Evidence:
    """Known distances of things in the shot.

    Args:
        shot: Which one.
        distances: Of any shot.
        along_ray: They are along the line of sight.

    Raises:
        UsageError: one lies outside the plate, or where there is no depth.
        InputError: a depth file is missing or damaged.
    """
    _, height, width = shot.sequence.shape
    x, metres, around, said = [], [], [], []
    for one in distances:
        if one.frame not in shot.numbers:
            continue
        if not (0 <= one.x < width and 0 <= one.y < height):
            raise UsageError(
                f"The known distance at {one.x:g},{one.y:g} lies outside the plate.",
                f"The plate has {width}x{height} pixels.",
            )
        row, column = int(one.y), int(one.x)
        values = shot.x(one.frame)
        if not np.isfinite(values[row, column]):
            raise UsageError(
                f"There is no depth at {one.x:g},{one.y:g} in frame {one.frame}: it is sky or a hole.",
                "Name a pixel of something solid.",
            )
        patch = values[max(0, row - AROUND) : row + AROUND + 1, max(0, column - AROUND) : column + AROUND + 1]
        lens = shot.camera
        ray = ((column + 0.5 - lens.cx) / lens.fx, (row + 0.5 - lens.cy) / lens.fy, 1.0)
        x.append(values[row, column])
        metres.append(one.metres / float(np.linalg.norm(ray)) if along_ray else one.metres)
        around.append((np.nanmin(patch), np.nanmax(patch)))
        said.append(str(one))
    name = "known distance" + "s" * (len(x) > 1)
    target = shot.target(np.array(metres, np.float64))
    return Evidence(
        "distances", name, np.array(x), target, said=tuple(said), around=np.array(around).reshape(-1, 2)
    )


def by_ends(shot: ShotValues, near: float | None, far: float | None) -> Evidence:
    """What is said of the shot's near and far end.

    Args:
        shot: Which one.
        near, far: Metres there.
    """
    ends = [
        (name, x, metres)
        for name, x, metres in zip(("near", "far"), shot.ends, (near, far), strict=True)
        if metres is not None
    ]
    said = tuple(f"{metres:g} m at the {name} end" for name, _, metres in ends)
    name = " and ".join(name for name, _, _ in ends)
    x, metres = (np.array([end[place] for end in ends], np.float64) for place in (1, 2))
    # The far end before the near one: it holds the horizon, from which all that is far takes its distance.
    parts = (by_ends(shot, None, far), by_ends(shot, near, None)) if len(ends) > 1 else ()
    return Evidence("ends", name, x, shot.target(metres), said=said, parts=parts)


def by_points(shot: ShotValues, points: SparsePoints, unit: float | None, first: int) -> Evidence:
    """A solve's points, where frames of the shot see them.

    Args:
        shot: Which one.
        points: Of the whole clip.
        unit: Metres of one unit of the solve; None: as the file says.
        first: What to add to the clip's own frame numbers to get the files'.

    Raises:
        InputError: a depth file is missing or damaged.
    """
    if unit is None and points.unit == "metres":
        unit = 1.0
    x, depth = [np.zeros(0)], [np.zeros(0)]
    for number in shot.numbers:
        here = points.numbers + first == number
        if here.any():
            x.append(_sampled(shot.x(number), points.pixels[here]))
            depth.append(points.depth[here] * (unit or 1.0))
    found, metres = np.concatenate(x), np.concatenate(depth)
    there = np.isfinite(found)
    target = shot.target(metres[there])
    return Evidence("solve", "camera solve", found[there], target, absolute=unit is not None)


def _sampled(values: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(N,) medians around pixels (N, 2); NaN where there is no depth."""
    rows, columns = pixels[:, 1].astype(int), pixels[:, 0].astype(int)
    reach = np.arange(-_PATCH, _PATCH + 1)
    down = np.clip(rows[:, None, None] + reach[:, None], 0, values.shape[0] - 1)
    across = np.clip(columns[:, None, None] + reach, 0, values.shape[1] - 1)
    patch = values[down, across].reshape(len(pixels), -1)
    middle = patch.shape[1] // 2
    # Holes are at the sky's edge: a point there is one of either.
    return np.where(np.isfinite(patch).all(1), np.sort(patch, 1)[:, middle], np.nan)
