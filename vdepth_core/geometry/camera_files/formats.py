"""Camera files by format: which one a file is, reading it for a clip, and writing one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import InputError, UsageError
from ..camera import Intrinsics, load_intrinsics
from ..camera_path import CameraPath
from . import blender, colmap, nerfstudio, nuke, own, tum, usd
from .matching import lens_of, matched
from .plate import Plate
from .raw import RawPath, fault, read_object

Reader = Callable[[Path, Plate], RawPath]
Writer = Callable[[CameraPath, Path, Plate], None]

_JSON = (
    (blender.recognised, blender.read),
    (nuke.recognised, nuke.read),
    (nerfstudio.recognised, nerfstudio.read),
    (own.recognised, own.read),
)
_ENDINGS: dict[str, Reader] = {
    ".chan": nuke.read_chan, ".txt": tum.read, ".tum": tum.read, **dict.fromkeys(usd.ENDINGS, usd.read)
}  # fmt: skip
_WRITERS: dict[str, Writer] = {
    ".json": own.write, ".txt": tum.write, ".tum": tum.write, "": colmap.write, ".chan": nuke.write_chan,
    ".usd": usd.write, ".usda": usd.write,
}  # fmt: skip
FORMATS = (
    "JSON of vdepth, Blender, Nuke or Nerfstudio (.json), Nuke's .chan, USD (.usd, .usda, .usdc, .usdz), TUM "
    "(.txt, .tum), or a folder of COLMAP's text"
)
"""What `read_camera` takes, in words."""


@dataclass(frozen=True)
class CameraFile:
    """A camera path that was read.

    Attributes:
        path: For the clip it was read for: its frame numbers, its size.
        notes: Sentences about how the file was understood: numbering, size, missing frames, the lens.
        rest: (4, 4), the pose of its program's camera that nothing has moved or turned.
    """

    path: CameraPath
    notes: tuple[str, ...]
    rest: np.ndarray


def read_camera(file: Path, plate: Plate) -> CameraFile:
    """Reads a camera file of any format that is known, for a clip.

    Args:
        file: The file, or COLMAP's folder.
        plate: The clip. A file's frame numbers are the clip's own; of a movie, whose first frame is 0 there,
            other programs' 1 is the first. As many frames counted from elsewhere are taken in order.

    Raises:
        InputError: it cannot be read, or is not of this clip.
        UsageError: reading it needs a package that is not installed.
    """
    raw = _reader(file)(colmap.folder_of(file) or file, plate)
    path, notes = matched(raw, plate, file)
    return CameraFile(path, notes, raw.rest)


def read_lens(file: Path, plate: Plate) -> tuple[Intrinsics, tuple[str, ...]]:
    """The one lens a camera file has, whatever frames its poses are of, and sentences about it.

    Args:
        file: Of a camera path, or JSON of a lens alone (`load_intrinsics`).
        plate: The clip; its frames need not be known.

    Raises:
        InputError: it cannot be read, does not say what the lens is, or is of a picture of another shape.
        UsageError: reading it needs a package that is not installed.
    """
    if file.suffix.lower() == ".json" and not any(known(read_object(file)) for known, _ in _JSON):
        return load_intrinsics(file, plate.width, plate.height, plate.pixel_aspect), ()
    return lens_of(_reader(file)(colmap.folder_of(file) or file, plate), plate, file)


def check_writable(file: Path) -> None:
    """Refuses a name that no format goes by and a place where nothing can be written, before hours are spent.

    Args:
        file: Where `write_camera` is to write.

    Raises:
        UsageError: its ending means nothing, its folder is missing, it is a folder, or usd-core is missing.
        InputError: the folder holds another COLMAP model.
        ResourceError: a file is where COLMAP's folder is to be.
    """
    if not file.name or file.suffix.lower() not in _WRITERS:
        raise UsageError(
            f"{file.name} does not say how to write the camera path.",
            "Name a .json file (vdepth and Blender), .chan (Nuke), .usda, .txt (TUM) or a folder (COLMAP).",
        )
    if not file.suffix:
        colmap.check_folder(file)
        return
    if file.suffix.lower() in usd.ENDINGS:
        usd.library()
    if not file.parent.is_dir():
        raise UsageError(f"The folder {file.parent} does not exist.", "Make it first.")
    if file.is_dir():
        raise UsageError(f"{file} is a folder.", "Name a file in it.")


def write_camera(camera: CameraPath, file: Path, plate: Plate) -> None:
    """Writes a camera path in the format that the name's ending says; without one COLMAP's folder.

    Args:
        camera: The path.
        file: The file, replaced if it is there, or the folder.
        plate: The clip, for the frames' times and names.

    Raises:
        UsageError: its ending means nothing, or usd-core is not installed.
        InputError: the folder holds another COLMAP model, or the format cannot hold the lens.
        ResourceError: it cannot be written.
    """
    check_writable(file)
    _WRITERS[file.suffix.lower()](camera, file, plate)


def _reader(file: Path) -> Reader:
    if colmap.folder_of(file) is not None:
        return colmap.read
    if file.is_dir():
        raise InputError(
            f"The folder {file} holds no camera: there is no {colmap.IMAGES}.", f"Give {FORMATS}."
        )
    if (reader := _ENDINGS.get(file.suffix.lower())) is not None:
        return reader
    if file.suffix.lower() == ".json":
        data = read_object(file)
        for recognised, read in _JSON:
            if recognised(data):
                return read
        raise fault(file, "", "this is no camera that is known", f"Give {FORMATS}.")
    if not file.exists():
        raise InputError(f"The camera file {file} does not exist.", "Check the path.")
    raise InputError(f"{file} is no camera file by its name.", f"Give {FORMATS}.")
