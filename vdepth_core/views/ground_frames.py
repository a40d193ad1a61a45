"""What the ground of a shot is found from: sparse disparity of its frames, their lines, their sky."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..clip import Clip
from ..geometry.camera import Intrinsics
from ..geometry.lines import Lines, find_lines
from ..output.manifest import ShotEntry
from ..output.sequence import DepthSequence
from ..output.sky import SkySearch
from ..progress import Progress

_MOST = 160  # frames looked at in a shot; between them it is told by its neighbours
_COLUMNS = 96  # pixels looked at across
_SIDE = 960  # of the pictures


@dataclass(frozen=True)
class ShotFrames:
    """Some frames of a shot, spread over it.

    Attributes:
        numbers: (T,) of their files.
        disparity: (T, N) of the pixels looked at, 0 where there is none.
        x, y: (N,) where those pixels are at z = 1.
        lines: Of each frame's picture; empty if the clip cannot be read.
        camera: The lens, in pixels of the plate.
        size: (width, height) of the plate.
        sky: (T, N) bool, the pixels looked at that show it; None if the clip cannot be read.
    """

    numbers: np.ndarray
    disparity: np.ndarray
    x: np.ndarray
    y: np.ndarray
    lines: list[Lines]
    camera: Intrinsics
    size: tuple[int, int]
    sky: np.ndarray | None = None

    @property
    def low(self) -> np.ndarray:
        """(N,) bool: the picture's lower half, where ground is looked for."""
        below: np.ndarray = self.y > np.median(self.y)
        return below

    @property
    def far(self) -> float:
        """Disparity of the farthest things."""
        seen = self.disparity[self.disparity > 0]
        return float(np.quantile(seen, 0.01)) if seen.size else 0.0


def rays_of(frames: ShotFrames, pixels: np.ndarray) -> np.ndarray:
    """Rays through pixels of the plate, (N, 3), z = 1.

    Args:
        frames: Whose lens it is.
        pixels: (N, 2).
    """
    camera = frames.camera
    flat = (np.asarray(pixels, np.float64) - (camera.cx, camera.cy)) / (camera.fx, camera.fy)
    return np.concatenate([flat, np.ones((len(flat), 1))], 1)


def read_frames(
    depth: DepthSequence, shot: ShotEntry, clip: Clip | None, progress: Progress | None = None
) -> ShotFrames:
    """Reads them.

    Args:
        depth: The finished job.
        shot: One of its shots.
        clip: The job's clip for its lines; None: without.
        progress: Told of each frame; may cancel.

    Raises:
        InputError: a depth file is missing or damaged, or the clip cannot be read.
        Cancelled: ``progress`` says so.
    """
    manifest = depth.manifest
    camera = (shot.camera or manifest.camera).intrinsics()
    _, height, width = depth.shape
    first = shot.start_number - manifest.frames.start_number
    chosen = first + np.unique(np.linspace(0, shot.count - 1, min(shot.count, _MOST)).round().astype(int))
    step = max(1, round(width / _COLUMNS))
    rows, columns = np.arange(step // 2, height, step), np.arange(step // 2, width, step)
    x, y = np.meshgrid((columns + 0.5 - camera.cx) / camera.fx, (rows + 0.5 - camera.cy) / camera.fy)
    disparity = np.zeros((len(chosen), x.size))
    hears = progress or Progress()
    hears.stage("read", len(chosen))
    for place, index in enumerate(chosen):
        with hears.step("read"):
            z = depth[int(index)][rows[:, None], columns].ravel()
        seen = np.isfinite(z) & (z > 0) & (z < 1e9)
        disparity[place, seen] = 1 / z[seen]
    size = width, height
    lines: list[Lines] = []
    sky = None
    if clip is not None:
        lines, pictures = _look(clip, manifest.frames.first + chosen, camera, size, (len(columns), len(rows)))
        if lines:
            sky = _sky(pictures, disparity.reshape(-1, len(rows), len(columns)))
    return ShotFrames(
        chosen + manifest.frames.start_number, disparity, x.ravel(), y.ravel(), lines, camera, size, sky
    )


def _look(
    clip: Clip, wanted: np.ndarray, camera: Intrinsics, size: tuple[int, int], small: tuple[int, int]
) -> tuple[list[Lines], list[np.ndarray]]:
    """Lines of some frames of the clip, and the pictures small; none if it ends before them."""
    chosen, found, pictures = set(wanted.tolist()), [], []
    for frame in clip.read(int(wanted[0]), int(wanted[-1]) + 1, max_side=_SIDE):
        if frame.index in chosen:
            height, width = frame.rgb.shape[:2]
            luma = (frame.rgb @ np.array((0.299, 0.587, 0.114))).astype(np.uint8)
            found.append(find_lines(luma, camera.scaled(width / size[0], height / size[1])))
            pictures.append(cv2.resize(frame.rgb, small, interpolation=cv2.INTER_AREA))
    return (found, pictures) if len(found) == len(wanted) else ([], [])


def _sky(pictures: list[np.ndarray], disparity: np.ndarray) -> np.ndarray:
    """(T, N) bool, where the plate shows the sky, as `--sky` tells it."""
    low, high = np.quantile(disparity, (0.005, 0.98))
    flat = np.clip((disparity - low) / max(high - low, 1e-9), 0, 1).astype(np.float32)
    search = SkySearch()
    for rgb, d in zip(pictures, flat, strict=True):
        search.add(rgb, d)
    found = search.found()
    masks = np.stack([found.mask(rgb, d) for rgb, d in zip(pictures, flat, strict=True)])
    sky: np.ndarray = (masks > 0.5).reshape(len(masks), -1)
    return sky
