"""What everything made of a finished job asks of it: frames, their shots, times and headers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ..geometry.camera import Intrinsics
from ..output.attributes import PREFIX

if TYPE_CHECKING:
    from ..output.manifest import Manifest, ShotEntry
    from ..output.sequence import DepthSequence


def shots_of(manifest: Manifest, numbers: Sequence[int]) -> Iterator[tuple[ShotEntry, list[int]]]:
    """The shots that frames are of, with those of each.

    Args:
        manifest: Of the job.
        numbers: Ascending.
    """
    for shot in manifest.shots:
        own = [number for number in numbers if shot.start_number <= number < shot.start_number + shot.count]
        if own:
            yield shot, own


def times_of(sequence: DepthSequence, numbers: Sequence[int]) -> list[Fraction]:
    """When frames are shown, in seconds since the clip's first.

    Args:
        sequence: The finished job.
        numbers: Of the frames.
    """
    times, first = sequence.times, sequence.numbers.start
    return [times[n - first] if times else (n - first) / sequence.rate for n in numbers]


def header_of(sequence: DepthSequence, number: int, lens: Intrinsics, quantity: str) -> dict[str, Any]:
    """The header of a frame's EXR: its depth file's, for another quantity.

    Args:
        sequence: The finished job.
        number: Of the frame.
        lens: Of the picture.
        quantity: What its pixels are.

    Raises:
        InputError: the depth file is missing or damaged.
    """
    attributes = sequence.attributes(number - sequence.numbers.start)
    header = {name: value for name, value in attributes.items() if name.startswith(PREFIX)}
    header |= {PREFIX + name: float(getattr(lens, name)) for name in ("fx", "fy", "cx", "cy")}
    header[PREFIX + "quantity"] = quantity
    return header | {"framesPerSecond": sequence.rate, "imageCounter": number}
