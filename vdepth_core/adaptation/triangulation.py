"""Inverse depth from optical flow between cameras that are known: every source of a pixel is one ray.

With inverse depth w a pixel x of the target lies in a source at A + w · B, A = K R K⁻¹ x, B = K t; where flow
says it is, gives two equations linear in w. They are solved by least squares over all sources, three times,
each time with weights in pixels (Cauchy's), so that a source whose flow is wrong is outvoted. What is found
comes with its standard deviation: rays that hardly part know nothing.
"""

from __future__ import annotations

import numpy as np

ROUNDS = 3
ROBUST = 0.7  # pixels off from which a source loses its voice
NOISE = 0.25  # pixels that flow is wrong by, at least
_TINY = 1e-12


def triangulate(
    flows: np.ndarray, seen: np.ndarray, K: np.ndarray, poses: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Solves for the inverse depth of every pixel.

    Args:
        flows: (S, h, w, 2), pixels from the target to each source.
        seen: (S, h, w) in [0, 1], how surely the source shows the pixel.
        K: (3, 3) for pixel indices at this size.
        poses: (S, 4, 4) from target to source.

    Returns:
        (h, w) float32 inverse depth, may be below 0, and (h, w) float32 its standard deviation, infinite
        where nothing is known; both in the reciprocal unit of the poses.
    """
    height, width = flows.shape[1:3]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    pixels = np.stack((columns, rows, np.ones_like(rows)))
    inverse = np.linalg.inv(K)
    equations = []
    for flow, pose in zip(flows, poses, strict=True):
        turned = np.tensordot((K @ pose[:3, :3] @ inverse).astype(np.float32), pixels, 1)  # A
        moved = (K @ pose[:3, 3]).astype(np.float32)  # B
        x, y = columns + flow[..., 0], rows + flow[..., 1]
        left = np.stack((moved[0] - x * moved[2], moved[1] - y * moved[2]))
        right = np.stack((x * turned[2] - turned[0], y * turned[2] - turned[1]))
        equations.append((left, right, turned[2], moved[2]))
    found: np.ndarray = np.zeros((height, width), np.float32)
    weights = [sight.astype(np.float32) for sight in seen]
    for _ in range(ROUNDS):
        top, bottom = np.zeros_like(found), np.zeros_like(found)
        for (left, right, base, step), weight in zip(equations, weights, strict=True):
            scaled = weight / np.maximum(base + found * step, 0.05) ** 2  # so that residuals are pixels
            top += scaled * (left * right).sum(0)
            bottom += scaled * (left * left).sum(0)
        found = top / np.maximum(bottom, _TINY)
        squares, voices = np.zeros_like(found), np.zeros_like(found)
        for k, (left, right, base, step) in enumerate(equations):
            z = base + found * step
            off = (((left * found - right) / np.maximum(z, 0.05)) ** 2).sum(0)
            weights[k] = seen[k] * (z > 0.05) / (1 + off / ROBUST**2)
            squares += weights[k] * off
            voices += weights[k]
    noise = NOISE**2 + squares / np.maximum(voices, _TINY)
    with np.errstate(divide="ignore", over="ignore"):
        error = np.where(bottom > _TINY, np.sqrt(noise / np.maximum(bottom, _TINY)), np.inf)
    return found.astype(np.float32), error.astype(np.float32)
