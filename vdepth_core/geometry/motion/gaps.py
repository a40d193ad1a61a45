"""How many frames apart two views of a shot should be: as far as points move some percent of the width."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...flow.tracks import follow

WANTED = 0.045  # of the width, median; published recipes were made for 2 to 8 percent
ENOUGH = 0.6  # of the points are to be found again
PROBES = 5  # frames of a shot that are looked from


def choose_gap(luma: Callable[[int], np.ndarray], shot: Sequence[int], width: int) -> int:
    """The gap of one shot in frames: the median motion over it is `WANTED`, or as near as the shot allows.

    Args:
        luma: Number of a frame -> (h, w) uint8.
        shot: Its frames.
        width: Of the pictures.
    """
    most = max(1, (len(shot) - 1) // 2)
    paces = [pace for start in probes(shot, most) if (pace := _pace(luma, start, most, width)) > 0]
    if not paces:
        return most
    return int(np.clip(round(WANTED / float(np.median(paces))), 1, most))


def probes(shot: Sequence[int], reach: int) -> list[int]:
    """Frames of a shot, spread over it, that have as many as ``reach`` after them.

    Args:
        shot: Its frames.
        reach: Frames.
    """
    last = max(shot[0], shot[-1] - reach)
    return [int(start) for start in np.unique(np.linspace(shot[0], last, PROBES).round())]


def _pace(luma: Callable[[int], np.ndarray], start: int, most: int, width: int) -> float:
    """Median motion a frame, in widths, over as many frames as it takes to move far enough; 0: unknown.

    The fastest points are lost first: what is left of few says too little.
    """
    pace, steps = 0.0, 1
    while True:
        tracks = follow(luma, start, [start + step for step in halving(steps)])
        if not tracks.frames or abs(tracks.frames[-1] - start) < steps:
            return pace
        hit = tracks.found[:, -1]
        if steps > 1 and hit.mean() < ENOUGH:
            return pace
        motion = np.hypot(*(tracks.seen[hit, -1] - tracks.pixels[hit]).T)
        pace = float(np.median(motion)) / width / steps
        if pace * steps >= WANTED or steps >= most:
            return pace
        steps = min(2 * steps, most)


def halving(steps: int) -> list[int]:
    """1, 2, 4 … and ``steps`` itself: points are predicted from where they were at half the way.

    Args:
        steps: 1 at least.
    """
    return sorted({*(2**k for k in range(steps.bit_length())), steps})
