"""What lies in the files: for every kind of sequence its channels, their types and what the numbers mean, in
one table.

One layer a file because that is what every host reads: a lone ``Z`` reads as garbage in Blender before 5.2
and any layered name as an empty image; FFmpeg (ffplay, mpv, dailies) refuses ``Y`` + ``Z``. Equal ``X``,
``Y`` and ``Z`` read right, value by value, everywhere that was tried, and Nuke finds ``depth.Z`` by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..errors import UsageError
from ..types import Space

SequenceKind = Literal["depth", "disparity", "confidence", "normal", "sky", "layers"]


@dataclass(frozen=True)
class SequenceSpec:
    """One kind of sequence.

    Attributes:
        quantity: What the pixels are, for the file's attributes.
        channels: Channel name in the file -> (plane it shows, pixel type).
        units: Units by space; the empty key is for every other space.
    """

    quantity: str
    channels: dict[str, tuple[str, type[np.float32] | type[np.float16]]]
    units: dict[str, str]


_DEPTH_UNITS = {"metric": "m", "scale_invariant": "scene units up to scale", "": "scene units"}

SEQUENCES: dict[SequenceKind, SequenceSpec] = {
    "depth": SequenceSpec("depth", dict.fromkeys("XYZ", ("depth", np.float32)), _DEPTH_UNITS),
    "disparity": SequenceSpec(
        "disparity", {"Y": ("disparity", np.float32)}, {"metric": "1/m", "": "relative inverse depth"}
    ),
    "confidence": SequenceSpec("confidence", {"Y": ("confidence", np.float16)}, {"": "0 to 1"}),
    "normal": SequenceSpec(
        "normal",
        {"R": ("normal.x", np.float16), "G": ("normal.y", np.float16), "B": ("normal.z", np.float16)},
        {"": "unit vector"},
    ),
    "sky": SequenceSpec("sky", {"Y": ("sky", np.float16)}, {"": "0 to 1, 1 is sky"}),
    "layers": SequenceSpec(
        "depth",
        {
            "depth.Z": ("depth", np.float32),
            "disparity.Y": ("disparity", np.float32),
            "confidence.Y": ("confidence", np.float16),
            "N.X": ("normal.x", np.float16),
            "N.Y": ("normal.y", np.float16),
            "N.Z": ("normal.z", np.float16),
            "sky.Y": ("sky", np.float16),
        },
        _DEPTH_UNITS,
    ),
}


def units(kind: SequenceKind, space: Space) -> str:
    """The units of a sequence's pixels, in words.

    Args:
        kind: Of the sequence.
        space: Of the model's prediction.
    """
    by_space = SEQUENCES[kind].units
    return by_space.get(space, by_space[""])


def channels_of(kind: SequenceKind, planes: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Picks the channels of one file out of ``planes`` (plane name -> (H, W)), in the types of the table.

    The layered file holds the planes there are; every other kind needs all of its own.

    Args:
        kind: Of the sequence.
        planes: Those there are.

    Raises:
        UsageError: a plane the kind needs is missing.
    """
    picked: dict[str, np.ndarray] = {}
    for name, (plane, dtype) in SEQUENCES[kind].channels.items():
        if plane in planes:
            picked[name] = planes[plane].astype(dtype, copy=False)
        elif kind != "layers" or plane == "depth":
            raise UsageError(
                f"This method gives no {plane.split('.')[0]}, which the {kind} sequence needs.",
                "Leave that sequence out or choose another method.",
            )
    return picked
