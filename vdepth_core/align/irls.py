"""The co-alignment solver of our own; `joint` says why it is built this way.

An iteration measures every row (a snippet's prediction of a frame) against its frame's mean (`moments`), then
solves two graphs whose nodes are snippets and frames, in the order of time: one of log-scales, one of levels.
Levels are those of a snippet's middle value, not of 0: there they would carry the scale's error times the
distance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .graph import PRIOR, edge_weights, solve_laplacian
from .moments import Moments, measure, spread
from .snippets import FrameRows

if TYPE_CHECKING:
    from torch import Tensor

_BLOCK_BYTES = 2 << 20  # stays in a core's cache
_BLOCK_BYTES_DEVICE = 256 << 20
_COARSE = 512  # pixels of a frame that the first iterations look at
_START_STEPS, _COARSE_STEPS = 3, 3
_FLAT = 1e-6  # contrast of a flat row, relative to its level and to the shot's contrast
_CORRELATED = 0.05  # as in `scale_shift.fit_pair`: a row below says nothing about scale
_STRANGE = 1e-3  # weight of its level, which drags on the others otherwise
_UNEXPLAINED = 0.01  # of the variance, at least
# Standard deviations of a gross edge. Measured: 1.3 lets dilations that differ as a whole drift apart on real
# clips; without any bound a row that is broken on one frame pulls its neighbours along.
_GROSS = 8.0
_TINY = 1e-30


@dataclass(frozen=True)
class Found:
    """What `solve` found.

    Attributes:
        scale, shift: (K,) float64.
        objective: Mean of `Moments.misfit` over the frames, one an iteration.
        flat: (K,) bool: snippets without contrast.
        alone: (K,) bool: snippets that look like no other on any frame they share.
        settled: Whether the merged depth stood still in the end.
    """

    scale: np.ndarray
    shift: np.ndarray
    objective: tuple[float, ...]
    flat: np.ndarray
    alone: np.ndarray
    settled: bool


def solve(
    rows: FrameRows,
    trust: np.ndarray,
    part: np.ndarray,
    *,
    device: str,
    dtype: str,
    steps: int,
    tolerance: float,
    check: Callable[[], None],
) -> Found:
    """Co-aligns the snippets of a shot.

    Args:
        rows: The shot's, frame by frame.
        trust: (K,) weights of the snippets.
        part: (K,) which connected part a snippet belongs to.
        device, dtype, steps, tolerance, check: See `joint.coalign`.
    """
    pixels, count = _Pixels(rows, trust, device, dtype), len(trust)
    snippet, frame = pixels.snippet, pixels.frame
    scales, levels, weight = _Graph(snippet, frame), _Graph(snippet, frame), trust[snippet]
    shared = np.bincount(snippet, pixels.cover > 1) > 0

    # A robust start from every row's median and deviation alone.
    middle, deviation, seen, clear = pixels.start()
    flat = np.bincount(snippet, clear, count) == 0
    pivot = np.bincount(snippet, middle, count) / np.maximum(1, np.bincount(snippet, seen, count))
    contrast = np.log(np.where(clear, deviation, 1))
    for _ in range(_START_STEPS):
        scale = np.exp(scales.solve(contrast, weight * clear))
    for _ in range(_START_STEPS):
        level = levels.solve(scale[snippet] * (middle - pivot[snippet]), weight * seen)
    scale, shift = _in_gauge(scale, level, pivot, part, flat)

    objective: list[float] = []
    settled, alone = False, flat
    while len(objective) < steps and not settled:
        check()
        coarse = pixels.stride > 1 and len(objective) < _COARSE_STEPS
        now = pixels.measure(scale, shift, coarse)
        objective.append(float(now.misfit.mean()))
        evidence, certainty = _evidence(now, pixels.cover, clear)
        ratio = np.divide(now.row, now.mean, out=np.ones(len(frame)), where=evidence > 0)
        new_scale = scale * np.exp(scales.solve(0.5 * np.log(ratio), evidence))
        value = (now.level + now.offset - shift[snippet]) / scale[snippet]
        level = scale * pivot + shift
        off = level[snippet] + new_scale[snippet] * (value - pivot[snippet]) - now.level
        level = level + levels.solve(off, certainty)
        old_scale, old_shift = scale, shift
        scale, shift = _in_gauge(new_scale, level, pivot, part, flat)
        alone = shared & ~flat & (np.bincount(snippet, evidence) == 0)

        # How far merged pixels move, as if a frame's rows were alike: by their means and by their contrast.
        # Rows that are like no other creep on for long, and do not count.
        step_scale, step_shift = (scale - old_scale)[snippet], (shift - old_shift)[snippet]
        part_of_mean = (evidence > 0) / pixels.cover
        level_moves = np.bincount(frame, part_of_mean * (step_scale * value + step_shift))
        spread_moves = np.bincount(frame, part_of_mean * step_scale / old_scale[snippet] * np.sqrt(now.row))
        moved = np.sum(level_moves**2 + spread_moves**2) / max(np.sum(now.contrast**2), _TINY)
        settled = not coarse and moved < tolerance**2
    return Found(scale, shift, tuple(objective), flat, alone, settled)


def flat_snippets(rows: FrameRows, count: int) -> np.ndarray:
    """Which of ``count`` snippets have no contrast on any frame, (K,) bool.

    Args:
        rows: The pixels of every snippet's frames.
        count: Number of snippets K.
    """
    pixels = _Pixels(rows, np.ones(count), "cpu", "fp64")
    return np.asarray(np.bincount(pixels.snippet, pixels.start()[3], count) == 0)


def _evidence(now: Moments, cover: np.ndarray, clear: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Confidence (R,) in a row's contrast, and in its level: about inverse variances.

    What counts is how a row correlates with the mean of the *other* ``cover`` − 1: it is always like itself.
    """
    others = np.maximum(cover - 1, 1)
    both = (cover * now.both - now.row) / others
    variance = (cover**2 * now.mean - 2 * cover * now.both + now.row) / others**2
    power = np.sqrt(now.row * np.maximum(variance, 0))
    use = clear & (cover > 1) & (power > 0)
    correlation = np.clip(np.divide(both, power, out=np.zeros_like(both), where=use), 0, 1)
    alike = correlation > _CORRELATED
    certainty = now.share / (1 - correlation**2 + _UNEXPLAINED) * np.where(alike, 1, _STRANGE)
    return np.where(alike, correlation**2, 0) * certainty, certainty


