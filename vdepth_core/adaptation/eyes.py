"""The two eyes of a stereo clip: where they are read from, and which of their frames belong together."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

from ..choices import StereoLayout, one_of
from ..clip import Clip, fingerprint, open_clip
from ..clip.halves import Half, split_eyes
from ..errors import InputError, UsageError
from ..progress import Progress
from ..protocols import Recipe
from ..types import Shot

_LATE = Fraction(1, 4)  # of a frame: eyes that are further apart in time saw different things


def check_eyes(recipe: Recipe, right: str | Path | None, layout: str | None) -> None:
    """Refuses what cannot be before anything is read.

    Args:
        recipe: What is to be learnt.
        right: The right eye's clip.
        layout: How both eyes lie in one clip.

    Raises:
        UsageError: an eye is missing, or one too many is given.
    """
    if layout is not None and layout not in get_args(StereoLayout):
        raise UsageError(f"There is no stereo layout {layout}.", one_of(layout, get_args(StereoLayout)))
    if right is not None and layout is not None:
        raise UsageError("Both --right and --stereo say where the right eye is.", "Give one of them.")
    wanted = getattr(recipe, "stereo", False)
    if wanted and right is None and layout is None:
        raise UsageError(
            f"The recipe {recipe.name} learns from two eyes.",
            "vdepth adapt takes the right eye's clip by --right, or by --stereo how both lie in one.",
        )
    if right is not None and not wanted:
        raise UsageError(f"The recipe {recipe.name} learns from one eye.", "Leave --right out.")


def open_eyes(
    left: Clip, right: str | Path | None, layout: StereoLayout | None, reading: dict[str, Any]
) -> tuple[Clip, Clip | None]:
    """The clip to adapt to, and that of the right eye, where there is one.

    Args:
        left: The left eye's, or both eyes'.
        right: The right eye's.
        layout: How both eyes lie in ``left``.
        reading: How the right one is read, as `open_clip` takes it.

    Raises:
        InputError: one cannot be read, or they are no two eyes of one rig.
        UsageError: an option does not go with a clip.
    """
    if layout is not None:
        return split_eyes(left, layout)
    if right is None:
        return left, None
    other = open_clip(right, **reading)
    one, two = left.info, other.info
    for what, here, there in (
        ("pictures", f"{one.width}x{one.height}", f"{two.width}x{two.height}"),
        ("pixels of aspect", str(one.pixel_aspect), str(two.pixel_aspect)),
        ("frames per second:", str(one.rate), str(two.rate)),
    ):
        if here != there:
            names = left.source.name, other.source.name
            raise InputError(
                f"{names[0]} has {what} {here} and {names[1]} {there}; two eyes have the same.",
                "Give both eyes in the same size and rate.",
            )
    return left, other


def eyes_identity(other: Clip | None, layout: str | None) -> dict[str, str]:
    """What the right eye adds to a run's identity; nothing where there is none.

    Args:
        other: The right eye's clip.
        layout: How both eyes lie in one.

    Raises:
        InputError: a file cannot be read.
    """
    if other is None:
        return {}
    return {"right": layout if layout is not None else fingerprint(other).digest}


def paired_shots(left: Clip, right: Clip, shots: Sequence[Shot], progress: Progress) -> list[Shot]:
    """The same shots in the right eye's numbering, at the left eye's exposure; frames are paired by time.

    Args:
        left: Scanned.
        right: Scanned here, unless it is the other half of ``left``.
        shots: Of the left eye.
        progress: Stage ``scan``; may cancel.

    Raises:
        InputError: a frame has no counterpart.
        Cancelled: the user asked to stop.
        ValueError: the left eye was not scanned.
    """
    if isinstance(right, Half):
        return list(shots)
    for _ in right.scan(shots=False, progress=progress):
        pass
    if left.facts is None or right.facts is None:
        raise ValueError("the left eye was not scanned")
    here, there = _clocks(left, right)
    found = []
    for shot in shots:
        start = _nearest(there, here[shot.start])
        for index in range(shot.start, shot.stop):
            partner = start + index - shot.start
            if partner >= len(there) or abs(there[partner] - here[index]) * left.info.rate > _LATE:
                number = index + (left.info.first_number or 0)
                raise InputError(
                    f"Frame {number} of {left.source.name} has no counterpart in {right.source.name} "
                    f"at {float(here[index]):.3f} s.",
                    "Choose --frames that both eyes have, or retime one of them.",
                )
        found.append(replace(shot, start=start, stop=start + len(shot)))
    return found


def _clocks(left: Clip, right: Clip) -> tuple[list[Fraction], list[Fraction]]:
    """Seconds of every frame; those of two image sequences count from number 0."""
    first = [clip.info.first_number for clip in (left, right)]
    numbered = None not in first
    return tuple(  # type: ignore[return-value]
        [time + (Fraction(number or 0) / clip.info.rate if numbered else 0) for time in clip.facts.times]
        for clip, number in zip((left, right), first, strict=True)
        if clip.facts is not None
    )


def _nearest(times: Sequence[Fraction], time: Fraction) -> int:
    place = bisect_left(times, time)
    around = [index for index in (place - 1, place) if 0 <= index < len(times)]
    return min(around, key=lambda index: abs(times[index] - time))
