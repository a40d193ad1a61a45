"""COLMAP's sparse model as text, written as frames come: cameras, pictures, and points that frames share.

Points are a raster of each frame's pixels, seen again in frames shortly before where depth there agrees; they
tell COLMAP which pictures overlap. No more than `_WINDOW` frames are held at a time.
Format: https://colmap.github.io/format.html
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TextIO

import numpy as np

from ...geometry.camera import Intrinsics
from ...geometry.camera_files.colmap import shift_line
from ...geometry.camera_files.rotations import quaternion_of
from ...geometry.camera_path import inverse_pose
from .scaling import is_sky

_WINDOW = 8  # frames before
_ACROSS = 32  # points of a frame's width
_COARSE = 4  # pixels from one to the next of the depth that is held
_ALIKE = 0.02  # of depth: what differs by more is another thing


@dataclass(eq=False)
class _Seen:
    """A frame that later ones are held against.

    Attributes:
        place: Its number in the model, from 1.
        head: Of its line.
        to_camera: (4, 4).
        lens: Of it.
        z: (h, w) float32, every `_COARSE`-th pixel.
        size: (height, width) of the plate.
        points: Words of its points: x, y and the number of each.
    """

    place: int
    head: str
    to_camera: np.ndarray
    lens: Intrinsics
    z: np.ndarray
    size: tuple[int, int]
    points: list[str] = field(default_factory=list)

    def note(self, x: float, y: float, point: int) -> str:
        """Adds a point, and returns the words of its track.

        Args:
            x, y: In pixels.
            point: Its number.
        """
        self.points.append(f"{x:.9g} {y:.9g} {point}")
        return f"{self.place} {len(self.points) - 1}"

    def shows(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (N, 2) of points (N, 3) of the world, and whether they are seen there: (N,) bool.

        Args:
            points: Of float64.
        """
        own = points @ self.to_camera[:3, :3].T + self.to_camera[:3, 3]
        deep = np.maximum(own[:, 2], 1e-9)
        pixels = own[:, :2] / deep[:, None] * (self.lens.fx, self.lens.fy) + (self.lens.cx, self.lens.cy)
        height, width = self.size
        inside = (own[:, 2] > 0) & (pixels >= 0).all(1) & (pixels < (width, height)).all(1)
        at = np.where(inside[:, None], pixels, 0).astype(int) // _COARSE
        return pixels, inside & (np.abs(self.z[at[:, 1], at[:, 0]] - deep) < _ALIKE * deep)


class SparseModel:
    """The model's three files, open while frames come.

    Attributes:
        cameras: What `cameras.txt` is to hold.
    """

    def __init__(self, images: TextIO, points: TextIO, shift: int | None = None) -> None:
        """``images``, ``points``: ``images.txt`` and ``points3D.txt``, empty; ``shift``: of `shift_line`."""
        self._images, self._points = images, points
        self._lenses: dict[tuple[int, int, Intrinsics], int] = {}
        self._window: deque[_Seen] = deque()
        self._frames = self._count = 0
        images.write("# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME; then X, Y, POINT3D_ID\n")
        if shift is not None:
            images.write(f"{shift_line(shift)}\n")
        points.write("# POINT3D_ID, X, Y, Z, R, G, B, ERROR, TRACK[] as IMAGE_ID, POINT2D_IDX\n")

    @property
    def cameras(self) -> str:
        """Text of ``cameras.txt``."""
        lines = ["# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]"]
        for (width, height, lens), place in self._lenses.items():
            values = " ".join(f"{value:.17g}" for value in (lens.fx, lens.fy, lens.cx, lens.cy))
            lines.append(f"{place} PINHOLE {width} {height} {values}")
        return "\n".join((*lines, ""))

    def add(self, name: str, z: np.ndarray, rgb: np.ndarray, lens: Intrinsics, pose: np.ndarray) -> None:
        """Adds a frame.

        Args:
            name: Of its picture.
            z: (H, W) planar depth.
            rgb: (H, W, 3) uint8.
            lens: Of it.
            pose: (4, 4) camera-to-world, OpenCV axes, in units of the depth.
        """
        height, width = z.shape
        camera = self._lenses.setdefault((width, height, lens), len(self._lenses) + 1)
        to_camera = inverse_pose(pose)
        values = (*quaternion_of(to_camera[:3, :3]), *to_camera[:3, 3])
        self._frames += 1
        head = " ".join((str(self._frames), *(f"{value:.17g}" for value in values), str(camera), name))
        frame = _Seen(
            self._frames, head, to_camera, lens, z[::_COARSE, ::_COARSE].astype(np.float32), (height, width)
        )
        step = max(_COARSE, width // _ACROSS)
        rows, columns = (
            axis.ravel() for axis in np.mgrid[step // 2 : height : step, step // 2 : width : step]
        )
        there = ~is_sky(z[rows, columns]) & (z[rows, columns] > 0)
        rows, columns = rows[there], columns[there]
        deep = z[rows, columns].astype(np.float64)
        own = np.stack(
            ((columns + 0.5 - lens.cx) / lens.fx, (rows + 0.5 - lens.cy) / lens.fy, np.ones_like(deep)), 1
        )
        world = own * deep[:, None] @ pose[:3, :3].T + pose[:3, 3]
        shown = [(before, *before.shows(world)) for before in self._window]
        for index in np.flatnonzero(np.any([seen for *_, seen in shown], 0)) if shown else ():
            self._count += 1
            track = [frame.note(columns[index] + 0.5, rows[index] + 0.5, self._count)]
            track += [
                before.note(pixels[index, 0], pixels[index, 1], self._count)
                for before, pixels, seen in shown
                if seen[index]
            ]
            place = " ".join(f"{value:.9g}" for value in world[index])
            colour = " ".join(map(str, rgb[rows[index], columns[index]]))
            self._points.write(f"{self._count} {place} {colour} 0 {' '.join(track)}\n")
        self._window.append(frame)
        if len(self._window) > _WINDOW:
            self._put(self._window.popleft())

    def finish(self) -> None:
        """Writes what is still held."""
        while self._window:
            self._put(self._window.popleft())

    def _put(self, frame: _Seen) -> None:
        self._images.write(f"{frame.head}\n{' '.join(frame.points)}\n")
