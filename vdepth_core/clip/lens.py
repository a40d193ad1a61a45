"""What a clip's file says about the lens: focal lengths in its own words, made pixels of the plate.

A focal length in millimetres says nothing by itself: it takes the size of the sensor, or the focal length
that a 35-mm camera would need for the same picture. That "35-mm equivalent" compares diagonals (CIPA
DCG-001), and is told in whole millimetres. Movies are often cropped or stabilised after it was told.
"""

from __future__ import annotations

import math
import struct
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..types import LensFacts

DIAGONAL_35MM = math.hypot(36, 24)  # of the film's frame, 36 x 24 mm
STILL, FILM, FISHEYE = 0.03, 0.1, 0.15
"""Relative standard deviations of a focal length: told by a still, by a movie, of a lens that bends lines."""
_DISAGREE = 0.1  # two focal lengths of one file
_MM = {1: 25.4, 2: 25.4, 3: 10.0, 4: 1.0, 5: 1e-3}  # Exif's FocalPlaneResolutionUnit
_EXIF, _MAKE, _MODEL = 0x8769, 0x010F, 0x0110
_FOCAL, _EQUIVALENT, _ACROSS, _UNIT, _WIDE, _HIGH, _LENS = (
    0x920A, 0xA405, 0xA20E, 0xA210, 0xA002, 0xA003, 0xA434
)  # fmt: skip
_EXR_FOCALS = (("pinholeFocalLength", 0.005), ("effectiveFocalLength", 0.01), ("nominalFocalLength", STILL))
_DAMAGE = (OSError, ValueError, SyntaxError, TypeError, LookupError, ArithmeticError, EOFError, struct.error)
_PLAUSIBLE = (0.05, 200.0)  # in widths of the picture; beyond, a tag is a mistake


@dataclass(frozen=True)
class Raster:
    """The upright picture: its size in pixels, and the width of a pixel over its height."""

    width: int
    height: int
    aspect: Fraction = Fraction(1)

    @property
    def diagonal(self) -> float:
        """In heights of a pixel."""
        return math.hypot(self.width * float(self.aspect), self.height)

    def of_equivalent(self, millimetres: float) -> float:
        """Focal length along x in pixels of a 35-mm equivalent.

        Args:
            millimetres: On the 36 x 24 mm of film.
        """
        return millimetres / DIAGONAL_35MM * self.diagonal / float(self.aspect)


def named(*words: object) -> str:
    """Make, model and lens as one name, without saying anything twice, nor what would steer a terminal.

    Args:
        *words: Of tags; empty ones do not count.
    """
    said = ""
    for word in words:
        text = "".join(sign if sign.isprintable() else " " for sign in str(word or "")).strip()
        if text.casefold().startswith(said.casefold()):
            said = text or said
        elif text.casefold() not in said.casefold():
            said = f"{said} {text}"
    return said


def settled(raster: Raster, camera: str, *told: tuple[float, float, str]) -> LensFacts:
    """The facts: the first focal length that a lens can have; others that disagree with it are named.

    Args:
        raster: The picture.
        camera: Its name, empty where the file has none.
        *told: Focal length in pixels, its relative error, and where it is told; the best first.
    """
    low, high = (share * raster.width for share in _PLAUSIBLE)
    sound = [(focal, error, source) for focal, error, source in told if low <= focal <= high]
    if not sound:
        return LensFacts(camera=camera)
    focal, error, source = sound[0]
    others = [other for other in sound[1:] if abs(math.log(other[0] / focal)) > _DISAGREE]
    note = "".join(
        f"The file disagrees with itself about the lens: {source} means {focal:.0f} pixels, {what} "
        f"{value:.0f}; the first is taken."
        for value, _, what in others[:1]
    )
    return LensFacts(focal, error, source, camera, note=note)


