"""Does the camera travel? What a tripod or a turn alone shows does not say how far away anything is.

Of a turning camera, and of anything flat, two pictures differ by a homography. So the test is whether points
all over the picture leave the one that fits most of them. What moves by itself leaves it too, but covers few
of the picture's squares.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np

from ..errors import InputError
from ..flow.tracks import FEWEST, corners, follow, refind
from .gaps import choose_gap, halving, luma_of, probes

if TYPE_CHECKING:
    from ..clip import Clip
    from ..progress import Progress
    from .footage import Footage

Motion = Literal["travels", "turns", "stands"]

STILL = 0.003  # of the width: the fastest fifth of the points moves less over the gap; tripods: .0001
OFF = 1.0  # pixels off the homography, of a picture 448 wide
WIDTH = 448
FAST = 0.8  # quantile: what moves by itself is less
LOOKS = 6  # pictures, spread over a clip …
LEAST_LOOKS = 3  # … of a movie perhaps less: key frames
SEEN = 0.6  # of the points, in each of them
SQUARES = 8  # to a side of the picture
SHARE = 0.1  # of the squares that leave the homography; measured: pans .02, tripods .02, others from .14
_HINT = "Choose --frames in which the camera travels, or the recipe tc, which does without."


def refuse_still(clip: Clip, start: int, stop: int | None) -> None:
    """Refuses a clip of a tripod after a few pictures of it: reading them all takes minutes.

    Args:
        clip: Opened.
        start, stop: Its frames that count; stop None: to the end.

    Raises:
        InputError: the camera stands still, or a picture cannot be read.
    """
    frames = clip.info.frames_declared
    if frames is not None and (frames if stop is None else min(stop, frames)) - start < 2 * LOOKS:
        return
    with closing(clip.glances(LOOKS, start, stop, WIDTH)) as glances:
        lumas = (cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY) for rgb in glances)
        first = next(lumas, None)
        if first is None or len(points := corners(first)) < FEWEST:
            return
        looks = 1
        for luma in lumas:
            there, found = refind(first, luma, points)
            moved = np.hypot(*(there - points)[found].T)
            if found.mean() < SEEN or np.quantile(moved, FAST) >= STILL * luma.shape[1]:
                return
            looks += 1
    if looks >= LEAST_LOOKS:
        raise InputError(
            f"The camera stands still in {clip.source.name}, which says nothing about depth.", _HINT
        )


def check_parallax(footage: Footage, progress: Progress, name: str = "this clip") -> list[bool]:
    """Whether each shot shows parallax; refuses a clip of which none does.

    Args:
        footage: Its frames are there.
        progress: Told of shots that are left out; may cancel.
        name: Of the clip, for the sentence.

    Raises:
        InputError: no shot shows parallax.
        Cancelled: the user asked to stop.
    """
    luma = luma_of(footage)
    motions = []
    for shot in footage.shots:
        progress.check()
        motions.append(motion_of(luma, shot, footage.width))
    if "travels" not in motions:
        what = "only turns, or sees something flat," if "turns" in motions else "stands still"
        raise InputError(f"The camera {what} in {name}, which says nothing about depth.", _HINT)
    for number, motion in enumerate(motions, 1):
        if motion != "travels":
            progress.warn(f"Shot {number} is left out: its camera {motion.replace('turns', 'only turns')}.")
    return [motion == "travels" for motion in motions]


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
