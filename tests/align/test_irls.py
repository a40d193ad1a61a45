"""The solver against a slow, readable restatement: loops, dense algebra, nothing shared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from snippet_sets import case_of, frames_of, truth_of

from vdepth_core.align.joint import Snippets, coalign


def lower_median(values: np.ndarray) -> float:
    return float(np.sort(values)[(len(values) - 1) // 2])


def slow_rows(y: np.ndarray) -> list[tuple[float, float, float, float, float, float]]:
    """Per row of a frame (C, P): share, row mean, m's mean, row variance, m's variance, correlation."""
    mean = y.mean(axis=0)
    least = 1e-3 * mean.std()
    for _ in range(2):
        residual = np.abs(y - mean)
        sigma = max(1.4826 * lower_median(residual.ravel()), least)
        weight = 1 / (1 + (residual / (3 * sigma)) ** 2)
        mean = (weight * y).sum(axis=0) / weight.sum(axis=0)
    out = []
    for row, w in zip(y, weight, strict=True):
        both = np.cov(row, mean, aweights=w, bias=True)
        others = (len(y) * mean - row) / max(1, len(y) - 1)
        pair = np.cov(row, others, aweights=w, bias=True)
        like = pair[0, 1] / np.sqrt(pair[0, 0] * pair[1, 1]) if len(y) > 1 else 0.0
        at = (np.average(row, weights=w), np.average(mean, weights=w))
        out.append((w.mean(), *at, both[0, 0], both[1, 1], min(max(like, 0.0), 1.0)))
    return out


def slow_graph(
    snippets: Snippets, measured: dict[tuple[int, int], float], weight: dict[tuple[int, int], float]
) -> tuple[np.ndarray, dict[tuple[int, int], float]]:
    """Values of the snippets by dense least squares, and every edge's Huber weight."""
    edges = [edge for edge in measured if weight[edge] > 0]
    count = len(snippets) + snippets.count
    rows, typical = np.zeros((len(edges), count)), np.median([weight[edge] for edge in edges])
    for row, (k, f) in zip(rows, edges, strict=True):
        row[k], row[len(snippets) + f] = -1, 1
    w = np.array([weight[e] / typical for e in edges])
    common = {f: [(weight[e], measured[e]) for e in edges if e[1] == f] for _, f in edges}
    mean = {f: np.average([m for _, m in of], weights=[w for w, _ in of]) for f, of in common.items()}
    step = np.array([measured[k, f] - mean[f] for k, f in edges])
    value = np.linalg.solve(rows.T @ (w[:, None] * rows) + 1e-8 * np.eye(count), rows.T @ (w * step))
    residual = np.abs(rows @ value - step)
    sigma = max(1.4826 * np.median(residual), 1e-3 * np.sqrt(np.mean(step**2)) + 1e-12)
    robust = {e: 1 / max(1.0, r / (8 * sigma)) for e, r in zip(edges, residual, strict=True)}
    return value[: len(snippets)], robust


def slow_coalign(snippets: Snippets, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Scale and shift after so many iterations."""
    values = np.asarray(snippets.values[:])
    rows = [
        (k, int(f), values[k, slot])
        for k in range(len(snippets))
        for slot, f in enumerate(snippets.frames[k])
    ]
    middle = {(k, f): lower_median(x) for k, f, x in rows}
    pivot = np.array([np.mean([m for (k, _), m in middle.items() if k == of]) for of in range(len(snippets))])
    robust_scale = dict.fromkeys(middle, 1.0)
    robust_level = dict.fromkeys(middle, 1.0)
    contrast = {(k, f): np.log(np.mean(np.abs(x - lower_median(x)))) for k, f, x in rows}
    for _ in range(3):
        log_scale, robust_scale = slow_graph(snippets, contrast, robust_scale)
    scale = np.exp(log_scale)
    start = {(k, f): scale[k] * (middle[k, f] - pivot[k]) for k, f, _ in rows}
    for _ in range(3):
        level, robust_level = slow_graph(snippets, start, robust_level)
    for _ in range(steps):
        ratio, evidence, certainty, mean_of, own = {}, {}, {}, {}, {}
        for frame in range(snippets.count):
            of = [(k, x) for k, f, x in rows if f == frame]
            y = np.array([scale[k] * (x - pivot[k]) + level[k] for k, x in of])
            for (k, _), (share, at, m, var, var_m, like) in zip(of, slow_rows(y), strict=True):
                edge = (k, frame)
                certainty[edge] = share / (1 - like**2 + 0.01) * (1 if like > 0.05 else 1e-3)
                evidence[edge] = certainty[edge] * like**2 if like > 0.05 else 0.0
                ratio[edge] = 0.5 * np.log(var / var_m)
                own[edge], mean_of[edge] = (at - level[k]) / scale[k], m
        used = {edge: evidence[edge] * robust_scale[edge] for edge in evidence}
        change, fresh = slow_graph(snippets, ratio, used)
        robust_scale |= fresh
        scale = scale * np.exp(change)
        off = {(k, f): level[k] + scale[k] * own[k, f] - mean_of[k, f] for k, f in own}
        step, robust_level = slow_graph(
            snippets, off, {edge: certainty[edge] * robust_level[edge] for edge in certainty}
        )
        level = level + step
        scale, level = scale / scale.mean(), level / scale.mean()
        level = level - (level - scale * pivot).mean()
    return scale, level - scale * pivot


@pytest.mark.parametrize("gross", [False, True])
def test_the_fast_path_agrees_with_the_slow_one(gross: bool) -> None:
    case = case_of(truth_of(9, 24), *frames_of(9, (1, 3)), noise=0.02, outliers=0.05)
    snippets = case.snippets
    if gross:  # one frame of a snippet is another picture: its edges must lose their pull
        values = np.asarray(snippets.values[:]).copy()
        values[2, 1] = 60 * np.random.default_rng(4).uniform(size=24) - 20
        snippets = replace(snippets, values=values)
    for steps in (1, 3):
        found = coalign(snippets, steps=steps, tolerance=0)
        scale, shift = slow_coalign(snippets, steps)
        np.testing.assert_allclose(found.scale, scale, rtol=1e-6)
        np.testing.assert_allclose(found.shift, shift, atol=1e-6)
