"""The robust graph: agreement with dense algebra, gross errors, parts."""

from __future__ import annotations

import numpy as np
import pytest

from vdepth_core.align.graph import PRIOR, connected_parts, edge_weights, solve_graph, solve_laplacian


def edges(count: int, reach: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A chain with shortcuts of up to ``reach`` nodes, half of them backwards: i, j, step, weight."""
    rng = np.random.default_rng(seed)
    i = np.concatenate([np.arange(count - 1), rng.integers(0, count - reach, count)])
    j = np.concatenate([np.arange(1, count), i[count - 1 :] + rng.integers(1, reach + 1, count)])
    back = rng.uniform(size=len(i)) < 0.5
    i, j = np.where(back, j, i), np.where(back, i, j)
    return i, j, rng.normal(size=len(i)), rng.uniform(0.1, 2, len(i))


@pytest.mark.parametrize(("count", "reach"), [(10, 3), (61, 20), (200, 33), (90, 80)])
def test_block_elimination_agrees_with_a_dense_solution(count: int, reach: int) -> None:
    i, j, step, weight = edges(count, reach)
    rows = np.zeros((len(i), count))
    rows[np.arange(len(i)), j], rows[np.arange(len(i)), i] = 1, -1
    normal = rows.T @ (weight[:, None] * rows) + 1e-3 * np.eye(count)
    dense = np.linalg.solve(normal, rows.T @ (weight * step))
    np.testing.assert_allclose(solve_laplacian(count, i, j, step, weight, 1e-3), dense, atol=1e-10)


def test_graph_solution_agrees_with_a_dense_one() -> None:
    rng = np.random.default_rng(3)
    i = np.concatenate([np.arange(29), np.arange(22)])
    j = np.concatenate([np.arange(1, 30), np.arange(22) + 8])
    step = rng.normal(size=len(i)) * 1e-3 + (j - i) * 0.1
    value = solve_graph(30, i, j, step, np.ones(len(i)))
    rows = np.zeros((len(i), 30))
    rows[np.arange(len(i)), i], rows[np.arange(len(i)), j] = -1, 1
    residual = np.abs(rows @ value - step)
    dense = np.linalg.lstsq(rows, step, rcond=None)[0]
    assert residual.sum() <= np.abs(rows @ dense - step).sum() + 1e-9  # robust: no larger an L1 sum
    np.testing.assert_allclose(np.diff(value), np.diff(dense), atol=3e-3)


def test_gross_edges_are_outvoted() -> None:
    i = np.concatenate([np.arange(80 - offset) for offset in range(1, 6)])
    j = i + np.repeat(np.arange(1, 6), [80 - offset for offset in range(1, 6)])
    truth = np.random.default_rng(1).normal(size=80)
    step = truth[j] - truth[i]
    step[::9] += 3
    value = solve_graph(80, i, j, step, np.ones(len(i)))
    np.testing.assert_allclose(value - value.mean(), truth - truth.mean(), atol=1e-2)


def test_edge_weights_fall_with_the_residual_and_redescend_when_told() -> None:
    residual = np.array([0.0, 0.1, -0.1, 0.1, 5.0, -50.0])
    huber, forgetful = (edge_weights(residual, np.ones(6), forget=forget) for forget in (False, True))
    assert (huber[:4] == 1).all()
    assert (edge_weights(residual, np.ones(6), huber=50) == 1).sum() == 5
    assert huber[5] == pytest.approx(huber[4] / 10)  # bounded pull
    assert forgetful[5] < forgetful[4] * 1e-3  # none
    assert (edge_weights(np.zeros(3), np.ones(3), forget=True) == 1).all()


def test_edge_weights_are_hubers_and_cauchys() -> None:
    """Huber 1.345 σ, then the square of Cauchy's 2.385 σ; σ is 1.4826 times the median."""
    residual = np.array([0.5, 1.0, -1.0, 2.0, -3.0, 4.0, 40.0])
    u = np.abs(residual) / (1.4826 * 2.0)
    np.testing.assert_allclose(edge_weights(residual, np.ones(7)), np.minimum(1, 1.345 / np.maximum(u, 1e-9)))
    np.testing.assert_allclose(edge_weights(residual, np.ones(7), huber=8), np.minimum(1, 8 / u))
    np.testing.assert_allclose(
        edge_weights(residual, np.ones(7), forget=True), (1 + (u / 2.385) ** 2) ** -2.0
    )
    # where most edges agree exactly, a thousandth of the steps' own size is noise
    lone = np.array([0.0, 0.0, 0.1])
    assert edge_weights(lone, np.full(3, 2.0))[2] == pytest.approx(1.345 * 1e-3 * 2 / 0.1)
    assert edge_weights(1e-3 * lone, np.zeros(3))[2] < 1e-6


def test_the_unit_of_the_weights_does_not_matter_and_edges_without_say_nothing() -> None:
    i, j, step, weight = edges(40, 5)
    one = solve_graph(40, i, j, step, weight)
    np.testing.assert_allclose(solve_graph(40, i, j, step, 1000 * weight), one, atol=1e-9)
    more = solve_graph(40, np.append(i, 0), np.append(j, 39), np.append(step, 99), np.append(weight, 0))
    np.testing.assert_allclose(more, one, atol=1e-9)
    assert solve_graph(3, i[:1], j[:1], step[:1], np.zeros(1)).tolist() == [0, 0, 0]


def test_gross_edges_are_forgotten_once_the_rest_stands() -> None:
    """Not only bounded: of five measurements of one step a wrong one leaves no trace."""
    i, j = np.zeros(5, int), np.ones(5, int)
    for wrong in (10.0, 1000.0):
        value = solve_graph(2, i, j, np.array([1.0, 1.01, 0.99, 1.0, wrong]), np.ones(5))
        assert value[1] - value[0] == pytest.approx(1, abs=2e-3)


def test_islands_are_tied_to_zero_one_by_one() -> None:
    i, j = np.array([0, 1, 4]), np.array([1, 2, 5])
    value = solve_laplacian(7, i, j, np.array([1.0, 1.0, 4.0]), np.ones(3), PRIOR)
    np.testing.assert_allclose(value, [-1, 0, 1, 0, -2, 2, 0], atol=1e-6)
    assert connected_parts(7, i, j).tolist() == [0, 0, 0, 1, 2, 2, 3]
    assert connected_parts(3, np.array([2, 2]), np.array([1, 0])).tolist() == [0, 0, 0]
