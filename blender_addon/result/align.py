# SPDX-License-Identifier: GPL-3.0-or-later
"""Scale and shift that carry predicted disparity to a camera solve's inverse depth. No bpy in here.

The mesh applies z' = scale·z / (1 + shift·z) to the depth files' z, so 1/z' = (1/z + shift) / scale: a line
between disparities. The best of many lines through two points, errors counted up to a bound so that
nearly half of the tracks may be wrong, is refined on the points that agree with it (Huber weights). Where no
line is agreed on, all points are fitted; where they do not tell a shift, only a scale is.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

MIN_POINTS = 6
"""With fewer, only a scale is solved."""
MIN_SPREAD = 0.05  # of the median disparity, between the 10 % and 90 % quantiles
MAX_UNSURE = 0.3  # standard error of the line's slope, over the slope
MARGIN = 0.98  # the far end may move back by a factor of 1 / (1 − this)
BOUND = 0.5
"""Relative error from which on a track is simply wrong."""
HUBER = 1.345  # standard deviations; 95 % efficient for normal noise (Huber 1964)
MAX_ERROR = 0.2
"""Median relative error of the inliers' depth beyond which a fit is refused: objects would float or sink."""
_TRIES, _SCORED = 400, 300  # lines tried, and points a line is judged by


@dataclass(frozen=True)
class Alignment:
    """What takes the depth files to the solve's units: z' = scale·z / (1 + shift·z).

    Attributes:
        points: Points offered.
        inliers: Points that agree; the others were taken for wrong tracks.
        error: Median relative error of the inliers' depth.
        note: Why the shift is not the points' own, for the user; empty if it is.
    """

    scale: float
    shift: float
    points: int
    inliers: int
    error: float
    note: str = ""

    @property
    def usable(self) -> bool:
        """Whether tracks and depth agree well enough."""
        return self.error <= MAX_ERROR


def solve_alignment(predicted: Sequence[float], solved: Sequence[float], floor: float = 0.0) -> Alignment:
    """Fits scale and shift so that ``solved ≈ (predicted + shift) / scale``.

    Args:
        predicted: 1/z of the depth files at the tracked points, positive.
        solved: 1/z of the same points in the solve, positive.
        floor: Smallest disparity that has to stay in front of the camera.

    Raises:
        ValueError: there is no point.
    """
    points = [(d, y) for d, y in zip(predicted, solved, strict=True) if 0 < d < math.inf and 0 < y < math.inf]
    if not points:
        raise ValueError("no point has both a predicted and a solved depth")
    if len(points) < MIN_POINTS:
        return _scale_only(points, f"fewer than {MIN_POINTS} points, so scale only")
    ordered = sorted(d for d, _ in points)
    if _quantile(ordered, 0.9) - _quantile(ordered, 0.1) < MIN_SPREAD * _quantile(ordered, 0.5):
        return _scale_only(points, "all points are about equally far, so scale only")
    line = _robust_line(points)
    if line is None:
        return _scale_only(points, "the points' order contradicts the depth, so scale only")
    slope, offset, unsure, inliers = _refine(points, *line)
    note = ""
    if slope <= 0 or unsure > MAX_UNSURE * slope:
        # Most points may lie on one wall that the depth does not show flat; the others still tell a shift.
        slope, offset, unsure = _least_squares(points, [1.0] * len(points))
        inliers, note = points, "the points disagree, so all were used"
        if slope <= 0 or unsure > MAX_UNSURE * slope:
            return _scale_only(points, "the points are too noisy for a shift, so scale only")
    farthest = min(d for d, _ in inliers)
    lowest = MARGIN * (min(floor, farthest) if floor > 0 else farthest)
    if offset / slope < -lowest:
        shifted = _scale_only(inliers, "", -lowest)
        note = "shift held back so that the far end stays in front of the camera"
        return _report(shifted.scale, -lowest, inliers, len(points), note)
    return _report(1 / slope, offset / slope, inliers, len(points), note)


def shot_line(number: int, found: Alignment | None, shots: int) -> str:
    """What was found for a shot, in words; its number only where there are several."""
    shot = f"Shot {number}: " if shots > 1 else ""
    if found is None:
        return f"{shot}no tracked points"
    line = (
        f"{shot}scale {found.scale:.4g}, shift {found.shift:.4g}, {found.inliers} of {found.points} points, "
        f"median error {100 * found.error:.2g} %"
    )
    notes = [found.note] if found.note else []
    if not found.usable:
        notes.append(f"refused: at most {100 * MAX_ERROR:g} % is used")
    return f"{line} ({'; '.join(notes)})" if notes else line


