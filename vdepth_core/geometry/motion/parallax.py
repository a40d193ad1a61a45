"""What the camera of a shot does: a tripod or a turn alone does not say how far away anything is.

Of a turning camera, and of anything flat, two pictures differ by a homography. So the test is whether points
all over the picture leave the one that fits most of them. What moves by itself leaves it too, but covers few
of the picture's squares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import cv2
import numpy as np

from ...flow.tracks import FEWEST, follow
from .gaps import choose_gap, halving, probes

Motion = Literal["travels", "turns", "stands"]

STILL = 0.003  # of the width: the fastest fifth of the points moves less over the gap; tripods: .0001
OFF = 1.0  # pixels off the homography, of a picture 448 wide
WIDTH = 448
FAST = 0.8  # quantile: what moves by itself is less
SQUARES = 8  # to a side of the picture
SHARE = 0.1  # of the squares that leave the homography; measured: pans .02, tripods .02, others from .14


def motion_of(luma: Callable[[int], np.ndarray], shot: Sequence[int], width: int) -> Motion:
    """What the camera of a shot does.

    Args:
        luma: Number of a frame -> (h, w) uint8.
        shot: Its frames, two at least.
        width: Of the pictures.
    """
    gap = choose_gap(luma, shot, width)
    fast, off = 0.0, 0.0
    for reach in (gap, min(2 * gap, len(shot) - 1)):
        seen = [_leaves(luma, start, reach, width) for start in probes(shot, reach)]
        both = np.median(np.array([pair for pair in seen if pair] or [(0.0, 0.0)]), 0)
        fast, off = max(fast, float(both[0])), max(off, float(both[1]))
    if fast < STILL:
        return "stands"
    return "travels" if off > SHARE else "turns"


def _leaves(
    luma: Callable[[int], np.ndarray], start: int, reach: int, width: int
) -> tuple[float, float] | None:
    """How far the fastest fifth moves, in widths, and the share of squares off the homography; None: lost."""
    tracks = follow(luma, start, [start + step for step in halving(reach)])
    if not tracks.frames or tracks.found[:, -1].sum() < FEWEST:
        return None
    hit = tracks.found[:, -1]
    here, there = tracks.pixels[hit].astype(np.float32), tracks.seen[hit, -1].astype(np.float32)
    fast = float(np.quantile(np.hypot(*(there - here).T), FAST)) / width
    bound = OFF * width / WIDTH
    homography, _ = cv2.findHomography(here, there, cv2.USAC_MAGSAC, bound, maxIters=5000, confidence=0.999)
    if homography is None:
        return None
    off = np.hypot(*(cv2.perspectiveTransform(here[None], homography)[0] - there).T) > bound
    height = luma(start).shape[0]
    column, row = (here * (SQUARES / width, SQUARES / height)).astype(int).T
    square = row * SQUARES + column
    points = np.bincount(square, minlength=SQUARES**2)
    leaving = np.bincount(square, off, minlength=SQUARES**2)
    return fast, float((leaving[points > 0] >= points[points > 0] / 2).mean())
