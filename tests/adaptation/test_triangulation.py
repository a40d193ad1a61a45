"""Depth from flow between known cameras: exact where flow is, and honest where it is not."""

from __future__ import annotations

import numpy as np
import pytest

from vdepth_core.adaptation.depths import trust_of
from vdepth_core.adaptation.triangulation import triangulate

HEIGHT, WIDTH = 12, 20
K = np.array(((30.0, 0, 9.5), (0, 30, 5.5), (0, 0, 1)))


def pose(x: float, z: float = 0.0, yaw: float = 0.0) -> np.ndarray:
    made = np.eye(4)
    made[:3, :3] = ((np.cos(yaw), 0, np.sin(yaw)), (0, 1, 0), (-np.sin(yaw), 0, np.cos(yaw)))
    made[:3, 3] = x, 0, z
    return made


def flow_of(depth: np.ndarray, move: np.ndarray) -> np.ndarray:
    """Where each pixel goes, one after the other."""
    flow = np.empty((HEIGHT, WIDTH, 2), np.float32)
    for v in range(HEIGHT):
        for u in range(WIDTH):
            point = depth[v, u] * np.linalg.inv(K) @ (u, v, 1)
            x, y, z = K @ (move @ (*point, 1))[:3]
            flow[v, u] = x / z - u, y / z - v
    return flow


@pytest.fixture(scope="module")
def depth() -> np.ndarray:
    return np.random.default_rng(3).uniform(1.5, 6, (HEIGHT, WIDTH))


def test_exact_flow_gives_exact_depth(depth: np.ndarray) -> None:
    moves = [pose(0.2, 0.1, 0.05), pose(-0.3, -0.2, -0.02)]
    flows = np.stack([flow_of(depth, move) for move in moves])
    inverse, error = triangulate(flows, np.ones(flows.shape[:3]), K, np.stack(moves))
    np.testing.assert_allclose(inverse, 1 / depth, atol=1e-4)
    assert (error > 0).all()
    assert trust_of(inverse, error).min() > 0.1


def test_a_wrong_source_is_outvoted(depth: np.ndarray) -> None:
    moves = [pose(0.2), pose(-0.2), pose(0.1, 0.1), pose(-0.1, 0.1)]
    flows = np.stack([flow_of(depth, move) for move in moves])
    flows[0] += 5
    inverse, _ = triangulate(flows, np.ones(flows.shape[:3]), K, np.stack(moves))
    assert np.median(np.abs(inverse * depth - 1)) < 0.03


def test_what_nobody_sees_or_no_ray_parts_for_is_not_known(depth: np.ndarray) -> None:
    flows = np.stack([flow_of(depth, pose(0.2))])
    inverse, error = triangulate(flows, np.zeros(flows.shape[:3]), K, pose(0.2)[None])
    assert np.isinf(error).all()
    assert (trust_of(inverse, error) == 0).all()
    turned = pose(0, yaw=0.1)
    _, error = triangulate(flow_of(depth, turned)[None], np.ones((1, HEIGHT, WIDTH)), K, turned[None])
    assert np.isinf(error).all()
    small, large = (
        triangulate(flow_of(depth, pose(x))[None], np.ones((1, HEIGHT, WIDTH)), K, pose(x)[None])[1]
        for x in (0.4, 0.1)
    )
    assert (small < large).all()
