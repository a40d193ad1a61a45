"""What boosting does with a shot, decided once: from the edges of pictures taken evenly over it.

The published method plans every picture by itself, so resolution and patches jump from frame to frame. Here
the resolution is the median of what the key pictures ask for, and a patch is kept if it has enough edges in
*some* of them; how much it counts follows its own edges over time, from key picture to key picture, so that
content that passes through it comes and goes slowly.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from .image_plan import WITHOUT_CONTEXT, working_size
from .search import edge_strength, is_textureless, receptive_resolution
from .tiles import GROW_BY, STRIDE, Patch

if TYPE_CHECKING:
    from ...progress import Progress
    from ...protocols import ShotFrames

MOST = 3  # base sizes: grass is edges everywhere, but does not tell a network of more than that what it sees
KEY_EVERY, KEYS = 8, 24  # frames between key pictures, at least; and how many there are at most
_LONGEST = 1536  # pixels of a key picture: what lies between is grain
_GRID = 384  # pixels of its edge map, of which patches ask densities
_FADED, _FULL = 0.5, 1.0  # edges of a patch over the shot's mean: below it counts nothing, above all
_FINER = 1.15  # a patch must see this much finer than the whole does


@dataclass(frozen=True)
class ShotPlan:
    """How a shot is boosted.

    Attributes:
        base: Size the network was trained at; patches are seen at twice that.
        whole: Longer side of the network's input for the whole picture (R20).
        size: (height, width) of the working picture, of square pixels.
        patches: In its pixels, largest first.
        times: Frames of the shot that were looked at.
        weights: Of every patch at every one of these, in [0, 1].
    """

    base: int
    whole: int
    size: tuple[int, int]
    patches: tuple[Patch, ...]
    times: tuple[int, ...]
    weights: tuple[tuple[float, ...], ...]

    def weights_at(self, frame: int) -> np.ndarray:
        """How much each patch counts in a frame, (P,) in [0, 1]: linear between key pictures.

        Args:
            frame: 0-based within the shot.
        """
        if not self.patches:
            return np.zeros(0)
        table = np.array(self.weights)
        return np.array([np.interp(frame, self.times, column) for column in table.T])

    def to_json(self) -> dict[str, Any]:
        """Ready for the store."""
        return asdict(self)

    @classmethod
    def of_json(cls, facts: dict[str, Any]) -> ShotPlan:
        """Reads what `to_json` gave.

        Args:
            facts: As the store keeps them.
        """
        patches = tuple(Patch(*patch) for patch in facts["patches"])
        weights = tuple(tuple(row) for row in facts["weights"])
        return cls(
            facts["base"], facts["whole"], tuple(facts["size"]), patches, tuple(facts["times"]), weights
        )


def plan_shot(shot: ShotFrames, base: int, max_size: int, progress: Progress) -> ShotPlan:
    """Looks at some pictures of a shot.

    Args:
        shot: Its frames.
        base: Size the network was trained at.
        max_size: Longest side of the working picture, pixels.
        progress: May cancel.

    Raises:
        InputError: a picture cannot be read.
        Cancelled: the user asked to stop.
    """
    times, info = key_frames(len(shot)), shot.info
    display = info.height, max(1, round(info.width * info.pixel_aspect))
    max_size = min(max_size, max(display))
    wishes, densities = [], []
    for time in times:
        progress.check()
        for frame in shot.frames(time, time + 1):
            edges = _edges(frame.rgb, display)
            if is_textureless(edges):
                wishes.append((base, 1.0))
            else:
                wishes.append(receptive_resolution(edges, max(display), base, WITHOUT_CONTEXT))
            densities.append(_density(edges))
    whole, k = sorted(wishes)[(len(wishes) - 1) // 2]
    whole = min(whole, max(max_size, base), MOST * base)
    factor, size = working_size(display, whole, k, max_size)
    patches, weights = _select(np.stack(densities), size, base, whole, int(GROW_BY / factor))
    return ShotPlan(base, int(whole), size, patches, times, weights)


def key_frames(count: int) -> tuple[int, ...]:
    """Which frames of a shot are looked at: evenly, with the first and the last one.

    Args:
        count: Of its frames.
    """
    keys = min(KEYS, 1 + -(-(count - 1) // KEY_EVERY))
    return tuple(sorted({round(index) for index in np.linspace(0, count - 1, keys)}))


def _edges(rgb: np.ndarray, display: tuple[int, int]) -> np.ndarray:
    ratio = min(1.0, _LONGEST / max(display))
    size = max(1, round(display[1] * ratio)), max(1, round(display[0] * ratio))
    return edge_strength(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))


def _density(edges: np.ndarray) -> np.ndarray:
    """Edges above the mean of the picture's own, on a small grid; none where it has no texture."""
    strong = (
        np.where(edges >= edges[edges > 0].mean(), edges, 0.0) if not is_textureless(edges) else 0.0 * edges
    )
    ratio = min(1.0, _GRID / max(edges.shape))
    size = max(1, round(edges.shape[1] * ratio)), max(1, round(edges.shape[0] * ratio))
    return np.asarray(cv2.resize(strong, size, interpolation=cv2.INTER_AREA))