def lens_of_still(path: Path, raster: Raster) -> LensFacts:
    """What the Exif of a JPEG, TIFF, PNG or WebP says.

    Args:
        path: The file.
        raster: Its picture.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as image:
            outer = image.getexif()
            tags: Mapping[int, Any] = outer.get_ifd(_EXIF)
    except (*_DAMAGE, Image.DecompressionBombError):
        return LensFacts()  # no format of Pillow's, or its Exif is damaged: the picture may be fine
    camera = named(outer.get(_MAKE), outer.get(_MODEL), tags.get(_LENS))
    focal, equivalent, across = (_positive(tags.get(tag)) for tag in (_FOCAL, _EQUIVALENT, _ACROSS))
    stored = max(_positive(tags.get(tag)) for tag in (_WIDE, _HIGH))
    told = []
    unit = _MM.get(int(_positive(tags.get(_UNIT)) or 2))
    if focal and across and unit:
        # told for the picture as it was taken, which may have been turned or scaled since
        shrunk = max(raster.width, raster.height) / stored if stored else 1.0
        told.append((focal * across / unit * shrunk, STILL, f"Exif, {focal:g} mm and the sensor's pixels"))
    if equivalent:
        source = f"Exif, {equivalent:g} mm as of a 35-mm camera"
        told.append((raster.of_equivalent(equivalent), STILL, source))
    return settled(raster, camera, *told)


def lens_of_exr(spec: Any, raster: Raster) -> LensFacts:
    """What OpenEXR's standard attributes say: a renderer's matrices, or a camera's lens and sensor.

    Args:
        spec: OpenImageIO's ``ImageSpec``.
        raster: The display window.
    """
    said = {name: spec.getattribute(name) for name, _ in _EXR_FOCALS}
    words = ("cameraMake", "cameraModel", "lensMake", "lensModel")
    camera = named(*(spec.getattribute(word) for word in words))
    if (facts := _rendered(spec, raster)) is not None:
        return facts
    told = []
    pitch, taken = _positive(spec.getattribute("sensorPhotositePitch")), raster.width
    if pitch:
        window = spec.getattribute("sensorAcquisitionRectangle")
        if window is not None and len(window) == 4 and window[2] > window[0]:
            taken = window[2] - window[0] + 1
        across = pitch / 1000 * taken
    else:
        whole = spec.getattribute("sensorOverallDimensions")
        across = _positive(whole[0]) if whole is not None and len(whole) == 2 else 0.0
    for name, error in _EXR_FOCALS:
        millimetres = _positive(said[name])
        if millimetres and across:
            told.append((millimetres / across * raster.width, error, f"OpenEXR's {name}, {millimetres:g} mm"))
    return settled(raster, camera, *told)


def _rendered(spec: Any, raster: Raster) -> LensFacts | None:
    """From ``worldToCamera`` and ``worldToNDC``: points are rows, NDC is the display window, y down."""
    matrices = [spec.getattribute(name) for name in ("worldToCamera", "worldToNDC")]
    if any(matrix is None for matrix in matrices):
        return None
    to_camera, to_ndc = (np.array(matrix, np.float64).reshape(4, 4) for matrix in matrices)
    try:
        lens = np.linalg.inv(to_camera) @ to_ndc
    except np.linalg.LinAlgError:
        return None
    depth = lens[2, 3]  # what z is divided by; 0: no perspective
    if not np.isfinite(lens).all() or abs(depth) < 1e-9:
        return None
    fx, fy = abs(lens[0, 0] / depth) * raster.width, abs(lens[1, 1] / depth) * raster.height
    low, high = _PLAUSIBLE
    if not (
        low * raster.width <= fx <= high * raster.width and low * raster.height <= fy <= high * raster.height
    ):
        return None
    centre = lens[2, 0] / depth * raster.width, lens[2, 1] / depth * raster.height
    return LensFacts(fx, 0.0, "OpenEXR's worldToNDC of a renderer", "", fy, centre)


def _positive(value: Any) -> float:
    """A number above 0; 0 where it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError, ArithmeticError):
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0
