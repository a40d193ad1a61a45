"""Where a shot's frames were taken from, and what depth is among them: the ground of a clean plate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..adaptation.footage import Footage, read_frames
from ..adaptation.gaps import luma_of
from ..adaptation.lens import matrix_at
from ..adaptation.moving import find_moving, open_static
from ..adaptation.solving import solve
from ..errors import InputError
from ..flow.dis import reduce
from ..geometry.motion.gaps import choose_gap
from ..geometry.motion.parallax import motion_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..clip import Clip
    from ..geometry.camera import Intrinsics
    from ..geometry.camera_path import CameraPath
    from ..progress import Progress
    from ..store import FrameArray
    from ..types import Shot

FEWEST = 3  # frames of a shot


@dataclass(frozen=True, eq=False)
class Registration:
    """A shot whose camera travels.

    Attributes:
        poses: (N, 4, 4) camera-to-world.
        K: (3, 3) for pixel indices at the working size.
        scale, shift: Inverse depth, in the reciprocal unit of the poses, = scale · disparity + shift.
        trusted: (N,) bool: the pose is explained.
        gap: Frames over which points move some percent of the width.
        still: (h, w) uint8 a frame, 0 where something moves by itself.
    """

    poses: np.ndarray
    K: np.ndarray
    scale: float
    shift: float
    trusted: np.ndarray
    gap: int
    still: FrameArray


def register(
    clip: Clip, shot: Shot, disparity: Callable[[int], np.ndarray], affine: bool, size: tuple[int, int],
    folder: Path, lens: Intrinsics | None, path: CameraPath | None, progress: Progress,
) -> Registration:  # fmt: skip
    """Solves one shot, or takes its cameras as they are known.

    Args:
        clip: Opened.
        shot: Which of its shots.
        disparity: Number of a frame, from the shot's first -> (H, W) disparity of the result.
        affine: Whether disparity has an unknown shift.
        size: (height, width) to work at.
        folder: For what is computed on the way.
        lens: Of the plate where it is known.
        path: Of the camera where it is known.
        progress: Told of the stages; may cancel.

    Raises:
        InputError: the camera of the shot does not travel, or nothing explains how it does.
        Cancelled: the user asked to stop.
    """
    if len(shot) < FEWEST:
        frames = f"{len(shot)} frame{'s' * (len(shot) != 1)}"
        raise InputError(f"A shot of {frames} shows no background that it hides.", "")
    with Footage(folder, [shot], *size) as footage:
        read_frames(clip, footage, [shot], progress)
        luma = luma_of(footage)
        first = clip.info.first_number or 0
        numbers = [first + index for index in range(shot.start, shot.stop)]
        poses, there = None, np.ones(len(shot), bool)
        if path is None:
            motion = motion_of(luma, range(len(shot)), footage.width)
            if motion != "travels":
                words = "stands still" if motion == "stands" else "only turns, or sees something flat"
                raise InputError(f"The camera {words}: no frame shows what another hides.", "")
        else:
            there = np.isin(numbers, path.numbers)
            if not there.any():
                raise InputError("The camera file has none of the shot's frames.", "")
            known = zip(numbers, there, strict=True)
            poses = np.stack([path.pose(number) if have else np.eye(4) for number, have in known])
        gap = choose_gap(luma, range(len(shot)), footage.width)
        K = None if lens is None else matrix_at(lens, (clip.info.height, clip.info.width), size)

        def small(index: int) -> np.ndarray:
            return reduce(disparity(index), size)

        found = solve(footage, small, affine, K, poses, progress, gaps=[gap])
        trusted = found.trusted & there
        still = open_static(folder, footage)
        find_moving(footage, still, found.K, found.poses, _spans(trusted), [gap] * len(trusted), progress)
    return Registration(found.poses, found.K, found.scale, found.shift, trusted, gap, still)


def _spans(trusted: np.ndarray) -> list[range]:
    """Frames in a row whose poses are trusted, two at least."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], trusted.astype(int), [0]))))
    return [range(a, b) for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True) if b - a > 1]
