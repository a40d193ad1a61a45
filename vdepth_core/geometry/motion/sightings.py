"""What one shot shows of its points: which frames are looked from, and where the points are found again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ...flow.tracks import Tracks, follow, joined
from ...progress import Progress

STEPS = 3  # frames that are looked from, over a gap
REACH = 12  # of those steps that points are followed, to either side


def look_around(
    luma: Callable[[int], np.ndarray], shot: Sequence[int], gap: int, progress: Progress
) -> list[Tracks]:
    """Points of every third part of a gap, followed through the frames around.

    Near frames are all looked at, so that each has points of two others at least; farther away every
    step's end is.

    Args:
        luma: Number of a frame -> (h, w) uint8.
        shot: Its frames.
        gap: As far apart as two views should be, frames.
        progress: May cancel.

    Raises:
        Cancelled: the user asked to stop.
    """
    step = max(1, gap // STEPS)
    anchors = list(range(shot[0], shot[-1], step))
    if anchors[-1] + step // 2 < shot[-1]:
        anchors.append(shot[-1])
    tracks = []
    for anchor in anchors:
        progress.check()
        sides = [follow(luma, anchor, _ahead(anchor, shot, step, sign)) for sign in (-1, 1)]
        whole = joined(sides)
        if whole.frames:
            tracks.append(whole)
    return tracks


def _ahead(anchor: int, shot: Sequence[int], step: int, sign: int) -> list[int]:
    offsets = [*range(1, step), *range(step, (REACH + 1) * step, step)]
    frames = [anchor + sign * offset for offset in offsets]
    return [frame for frame in frames if shot[0] <= frame <= shot[-1]]
