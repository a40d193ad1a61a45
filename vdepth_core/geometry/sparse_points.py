"""Points of a camera solve where frames see them: COLMAP's text model, or a JSON of ours.

    {"format": "vdepth points", "version": 1, "unit": "metres", "width": 1920, "height": 1080,
     "points": [[frame, x, y, depth], …]}

``frame`` counts as the clip does, x and y are pixels whose upper left corner is (0, 0), depth is planar z in
the frame's camera. COLMAP's pictures say which point each of their features is, so that nothing is projected:
a lens that bends lines moves no point away from where the plate shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from .camera_files import colmap
from .camera_files.matching import numbers_of
from .camera_files.plate import Plate
from .camera_files.raw import RawPath, fault, number, read_number, read_object, read_text
from .camera_path import PathUnit, inverse_pose

FORMAT = "vdepth points"
VERSION = 1
_HINT = "Export the points again."
_COLMAP = "Write the model again: colmap model_converter --output_type TXT."
_UNITS: tuple[PathUnit, ...] = ("metres", "scene", "arbitrary")


@dataclass(frozen=True)
class SparsePoints:
    """Points as frames see them.

    Attributes:
        numbers: (N,) of the frames, in the clip's own numbering.
        pixels: (N, 2) float64 x, y in pixels of the plate.
        depth: (N,) float64, > 0.
        unit: Of ``depth``.
        notes: Sentences about how the file was understood.
    """

    numbers: np.ndarray
    pixels: np.ndarray
    depth: np.ndarray
    unit: PathUnit
    notes: tuple[str, ...] = ()


def read_points(file: Path, plate: Plate) -> SparsePoints:
    """Reads the points of a solve for a clip.

    Args:
        file: A JSON file of ours, or the folder (or a file) of a COLMAP model in text.
        plate: The clip.

    Raises:
        InputError: it cannot be read, is of no format that is known, or none of its points is in the clip.
    """
    folder = _folder_of(file)
    found = _read_json(file, plate) if folder is None else _read_colmap(folder, plate)
    inside = (found.numbers >= plate.numbers.start) & (found.numbers < plate.numbers.stop)
    inside &= (found.pixels >= 0).all(1) & (found.pixels < (plate.width, plate.height)).all(1)
    ahead = found.depth > 0
    if inside.any() and not ahead[inside].any():
        raise InputError(
            f"All points of {file} that are in the clip lie behind the camera: none has a depth above 0.",
            "Export them with depth along the camera's view, growing away from it.",
        )
    inside &= ahead
    if not inside.any():
        raise InputError(
            f"None of the points of {file} is in the clip, frames {plate.numbers[0]} to {plate.numbers[-1]}.",
            "Give the solve of this clip, with the clip's own frame numbers.",
        )
    return SparsePoints(
        found.numbers[inside], found.pixels[inside], found.depth[inside], found.unit, found.notes
    )


def points_files(file: Path) -> list[Path]:
    """The files that decide what `read_points` reads.

    Args:
        file: As of `read_points`.

    Raises:
        InputError: a COLMAP model that is binary, or a folder without one.
    """
    folder = _folder_of(file)
    names = (colmap.CAMERAS, colmap.IMAGES, colmap.POINTS)
    return [file] if folder is None else [folder / name for name in names]


def _folder_of(file: Path) -> Path | None:
    """The folder of a COLMAP model; None: a file of another kind."""
    folder = colmap.folder_of(file)
    if folder is None and file.is_dir():
        raise InputError(
            f"The folder {file} holds no camera solve: there is no {colmap.IMAGES}.",
            "Give COLMAP's text model, or a JSON file of points.",
        )
    return folder


def _read_json(file: Path, plate: Plate) -> SparsePoints:
    data = read_object(file)
    if data.get("format") != FORMAT:
        raise fault(file, "", f'its format is not "{FORMAT}"', "Give COLMAP's text model, or such a file.")
    if data.get("version", VERSION) != VERSION:
        raise fault(file, "", f"version {data['version']!r} is not known here", "Update vdepth.")
    try:
        unit = data.get("unit", "arbitrary")
        if unit not in _UNITS:
            raise ValueError(f"the unit is one of {', '.join(_UNITS)}")
        rows = np.asarray(data.get("points", []), np.float64)
        if rows.ndim != 2 or rows.shape[1] != 4 or not np.isfinite(rows).all():
            raise ValueError("points are rows of frame, x, y, depth")
        size = number(data, "width", plate.width), number(data, "height", plate.height)
        pixels = rows[:, 1:3] * _stretch(size, plate)
    except (ValueError, TypeError, OverflowError) as error:
        raise fault(file, "", str(error), _HINT) from error
    return SparsePoints(rows[:, 0].astype(np.int64), pixels, rows[:, 3], unit)


def _read_colmap(folder: Path, plate: Plate) -> SparsePoints:
    raw = colmap.read(folder, plate)
    notes: list[str] = []
    numbers = numbers_of(raw, plate, folder, notes)
    places = _read_places(folder / colmap.POINTS)
    try:
        stretch = _stretch(raw.size or (plate.width, plate.height), plate)
    except ValueError as error:
        raise fault(folder, "", str(error), "Give the solve of this clip, uncropped.") from error
    frames, pixels, depths = [], [], []
    features = _features(folder / colmap.IMAGES, raw)
    for frame, pose, (seen, ids) in zip(numbers, raw.poses, features, strict=True):
        known = np.array([one in places for one in ids], bool)
        if not known.any():
            continue
        world = np.array([places[one] for one, there in zip(ids, known, strict=True) if there])
        to_camera = inverse_pose(pose)
        frames.append(np.full(len(world), frame))
        pixels.append(seen[known] * stretch)
        depths.append(world @ to_camera[2, :3] + to_camera[2, 3])
    if not frames:
        raise fault(folder / colmap.POINTS, "", "no picture sees a point of it", _COLMAP)
    return SparsePoints(
        np.concatenate(frames), np.concatenate(pixels), np.concatenate(depths), raw.unit, tuple(notes)
    )


def _read_places(path: Path) -> dict[int, np.ndarray]:
    """Where COLMAP's points are in its world, by their numbers."""
    places = {}
    for line, text in enumerate(read_text(path).splitlines(), 1):
        words = text.partition("#")[0].split()
        if not words:
            continue
        if len(words) < 8:
            raise fault(path, line, "a point is its number, X Y Z, R G B and an error", _COLMAP)
        values = [read_number(path, line, word) for word in words[:4]]
        places[int(values[0])] = np.array(values[1:])
    return places