def _select(
    densities: np.ndarray, size: tuple[int, int], base: int, whole: int, step: int
) -> tuple[tuple[Patch, ...], tuple[tuple[float, ...], ...]]:
    """Tiles with edges, grown as far as they keep them; densities (K, h, w) of the key pictures."""
    height, width = size
    within = _Integrals(densities, size)
    mean = float(densities.mean())
    # Beyond this a patch, at twice the base size, sees nothing that the whole picture did not.
    largest = 2 * base * max(size) / (_FINER * whole)
    side = min(2 * base, height, width)
    if mean <= 0 or side > largest:
        return (), ()
    kept: dict[Patch, np.ndarray] = {}
    for x, y in product(_starts(width, side, base), _starts(height, side, base)):
        patch = Patch(x, y, side, side)
        density = within(patch)
        if density.max() < mean:
            continue
        while True:
            bigger = Patch(patch.x - step // 2, patch.y - step // 2, patch.width + step, patch.height + step)
            if not (
                bigger.width <= largest and bigger.x >= 0 and bigger.y >= 0
                and bigger.x + bigger.width <= width and bigger.y + bigger.height <= height
            ):  # fmt: skip
                break
            grown = within(bigger)
            if grown.max() < mean:
                break
            patch, density = bigger, grown
        kept[patch] = density
    patches = sorted(kept, key=lambda patch: -patch.width)
    weights = np.array([_weight(kept[patch] / mean) for patch in patches]).T
    return tuple(patches), tuple(tuple(float(w) for w in row) for row in weights)


def _starts(length: int, side: int, base: int) -> list[int]:
    """Where tiles begin along an axis: evenly, with the last at the end, no farther apart than published."""
    count = 1 + -(-(length - side) // max(1, round(STRIDE * base)))
    return [round(start) for start in np.linspace(0, length - side, count)]


def _weight(relative: np.ndarray) -> np.ndarray:
    x = np.clip((relative - _FADED) / (_FULL - _FADED), 0.0, 1.0)
    return np.asarray(x * x * (3 - 2 * x))


class _Integrals:
    """Means of the densities over patches of the working picture, one a key picture."""

    def __init__(self, densities: np.ndarray, size: tuple[int, int]) -> None:
        self._sums = np.stack([cv2.integral(np.ascontiguousarray(map_)) for map_ in densities])
        self._y, self._x = (there / here for there, here in zip(densities.shape[1:], size, strict=True))

    def __call__(self, patch: Patch) -> np.ndarray:
        top, bottom = self._ends(patch.y, patch.height, self._y, self._sums.shape[1])
        left, right = self._ends(patch.x, patch.width, self._x, self._sums.shape[2])
        s = self._sums
        total = s[:, bottom, right] - s[:, top, right] - s[:, bottom, left] + s[:, top, left]
        return np.asarray(total / ((bottom - top) * (right - left)))

    @staticmethod
    def _ends(start: int, length: int, scale: float, most: int) -> tuple[int, int]:
        first = min(round(start * scale), most - 2)
        return first, min(max(round((start + length) * scale), first + 1), most - 1)
