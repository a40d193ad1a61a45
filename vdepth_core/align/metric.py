"""Relative depth to metres: one scale, or scale and shift, for a shot, by what is known of its distances.

What a model knows up to scale and shift is a line away from the truth: in inverse depth for disparity, in
depth for affine-invariant depth. Distances are wrong by a part of themselves, so the line is fitted to
logarithms: a metre counts at 2 m what ten count at 20 m, and neither near nor far pulls it. A robust start
(least median of squares, Rousseeuw 1984) withstands nearly half of the points; Tukey's biweight refines it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .scale_shift import MAD_TO_SIGMA, TUKEY

FEWEST = 12  # points from which on some of them may be wrong
_TRIES, _JUDGES = 400, 1500  # lines tried, and points each is judged by
_ROUNDS, _STILL = 50, 1e-10  # of refinement, and the step at which it ends
SPREAD = 0.02  # of the range between near and far end: points closer together tell no shift
_LEAST = 1e-6  # relative error below which nothing is told from rounding


@dataclass(frozen=True)
class Line:
    """What takes a shot's own numbers to metric ones: ``scale · x + shift``, of inverse depth or of depth."""

    scale: float
    shift: float = 0.0

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The metric numbers of a shot's own.

        Args:
            x: Of any shape.
        """
        return np.asarray(self.scale * np.asarray(x, np.float64) + self.shift)

    def times(self, factor: float) -> Line:
        """The line to numbers larger by a factor.

        Args:
            factor: Above 0.
        """
        return Line(self.scale * factor, self.shift * factor)


@dataclass(frozen=True)
class MetricFit:
    """A line fitted to points.

    Attributes:
        line: The line.
        residual: How far the inliers' depth is off, relative, rms.
        inliers: Share of the points that agree.
        points: How many there were.
        typical: What half of all points are off by at most, relative; infinite behind the camera.
    """

    line: Line
    residual: float
    inliers: float
    points: int
    typical: float = 0.0


def tells_shift(x: np.ndarray, span: float) -> bool:
    """Whether points are far enough apart in depth to tell a shift beside a scale.

    Args:
        x: (N,) of the shot, N > 0.
        span: Of x between the shot's near and far end.
    """
    ends = np.quantile(x, (0.05, 0.95) if len(x) >= FEWEST else (0, 1))
    return bool(np.ptp(ends) >= SPREAD * span)


def fit_metric(x: np.ndarray, target: np.ndarray, shifted: bool, span: float) -> MetricFit | None:
    """The line from a shot's numbers to metric ones.

    `FEWEST` points or more are fitted robustly; fewer all count, and as many as there are unknowns are met
    exactly.

    Args:
        x: (N,) of the shot: inverse depth, or depth where the model knows that up to scale and shift.
        target: (N,) metric, > 0: 1/m, or m.
        shifted: Whether there is a shift; if not x > 0.
        span: Of x between the shot's near and far end.

    Returns:
        None where the points do not determine the line: too few, as good as equally far, or no line that
        rises goes through them.
    """
    x, target = np.asarray(x, np.float64), np.asarray(target, np.float64)
    if not len(x) or (shifted and not tells_shift(x, span)):
        return None
    robust = len(x) >= FEWEST
    start = _start(x, target, shifted)
    line = None if start is None else _refined(x, target, start, shifted, robust)
    if line is None or line.scale <= 0:
        return None
    off = np.abs(_off(line, x, target))
    middle = float(np.median(off))
    sigma = max(MAD_TO_SIGMA * middle, _LEAST)
    agree = off < TUKEY * sigma if robust else np.isfinite(off)
    if not agree.any():
        return None
    rms = float(np.sqrt(np.mean(np.expm1(off[agree]) ** 2)))
    return MetricFit(line, rms, float(agree.mean()), len(x), float(np.expm1(middle)))


def _start(x: np.ndarray, target: np.ndarray, shifted: bool) -> Line | None:
    """A line that most points agree with; through few points, the least squares of relative errors."""
    if not shifted:
        return Line(float(np.exp(np.median(np.log(target / x)))))
    if len(x) < FEWEST:
        columns = np.stack((x, np.ones_like(x)), 1) / target[:, None]
        scale, shift = np.linalg.lstsq(columns, np.ones_like(x), rcond=None)[0]
        return Line(float(scale), float(shift))
    chance = np.random.default_rng(0)  # the same points always give the same answer
    order = np.argsort(x, kind="stable")
    half = len(x) // 2
    # One point of the lower half, one of the upper: a line through neighbours says nothing.
    low = order[chance.integers(0, half, _TRIES)]
    high = order[chance.integers(half, len(x), _TRIES)]
    apart = x[high] - x[low]
    slope = np.divide(target[high] - target[low], apart, out=np.zeros(_TRIES), where=apart > 0)
    offset = target[low] - slope * x[low]
    judges = chance.choice(len(x), min(len(x), _JUDGES), replace=False)
    reached = slope[:, None] * x[judges] + offset[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.abs(np.log(np.where(reached > 0, reached, 0)) - np.log(target[judges]))
    cost = np.where(slope > 0, np.median(off, 1), np.inf)
    best = int(np.argmin(cost))
    return Line(float(slope[best]), float(offset[best])) if np.isfinite(cost[best]) else None


def _refined(x: np.ndarray, target: np.ndarray, line: Line, shifted: bool, robust: bool) -> Line | None:
    """Gauss-Newton on the logarithm's residuals, with Tukey's weights where ``robust``."""
    answer = np.array((line.scale, line.shift))
    weight = np.ones_like(x)
    for _ in range(_ROUNDS):
        reached = answer[0] * x + answer[1]
        ahead = reached > 0
        if not ahead.any():
            return None
        off = np.where(ahead, np.log(target) - np.log(np.where(ahead, reached, 1)), np.inf)
        if robust:
            sigma = max(MAD_TO_SIGMA * float(np.median(np.abs(off))), _LEAST)
            weight = np.clip(1 - (np.where(ahead, off, 0) / (TUKEY * sigma)) ** 2, 0, None) ** 2
        weight = weight * ahead
        columns = np.stack((x, np.ones_like(x)), 1)[:, : 1 + shifted] / np.where(ahead, reached, 1)[:, None]
        root = np.sqrt(weight)
        size = np.abs(columns * root[:, None]).max(0)  # inverse depth and 1 may be of any sizes
        step = np.linalg.lstsq(
            columns * root[:, None] / size, np.where(ahead, off, 0) * root, rcond=None
        )[0] / size  # fmt: skip
        answer[: 1 + shifted] += step
        if np.all(np.abs(step) * size < _STILL):
            break
    return Line(float(answer[0]), float(answer[1])) if np.isfinite(answer).all() else None


def _off(line: Line, x: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Logarithm of the metric numbers over the line's; infinite behind the camera."""
    reached = line(x)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(reached > 0, np.log(target) - np.log(np.where(reached > 0, reached, 1)), np.inf)
