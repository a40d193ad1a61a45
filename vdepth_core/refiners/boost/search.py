"""How large the network may see a picture before parts of it lack context (R_x of the boosting paper)."""

from __future__ import annotations

import cv2
import numpy as np

GRAY = (0.2989, 0.5870, 0.1140)  # weights of R, G, B
EDGE_FROM = 0.4  # an edge is what lies this far up between the weakest and the strongest gradient
LARGEST = 3000  # no picture is searched beyond this many pixels,
GROWTH = 3  # nor beyond this many times its own longer side
CELL = 32  # the search runs on maps of one cell per so many pixels
FAINT = 6 / 255  # the most |Sobel_x| + |Sobel_y| can be where neighbours differ by one level of 8 bit
_STRIP = 256  # rows at a time, so that a picture of 8K needs one plane


def edge_strength(rgb: np.ndarray) -> np.ndarray:
    """|Sobel_x| + |Sobel_y| of a picture's gray.

    Args:
        rgb: (H, W, 3), uint8, or floating point where 1 is white.

    Returns:
        (H, W) float64, 4 along the border of white and black.
    """
    height, width = rgb.shape[:2]
    out = np.empty((height, width))
    for top in range(0, height, _STRIP):
        stop = min(top + _STRIP, height)
        first, last = max(top - 1, 0), min(stop + 1, height)  # a row more on either side, where there is one
        rows = np.ascontiguousarray(rgb[first:last])
        gray = np.dot(rows / 255 if rgb.dtype == np.uint8 else rows.astype(np.float64, copy=False), GRAY)
        edges = np.abs(cv2.Sobel(gray, cv2.CV_64F, 0, 1, ksize=3))
        edges += np.abs(cv2.Sobel(gray, cv2.CV_64F, 1, 0, ksize=3))
        out[top:stop] = edges[top - first : stop - first]
    return out


def is_textureless(gradients: np.ndarray) -> bool:
    """Whether no neighbours differ by more than a level of 8 bit: black, one colour, a faint ramp.

    The search calls such a picture all edges and answers its upper bound; there is nothing to sharpen in it.

    Args:
        gradients: (H, W), as `edge_strength` gives them.
    """
    return float(gradients.max()) <= FAINT * (1 + 1e-9)


def search_sizes(longest: int, base: int) -> range:
    """The sizes that `receptive_resolution` tries, in cells of 32 pixels; none for tiny pictures.

    Args:
        longest: The longer side of the picture, in pixels.
        base: Size the network was trained at, a multiple of 32, in pixels.
    """
    return range(base // CELL, int(min(LARGEST, GROWTH * longest) / CELL), max(base // 64, 1))


def receptive_resolution(gradients: np.ndarray, longest: int, base: int, share: float) -> tuple[int, float]:
    """The largest size at which at most ``share`` of a picture is too far from any edge.

    What lies farther from an edge than the network sees at its training size is guessed without context.

    Args:
        gradients: (H, W), as `edge_strength` gives them; of a shot, pooled over its frames.
        longest: The longer side of the picture, in pixels.
        base: Size the network was trained at, a multiple of 32, in pixels.
        share: 0 gives the paper's R0, 0.2 its R20.

    Returns:
        That size, a multiple of 32 and never below ``base``; and how densely edges cover the picture there,
        0..1, which the paper scales the local stage by (1 where the picture is too small for any search).
    """
    cells = base // CELL
    kept, edges = cells, np.empty((0, 0), np.uint8)
    if not (sizes := search_sizes(longest, base)):
        return CELL * kept, 1.0
    strong = _strong(gradients)
    pools: dict[int, np.ndarray] = {}
    context = np.ones((cells, cells), np.uint8)
    for size in sizes:
        block = max(len(strong) // size, 1)  # 0 where the shorter side has fewer pixels than cells
        if block not in pools:
            pools[block] = _pooled(strong, block)
        edges = (cv2.resize(pools[block], (size, size)) >= 0.5).astype(np.uint8)
        seen = cv2.dilate(edges, context)
        if np.count_nonzero(seen == 0) / seen.size > share:
            break
        kept = size
    near = np.ones((max(base // 128, 1),) * 2, np.uint8)
    return CELL * kept, float(np.count_nonzero(cv2.dilate(edges, near)) / edges.size)


def _strong(gradients: np.ndarray) -> np.ndarray:
    """(d, d) uint8, d the shorter side: 1 at edges."""
    side = min(gradients.shape)
    square = cv2.resize(gradients, (side, side))
    low, high = float(square.min()), float(square.max())
    return (square >= low + EDGE_FROM * (high - low)).astype(np.uint8)


def _pooled(strong: np.ndarray, block: int) -> np.ndarray:
    """The maximum of every ``block`` x ``block`` pixels, float64; blocks at the far borders may be cut."""
    starts = np.arange(0, len(strong), block)
    rows = np.maximum.reduceat(strong, starts, axis=0)
    return np.maximum.reduceat(rows, starts, axis=1).astype(np.float64)
