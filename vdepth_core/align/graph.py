"""Robust values on a graph of measured differences: what all alignments come down to.

The logarithm of a scale and the level of a map both add up along a chain, so co-alignment is v[j] − v[i] ≈
step over edges (i, j): between frames for `pairs`, between snippets and frames for `joint`. The normal
equations are a graph Laplacian, banded in time, and robustness is a re-weighting of the edges (IRLS).
"""

from __future__ import annotations

import numpy as np

from .scale_shift import MAD_TO_SIGMA

PRIOR = 1e-8  # ties every node weakly to 0: the gauge of the graph and of its islands
HUBER, CAUCHY = 1.345, 2.385  # 95 % efficiency under Gaussian noise
_ITERATIONS, _FINISH = 10, 4
_LEAST_BLOCK = 16  # nodes; smaller ones cost more in calls than they save in work


def solve_graph(
    count: int, i: np.ndarray, j: np.ndarray, step: np.ndarray, weight: np.ndarray, prior: float = PRIOR
) -> np.ndarray:
    """Values v (N,) with v[j] − v[i] ≈ step, robustly (Huber: convex, so no start can trap it), weakly tied
    to 0.

    Args:
        count: N.
        i, j: (E,) node indices.
        step: (E,) measured differences.
        weight: (E,) ≥ 0.
        prior: Weight of v ≈ 0 relative to the median edge weight.
    """
    value = np.zeros(count)
    use = weight > 0
    if not use.any():
        return value
    i, j, step, weight = i[use], j[use], step[use], weight[use]
    weight = weight / np.median(weight)
    robust = weight
    for iteration in range(_ITERATIONS + _FINISH):
        value = solve_laplacian(count, i, j, step, robust, prior)
        # convex first; from there on gross errors may be forgotten
        robust = weight * edge_weights(value[j] - value[i] - step, step, forget=iteration >= _ITERATIONS)
    return value


def edge_weights(
    residual: np.ndarray, step: np.ndarray, *, huber: float = HUBER, forget: bool = False
) -> np.ndarray:
    """Robust weights (E,) in (0, 1] of edges.

    Args:
        residual, step: (E,) what is left of the measured steps.
        huber: Robust standard deviations up to which an edge has its full weight; then its pull is constant.
        forget: Redescending weights instead.
    """
    residual = np.abs(residual)
    floor = 1e-3 * float(np.sqrt(np.mean(step * step))) + 1e-12
    sigma = max(MAD_TO_SIGMA * float(np.median(residual)), floor)
    if forget:
        return np.asarray(1.0 / (1.0 + (residual / (CAUCHY * sigma)) ** 2) ** 2)
    return np.asarray(1.0 / np.maximum(1.0, residual / (huber * sigma)))


def solve_laplacian(
    count: int, i: np.ndarray, j: np.ndarray, step: np.ndarray, weight: np.ndarray, prior: float
) -> np.ndarray:
    """(L + prior) v = b by block-tridiagonal elimination, blocks as long as the longest edge: linear in N.

    Arguments are those of `solve_graph`, without its robustness and its scaling of the weights.
    """
    i, j, step = np.minimum(i, j), np.maximum(i, j), np.where(i < j, step, -step)
    block = max(_LEAST_BLOCK, int((j - i).max()))
    blocks = -(-count // block)
    size = blocks * block
    diagonal = np.zeros((blocks, block, block))
    upper = np.zeros((blocks, block, block))  # couples block b with b + 1
    right = np.zeros(size)
    np.add.at(right, j, weight * step)
    np.add.at(right, i, -weight * step)
    own = np.full(size, prior)
    np.add.at(own, i, weight)
    np.add.at(own, j, weight)
    index = np.arange(size)
    diagonal[index // block, index % block, index % block] = own
    bi, bj = i // block, j // block
    same = bi == bj
    np.add.at(diagonal, (bi[same], i[same] % block, j[same] % block), -weight[same])
    np.add.at(diagonal, (bi[same], j[same] % block, i[same] % block), -weight[same])
    cross = ~same
    np.add.at(upper, (bi[cross], i[cross] % block, j[cross] % block), -weight[cross])

    part = right.reshape(blocks, block)
    gain = np.zeros_like(upper)
    for b in range(blocks):
        if b:
            diagonal[b] -= upper[b - 1].T @ gain[b - 1]
            part[b] = part[b] - upper[b - 1].T @ part[b - 1]
        solved = np.linalg.solve(diagonal[b], np.column_stack([upper[b], part[b]]))
        gain[b], part[b] = solved[:, :-1], solved[:, -1]
    for b in range(blocks - 2, -1, -1):
        part[b] -= gain[b] @ part[b + 1]
    return part.reshape(-1)[:count]


def connected_parts(count: int, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Connected part (N,) of every node, numbered 0, 1, … by first node, through edges (E,) i to j.

    Args:
        count: Number of nodes N.
        i, j: Node numbers at the ends of each edge.
    """
    parent = list(range(count))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b in zip(i.tolist(), j.tolist(), strict=True):
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    roots = np.array([root(node) for node in range(count)], dtype=np.int64)
    return np.asarray(np.unique(roots, return_inverse=True)[1], np.int64)
