"""Refuses clips of which a recipe has nothing to learn: those whose camera does not travel."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..errors import InputError
from ..flow.tracks import FEWEST, corners, refind
from ..geometry.motion.parallax import FAST, STILL, WIDTH, motion_of
from .gaps import luma_of

if TYPE_CHECKING:
    from ..clip import Clip
    from ..progress import Progress
    from .footage import Footage

LOOKS = 6  # pictures, spread over a clip …
LEAST_LOOKS = 3  # … of a movie perhaps less: key frames
SEEN = 0.6  # of the points, in each of them
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
