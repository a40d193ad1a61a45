"""Second pass of `temporal`: a motion-compensated, edge-aware temporal filter over aligned predictions.

A finite window around every frame: each neighbour is looked up once along its own flow (no chain of
interpolations, so no blur builds up), carried into the frame's chart, and averaged with weights that fall
where the pixel is hidden, its brightness differs, or its disparity lies on another surface. Everything
happens at a reduced size on the *difference* to the frame itself. Where few neighbours vote (behind moving
edges, at the picture's border) the difference is taken from the same surface nearby (`flow.guided`): raw
weights would print the outlines of occlusions into the depth. The difference is enlarged and added, so the
frame's own detail and edges stay its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ...align.scale_shift import MAD_TO_SIGMA
from ...flow.dis import reduce
from ...flow.guided import spread_by_guide
from ...flow.visibility import seen_again
from ...flow.warp import sample, target

if TYPE_CHECKING:
    from ...align.pairs import Alignment
    from ...progress import Progress
    from ...store import DepthStore
    from .flows import Flows

# Frames to either side; measured: each more costs about 2.5 ms and gains less than the one before.
OFFSETS = (1, 2, 3, 4)
KERNEL = 3.0  # frames, standard deviation of the temporal Gaussian
ROUNDS = 2  # re-weightings around the mean; a third changes nothing
SAME_SURFACE = 5.0  # times the robust spread of the pair's differences
SAME_SURFACE_FLOOR = 0.015  # of the frame's own 5..95 % range
RADIUS = 5  # pixels at the flow's size over which a correction is spread on its surface
FLAT = 1e-4  # of the squared range


@dataclass(frozen=True)
class Curves:
    """Per frame t: median |D_t − D̂_{t+1}| over visible pixels relative to the frame's range, and their share.

    ``before`` is of the raw predictions, ``after`` of the final ones; the last frame has NaN.
    """

    before: np.ndarray
    after: np.ndarray
    visible: np.ndarray


def stabilize(
    store: DepthStore,
    flows: Flows,
    disparity: Callable[[int], np.ndarray],
    aligned: Callable[[int], np.ndarray],
    alignment: Alignment,
    progress: Progress,
    stage: str,
    *,
    smooth: bool = True,
) -> Curves:
    """Writes every missing frame of ``store.final``.

    Args:
        store: ``final`` is written.
        flows: Of the shot.
        disparity: Frame index -> raw disparity (h, w), for the curve "before".
        aligned: Frame index -> aligned disparity (h, w) float32.
        alignment: The joint solution ``aligned`` comes from.
        progress: Advanced by one a frame.
        stage: Of ``progress``.
        smooth: False writes the aligned maps as they are and only measures.
    """
    window = _Window(flows, disparity, aligned)
    count = store.count
    before, after, visible = (np.full(count, np.nan) for _ in range(3))
    previous: np.ndarray | None = None
    for t in range(count):
        with progress.step(stage):
            if store.final.done(t):
                final = store.final.read(t)[0]
            else:
                final = aligned(t)
                if smooth:
                    delta = _difference(window, alignment, t, count)
                    final = final + cv2.resize(
                        delta, (store.width, store.height), interpolation=cv2.INTER_LINEAR
                    )
                store.final.write(t, final[None])
            small = reduce(final, window.size)
            if previous is not None:
                seen = window.weight(t - 1, t) > 0.5
                visible[t - 1] = seen.mean()
                before[t - 1] = _residual(window.raw(t - 1), window.look(window.raw(t), t - 1, t), seen)
                after[t - 1] = _residual(previous, window.look(small, t - 1, t), seen)
            previous = small
            window.forget(t - OFFSETS[-1])
    return Curves(before, after, visible)


def _difference(window: _Window, alignment: Alignment, t: int, count: int) -> np.ndarray:
    """What the neighbours say frame t should be changed by, (h, w) float32 at the working size."""
    own = window.aligned(t)
    low, high = np.quantile(own[::3, ::3], (0.05, 0.95))
    extent = max(float(high - low), 1e-9)
    votes: list[tuple[np.ndarray, np.ndarray, np.float32]] = []
    for offset in OFFSETS:
        kernel = np.float32(np.exp(-0.5 * (offset / KERNEL) ** 2))
        for other in (t - offset, t + offset):
            if 0 <= other < count:
                scale, shift = alignment.carry(other, t)
                seen = window.weight(t, other)
                difference = window.look(window.aligned(other), t, other)
                difference *= np.float32(scale)
                difference += np.float32(shift)
                difference -= own
                part = np.abs(difference[::3, ::3][seen[::3, ::3] > 0.5])
                spread = SAME_SURFACE * MAD_TO_SIGMA * float(np.median(part)) if part.size else 0.0
                spread = max(spread, SAME_SURFACE_FLOOR * extent)
                votes.append((difference, seen * kernel, np.float32(-0.5 / spread**2)))
    mean = np.zeros_like(own)
    if not votes:
        return mean
    own_falloff = np.float32(np.median([falloff for _, _, falloff in votes]))
    for _ in range(ROUNDS):
        # The frame's own vote is 0. Measured from the last mean it loses weight where the neighbours agree
        # against it.
        weights = cv2.exp(mean * mean * own_falloff)
        own_weights = weights.copy()
        total = np.zeros_like(own)
        for difference, seen, falloff in votes:
            weight = difference - mean
            weight *= weight
            weight *= falloff
            weight = cv2.exp(weight)
            weight *= seen
            weights += weight
            weight *= difference
            total += weight
        total /= np.maximum(weights, np.float32(1e-6))
        mean = total
    full = 2.0 * sum(float(np.exp(-0.5 * (offset / KERNEL) ** 2)) for offset in OFFSETS)
    trust = (weights - own_weights) * np.float32(1.0 / full)
    smooth = spread_by_guide(own, mean, trust, RADIUS, FLAT * extent**2)
    # Where many neighbours vote their mean is taken as it is; its outline is softened, or it would show as an
    # edge.
    sure = cv2.blur(trust, (5, 5))
    sure *= sure
    mean -= smooth
    mean *= sure
    mean += smooth
    return mean


class _Window:
    """Reduced frames, flows and visibilities around the frame being filtered; each is made once."""

    def __init__(
        self, flows: Flows, disparity: Callable[[int], np.ndarray], aligned: Callable[[int], np.ndarray]
    ) -> None:
        self.size = flows.size
        self._flows, self._disparity, self._aligned = flows, disparity, aligned
        self._kept: dict[tuple[str, int, int], np.ndarray] = {}

    def raw(self, t: int) -> np.ndarray:
        return self._once("raw", t, t, lambda: reduce(self._disparity(t), self.size))

    def aligned(self, t: int) -> np.ndarray:
        return self._once("aligned", t, t, lambda: reduce(self._aligned(t), self.size))

    def flow(self, a: int, b: int) -> np.ndarray:
        return self._once("flow", a, b, lambda: self._flows.flow(a, b))

    def where(self, a: int, b: int) -> np.ndarray:
        return self._once("where", a, b, lambda: target(self.flow(a, b)))

    def weight(self, a: int, b: int) -> np.ndarray:
        """How surely pixels of a are seen in b, (h, w) in [0, 1]."""
        return self._once(
            "weight",
            a,
            b,
            lambda: seen_again(
                self.flow(a, b),
                self.flow(b, a),
                self._flows.luma(a),
                self._flows.luma(b),
                self.where(a, b),
            ),
        )

    def look(self, image: np.ndarray, a: int, b: int) -> np.ndarray:
        """Frame b's image seen from frame a."""
        return sample(image, self.where(a, b))

    def forget(self, oldest: int) -> None:
        """Drops all that only frames before ``oldest`` need."""
        for key in [key for key in self._kept if min(key[1], key[2]) < oldest]:
            del self._kept[key]
        self._flows.forget(oldest)

    def _once(self, kind: str, a: int, b: int, make: Callable[[], np.ndarray]) -> np.ndarray:
        key = (kind, a, b)
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]


def _residual(a: np.ndarray, b_on_a: np.ndarray, seen: np.ndarray) -> float:
    if not seen.any():
        return float("nan")
    low, high = np.quantile(a[::3, ::3], (0.05, 0.95))
    return float(np.median(np.abs(b_on_a - a)[seen]) / max(float(high - low), 1e-9))
