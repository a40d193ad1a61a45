"""How a model's disparity is to be read: inverse depth = scale · disparity + shift, fitted to points.

Robust and relative: what counts is by which part the depth is off, and a point counts as much as it is sure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ROUNDS = 12
MODEL = 0.15  # relative error that a model's depth has anyway
ROBUST = 2.0  # of its expected error, from where a point loses its voice
FLOOR = 0.1  # of the median's inverse depth: farther away errors do not become smaller
FEWEST = 8


@dataclass(frozen=True)
class Reading:
    """Inverse depth = ``scale`` · disparity + ``shift``; ``scale`` > 0, ``shift`` ≥ 0."""

    scale: float
    shift: float

    def __call__(self, disparity: np.ndarray) -> np.ndarray:
        """Inverse depth of a disparity of any shape.

        Args:
            disparity: As the model gives it.
        """
        return np.asarray(self.scale * disparity + self.shift)


def fit_reading(
    disparity: np.ndarray, inverse: np.ndarray, error: np.ndarray, affine: bool
) -> Reading | None:
    """Fits scale and shift to points whose inverse depth is known; None: they do not go together.

    Args:
        disparity: (P,) of the model.
        inverse: (P,) triangulated.
        error: (P,) standard deviation of it.
        affine: Whether there is a shift; if not it is 0.
    """
    sure = np.isfinite(error) & (error < 0.5 * np.maximum(inverse, FLOOR * np.median(inverse)))
    if sure.sum() < FEWEST:
        return None
    x, y, sigma = disparity[sure], inverse[sure], error[sure]
    if affine:
        found = _fit(x, y, sigma, shifted=True)
        if found is not None and found.shift >= 0:
            return found
    return _fit(x, y, sigma, shifted=False)


def _fit(x: np.ndarray, y: np.ndarray, sigma: np.ndarray, shifted: bool) -> Reading | None:
    columns = np.stack((x, np.ones_like(x)), 1) if shifted else x[:, None]
    middle = float(np.median(y))
    answer = np.zeros(columns.shape[1])
    if shifted:
        answer[1] = middle
    else:
        answer[0] = middle / max(float(np.median(x)), 1e-12)
    level, loss = y, 4 * ROBUST
    for _ in range(ROUNDS):
        unit = np.hypot(MODEL * np.maximum(level, FLOOR * middle), sigma)
        off = (columns @ answer - y) / unit
        weight = 1 / (1 + (off / loss) ** 2) / unit**2
        answer = np.linalg.lstsq(columns * weight[:, None] ** 0.5, y * weight**0.5, rcond=None)[0]
        level, loss = np.maximum(0.5 * (columns @ answer + y), 0), max(loss / 1.5, ROBUST)
    if not np.isfinite(answer).all() or answer[0] <= 0:
        return None
    return Reading(float(answer[0]), float(answer[1]) if shifted else 0.0)
