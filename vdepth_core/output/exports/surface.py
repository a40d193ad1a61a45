"""A frame's depth as points and a mesh of its pixels, torn where depth jumps; what all 3D formats write.

Axes as most of them have: x right, y up, z to the camera, which sits at the origin. Of the sky there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...clip.timing import parse_range
from ...errors import InputError, UsageError
from ...geometry.camera import Intrinsics
from ..plate import pictures
from .scaling import is_sky

if TYPE_CHECKING:
    from ...progress import Progress
    from ..sequence import DepthSequence
    from .options import SurfaceOptions

_GREY = 128  # of points whose plate is gone


@dataclass(frozen=True, eq=False)
class Surface:
    """One frame.

    Attributes:
        number: Of the frame.
        points: (N, 3) float32, in units of the depth.
        colours: (N, 3) uint8, sRGB.
        faces: (M, 4) int32 places among the points, counter-clockwise seen from the camera.
    """

    number: int
    points: np.ndarray
    colours: np.ndarray
    faces: np.ndarray


def surfaces(sequence: DepthSequence, options: SurfaceOptions, progress: Progress) -> Iterator[Surface]:
    """The surfaces of the frames that are wanted, one in memory at a time; stage ``export``.

    Args:
        sequence: The finished one.
        options: Which frames, and how fine.
        progress: Told of each frame; may cancel.

    Raises:
        UsageError: the sequence has none of the frames.
        InputError: a frame is missing or damaged.
    """
    numbers = numbers_of(sequence, options)
    progress.stage("export", len(numbers))
    plates: Iterator[np.ndarray] | None = pictures(sequence.manifest, numbers)
    for number in numbers:
        with progress.step("export"):
            index = number - sequence.numbers.start
            try:
                rgb = next(plates) if plates is not None else None
            except InputError as error:
                progress.warn(f"The points have no colours: {error.message}")
                plates = rgb = None
            yield surface(number, sequence[index], rgb, _lens(sequence, number), options)


def numbers_of(sequence: DepthSequence, options: SurfaceOptions) -> range:
    """The frames that are wanted.

    Args:
        sequence: The finished one.
        options: With the range as the user wrote it, if any.

    Raises:
        UsageError: the sequence has none of them.
    """
    if options.frames is None:
        return sequence.numbers
    start, stop = parse_range(options.frames, 0)
    found = range(max(start, sequence.numbers.start), min(stop, sequence.numbers.stop))
    if not found:
        raise UsageError(
            f"The sequence has no frame of {options.frames}.",
            f"Its frames are {sequence.numbers.start} to {sequence.numbers.stop - 1}.",
        )
    return found


def surface(
    number: int, z: np.ndarray, rgb: np.ndarray | None, lens: Intrinsics, options: SurfaceOptions
) -> Surface:
    """The surface of one frame.

    Args:
        number: Of the frame.
        z: (H, W) planar depth.
        rgb: (H, W, 3) uint8; None: grey.
        lens: Of the plate.
        options: How fine, and where it is torn.
    """
    step = options.stride
    z = z[::step, ::step].astype(np.float64)
    height, width = z.shape
    there = ~is_sky(z) & (z > 0)
    x = (np.arange(width) * step + 0.5 - lens.cx) / lens.fx
    y = (np.arange(height) * step + 0.5 - lens.cy) / lens.fy
    points = np.stack((x * z, -y[:, None] * z, -z), 2)[there].astype(np.float32)
    grey = np.full((len(points), 3), _GREY, np.uint8)
    places = np.cumsum(there.ravel()).reshape(z.shape) - 1
    corners = [slice(None, -1), slice(1, None)]
    ring = [
        (corners[0], corners[0]),
        (corners[1], corners[0]),
        (corners[1], corners[1]),
        (corners[0], corners[1]),
    ]
    depths = np.stack([np.where(there, z, np.inf)[at] for at in ring])
    whole = depths.max(0) <= (1 + options.tear) * depths.min(0)
    whole &= np.isfinite(depths).all(0)
    faces = np.stack([places[at][whole] for at in ring], 1).astype(np.int32)
    return Surface(number, points, grey if rgb is None else rgb[::step, ::step][there], faces)


def _lens(sequence: DepthSequence, number: int) -> Intrinsics:
    for entry in sequence.manifest.shots:
        if entry.start_number <= number < entry.start_number + entry.count:
            return entry.camera.intrinsics()
    return sequence.intrinsics
