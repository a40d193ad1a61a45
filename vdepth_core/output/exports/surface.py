"""A frame's depth as points and a mesh of its pixels, torn where depth jumps; what all 3D formats write.

Axes as most of them have: x right, y up, z to the camera, which sits at the origin. Of the sky there is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ...errors import InputError, UsageError
from ...geometry.camera import Intrinsics
from ..plate import pictures
from .scaling import is_sky

if TYPE_CHECKING:
    from ...progress import Progress
    from .options import SurfaceOptions
    from .rig import Rig

_GREY = 128  # of points whose plate is gone


@dataclass(frozen=True, eq=False)
class Surface:
    """One frame.

    Attributes:
        number: Of the frame.
        points: (N, 3) float32, in units of the depth.
        colours: (N, 3) uint8, sRGB.
        faces: (M, 4) int32 places among the points, counter-clockwise seen from the camera.
        places: (N, 2) int32 columns and rows of their pixels in the plate.
        z: (H, W) float32 planar depth of the whole plate.
        plate: (H, W, 3) uint8; None: it is gone.
        world: (4, 4) float64, carries the points into the world.
    """

    number: int
    points: np.ndarray
    colours: np.ndarray
    faces: np.ndarray
    places: np.ndarray
    z: np.ndarray
    plate: np.ndarray | None = None
    world: np.ndarray = field(default_factory=lambda: np.eye(4))

    @property
    def placed(self) -> np.ndarray:
        """The points in the world: (N, 3) float32."""
        if np.array_equal(self.world, np.eye(4)):
            return self.points
        return np.asarray(self.points @ self.world[:3, :3].T + self.world[:3, 3], np.float32)

    @property
    def uv(self) -> np.ndarray:
        """Where they are in the plate: (N, 2) float32 in [0, 1] from its top left corner."""
        height, width = self.z.shape
        return np.asarray((self.places + 0.5) / (width, height), np.float32)

    def texture(self) -> bytes:
        """The plate as a PNG file.

        Raises:
            ValueError: it is gone.
        """
        if self.plate is None:
            raise ValueError("the plate is gone")
        return picture(self.plate)


def picture(rgb: np.ndarray) -> bytes:
    """A plate as a PNG file.

    Args:
        rgb: (H, W, 3) uint8.
    """
    return bytes(cv2.imencode(".png", rgb[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 3])[1])


def surfaces(rig: Rig, options: SurfaceOptions, progress: Progress, mesh: bool = False) -> Iterator[Surface]:
    """The surfaces of the frames that are wanted, one in memory at a time; stage ``export``.

    Args:
        rig: The finished job and its camera.
        options: Which frames, and how fine.
        progress: Told of each frame; may cancel.
        mesh: Whether faces are wanted: frames that are torn to points are told.

    Raises:
        UsageError: the sequence has none of the frames, or a mesh is wanted and none of them has faces.
        InputError: a frame is missing or damaged.
    """
    sequence, numbers = rig.sequence, rig.numbers(options.frames, progress)
    progress.stage("export", len(numbers))
    plates: Iterator[np.ndarray] | None = pictures(sequence.manifest, numbers)
    torn = 0
    for number in numbers:
        with progress.step("export"):
            index = number - sequence.numbers.start
            try:
                rgb = next(plates) if plates is not None else None
            except InputError as error:
                progress.warn(f"The points have no colours: {error}")
                plates = rgb = None
            found = surface(number, sequence[index], rgb, rig.lens(number), options)
            torn += len(found.points) > 0 and not len(found.faces)
            yield replace(found, world=rig.world(number))
    if mesh and torn:
        of = f"a point every {options.stride} pixels, torn where depth jumps by more than {options.tear:g}"
        hint = "Lower --stride or raise --tear."
        if torn == len(numbers):
            raise UsageError(f"No faces are left of the mesh, with {of} of itself.", hint)
        progress.warn(f"No faces are left in {torn} of {len(numbers)} frames, with {of} of itself. {hint}")


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
    step, whole_z = options.stride, z
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
    colours = grey if rgb is None else rgb[::step, ::step][there]
    pixels = (np.argwhere(there)[:, ::-1] * step).astype(np.int32)
    return Surface(number, points, colours, faces, pixels, whole_z, rgb)
