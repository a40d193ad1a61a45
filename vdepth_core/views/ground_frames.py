"""What the ground of a shot is found from: sparse disparity of its frames, and lines of their pictures."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..clip import open_clip
from ..errors import VdepthError
from ..geometry.camera import Intrinsics
from ..geometry.lines import Lines, find_lines
from ..output.manifest import ShotEntry
from ..output.sequence import DepthSequence
from ..progress import Progress

_LOG = logging.getLogger(__name__)
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
    """

    numbers: np.ndarray
    disparity: np.ndarray
    x: np.ndarray
    y: np.ndarray
    lines: list[Lines]
    camera: Intrinsics
    size: tuple[int, int]

    @property
    def low(self) -> np.ndarray:
        """(N,) bool: the picture's lower half, where ground is looked for."""
        below: np.ndarray = self.y > np.median(self.y)
        return below


def read_frames(
    depth: DepthSequence, shot: ShotEntry, clip: Path | None, progress: Progress | None = None
) -> ShotFrames:
    """Reads them.

    Args:
        depth: The finished job.
        shot: One of its shots.
        clip: The clip for its lines; None: without.
        progress: Told of each frame; may cancel.

    Raises:
        InputError: a depth file is missing or damaged.
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
    lines = [] if clip is None else _lines(clip, manifest.frames.first + chosen, camera, (width, height))
    return ShotFrames(
        chosen + manifest.frames.start_number, disparity, x.ravel(), y.ravel(), lines, camera, (width, height)
    )


def _lines(clip: Path, wanted: np.ndarray, camera: Intrinsics, size: tuple[int, int]) -> list[Lines]:
    """Lines of the clip's frames; none if it cannot be read or is another clip."""
    chosen, found = set(wanted.tolist()), []
    try:
        for frame in open_clip(clip).read(int(wanted[0]), int(wanted[-1]) + 1, max_side=_SIDE):
            if frame.index in chosen:
                height, width = frame.rgb.shape[:2]
                if abs(width * size[1] / (height * size[0]) - 1) > 0.02:
                    return []
                luma = (frame.rgb @ np.array((0.299, 0.587, 0.114))).astype(np.uint8)
                found.append(find_lines(luma, camera.scaled(width / size[0], height / size[1])))
    except VdepthError as error:
        _LOG.warning("no lines of the picture are used: %s", error)
        return []
    return found if len(found) == len(wanted) else []
