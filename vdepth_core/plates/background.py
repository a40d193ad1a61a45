"""The deepest surface that any frame of a shot shows at a pixel: its depth first, then its colour.

Depth is carried from frames around into the wanted one, at a working size; the second deepest that lands on a
pixel is believed, so that no single frame's mistake makes a hole. With that depth, colours are looked up in
the frames around at the plate's own size, where their depth agrees that they show it, and their median taken.
Everything is in inverse depth q, in the reciprocal unit of the poses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..flow.warp import sample

STEP = 0.15  # of inverse depth: what differs by more is another surface
ALIKE = 0.1  # and by less the same one
_RIM = np.ones((5, 5), np.uint8)  # at a silhouette, colours and depths of both sides mix within
_LEAST = 1e-9
_COLUMNS = 1024


@dataclass(frozen=True, eq=False)
class View:
    """A frame that others are looked up in, or carried from.

    Attributes:
        rgb: (H, W, 3) uint8.
        q: (H, W) float32, > 0.
        still: (H, W) bool: it does not move by itself.
        relative: (4, 4), carries points of the wanted frame's camera into this one's.
    """

    rgb: np.ndarray
    q: np.ndarray
    still: np.ndarray
    relative: np.ndarray


def sure(q: np.ndarray) -> np.ndarray:
    """Where depth is no silhouette's, (h, w) bool.

    Args:
        q: (h, w) inverse depth, > 0.
    """
    spread = cv2.dilate(q, _RIM) - cv2.erode(q, _RIM)
    return np.asarray(spread < 2 * STEP * q)


def carried(
    q: np.ndarray, keep: np.ndarray, K: np.ndarray, motion: np.ndarray, margin: tuple[int, int]
) -> np.ndarray:
    """Inverse depth of one frame as another camera sees it, the deepest where several land on a pixel.

    Args:
        q: (h, w) inverse depth, > 0.
        keep: (h, w) bool, which pixels are carried.
        K: (3, 3) for pixel indices, of both.
        motion: (4, 4), carries points into the other camera.
        margin: Pixels that the other raster has more, at each side across and down.

    Returns:
        (h + 2 down, w + 2 across) float32; infinity where nothing lands.
    """
    height, width = q.shape
    out = np.full((height + 2 * margin[1], width + 2 * margin[0]), np.inf, np.float32)
    rows, columns = np.nonzero(keep)
    own = q[rows, columns].astype(np.float64)
    x, y, z = _seen(columns, rows, own, K, motion)
    left, top = np.floor(x + margin[0]), np.floor(y + margin[1])
    inside = (z > 0.02) & (left >= -1) & (left < out.shape[1]) & (top >= -1) & (top < out.shape[0])
    there = (own[inside] / z[inside]).astype(np.float32)
    order = np.argsort(-there)  # the deepest is written last
    there, left, top = there[order], left[inside][order].astype(int), top[inside][order].astype(int)
    wide = np.full((out.shape[0] + 2, out.shape[1] + 2), np.inf, np.float32)
    for down in (1, 2):
        for across in (1, 2):
            part = np.full_like(wide, np.inf)
            part[top + down, left + across] = there
            np.minimum(wide, part, out=wide)
    out[:] = wide[1:-1, 1:-1]
    return out


def deepest(layers: Sequence[np.ndarray]) -> np.ndarray:
    """The second deepest of several frames' inverse depth (h, w), with all that say about the same.

    Args:
        layers: Of each frame, as `carried` gives it.

    Returns:
        (h, w) float32; infinity where no two frames say about the same, or one of one.
    """
    stack = np.sort(np.stack(layers), axis=0)
    level = stack[min(1, len(layers) - 1)]
    known = np.where(np.isfinite(level), level, 1)
    alike = np.abs(stack - known) < ALIKE * known
    total = np.where(alike, stack, 0).sum(0) / np.maximum(alike.sum(0), 1)
    agreed = np.isfinite(level) & (alike.sum(0) >= min(2, len(layers)))
    return np.where(agreed, total, np.inf).astype(np.float32)


def colours(
    places: np.ndarray, q: np.ndarray, views: Iterable[View], K: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What frames around show at places of the wanted frame, given their depth: the median colour.

    Args:
        places: (N, 2) pixel indices, x then y, of the wanted frame; they may lie outside of it.
        q: (N,) inverse depth there, > 0.
        views: The frames around.
        K: (3, 3) for pixel indices of all of them.

    Returns:
        (N, 3) uint8, and (N,) bool, whether any frame shows it.
    """
    seen = []
    for view in views:
        x, y, z = _seen(places[:, 0], places[:, 1], q, K, view.relative)
        height, width = view.q.shape
        there = q / np.maximum(z, _LEAST)
        inside = (z > 0.02) & (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
        where = np.stack((np.where(inside, x, 0), np.where(inside, y, 0)), 1).astype(np.float32)
        found = _looked_up(view.q, where)
        agrees = inside & (np.abs(found - there) < STEP * np.maximum(found, there))
        agrees &= _looked_up((view.still & sure(view.q)).astype(np.float32), where) > 0.99
        colour = _looked_up(view.rgb.astype(np.float32), where)
        seen.append(np.where(agrees[:, None], colour, np.inf))
    if not seen:
        return np.zeros((len(q), 3), np.uint8), np.zeros(len(q), bool)
    stack = np.stack(seen)
    count = np.isfinite(stack[..., 0]).sum(0)
    # By lightness, so that the colour is one that a frame has.
    order = np.argsort(stack.sum(2), axis=0)
    which = np.take_along_axis(order, (np.maximum(count, 1) - 1)[None] // 2, 0)[0]
    picked = stack[which, np.arange(len(q))]
    known = count > 0
    picked[~known] = 0
    return np.rint(picked).astype(np.uint8), known


def _seen(
    x: np.ndarray, y: np.ndarray, q: np.ndarray, K: np.ndarray, motion: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pixel indices in the other camera, and how much farther from it points are, as a factor."""
    turn = K @ motion[:3, :3] @ np.linalg.inv(K)
    move = K @ motion[:3, 3]
    across, down, z = (turn[i, 0] * x + turn[i, 1] * y + turn[i, 2] + q * move[i] for i in range(3))
    safe = np.where(np.abs(z) > _LEAST, z, _LEAST)
    return across / safe, down / safe, z


def _looked_up(image: np.ndarray, where: np.ndarray) -> np.ndarray:
    """Bilinear samples of an image at (N, 2) places, in rows that OpenCV takes."""
    count = len(where)
    rows = -(-max(count, 1) // _COLUMNS)
    padded = np.zeros((rows * _COLUMNS, 2), np.float32)
    padded[:count] = where
    found = sample(image, padded.reshape(rows, _COLUMNS, 2))
    return found.reshape(rows * _COLUMNS, *found.shape[2:])[:count]
