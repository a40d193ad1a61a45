"""Camera files by format: which one a file is, reading it for a clip, and writing one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import InputError, UsageError
from ..camera_path import CameraPath
from . import blender, colmap, nuke, own, tum
from .matching import matched
from .plate import Plate
from .raw import RawPath, fault, read_object

Reader = Callable[[Path, Plate], RawPath]
Writer = Callable[[CameraPath, Path, Plate], None]

_JSON = ((blender.recognised, blender.read), (nuke.recognised, nuke.read), (own.recognised, own.read))
_TEXT: dict[str, Reader] = {".chan": nuke.read_chan, ".txt": tum.read, ".tum": tum.read}
_WRITERS: dict[str, Writer] = {".json": own.write, ".txt": tum.write, ".tum": tum.write, "": colmap.write}
FORMATS = (
    "JSON of vdepth, Blender or Nuke (.json), Nuke's .chan, TUM (.txt, .tum), or a folder of COLMAP's text"
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
    """
    raw = _reader(file)(colmap.folder_of(file) or file, plate)
    path, notes = matched(raw, plate, file)
    return CameraFile(path, notes, raw.rest)


def check_writable(file: Path) -> None:
    """Refuses a name that no format goes by, before hours are spent.

    Args:
        file: Where `write_camera` is to write.

    Raises:
        UsageError: its ending means nothing.
    """
    if file.suffix.lower() not in _WRITERS:
        raise UsageError(
            f"{file.name} does not say how to write the camera path.",
            "Name a .json file (vdepth and Blender), a .txt file (TUM) or a folder (COLMAP).",
        )


def write_camera(camera: CameraPath, file: Path, plate: Plate) -> None:
    """Writes a camera path: ``.json`` ours, ``.txt`` and ``.tum`` TUM's, without an ending COLMAP's folder.

    Args:
        camera: The path.
        file: The file, replaced if it is there, or the folder.
        plate: The clip, for the frames' times and names.

    Raises:
        UsageError: its ending means nothing.
        InputError: the folder holds another COLMAP model.
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
    if (reader := _TEXT.get(file.suffix.lower())) is not None:
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
