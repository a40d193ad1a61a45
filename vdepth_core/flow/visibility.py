"""Which pixels of one frame are seen again in another.

Two tests: forward–backward consistency (Sundaram, Brox, Keutzer, "Dense point trajectories by GPU-accelerated
large displacement optical flow", ECCV 2010, eq. 5) and how well the colours agree (Li et al., ICCV-W 2021:
exp(−σ‖ΔI‖²)).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .warp import inside, sample, target

FB_RELATIVE = 0.01  # Sundaram 2010, eq. 5
FB_ABSOLUTE = 0.5  # Sundaram 2010, eq. 5, squared pixels
MAX_EXPOSURE = 24.0  # luma steps between two frames; more is another picture, or a flash
PHOTOMETRIC_SIGMA = 50.0  # Li 2021 as re-implemented, luma in [0, 1]


def forward_backward(forward: np.ndarray, backward: np.ndarray) -> np.ndarray:
    """How surely pixels of a are visible in b: 1 sure, 0 occluded or outside, falling linearly around eq. 5's
    bound.

    Args:
        forward: Flow a→b, (h, w, 2), pixels.
        backward: Flow b→a, (h, w, 2), pixels.

    Returns:
        (h, w) float32 in [0, 1].
    """
    where = target(forward)
    return _agreement(forward, sample(backward, where), where)


def seen_again(
    forward: np.ndarray, backward: np.ndarray, a: np.ndarray, b: np.ndarray, where: np.ndarray
) -> np.ndarray:
    """How surely pixels of a are seen in b: `forward_backward` times `photometric`, all looked up at once.

    Args:
        forward, backward: Flow a→b and b→a, (h, w, 2), pixels.
        a, b: Luma (h, w) uint8.
        where: `target` of ``forward``.

    Returns:
        (h, w) float32 in [0, 1].
    """
    # Three channels are sampled in less time than two, and not at multiples of 1/32 pixel.
    x, y, luma = cv2.split(sample(cv2.merge([*cv2.split(backward), b.astype(np.float32)]), where))
    weight = _agreement(forward, (x, y), where)
    weight *= photometric(a, luma)
    return weight


def _agreement(forward: np.ndarray, back: np.ndarray | Sequence[np.ndarray], where: np.ndarray) -> np.ndarray:
    """Sundaram's test where ``back``, planes x and y or (h, w, 2), is the backward flow seen from a."""
    fx, fy = cv2.split(forward)
    bx, by = cv2.split(back) if isinstance(back, np.ndarray) else back
    bound = fx * fx
    bound += fy * fy
    bound += bx * bx
    bound += by * by
    bound *= FB_RELATIVE
    bound += FB_ABSOLUTE
    fx += bx
    fx *= fx
    fy += by
    fy *= fy
    fx += fy
    fx /= bound
    # half sure where eq. 5 says "just": a hard switch would itself flicker
    error: np.ndarray = np.subtract(1.5, fx, out=fx)
    np.clip(error, 0.0, 1.0, out=error)
    error *= inside(where, *forward.shape[:2])
    return error


def squared_length(flow: np.ndarray) -> np.ndarray:
    """|flow|², (h, w), of (h, w, 2).

    Args:
        flow: x then y, in pixels.
    """
    x, y = flow[..., 0], flow[..., 1]
    return np.asarray(x * x + y * y)


def photometric(a: np.ndarray, b_on_a: np.ndarray, sigma: float = PHOTOMETRIC_SIGMA) -> np.ndarray:
    """exp(−σ ΔI²), (h, w) float32, of two luma images (h, w) uint8 or float in 0..255.

    The median difference is taken out first, so that a change of exposure does not count as occlusion.

    Args:
        a: A frame.
        b_on_a: The next one, warped onto it.
        sigma: Weight of a squared difference of luma in [0, 1].
    """
    difference = b_on_a.astype(np.float32)
    difference -= a
    exposure = float(np.median(difference[::4, ::4]))
    difference -= np.float32(np.clip(exposure, -MAX_EXPOSURE, MAX_EXPOSURE))
    difference *= difference
    difference *= np.float32(-sigma / 255.0**2)
    return np.asarray(cv2.exp(difference))
