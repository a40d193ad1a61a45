"""The published rules of windows and stitching, written down slowly: lists of all frames, all in memory."""

from __future__ import annotations

import numpy as np
from numpy.linalg import lstsq


def inputs(count: int) -> list[list[int]]:
    """Frames that each window sees: windows carry the inputs of the one before, not indices."""
    frames = [*range(count), *[count - 1] * 64]
    windows: list[list[int]] = []
    for k in range(-(-count // 22)):
        fresh = frames[22 * k : 22 * k + 32]
        if k:
            before = windows[-1]
            fresh = [before[at] for at in (0, 12, *range(24, 32))] + frames[22 * k + 10 : 22 * k + 32]
            fresh[0] = windows[0][0]
        windows.append(fresh)
    return windows


def stitched(windows: list[np.ndarray], count: int, *, metric: bool = False) -> np.ndarray:
    """Maps (K, 32, H, W) -> (T, H, W)."""
    aligned = list(windows[0].astype(np.float64))
    reference = [aligned[0], aligned[12]]
    for said in windows[1:]:
        scale, shift = 1.0, 0.0
        if not metric:
            p, r = np.stack([said[0], said[1]]).ravel(), np.stack(reference).ravel()
            table = np.stack([p, np.ones_like(p)], 1).astype(np.float64)
            scale, shift = lstsq(table, r, rcond=None)[0]
        now = [np.maximum(0, scale * said[j] + shift) for j in range(32)]
        for i in range(8):
            aligned[i - 8] = (1 - i / 7) * aligned[i - 8] + (i / 7) * now[2 + i]
        aligned += now[10:]
        reference[1] = now[12]
    return np.stack(aligned[:count])
