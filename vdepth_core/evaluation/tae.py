"""TAE: temporal alignment error against the camera's motion (Yang et al., "Depth Any Video", ICLR 2025).

Depth of frame k becomes points, the points move to frame k + 1 by the cameras' poses and are splatted there,
the nearest winning; the error is the mean relative difference to frame k + 1's own depth where both exist.
Both directions count, and the figure is in percent. The scene must stand still, the poses be in the depth's
unit. A flat video is rewarded wherever the camera moves sideways: print accuracy beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from ..errors import InputError
from ..geometry.camera import Intrinsics, unproject
from .undefined import UndefinedMeasure


@dataclass(frozen=True)
class AlignmentError:
    """TAE of a clip.

    Attributes:
        tae: Percent, mean over pairs and both directions; lower is better.
        pairs: Pairs that counted; ``pairs_without_overlap`` had no pixel that both frames know.
        overlap: Mean share of the picture's pixels that counted.
    """

    tae: float
    pairs: int
    pairs_without_overlap: int
    overlap: float


def alignment_error(
    depth: Iterable[np.ndarray],
    poses: Sequence[np.ndarray],
    intrinsics: Intrinsics,
    valid: Iterable[np.ndarray] | None = None,
) -> AlignmentError:
    """Measures TAE in one pass that holds two frames.

    Args:
        depth: (H, W) planar z a frame, in the poses' unit.
        poses: (4, 4) camera to world a frame, OpenCV axes.
        intrinsics: The camera, in pixels of the depth.
        valid: (H, W) bool a frame, where depth is to be believed; None: where it is positive and finite.

    Raises:
        InputError: there are not as many poses or masks as depths.
        UndefinedMeasure: no two frames overlap.
    """
    errors, overlaps, pairs, apart = 0.0, 0.0, 0, 0
    previous: tuple[np.ndarray, np.ndarray] | None = None
    masks: Iterable[np.ndarray | None] = valid if valid is not None else [None] * len(poses)
    for index, (d, pose, mask) in enumerate(zip_longest(depth, poses, masks)):
        if d is None or pose is None or (mask is None and valid is not None):
            what = "depth" if d is None else "pose" if pose is None else "mask"
            raise InputError(
                f"Frame {index} has no {what}.", f"Poses there are {len(poses)}; give as many of each."
            )
        z = np.asarray(d, np.float64)
        with np.errstate(invalid="ignore"):
            z = np.where(np.isfinite(z) & (z > 0) & (True if mask is None else mask), z, 0)
        current = z, np.asarray(pose, np.float64)
        if previous is not None:
            both = [_one_way(previous, current, intrinsics), _one_way(current, previous, intrinsics)]
            if all(count for _, count in both):
                errors += sum(error for error, _ in both) / 2
                overlaps += sum(count for _, count in both) / 2 / z.size
                pairs += 1
            else:
                apart += 1
        previous = current
    if not pairs:
        reason = "no two frames of it overlap" if apart else "it has no two frames"
        raise UndefinedMeasure(
            f"TAE of the clip is undefined: {reason}.", "Check poses, intrinsics and depth range."
        )
    return AlignmentError(100 * errors / pairs, pairs, apart, overlaps / pairs)


def splat(points: np.ndarray, intrinsics: Intrinsics, height: int, width: int) -> np.ndarray:
    """Points (n, 3) in the camera's frame -> planar z (height, width), the nearest a pixel; 0 without one.

    Args:
        points: Of any unit.
        intrinsics: For the size below.
        height, width: Of the picture, in pixels.
    """
    points = points[points[:, 2] > 1e-6]
    x = np.floor(intrinsics.fx * points[:, 0] / points[:, 2] + intrinsics.cx)
    y = np.floor(intrinsics.fy * points[:, 1] / points[:, 2] + intrinsics.cy)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    place, z = (y[inside] * width + x[inside]).astype(np.int64), points[inside, 2]
    order = np.argsort(-z, kind="stable")  # of several values assigned to one place the last one stays
    image = np.zeros(height * width)
    image[place[order]] = z[order]
    return image.reshape(height, width)


def _one_way(
    source: tuple[np.ndarray, np.ndarray], target: tuple[np.ndarray, np.ndarray], intrinsics: Intrinsics
) -> tuple[float, int]:
    """Mean relative error of ``source`` moved into ``target``, and how many pixels it is over."""
    z, pose = source
    own, other = target
    move = np.linalg.inv(other) @ pose
    points = unproject(z, intrinsics)[z > 0] @ move[:3, :3].T + move[:3, 3]
    seen = splat(points, intrinsics, *own.shape)
    both = (seen > 0) & (own > 0)
    count = int(both.sum())
    return (float(np.mean(np.abs(seen[both] - own[both]) / own[both])) if count else 0.0), count
