"""Poses at the frames of a clip out of poses at times."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ...errors import InputError
from .plate import Plate
from .raw import RawPath
from .rotations import between

_STAMP = re.compile(r"\d{9,}\.\d+")  # a picture named by when it was taken, in seconds
_ROUNDING = 1e-6  # seconds
_APART = 1.01  # frames between two poses that what lies in between is still taken from


def timed(raw: RawPath, plate: Plate, notes: list[str]) -> RawPath:
    """Finds out what the time stamps count, and takes the pose at each frame's time.

    Of pictures that are named by when they were taken, those times decide. Else, in this order: as many poses
    as frames, in no seconds of the clip, are its frames in order; whole numbers beyond the clip's length
    count frames; stamps are seconds since the first frame, where they lie within the clip's length, or
    seconds since the first pose.

    Args:
        raw: With ``seconds``, ascending.
        plate: The clip.
        notes: A sentence about how the stamps were understood is added.

    Returns:
        The same with ``numbers`` of the clip in their place.

    Raises:
        InputError: no stamp falls on a frame.
    """
    stamps, count = raw.seconds or (), len(plate.numbers)
    length = float(plate.time(plate.numbers[-1])) + 1 / float(plate.rate)
    within = stamps[0] >= -_ROUNDING and stamps[-1] <= length
    if (absolute := _stamps(plate)) is None and len(stamps) == count and not within:
        notes.append("There are as many poses as frames: they are taken in order.")
        return replace(raw, seconds=None, numbers=tuple(plate.numbers), own=True)
    if stamps[-1] > length and all(stamp == int(stamp) for stamp in stamps) and absolute is None:
        whole = [int(stamp) for stamp in stamps]
        counted = 0 in whole or not any(number in plate.numbers for number in whole)
        start = plate.numbers.start if counted else 0
        what = "count frames from 0" if counted else "are frame numbers"
        notes.append(f"The time stamps are whole numbers beyond the clip's length: they {what}.")
        return replace(raw, seconds=None, numbers=tuple(start + number for number in whole), own=True)
    times = [float(plate.time(number)) for number in plate.numbers]
    if absolute is not None:
        times = [absolute[number] for number in plate.numbers]
        notes.append("The time stamps are matched with those in the names of the clip's pictures.")
    elif -_ROUNDING <= stamps[0] <= length:
        notes.append(
            f"The time stamps are seconds since the clip's first frame, at {float(plate.rate):g} a second."
        )
    else:
        times = [stamps[0] + time for time in times]
        notes.append(
            f"The first time stamp, {stamps[0]:g}, is taken for the clip's first frame; the others follow at "
            f"{float(plate.rate):g} frames a second."
        )
    found, poses = [], []
    for number, time in zip(plate.numbers, times, strict=True):
        pose = _pose_at(time, stamps, raw.poses, 1 / float(plate.rate))
        if pose is not None:
            found.append(number)
            poses.append(pose)
    if not found:
        raise InputError(
            f"No time stamp from {stamps[0]:g} to {stamps[-1]:g} falls on the clip's frames, "
            f"{times[0]:g} to {times[-1]:g} seconds.",
            "Give the camera path of this clip.",
        )
    return replace(raw, seconds=None, poses=np.stack(poses), numbers=tuple(found), own=True)


def _pose_at(time: float, stamps: Sequence[float], poses: np.ndarray, frame: float) -> np.ndarray | None:
    """The pose at a time, between its neighbours; None where none is near. ``frame`` is one's duration."""
    after = bisect_left(stamps, time)
    near = min((place for place in (after - 1, after) if 0 <= place < len(stamps)),
               key=lambda place: abs(stamps[place] - time))  # fmt: skip
    pose: np.ndarray = poses[near]
    if abs(stamps[near] - time) <= frame / 100:
        return pose
    if 0 < after < len(stamps) and stamps[after] - stamps[after - 1] <= _APART * frame:
        share = (time - stamps[after - 1]) / (stamps[after] - stamps[after - 1])
        return between(poses[after - 1], poses[after], share)
    return pose if abs(stamps[near] - time) <= frame / 2 else None


def _stamps(plate: Plate) -> dict[int, float] | None:
    """Number to time of pictures that are all named by when they were taken, else None."""
    stems = {number: name.rpartition(".")[0] for name, number in plate.names.items()}
    if not stems or not all(_STAMP.fullmatch(stem) for stem in stems.values()):
        return None
    return {number: float(stem) for number, stem in stems.items()}
