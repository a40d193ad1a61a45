"""What of a shot's tracked chart belongs to the camera's motion: its trend over time.

Walking forward, every tracked point truly gets nearer, and forcing equality would make the scale of frame n
wander off exponentially in n. So the slow part of the chart (a local linear trend over about ±`WINDOWS`
frames, exact for a steady dolly up to its ends) is handed back to the model's own predictions, and only the
fast part, the flicker, is corrected. Where the camera stands still, tracked values may not change at all and
the trend is not handed back: there the slow wandering of the model goes as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

WINDOWS = (3.0, 6.0, 12.0)  # frames; standard deviations of the trend's Gaussian window, 0.1 to 0.4 s
FLICKER = 1.5  # remainder over white flicker up to which a window is trusted


def without_trend(
    chart: np.ndarray, parts: np.ndarray, moving: np.ndarray, windows: Sequence[float] = WINDOWS
) -> np.ndarray:
    """The chart less its trend where the camera moves: mean 0 in every part, interpolated where unknown.

    Args:
        chart: (N,) values that a tracked point would keep.
        parts: (N,) connected part of every frame, −1 where the chart knows nothing.
        moving: (N − 1,) in [0, 1]: how surely the camera moves between t and t + 1.
        windows: Standard deviations, in frames, of the windows the trend is sought in.
    """
    fast = np.full(len(chart), np.nan)
    for part in range(parts.max(initial=-1) + 1):
        frames = np.flatnonzero(parts == part)
        # A step between frames t and u belongs to the camera as far as the camera moved between them.
        share = np.array([moving[a:b].mean() for a, b in pairwise(frames)])
        trend = _trend(frames.astype(np.float64), chart[frames], windows)
        rest = chart[frames] - np.concatenate([[0.0], np.cumsum(np.diff(trend) * share)])
        fast[frames] = rest - rest.mean()
    known = np.flatnonzero(~np.isnan(fast))
    if not len(known):
        return np.zeros(len(chart))
    return np.asarray(np.interp(np.arange(len(chart)), known, fast[known]))


def _trend(time: np.ndarray, values: np.ndarray, windows: Sequence[float]) -> np.ndarray:
    """The trend in the longest window whose remainder looks like flicker.

    Flicker is white: its variance shows in second differences (times 6). Where much more is left over than
    that, the window is too long for how the camera's speed and the things it passes change.
    """
    trend = _local_linear(time, values, min(windows))
    if len(values) < 5:
        return trend
    flicker = float(np.median(np.abs(np.diff(values, 2)))) / np.sqrt(6.0)
    for window in sorted(windows, reverse=True):
        longer = _local_linear(time, values, window)
        if float(np.median(np.abs(values - longer))) <= FLICKER * flicker:
            return longer
    return trend


def _local_linear(time: np.ndarray, values: np.ndarray, window: float) -> np.ndarray:
    """Local linear regression with a Gaussian window: reproduces straight lines exactly, at the ends too."""
    reach = 4.0 * window
    out = np.empty_like(values)
    start = np.searchsorted(time, time - reach)
    stop = np.searchsorted(time, time + reach, side="right")
    for index, centre in enumerate(time):
        part = slice(start[index], stop[index])
        dt = time[part] - centre
        w = np.exp(-0.5 * (dt / window) ** 2)
        s0, s1, s2 = w.sum(), w @ dt, w @ (dt * dt)
        v0, v1 = w @ values[part], w @ (dt * values[part])
        determinant = s0 * s2 - s1 * s1
        out[index] = (s2 * v0 - s1 * v1) / determinant if determinant > 1e-9 * s0 * s0 else v0 / s0
    return out
