"""What moves by itself: where flow to the frames around disagrees with any still scene the cameras could see.

Whatever its depth, a still point lies on its epipolar line, in front of the camera, and at one depth for all
sources. The model's depth is not asked: it is wrong by more than many things move. What moves along its
epipolar line at a steady pace passes for a still point of another depth; only flow cannot know better.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..flow.dis import DisFlow
from ..flow.tracks import FLAT, texture
from ..store import FrameArray
from .targets import gaps_around
from .triangulation import triangulate

if TYPE_CHECKING:
    from ..progress import Progress
    from .footage import Footage

STAGE = "moving"
SLACK = 1.5  # pixels off, of a picture 448 wide, that flow is forgiven …
RELATIVE = 0.05  # … and of its own length
WIDTH = 448
BEHIND = 3.0  # standard deviations: behind the camera for sure
WINDOW = 15  # pixels, at that width: single ones are noise


def open_static(folder: Path, footage: Footage) -> FrameArray:
    """The file that `find_moving` fills, (h, w) uint8 a frame; to be closed.

    Args:
        folder: Where it lies, or is to lie.
        footage: Whose frames they are.
    """
    return FrameArray(folder / "static.u8", footage.count, (footage.height, footage.width), "u1")


def find_moving(
    footage: Footage, static: FrameArray, K: np.ndarray, poses: np.ndarray, spans: Sequence[range],
    gaps: Sequence[int], progress: Progress,
) -> None:  # fmt: skip
    """Writes for every frame where it is still, (h, w) uint8 from 255 to 0: moves; stage ``moving``.

    Frames outside the spans count as still. Those already there are skipped.

    Args:
        footage: Its frames are there.
        static: What is written, see `open_static`.
        K: (3, 3) for pixel indices at the footage's size.
        poses: (N, 4, 4) camera-to-world.
        spans: Frames in a row, of one shot, whose cameras are known.
        gaps: Of each span, frames.
        progress: May cancel.

    Raises:
        Cancelled: the user asked to stop.
    """
    shape = (footage.height, footage.width)
    estimator, read = DisFlow("medium"), footage.frames.read
    places = {index: place for place, span in enumerate(spans) for index in span}
    progress.stage(STAGE, footage.count)
    for target in range(footage.count):
        with progress.step(STAGE):
            if static.done(target):
                continue
            confidence = np.ones(shape, np.float32)
            if target in places:
                span = spans[places[target]]
                step = gaps_around(gaps[places[target]], len(span))[0]
                sources = [source for source in (target - step, target + step) if source in span]
                picture = read(target)[0]
                flows, seen = zip(
                    *(estimator.motion(picture, read(source)[0]) for source in sources), strict=True
                )
                relative = np.linalg.inv(poses[sources]) @ poses[target]
                sights = np.stack(seen) * _textured(picture)
                confidence = moving_confidence(np.stack(flows), sights, K, relative)
            static.write(target, np.rint(255 * confidence).astype(np.uint8)[None])


def moving_confidence(flows: np.ndarray, seen: np.ndarray, K: np.ndarray, poses: np.ndarray) -> np.ndarray:
    """How surely each pixel is still, (h, w) float32 in [0, 1]; where nothing is known it counts as still.

    Args:
        flows: (S, h, w, 2), pixels from the target to each source.
        seen: (S, h, w) in [0, 1], how surely the source shows the pixel, and flow is to be believed.
        K: (3, 3) for pixel indices at this size.
        poses: (S, 4, 4) from target to source.
    """
    width = flows.shape[2]
    doubt, votes = np.zeros(flows.shape[1:3], np.float32), np.zeros(flows.shape[1:3], np.float32)
    inverse, error = triangulate(flows, seen, K, poses)
    behind = np.isfinite(error) & (inverse < -BEHIND * error)
    for flow, sight, pose in zip(flows, seen, poses, strict=True):
        off = off_rigid(flow, np.maximum(inverse, 0), K, pose)
        allowed = SLACK * width / WIDTH + RELATIVE * np.hypot(flow[..., 0], flow[..., 1])
        doubt += sight * np.minimum(off / allowed, 3)
        votes += sight
    size = round(WINDOW * width / WIDTH) | 1
    doubt = np.where(behind, np.maximum(doubt, 2 * votes), doubt)
    doubted, voted = (np.asarray(cv2.blur(part, (size, size))) for part in (doubt, votes))
    ratio = doubted / np.maximum(voted, 1e-3)
    known = voted > 0.2
    return np.where(known, 1 / (1 + ratio**4), 1).astype(np.float32)


def off_rigid(flow: np.ndarray, inverse: np.ndarray, K: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Pixels between where flow leads and where a still point of that inverse depth would be, (h, w).

    Args:
        flow: (h, w, 2) in pixels.
        inverse: (h, w), not below 0, in the reciprocal unit of the pose.
        K: (3, 3) for pixel indices.
        pose: (4, 4) from target to source.
    """
    height, width = flow.shape[:2]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    pixels = np.stack((columns, rows, np.ones_like(rows)))
    turned = np.tensordot((K @ pose[:3, :3] @ np.linalg.inv(K)).astype(np.float32), pixels, 1)
    there = turned + inverse * (K @ pose[:3, 3]).astype(np.float32)[:, None, None]
    z = np.maximum(there[2], 0.05)
    off: np.ndarray = np.hypot(there[0] / z - columns - flow[..., 0], there[1] / z - rows - flow[..., 1])
    return off


def _textured(picture: np.ndarray) -> np.ndarray:
    """How much flow has to hold on to, (h, w) in [0, 1]: on a bare wall it is anything."""
    luma = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
    strength = np.maximum(texture(luma), 0)  # rounding may leave less
    weight: np.ndarray = strength / (strength + FLAT)
    return weight