def _robust_line(points: list[tuple[float, float]]) -> tuple[float, float] | None:
    """Slope and offset of y over d with the least mean of bounded relative errors; None if none rises."""
    chance = random.Random(0)  # the same points always give the same answer
    judges = points if len(points) <= _SCORED else chance.sample(points, _SCORED)
    best, line = math.inf, None
    for _ in range(_TRIES):
        (d0, y0), (d1, y1) = chance.sample(points, 2)
        if d0 == d1 or (slope := (y1 - y0) / (d1 - d0)) <= 0:
            continue
        offset = y0 - slope * d0
        cost = sum(min(abs(slope * d + offset - y) / y, BOUND) for d, y in judges)
        if cost < best:
            best, line = cost, (slope, offset)
    return line


def _refine(
    points: list[tuple[float, float]], slope: float, offset: float
) -> tuple[float, float, float, list[tuple[float, float]]]:
    """Huber least squares from a first line on the points near it.

    Returns:
        Slope, offset, standard error of the slope, and the inliers.
    """
    inliers = points
    for _ in range(10):
        residuals = [y - slope * d - offset for d, y in points]
        # Rousseeuw & Leroy 1987: the median residual as a standard deviation, with their small-sample factor.
        spread = 1.4826 * (1 + 5 / (len(points) - 2)) * median(map(abs, residuals))
        spread = max(spread, 1e-7 * median(y for _, y in points))
        inliers = [p for p, r in zip(points, residuals, strict=True) if abs(r) <= 2.5 * spread]
        weights = [min(1.0, HUBER * spread / max(abs(r), 1e-30)) for r in residuals if abs(r) <= 2.5 * spread]
        before = slope
        slope, offset, _ = _least_squares(inliers, weights)
        if abs(slope - before) <= 1e-9 * abs(before):
            break
    _, _, unsure = _least_squares(inliers, [1.0] * len(inliers))
    return slope, offset, unsure, inliers


def _least_squares(points: list[tuple[float, float]], weights: list[float]) -> tuple[float, float, float]:
    """Slope and offset of y over d, and the slope's standard error."""
    total = sum(weights)
    mean_d = sum(w * d for w, (d, _) in zip(weights, points, strict=True)) / total
    mean_y = sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / total
    square = sum(w * (d - mean_d) ** 2 for w, (d, _) in zip(weights, points, strict=True))
    if square == 0:
        return 0.0, mean_y, math.inf
    slope = sum(w * (d - mean_d) * (y - mean_y) for w, (d, y) in zip(weights, points, strict=True)) / square
    offset = mean_y - slope * mean_d
    rest = sum(w * (y - slope * d - offset) ** 2 for w, (d, y) in zip(weights, points, strict=True)) / total
    return slope, offset, math.sqrt(rest / square)


def _scale_only(points: list[tuple[float, float]], note: str, shift: float = 0.0) -> Alignment:
    """The scale most points agree on, for a given shift."""
    ratios = [math.log((d + shift) / y) for d, y in points]
    centre, _ = _shortest_half(ratios)
    spread = max(1.4826 * median(abs(r - centre) for r in ratios), 1e-7)
    near = [(p, r) for p, r in zip(points, ratios, strict=True) if abs(r - centre) <= 2.5 * spread]
    scale = math.exp(median(r for _, r in near))
    return _report(scale, shift, [p for p, _ in near], len(points), note)


def _report(
    scale: float, shift: float, inliers: list[tuple[float, float]], points: int, note: str = ""
) -> Alignment:
    """An alignment with its error measured on the inliers."""
    # z'/z − 1 = y / y' − 1
    error = median(abs(y * scale / (d + shift) - 1) for d, y in inliers)
    return Alignment(scale, shift, points, len(inliers), error, note)


def _shortest_half(values: list[float]) -> tuple[float, float]:
    """Middle and width of the shortest interval that holds half of the values."""
    ordered = sorted(values)
    half = len(ordered) // 2
    width, start = min((ordered[i + half] - ordered[i], i) for i in range(len(ordered) - half))
    return (ordered[start] + ordered[start + half]) / 2, width


def _quantile(ordered: list[float], share: float) -> float:
    return ordered[round(share * (len(ordered) - 1))]