def _features(path: Path, raw: RawPath) -> list[tuple[np.ndarray, list[int]]]:
    """Of each picture, in the order of `colmap.read`, pixels (N, 2) and the points they show, -1 for none."""
    found: list[tuple[np.ndarray, list[int]]] = []
    head = True
    for line, text in enumerate(read_text(path).splitlines(), 1):
        if text.startswith("#") or (head and not text.strip()):
            continue
        if not head:
            words = text.split()
            if len(words) % 3:
                raise fault(path, line, "points of a picture are x, y and a number each", _COLMAP)
            values = np.array([read_number(path, line, word) for word in words]).reshape(-1, 3)
            found.append((values[:, :2], values[:, 2].astype(np.int64).tolist()))
        head = not head
    while len(found) < len(raw.poses):  # the last picture's empty line may be missing
        found.append((np.zeros((0, 2)), []))
    return found


def _stretch(size: tuple[float, float], plate: Plate) -> tuple[float, float]:
    """From pixels of the solve's picture to the plate's.

    Raises:
        ValueError: they are not of one shape.
    """
    sx, sy = plate.width / size[0], plate.height / size[1]
    if not abs(sx / sy - 1) < 0.01:
        raise ValueError(
            f"it is of a picture of {size[0]:g}x{size[1]:g} pixels, the clip of {plate.width}x{plate.height}"
        )
    return sx, sy
