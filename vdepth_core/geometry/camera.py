"""The pinhole camera of a plate: OpenCV axes (x right, y down, z forward), pixel centres at +0.5."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import InputError, UsageError
from ..types import ClipInfo

CameraSource = Literal["given", "motion", "metadata", "estimated", "assumed"]
DEFAULT_FOV = 55.0
"""Horizontal field of view in degrees when nothing is known: a phone's video, a lens of 24 mm on Super 35."""

_FOCAL = (0.005, 10_000.0)  # focal length in sides of the picture; 178 to 0.006 degrees
_OFF_CENTRE = 100  # principal point in sides of the picture


@dataclass(frozen=True)
class Intrinsics:
    """Focal lengths and principal point in pixels of the plate, whose top left corner is (0, 0).

    Attributes:
        fx, fy: Focal lengths; they differ where pixels are not square.
        cx, cy: Principal point.
        source: ``given`` by the user, found from the clip's ``motion``, told by its file's ``metadata``,
            ``estimated`` from the pictures by a model, or only ``assumed``.
        detail: Where exactly it comes from, in words; empty: nothing more is to be said.
        error: Relative standard deviation of the focal lengths; None: unknown.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    source: CameraSource = "given"
    detail: str = field(default="", compare=False)
    error: float | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        values = (self.fx, self.fy, self.cx, self.cy)
        if not all(math.isfinite(value) for value in values) or self.fx <= 0 or self.fy <= 0:
            raise ValueError(f"focal lengths must be positive and all values finite: {values}")

    @classmethod
    def from_fov(
        cls,
        horizontal_deg: float,
        width: int,
        height: int,
        pixel_aspect: Fraction | float = 1,
        source: CameraSource = "given",
    ) -> Intrinsics:
        """A camera with the principal point in the middle.

        Args:
            horizontal_deg: Horizontal field of view in degrees, between 0 and 180.
            width, height: Size of the plate in pixels.
            pixel_aspect: Width of a pixel over its height.
            source: Where the field of view comes from.

        Raises:
            UsageError: the field of view is out of range.
        """
        if not 0 < horizontal_deg < 180:
            raise UsageError(
                f"A field of view of {horizontal_deg} degrees is none.", "Give one between 0 and 180."
            )
        fx = width / 2 / math.tan(math.radians(horizontal_deg) / 2)
        return cls(fx, fx * float(pixel_aspect), width / 2, height / 2, source)

    @classmethod
    def default(cls, width: int, height: int, pixel_aspect: Fraction | float = 1) -> Intrinsics:
        """The camera of a plate nothing is known about: `DEFAULT_FOV`, marked as assumed.

        Args:
            width, height: Of the plate in pixels.
            pixel_aspect: Width of a pixel over its height.
        """
        return cls.from_fov(DEFAULT_FOV, width, height, pixel_aspect, "assumed")

    @classmethod
    def told(cls, info: ClipInfo) -> Intrinsics | None:
        """The camera that a clip's file tells of; None: it does not.

        Args:
            info: The clip.
        """
        lens = info.lens
        if lens.focal is None:
            return None
        fy = lens.focal_y or lens.focal * float(info.pixel_aspect)
        cx, cy = lens.centre or (info.width / 2, info.height / 2)
        return cls(lens.focal, fy, cx, cy, "metadata", lens.source, lens.error)

    def fov(self, width: int) -> float:
        """Horizontal field of view in degrees.

        Args:
            width: Of the plate in pixels.
        """
        left, right = self.cx / self.fx, (width - self.cx) / self.fx
        return math.degrees(math.atan(left) + math.atan(right))

    def scaled(self, sx: float, sy: float) -> Intrinsics:
        """The same camera after the plate was resized by ``sx`` and ``sy``.

        Args:
            sx, sy: New over old width and height.
        """
        return replace(self, fx=self.fx * sx, fy=self.fy * sy, cx=self.cx * sx, cy=self.cy * sy)

    def rays(self, width: int, height: int) -> np.ndarray:
        """Points at z = 1 through every pixel centre: (H, W, 3) float32.

        Args:
            width, height: Of the plate in pixels.
        """
        x = (np.arange(width) + 0.5 - self.cx) / self.fx
        y = (np.arange(height) + 0.5 - self.cy) / self.fy
        rays = np.ones((height, width, 3), np.float32)
        rays[..., 0], rays[..., 1] = x, y[:, None]
        return rays


def unproject(depth: np.ndarray, intrinsics: Intrinsics) -> np.ndarray:
    """Planar z (H, W) -> points (H, W, 3) float32 in the camera's frame, in units of ``depth``.

    Args:
        depth: Of any unit.
        intrinsics: For the size of ``depth``.
    """
    return intrinsics.rays(depth.shape[1], depth.shape[0]) * depth[..., None].astype(np.float32, copy=False)


def load_intrinsics(path: Path, width: int, height: int, pixel_aspect: Fraction | float = 1) -> Intrinsics:
    """Reads a camera from a JSON file.

    The file holds one object: either ``fov`` (horizontal, degrees), or ``fx`` with optional ``fy`` (default:
    fx times pixel aspect), ``cx``, ``cy`` (default: the middle), or ``K``, a 3x3 matrix. With ``width`` and
    ``height`` of the picture they were measured on, pixel values are scaled to the plate.

    Args:
        path: The JSON file.
        width, height: Of the plate in pixels.
        pixel_aspect: Width of a pixel over its height.

    Raises:
        InputError: the file cannot be read or says something else.
    """
    hint = 'Write for example {"fx": 1000, "fy": 1000, "cx": 640, "cy": 360} or {"fov": 55}.'
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"Cannot read the camera file {path}: {error.strerror}.", hint) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"The camera file {path} is not JSON: {error}.", hint) from error
    if not isinstance(values, dict):
        raise InputError(f"The camera file {path} holds no object.", hint)
    try:
        if "fov" in values:
            return Intrinsics.from_fov(_number(values, "fov"), width, height, pixel_aspect)
        if "K" in values:
            k = np.asarray(values["K"], np.float64)
            if k.shape != (3, 3) or abs(k[0, 1]) > 1e-6 * abs(k[0, 0]) or not np.allclose(k[2], (0, 0, 1)):
                raise ValueError("K is no 3x3 matrix [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]")
            values = {**values, "fx": k[0, 0], "fy": k[1, 1], "cx": k[0, 2], "cy": k[1, 2]}
        sx = width / _number(values, "width", width)
        sy = height / _number(values, "height", height)
        fx = _number(values, "fx")
        camera = Intrinsics(
            fx * sx,
            _number(values, "fy", fx * sx / sy * float(pixel_aspect)) * sy,
            _number(values, "cx", width / sx / 2) * sx,
            _number(values, "cy", height / sy / 2) * sy,
        )
        check_plausible(camera, width, height)
        return camera
    except UsageError as error:
        raise InputError(f"The camera file {path} is wrong: {error.message}", error.hint) from error
    except (ValueError, TypeError, ArithmeticError) as error:
        raise InputError(f"The camera file {path} is wrong: {error}.", hint) from error


def check_plausible(camera: Intrinsics, width: int, height: int) -> None:
    """Refuses what no lens has and what single precision, in which files hold it, cannot say.

    Args:
        camera: The lens.
        width, height: Of the picture in pixels.

    Raises:
        ValueError: naming the first value that is out of range.
    """
    low, high = _FOCAL
    for name, value, side in (("fx", camera.fx, width), ("fy", camera.fy, height)):
        if not low * side <= value <= high * side:
            raise ValueError(
                f"{name} is {value:g} pixels of the plate, and must be from {low * side:g} to {high * side:g}"
            )
    for name, value, side in (("cx", camera.cx, width), ("cy", camera.cy, height)):
        if abs(value) > _OFF_CENTRE * side:
            raise ValueError(
                f"{name} must be within {_OFF_CENTRE * side:g} pixels of the plate, not {value:g}"
            )


def _number(values: dict[str, Any], name: str, default: float | None = None) -> float:
    value = values.get(name, default)
    if value is None:
        raise ValueError(f"{name} is missing")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is no number")
    return float(value)
