"""Line charts as SVG markup: no script, no fonts, themed by the page's CSS variables."""

from __future__ import annotations

import math
from collections.abc import Sequence

_WIDTH, _HEIGHT = 960, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 10, 24
_POINTS = 1000  # more than pixels to show them


def line_chart(values: Sequence[float], numbers: Sequence[int], cuts: Sequence[int] = ()) -> str:
    """One curve over frame numbers, as an ``<svg>`` element.

    Args:
        values: One value a frame; what is not finite leaves a gap.
        numbers: The frames' numbers, rising.
        cuts: First frame number of every shot but the first: drawn as dashed lines.
    """
    finite = [value for value in values if math.isfinite(value)]
    lo, hi = (min(finite), max(finite)) if finite else (0.0, 1.0)
    # A curve that only carries rounding noise is a straight line, not a mountain range.
    margin = max(0.08 * (hi - lo), 1e-3 * max(abs(lo), abs(hi)), 1e-6)
    lo, hi = lo - margin, hi + margin
    first, last = (numbers[0], numbers[-1]) if numbers else (0, 1)

    def x(number: float) -> float:
        share = (number - first) / (last - first) if last > first else 0.5
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _TOP + (hi - value) / (hi - lo) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" class="chart">']
    for tick in _ticks(lo, hi):
        parts.append(f'<path class="grid" d="M{_LEFT} {y(tick):.1f}H{_WIDTH - _RIGHT}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:.6g}</text>')
    for number in sorted({first, (first + last) // 2, last}):
        anchor = "start" if number == first < last else "end" if number == last > first else "middle"
        parts.append(f'<text x="{x(number):.1f}" y="{_HEIGHT - 6}" text-anchor="{anchor}">{number}</text>')
    parts += [f'<path class="cut" d="M{x(cut):.1f} {_TOP}V{_HEIGHT - _BOTTOM}"/>' for cut in cuts]
    points = list(zip(numbers, values, strict=True))[:: max(1, -(-len(values) // _POINTS))]
    for run in _runs(points, cuts):
        if len(run) == 1:
            parts.append(f'<circle class="dot" cx="{x(run[0][0]):.1f}" cy="{y(run[0][1]):.1f}" r="2.5"/>')
        else:
            path = "L".join(f"{x(number):.1f} {y(value):.1f}" for number, value in run)
            parts.append(f'<path class="line" d="M{path}"/>')
    return "".join(parts) + "</svg>"


def _runs(points: list[tuple[int, float]], cuts: Sequence[int]) -> list[list[tuple[int, float]]]:
    """The pieces of a curve between gaps and cuts."""
    runs: list[list[tuple[int, float]]] = [[]]
    waiting = sorted(cuts, reverse=True)
    for number, value in points:
        passed = False
        while waiting and number >= waiting[-1]:
            waiting.pop()
            passed = True
        if (passed or not math.isfinite(value)) and runs[-1]:
            runs.append([])
        if math.isfinite(value):
            runs[-1].append((number, value))
    return [run for run in runs if run]


def _ticks(lo: float, hi: float) -> list[float]:
    """One to five round values within [lo, hi]."""
    raw = (hi - lo) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    start = math.ceil(lo / step)
    return [round(index * step, 12) for index in range(start, math.floor(hi / step) + 1)]
