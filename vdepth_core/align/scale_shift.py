"""Scale and shift between two disparity maps.

`fit_scale_shift` is the one-sided least squares of the evaluation protocols (the truth has no noise).
`fit_pair` relates two *predictions*: with noise on both sides least squares shrinks the slope by the factor
ρ² ("errors in variables"), and a chain of shrunken slopes drifts, so the pair fit is symmetric (the reduced
major axis σ_y/σ_x) and robust.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TUKEY = 4.685  # 95 % efficiency under Gaussian noise
MAD_TO_SIGMA = 1.4826
MAX_LOG_SCALE = np.log(8.0)


def fit_scale_shift(
    prediction: np.ndarray, target: np.ndarray, mask: np.ndarray | None = None
) -> tuple[float, float]:
    """Least squares (s, t) of s · prediction + t ≈ target, in float64.

    Args:
        prediction, target: Arrays of equal shape.
        mask: Bool array of that shape; None means everywhere.

    Returns:
        (scale, shift); a flat prediction gives scale 0 and the target's mean, an empty mask (1, 0).
    """
    x = np.asarray(prediction if mask is None else prediction[mask], np.float64).ravel()
    y = np.asarray(target if mask is None else target[mask], np.float64).ravel()
    if not x.size:
        return 1.0, 0.0
    mx, my = x.mean(), y.mean()
    x, y = x - mx, y - my
    variance = float(x @ x)
    if variance <= 1e-24 * max(1.0, mx * mx) * x.size:
        return 0.0, float(my)
    scale = float(x @ y) / variance
    return scale, float(my - scale * mx)


@dataclass(frozen=True)
class PairFit:
    """y ≈ scale · x + shift over the matches of two frames.

    Attributes:
        log_scale: Natural logarithm of the scale.
        x, y: The robust centroid, which the line passes through.
        weight: Confidence ≥ 0 of ``log_scale`` (about its inverse variance in arbitrary units); 0 = know
            nothing.
        level_weight: Confidence of the centroid's difference, in the same units.
        residual: Robust spread of the matches around the line, in units of x.
    """

    log_scale: float
    x: float
    y: float
    weight: float
    level_weight: float
    residual: float

    @property
    def scale(self) -> float:
        """The slope."""
        return float(np.exp(self.log_scale))

    @property
    def shift(self) -> float:
        """The intercept."""
        return self.y - self.scale * self.x


def fit_pair(
    x: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    scale_only: bool = False,
    iterations: int = 6,
) -> PairFit | None:
    """Robust symmetric fit of matched disparities; exchanging x and y gives exactly the inverse line.

    Args:
        x, y: (n,) matched values.
        weights: (n,) visibility in [0, 1].
        scale_only: For metric and scale-invariant models: y ≈ s · x, no shift.
        iterations: Re-weightings with Tukey's biweight.

    Returns:
        None when there are too few matches (< 32).
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    base = np.ones_like(x) if weights is None else np.asarray(weights, np.float64)
    if scale_only:
        keep = (x > 0) & (y > 0)
        x, y, base = x[keep], y[keep], base[keep]
    keep = base > 0.05
    x, y, base = x[keep], y[keep], base[keep]
    if len(x) < 32:
        return None
    return _fit_ratio(x, y, base, iterations) if scale_only else _fit_line(x, y, base, iterations)


def _fit_line(x: np.ndarray, y: np.ndarray, base: np.ndarray, iterations: int) -> PairFit:
    weight = base
    sigma = np.inf
    for _ in range(iterations + 1):
        total = weight.sum()
        mx, my = weight @ x / total, weight @ y / total
        dx, dy = x - mx, y - my
        vx, vy, vxy = weight @ (dx * dx) / total, weight @ (dy * dy) / total, weight @ (dx * dy) / total
        tiny = 1e-10 * (mx * mx + my * my) + 1e-20
        correlation = vxy / np.sqrt((vx + tiny) * (vy + tiny))
        log_scale = 0.5 * np.log((vy + tiny) / (vx + tiny)) if correlation > 0.05 else 0.0
        log_scale = float(np.clip(log_scale, -MAX_LOG_SCALE, MAX_LOG_SCALE))
        root = np.exp(0.5 * log_scale)
        residual = dy / root - dx * root  # symmetric: changes only its sign when x and y change places
        # medians of the *absolute* residual: 0 is the line itself
        fresh = MAD_TO_SIGMA * float(np.median(np.abs(residual))) + 1e-12
        sigma = min(sigma, fresh)
        weight = base * _tukey(residual / sigma)
        if weight.sum() < 0.1 * base.sum():
            weight = base
    rho2 = max(0.0, correlation) ** 2
    share = total / len(x)
    return PairFit(
        log_scale,
        float(mx),
        float(my),
        weight=float(share * rho2 / (1.0 - rho2 + 0.01)) if correlation > 0.05 else 0.0,
        level_weight=float(share / (1.0 - rho2 + 0.01)),
        residual=float(sigma / root),
    )


def _fit_ratio(x: np.ndarray, y: np.ndarray, base: np.ndarray, iterations: int) -> PairFit:
    ratio = np.log(y) - np.log(x)
    centre = float(np.median(ratio))
    weight = base
    for _ in range(iterations):
        sigma = MAD_TO_SIGMA * float(np.median(np.abs(ratio - centre))) + 1e-9
        weight = base * _tukey((ratio - centre) / sigma)
        if weight.sum() < 0.1 * base.sum():
            weight = base
        centre = float(weight @ ratio / weight.sum())
    centre = float(np.clip(centre, -MAX_LOG_SCALE, MAX_LOG_SCALE))
    mx = float(weight @ x / weight.sum())
    share = float(weight.sum()) / len(x)
    confidence = share / (sigma**2 + 0.01)
    return PairFit(centre, mx, mx * float(np.exp(centre)), confidence, confidence, float(sigma * mx))


def _tukey(u: np.ndarray) -> np.ndarray:
    inner = np.clip(1.0 - (u / TUKEY) ** 2, 0.0, None)
    return np.asarray(inner * inner)
