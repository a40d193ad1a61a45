"""The bundled clip: two seconds of a room with exact depth, rendered by us (see README.md beside it).

The truth is sampled at the pixel centres of a 320x180 raster, at mid-shutter of each frame. It is kept as
disparity in steps of 1/8192 per metre, so depth is exact to z/16384 relative: 0.05 % at 8 m, less nearer.
"""

from __future__ import annotations

import lzma
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import overload

import numpy as np

from ..errors import InputError
from ..geometry.camera import Intrinsics

HEIGHT, WIDTH = 180, 320
STEPS_PER_UNIT = 8192
"""Disparity (1/m) is stored as multiples of 1/8192; 0 means no surface."""


@dataclass(frozen=True)
class DemoTruth:
    """Exact geometry of the bundled clip.

    Attributes:
        depth: (180, 320) float32 planar z in metres a frame, decoded on demand; infinite where there is no
            surface.
        intrinsics: The camera, for the depth's raster; ``scaled(2, 2)`` fits the clip's 640x360.
        poses: (T, 4, 4) float64 camera to world, metres, OpenCV camera axes; the world's z points up.
        moving: Whether anything but the camera moves: a figurine turns and a ball rolls.
    """

    depth: Sequence[np.ndarray]
    intrinsics: Intrinsics
    poses: np.ndarray
    moving: bool = True


def demo_clip() -> Path:
    """Path of the bundled movie: 48 frames, 640x360, 24 frames a second, H.264, start timecode 01:00:00:00.

    Raises:
        InputError: the installation lacks the file.
    """
    return _resource("clip.mp4")


def demo_truth() -> DemoTruth:
    """The bundled clip's exact depth and camera.

    Raises:
        InputError: the installation lacks the file or it is damaged.
    """
    path = _resource("truth.npz")
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            fx, fy, cx, cy = file["intrinsics"].tolist()
            poses = file["poses"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"The demo's truth {path.name} is damaged: {error}.", "Reinstall vdepth.") from error
    return DemoTruth(_Depth(path, len(poses)), Intrinsics(fx, fy, cx, cy), poses)


def pack(depth: np.ndarray) -> np.ndarray:
    """Depth (H, W) in metres -> (n,) uint8, an XZ stream of the mixed second difference of its disparity.

    Disparity of a plane is linear in the picture, so these differences are almost zero and compress well.
    Signs go to the lowest bit, and low bytes come before high bytes.

    Args:
        depth: Infinite where there is nothing.

    Raises:
        ValueError: a depth is nearer than 1/8 m and does not fit 16 bits.
    """
    disparity = np.rint(STEPS_PER_UNIT / np.asarray(depth, np.float64))  # infinity becomes 0
    if not (disparity.min() >= 0 and disparity.max() < 2**16):
        raise ValueError(f"depth of {depth.min()} m does not fit")
    steps = disparity.astype(np.uint16)
    zero = np.uint16(0)
    difference = np.diff(np.diff(steps, axis=0, prepend=zero), axis=1, prepend=zero)  # wraps, as does the sum
    folded = (difference << 1) ^ np.where(difference >> 15, np.uint16(0xFFFF), zero)
    planes = np.stack([folded & 0xFF, folded >> 8]).astype(np.uint8)
    return np.frombuffer(lzma.compress(planes.tobytes(), preset=9 | lzma.PRESET_EXTREME), np.uint8)


def unpack(stream: np.ndarray, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """The reverse of `pack`: (n,) uint8 -> depth (height, width) float32 in metres, infinite where it was.

    Args:
        stream: What `pack` gave.
        height, width: In pixels.
    """
    planes = np.frombuffer(lzma.decompress(stream.tobytes()), np.uint8).reshape(2, height, width)
    folded = planes[0].astype(np.uint16) | (planes[1].astype(np.uint16) << 8)
    difference = (folded >> 1) ^ np.where(folded & 1, np.uint16(0xFFFF), np.uint16(0))
    steps = np.cumsum(np.cumsum(difference, axis=0, dtype=np.uint16), axis=1, dtype=np.uint16)
    with np.errstate(divide="ignore"):
        return np.float32(STEPS_PER_UNIT) / steps.astype(np.float32)


class _Depth(Sequence[np.ndarray]):
    """Frames of the archive, one in memory at a time; iterating again starts over."""

    def __init__(self, path: Path, count: int) -> None:
        self._path, self._count = path, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> list[np.ndarray]: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | list[np.ndarray]:
        wanted = range(self._count)[index]
        with self._path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            if isinstance(wanted, range):
                return [unpack(file[f"depth_{k:04d}"]) for k in wanted]
            return unpack(file[f"depth_{wanted:04d}"])

    def __iter__(self) -> Iterator[np.ndarray]:
        with self._path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            for k in range(self._count):
                yield unpack(file[f"depth_{k:04d}"])


def _resource(name: str) -> Path:
    path = Path(str(resources.files(__package__))) / name
    if not path.is_file():
        raise InputError(f"The bundled demo file {name} is missing.", "Reinstall vdepth.")
    return path
