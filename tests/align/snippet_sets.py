"""Procedural truth and snippets of it, each in a chart of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vdepth_core.align.joint import CoAlignment, Snippets
from vdepth_core.align.scale_shift import fit_scale_shift


@dataclass(frozen=True)
class Case:
    """Snippets and where they come from: values = (truth + noise − shift) / scale."""

    snippets: Snippets
    truth: np.ndarray  # (N, P) disparity, about 0.2 to 2
    scale: np.ndarray  # (K,)
    shift: np.ndarray  # (K,)


def truth_of(count: int, pixels: int, seed: int = 0) -> np.ndarray:
    """Smooth and edgy disparity (count, pixels) that drifts past over time."""
    rng = np.random.default_rng(seed)
    place, time = np.linspace(0, 1, pixels), np.arange(count)[:, None]
    out = np.ones((count, pixels))
    for _ in range(8):
        phase = rng.uniform(1, 6) * place + rng.uniform(-0.03, 0.03) * time + rng.uniform()
        out += 0.15 * rng.normal() * np.cos(2 * np.pi * phase)
    out[:, pixels // 3 : pixels // 2] += 0.4
    return np.maximum(out, 0.1)


def frames_of(count: int, dilations: tuple[int, ...], length: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Frames (K, length) of all snippets that fit, and their groups (K,)."""
    starts = [np.arange(count - (length - 1) * dilation) for dilation in dilations]
    found = [
        start[:, None] + dilation * np.arange(length)
        for start, dilation in zip(starts, dilations, strict=True)
    ]
    return np.concatenate(found), np.repeat(np.arange(len(found)), [len(part) for part in found])


def case_of(
    truth: np.ndarray,
    frames: np.ndarray,
    group: np.ndarray,
    noise: float = 0.0,
    outliers: float = 0.0,
    seed: int = 0,
) -> Case:
    """Snippets with random charts, noise (of the truth's range) and a share of outliers."""
    rng = np.random.default_rng(seed)
    scale, shift = np.exp(rng.uniform(-0.5, 0.5, len(frames))), rng.uniform(-0.3, 0.3, len(frames))
    size = float(np.ptp(truth))
    values = truth[frames] + rng.normal(0, noise * size, (*frames.shape, truth.shape[1]))
    gross = rng.uniform(size=values.shape) < outliers
    values[gross] = rng.uniform(truth.min(), truth.max(), int(gross.sum()))
    values = (values - shift[:, None, None]) / scale[:, None, None]
    return Case(Snippets(len(truth), frames, values, group), truth, scale, shift)


def merge(snippets: Snippets, found: CoAlignment, values: np.ndarray | None = None) -> np.ndarray:
    """The unweighted mean (N, P) of all aligned rows of every frame."""
    values = np.asarray(snippets.values[:]) if values is None else values
    aligned = found.scale[:, None, None] * values + found.shift[:, None, None]
    used = snippets.frames >= 0
    total = np.zeros((snippets.count, values.shape[2]))
    np.add.at(total, snippets.frames[used], aligned[used])
    return total / np.bincount(snippets.frames[used], minlength=snippets.count)[:, None]


def merged_error(case: Case, found: CoAlignment, *, clean: bool = False) -> float:
    """RMS error of the merged truth after one scale and shift for the clip, relative to the truth's spread.

    ``clean`` applies the solution to rows without noise: what is left is the solver's own error.
    """
    values = case.truth[case.snippets.frames] - case.shift[:, None, None]
    merged = merge(case.snippets, found, values / case.scale[:, None, None] if clean else None)
    scale, shift = fit_scale_shift(merged, case.truth)
    return float(np.sqrt(np.mean((scale * merged + shift - case.truth) ** 2)) / case.truth.std())
