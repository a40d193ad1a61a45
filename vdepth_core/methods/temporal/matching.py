"""First pass of `temporal`: what pairs of frames of a shot say about each other's scale and shift.

Neighbours, and pairs 2, 4, 8 and 16 frames apart (the farther, the fewer), are matched by optical flow at a
reduced size, and every pair is fitted on the pixels both frames see. Only 17 reduced frames are in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ...align.pairs import Pair
from ...align.scale_shift import fit_pair
from ...errors import Cancelled
from ...flow.dis import reduce
from ...flow.visibility import seen_again, squared_length
from ...flow.warp import sample, target
from .flows import Flows

if TYPE_CHECKING:
    from ...progress import Progress
    from ...store import DepthStore

OFFSETS = (1, 2, 4, 8, 16)
KEPT = 4  # frames; flow over farther ones is not asked for again
GRID = 3  # every third pixel both ways is matched
MIN_VISIBLE = 0.1  # pairs that share less than this part of the picture say nothing
EVIDENCE = 0.4  # of the picture must be found again before a pair says whether the camera moved
STILL_PIXELS = 0.35  # of the working size; a pixel that moved less stood still; DIS noise is about 0.1
_POLL_S = 0.01
TEXTURE = 6.0  # luma steps; flow is only evidence where there is something to see


@dataclass(frozen=True)
class Matches:
    """What the first pass found.

    Attributes:
        pairs: One fit a pair of frames.
        still: (N − 1,) in [0, 1]: how surely the camera stood still between t and t + 1.
        clamped: (N,) share of a frame's pixels that are exactly 0 (the far end a ReLU cut off).
    """

    pairs: tuple[Pair, ...]
    still: np.ndarray
    clamped: np.ndarray


def match_shot(
    store: DepthStore,
    disparity: Callable[[int], np.ndarray],
    scale_only: bool,
    progress: Progress,
    ready: Callable[[int], None] = lambda t: None,
    flows: Flows | None = None,
) -> Matches:
    """Matches the frames of a shot.

    Args:
        store: Its ``luma`` is read, one frame at a time.
        disparity: Frame index -> the model's disparity (h, w).
        scale_only: The model's disparities have no unknown shift.
        progress: Asked for cancellation once a frame.
        ready: Called with a frame's index before it is read; may block until the frame is there.
        flows: Of the shot; keeps what the second pass will ask for.
    """
    flows = flows or Flows(store)
    maps: dict[int, np.ndarray] = {}
    pairs: list[Pair] = []
    moved: list[tuple[int, int, float]] = []
    clamped = np.zeros(store.count)
    grid = (slice(GRID // 2, None, GRID), slice(GRID // 2, None, GRID))
    for t in range(store.count):
        progress.check()
        ready(t)
        full = disparity(t)
        clamped[t] = float(np.count_nonzero(full[::4, ::4] == 0)) / full[::4, ::4].size
        maps[t] = reduce(full, flows.size)
        for offset in OFFSETS:
            first = t - offset
            if first < 0 or first % max(1, offset // 2):
                continue
            forward = flows.flow(first, t, keep=offset <= KEPT)
            backward = flows.flow(t, first, keep=offset <= KEPT)
            where = target(forward)
            weight = seen_again(forward, backward, flows.luma(first), flows.luma(t), where)
            w = weight[grid].ravel()
            if w.mean() < MIN_VISIBLE:
                continue
            x = maps[first][grid]
            y = sample(maps[t], np.ascontiguousarray(where[grid]))
            seen = (w > 0.05) & (x.ravel() != 0) & (y.ravel() != 0)
            fit = fit_pair(x.ravel()[seen], y.ravel()[seen], w[seen], scale_only=scale_only)
            if fit is None:
                continue
            pairs.append(Pair(first, t, fit))
            if fit.weight > 0 and weight.mean() > EVIDENCE:
                moved.append((first, t, _still_share(flows.luma(first), forward, weight)))
        flows.forget(t - OFFSETS[-1] + 1)
        maps.pop(t - OFFSETS[-1], None)
    return Matches(tuple(pairs), _stillness(store.count, moved), clamped)


class MatchAhead:
    """`match_shot` in a thread of its own while the shot is still being predicted.

    The result is the same as afterwards: it depends on the store's contents only. The accelerator does the
    predicting, so this work is off the way by the time the last frame is there.

    Attributes:
        flows: What it knows of the shot's motion once `result` is there.
    """

    def __init__(
        self, store: DepthStore, disparity: Callable[[int], np.ndarray], scale_only: bool, progress: Progress
    ) -> None:
        self._store, self._progress = store, progress
        self._stopped = threading.Event()
        self.flows = Flows(store)
        thread = ThreadPoolExecutor(1, "vdepth-match")
        self._matches = thread.submit(
            match_shot, store, disparity, scale_only, progress, self._ready, self.flows
        )
        thread.shutdown(wait=False)

    def result(self) -> Matches:
        """Waits for the last frame; raises what `match_shot` raises."""
        return self._matches.result()

    def abandon(self) -> None:
        """Stops and waits; for a shot whose prediction failed."""
        self._stopped.set()
        wait([self._matches])

    def _ready(self, t: int) -> None:
        while not (self._store.raw.done(t) and self._store.luma.done(t)):
            self._progress.check()
            if self._stopped.wait(_POLL_S):
                raise Cancelled("The shot was not predicted to its end.")


def _still_share(luma: np.ndarray, flow: np.ndarray, weight: np.ndarray) -> float:
    """Share of the textured pixels that were found again in the same place."""
    step_x = cv2.absdiff(luma[1:, 1:], luma[1:, :-1])
    step_y = cv2.absdiff(luma[1:, 1:], luma[:-1, 1:])
    textured = cv2.max(step_x, step_y) > TEXTURE
    if textured.mean() < 0.01:
        return 0.0
    there = (squared_length(flow) < STILL_PIXELS**2) & (weight > 0.3)
    return float(there[1:, 1:][textured].mean())


def _stillness(count: int, moved: list[tuple[int, int, float]]) -> np.ndarray:
    """Per step, from the longest pairs over it: a slow dolly shows only over many frames."""
    share = np.full(max(0, count - 1), np.nan)
    reach = np.zeros(max(0, count - 1))
    for first, last, value in moved:
        span = slice(first, last)
        length = last - first
        longer = length > reach[span]
        share[span] = np.where(
            longer, value, np.where(length == reach[span], np.fmin(share[span], value), share[span])
        )
        reach[span] = np.maximum(reach[span], length)
    return np.nan_to_num(np.clip((share - 0.4) / 0.2, 0.0, 1.0))