def _in_gauge(
    scale: np.ndarray, level: np.ndarray, pivot: np.ndarray, part: np.ndarray, flat: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Scale and shift with mean scale 1 and mean shift 0 in every part; flat snippets have scale 1.

    Args:
        scale, level: (K,); the value pivot becomes level.
        pivot, part, flat: (K,).
    """
    total = np.bincount(part, ~flat * scale)
    factor = (np.bincount(part, ~flat) / np.where(total > 0, total, 1))[part]
    factor = np.where(factor > 0, factor, 1)
    scale = np.where(flat, 1, scale * factor)
    shift = level * factor - scale * pivot
    return scale, shift - (np.bincount(part, shift) / np.maximum(1, np.bincount(part)))[part]


class _Graph:
    """Snippets and frames as nodes, rows as edges; remembers how gross an edge's error was last time."""

    def __init__(self, snippet: np.ndarray, frame: np.ndarray) -> None:
        count = int(frame.max()) + 1
        self._snippets = int(snippet.max()) + 1
        time = np.concatenate([np.bincount(snippet, frame) / np.bincount(snippet), np.arange(count)])
        node = np.empty(len(time), np.int64)
        node[np.argsort(time, kind="stable")] = np.arange(len(time))
        self._node, self._i, self._j = node[: self._snippets], node[snippet], node[self._snippets + frame]
        self._frame, self._count, self._robust = frame, len(time), np.ones(len(snippet))

    def solve(self, measured: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Values v (K,) of the snippets such that v + measured (R,) agrees with the frame's own value."""
        use = weight > 0
        if not use.any():
            return np.zeros(self._snippets)
        i, j, frame, step = self._i[use], self._j[use], self._frame[use], measured[use]
        weight = weight[use] / np.median(weight[use])
        # What a frame's rows have in common is the frame's: taken out, no node moves that nothing pulls at.
        common = np.bincount(frame, weight * step) / np.maximum(np.bincount(frame, weight), _TINY)
        step = step - common[frame]
        value = solve_laplacian(self._count, i, j, step, weight * self._robust[use], PRIOR)
        self._robust[use] = edge_weights(value[j] - value[i] - step, step, huber=_GROSS)
        return np.asarray(value[self._node])


class _Pixels:
    """Measures a shot's rows block by block; arrays (R,) are of its rows, frame by frame."""

    def __init__(self, rows: FrameRows, trust: np.ndarray, device: str, dtype: str) -> None:
        import torch

        self._rows, self._trust, self._device = rows, trust, device
        self._dtype = {"fp32": torch.float32, "fp64": torch.float64}[dtype]
        self.stride = max(1, rows.pixels // _COARSE)  # of the coarse iterations
        self._bytes = _BLOCK_BYTES if device == "cpu" else _BLOCK_BYTES_DEVICE
        self._used = rows.snippet >= 0
        self.frame, self.snippet = np.nonzero(self._used)[0], rows.snippet[self._used]
        self.cover = self._used.sum(axis=1)[self.frame]

    def start(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Median and mean absolute deviation (R,) of every row; whether it has valid pixels, and contrast."""
        found = np.empty((2, *self._used.shape))
        for frames, values, known in self._blocks(coarse=True):
            found[0, frames], found[1, frames] = spread(values, known)
        median, deviation = found[:, self._used]
        seen = np.isfinite(median)
        median, deviation = np.where(seen, median, 0), np.where(seen, deviation, 0)
        clear = deviation > _FLAT * np.abs(median)
        if clear.any():
            clear &= deviation > _FLAT * np.median(deviation[clear])
        return median, deviation, seen, clear

    def measure(self, scale: np.ndarray, shift: np.ndarray, coarse: bool) -> Moments:
        """Moments of y = scale · values + shift, (R,) of the rows; ``coarse`` looks at fewer pixels."""
        import torch

        # Filled in place: small arrays kept from every block would pin the heap between the large ones.
        whole: dict[str, np.ndarray] = {}
        for frames, values, known in self._blocks(coarse):
            used, snippet = self._used[frames], self._rows.snippet[frames]
            rows = (np.where(used, of[snippet], 0) for of in (scale, shift, self._trust))
            tensors = [torch.from_numpy(row).to(self._dtype).to(self._device) for row in rows]
            for name, part in vars(measure(values, known, *tensors)).items():
                if name not in whole:
                    whole[name] = np.empty((len(self._used), *part.shape[1:]), part.dtype)
                whole[name][frames] = part
        return Moments(**{name: of[self._used] if of.ndim == 2 else of for name, of in whole.items()})

    def _blocks(self, coarse: bool) -> Iterator[tuple[slice, Tensor, Tensor | None]]:
        """Frames, their values (B, C, p) on the device and which of them are known."""
        import torch

        stride = self.stride if coarse else 1
        for chunk in self._rows:
            _, rows, pixels = chunk.values[:1, :, ::stride].shape
            step = max(1, self._bytes // (rows * pixels * self._dtype.itemsize))
            for first in range(0, len(chunk.values), step):
                block = slice(first, first + step)
                parts = (chunk.values, chunk.known)
                values, known = (
                    None
                    if part is None
                    else torch.from_numpy(part[block, :, ::stride]).to(self._device, self._dtype)
                    for part in parts
                )
                assert values is not None
                yield slice(chunk.start + first, chunk.start + first + len(values)), values, known
