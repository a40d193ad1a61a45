"""COLMAP's text model: a folder with ``cameras.txt`` and ``images.txt``.

COLMAP's poses are world to camera in OpenCV's axes, its pixels have their centres at +0.5, as ours. A lens
that bends lines is taken without the bend while that moves no pixel far, and said; else the pictures have to
be straightened first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError
from ...files import make_folder, require_folder, write_bytes
from ..camera import Intrinsics
from ..camera_path import CameraPath, inverse_pose
from .raw import RawPath, fault, read_number, read_text, stated_unit
from .rotations import quaternion_of, rotation_of
from .straight import bent_notes, straightened

if TYPE_CHECKING:
    from .plate import Plate

CAMERAS, IMAGES, POINTS = "cameras.txt", "images.txt", "points3D.txt"
_BY_US = "# Camera path by vdepth"
_SHIFT = re.compile(r"# vdepth: file numbers less (-?\d{1,9}) are the clip's$")
_MODELS = {  # name: focal lengths, then how many numbers of k1 k2 p1 p2 it has (None: bent in another way)
    "SIMPLE_PINHOLE": (1, 0),
    "PINHOLE": (2, 0),
    "SIMPLE_RADIAL": (1, 1),
    "RADIAL": (1, 2),
    "OPENCV": (2, 4),
}
_WIDEST = 1e6  # pixels: no picture has more a side
_STRAIGHTEN = "Straighten the pictures (colmap image_undistorter) and use the model it writes."
_EXPORT = "Write the model again: colmap model_converter --output_type TXT."


@dataclass(frozen=True)
class _Lens:
    intrinsics: Intrinsics
    width: int
    height: int
    moved: float  # pixels by which distortion moves the worst corner


def folder_of(path: Path) -> Path | None:
    """The folder of a model, where ``path`` is one, a file in it, or a workspace around ``sparse/0``.

    Args:
        path: As the user gave it.

    Raises:
        InputError: the model is there, but binary.
    """
    if path.name in {CAMERAS, IMAGES, POINTS}:
        return path.parent
    binary = [str(Path(name).with_suffix(".bin")) for name in (CAMERAS, IMAGES, POINTS)]
    if path.name in binary:
        path = path.parent
    for folder in (path, path / "0", path / "sparse" / "0", path / "sparse"):
        if (folder / IMAGES).is_file():
            return folder
        if any((folder / name).is_file() for name in binary):
            raise InputError(
                f"The COLMAP model in {folder} is binary.",
                f"Make text of it: colmap model_converter --input_path {folder} --output_path {folder} "
                "--output_type TXT.",
            )
    return None


def read(path: Path, plate: Plate) -> RawPath:
    """Reads a model.

    Args:
        path: Its folder, from `folder_of`.
        plate: Unused: `matching` makes frames of the pictures' names.

    Raises:
        InputError: it is not of this format.
    """
    lenses = _read_cameras(path / CAMERAS)
    poses, names, used = [], [], []
    for line, words in _image_lines(path / IMAGES):
        values = [read_number(path / IMAGES, line, word) for word in words[1:8]]
        quaternion = np.array(values[:4])
        if not np.linalg.norm(quaternion) > 0:
            raise fault(path / IMAGES, line, "the quaternion is 0", _EXPORT)
        if words[8] not in lenses:
            raise fault(path / IMAGES, line, f"camera {words[8]} is not in {CAMERAS}", _EXPORT)
        to_camera = np.eye(4)
        to_camera[:3, :3], to_camera[:3, 3] = rotation_of(quaternion), values[4:]
        poses.append(inverse_pose(to_camera))
        used.append(lenses[words[8]])
        names.append(words[9].strip())
    if not poses:
        raise fault(path / IMAGES, "", "it holds no picture", _EXPORT)
    sizes = {(lens.width, lens.height) for lens in used}
    if len(sizes) > 1:
        raise fault(
            path / CAMERAS, "", "its pictures are not all of one size", "Give a model of this clip only."
        )
    intrinsics = [lens.intrinsics for lens in used]
    if len(set(intrinsics)) == 1:
        del intrinsics[1:]
    moved = max(lens.moved for lens in used)
    remedy = "colmap image_undistorter makes pictures without that."
    notes = bent_notes(path / CAMERAS, moved, remedy)
    return RawPath(
        np.stack(poses), stated_unit(path / IMAGES, "arbitrary"), tuple(intrinsics), sizes.pop(),
        names=tuple(names), shift=_shift(path / IMAGES), notes=notes,
    )  # fmt: skip


def write(camera: CameraPath, path: Path, plate: Plate) -> None:
    """Writes a model without points; a folder that holds another model is left alone.

    Args:
        camera: The path.
        path: The folder, made if it is not there.
        plate: For the pictures' names.

    Raises:
        InputError: the folder holds a model that is not ours.
        ResourceError: it cannot be written.
    """
    check_folder(path)
    make_folder(path)
    numbered = {lens: place for place, lens in enumerate(dict.fromkeys(camera.intrinsics), 1)}
    head = f"{_BY_US}; unit: {camera.unit}"
    cameras = [head, "# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]"]
    for lens, place in numbered.items():
        values = " ".join(f"{value:.17g}" for value in (lens.fx, lens.fy, lens.cx, lens.cy))
        cameras.append(f"{place} PINHOLE {camera.width} {camera.height} {values}")
    images = [
        head,
        "# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME; then POINTS2D[], which is empty",
    ]
    for place, (number, pose) in enumerate(zip(camera.numbers, inverse_pose(camera.poses), strict=True), 1):
        values = " ".join(f"{value:.17g}" for value in (*quaternion_of(pose[:3, :3]), *pose[:3, 3]))
        images += [f"{place} {values} {numbered[camera.lens(number)]} {plate.name(number)}", ""]
    for name, lines in ((CAMERAS, cameras), (POINTS, [head]), (IMAGES, images)):
        write_bytes(path / name, "\n".join((*lines, "")).encode())


def check_folder(path: Path) -> None:
    """Refuses what `write` would have to leave alone.

    Args:
        path: The folder, which need not be there.

    Raises:
        InputError: it holds a model that is not ours.
        ResourceError: it is a file.
    """
    require_folder(path)
    theirs = [path / name for name in (CAMERAS, IMAGES, POINTS, "images.bin", "cameras.bin")]
    for file in theirs:
        if file.exists() and not (file.suffix == ".txt" and read_text(file).startswith(_BY_US)):
            raise InputError(f"{path} holds another COLMAP model ({file.name}).", "Name a new folder.")


def shift_line(shift: int) -> str:
    """The comment of ``images.txt`` that tells which frames of the clip the numbers of its pictures are.

    Args:
        shift: What the numbers have over the clip's own.
    """
    return f"# vdepth: file numbers less {shift} are the clip's"


def _shift(path: Path) -> int | None:
    """What `shift_line` said; None: nothing."""
    for line in read_text(path).splitlines():
        if line.startswith("#") and (found := _SHIFT.match(line)):
            return int(found[1])
    return None


def _read_cameras(path: Path) -> dict[str, _Lens]:
    lenses = {}
    for line, text in enumerate(read_text(path).splitlines(), 1):
        words = text.partition("#")[0].split()
        if not words:
            continue
        if len(words) < 4:
            raise fault(path, line, "a camera is its number, model, width, height and parameters", _EXPORT)
        width, height = (read_number(path, line, word) for word in words[2:4])
        values = [read_number(path, line, word) for word in words[4:]]
        if not all(1 <= side < _WIDEST and side == int(side) for side in (width, height)):
            raise fault(path, line, f"a picture of {width:g}x{height:g} pixels is none", _EXPORT)
        try:
            lenses[words[0]] = _lens(words[1], int(width), int(height), values)
        except ValueError as error:
            raise fault(path, line, str(error), _STRAIGHTEN) from error
    return lenses


def _lens(model: str, width: int, height: int, values: list[float]) -> _Lens:
    if model not in _MODELS:
        raise ValueError(f"the camera model {model} is not read, only {', '.join(_MODELS)}")
    focals, bends = _MODELS[model]
    if len(values) != focals + 2 + bends:
        raise ValueError(f"{model} has {focals + 2 + bends} parameters, not {len(values)}")
    fx, fy = values[0], values[focals - 1]
    cx, cy = values[focals : focals + 2]
    intrinsics = Intrinsics(fx, fy, cx, cy)
    moved = straightened(intrinsics, width, height, values[focals + 2 :], model)
    return _Lens(intrinsics, width, height, moved)


def _image_lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The first of each picture's two lines, in its ten words; the second, of points, may be empty."""
    points = False
    for line, text in enumerate(read_text(path).splitlines(), 1):
        if text.startswith("#"):
            continue
        if points:
            points = False
            if not text.strip() or text.split()[-1].lstrip("-").isdigit():
                continue
            raise fault(path, line, "the line of a picture's points is missing before this one", _EXPORT)
        if not text.strip():
            continue
        words = text.split(maxsplit=9)
        if len(words) < 10:
            raise fault(path, line, "a picture is 10 words, the last of them its name", _EXPORT)
        yield line, words
        points = True
