"""What the user knows of the camera: its lens, its path, and both as the network's picture has them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..clip.numbers import MOVIE_START
from ..errors import InputError, UsageError
from ..geometry.camera import Intrinsics, load_intrinsics
from ..geometry.camera_files.formats import read_camera
from ..geometry.camera_files.plate import Plate
from ..output.naming import safe_name

if TYPE_CHECKING:
    from ..clip import Clip
    from ..geometry.camera_path import CameraPath
    from ..progress import Progress
    from ..types import ClipInfo

ZOOM = 0.01  # relative change of the focal length from where a lens zooms


def known_identity(fov: float | None, *files: Path | None) -> dict[str, str]:
    """What is known of the camera as a part of a run's identity; nothing where nothing is.

    Args:
        fov: Horizontal degrees.
        *files: Of the lens, of the path; the latter may be COLMAP's folder.

    Raises:
        InputError: one cannot be read.
    """
    digest = hashlib.sha256(f"{fov}".encode())
    for file in files:
        parts = sorted(file.rglob("*.txt")) if file is not None and file.is_dir() else [file]
        for part in parts:
            try:
                digest.update(part.read_bytes() if part is not None else b"-")
            except OSError as error:
                raise InputError(f"Cannot read {part}: {error.strerror}.", "Check the path.") from error
    return {} if fov is None and not any(files) else {"camera": digest.hexdigest()}


def given_lens(info: ClipInfo, fov: float | None, intrinsics: Path | None) -> Intrinsics | None:
    """The plate's camera where the user gave it by itself; None: not so.

    Args:
        info: The clip.
        fov: Horizontal degrees.
        intrinsics: A JSON file, see `load_intrinsics`.

    Raises:
        UsageError: there are two answers, or the field of view is none.
        InputError: the file says something else.
    """
    if fov is not None and intrinsics is not None:
        raise UsageError("Field of view and intrinsics both say what the lens is.", "Give one of them.")
    plate = (info.width, info.height, info.pixel_aspect)
    if intrinsics is not None:
        return load_intrinsics(intrinsics, *plate)
    return None if fov is None else Intrinsics.from_fov(fov, *plate)


def plate_of(clip: Clip, lens: Intrinsics | None) -> Plate:
    """A scanned clip as camera files see it.

    Args:
        clip: Scanned.
        lens: Of the plate where it is known.

    Raises:
        ValueError: the clip was not scanned.
    """
    if clip.facts is None:
        raise ValueError("the clip was not scanned")
    info, times = clip.info, clip.facts.times
    assumed = Intrinsics.default(info.width, info.height, info.pixel_aspect)
    plate = Plate.of(info, len(times), lens or assumed, clip.files, times)
    # What exports of its job call pictures, unless the job was numbered otherwise.
    return replace(plate, stem=safe_name(info.name), shift=MOVIE_START) if plate.movie else plate


def read_path(file: Path, clip: Clip, lens: Intrinsics | None, progress: Progress) -> CameraPath:
    """The camera's path from a file; how it was understood is said.

    Args:
        file: The camera file.
        clip: Scanned.
        lens: Of the plate where it is known by itself.
        progress: Hears the notes.

    Raises:
        InputError: the file cannot be read, or is not of this clip.
    """
    found = read_camera(file, plate_of(clip, lens))
    for note in found.notes:
        progress.warn(note)
    return found.path


def lens_of(path: CameraPath) -> Intrinsics | None:
    """The one lens of a path; None: its file does not say.

    Args:
        path: For the clip's plate.

    Raises:
        InputError: the lens zooms.
    """
    focal = np.array([lens.fx for lens in path.intrinsics])
    if np.ptp(focal) > ZOOM * float(focal.mean()):
        raise InputError(
            f"The lens zooms (focal lengths of {focal.min():.0f} to {focal.max():.0f} pixels); a model is "
            "adapted to one lens.",
            "Give --frames in which it does not.",
        )
    lens = path.intrinsics[0]
    return None if lens.source == "assumed" else lens


def matrix_at(lens: Intrinsics, plate: tuple[int, int], size: tuple[int, int]) -> np.ndarray:
    """K for pixel indices at another size, (3, 3) float64.

    Args:
        lens: Of the plate.
        plate: (height, width) of it.
        size: (height, width) of the picture that is wanted.
    """
    own = lens.scaled(size[1] / plate[1], size[0] / plate[0])
    return np.array(((own.fx, 0, own.cx - 0.5), (0, own.fy, own.cy - 0.5), (0, 0, 1)))
