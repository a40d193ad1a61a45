"""The bundle's derivatives are those of its cost, and a scene that was disturbed is found again."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from vdepth_core.geometry.bundle import Normal, Rules, Scene, Sight, adjust, cost_of, look, moved, rescaled

K = np.array(((150.0, 0, 79.5), (0, 160.0, 59.5), (0, 0, 1)))
FRAMES, POINTS = 4, 12


def exact() -> tuple[list[Sight], Scene]:
    """Points of two frames, seen without any error."""
    rng = np.random.default_rng(2)
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    for t in range(FRAMES):
        poses[t, :3, :3] = cv2.Rodrigues(0.03 * t * rng.normal(size=3))[0]
        poses[t, :3, 3] = 0.08 * t * rng.normal(size=3)
    inverse = [rng.uniform(0.1, 1, POINTS) for _ in range(2)]
    scene = Scene(poses, inverse, K)
    sights = []
    for anchor, own in zip((0, 2), inverse, strict=True):
        targets = np.array([t for t in range(FRAMES) if t != anchor])
        pixels = rng.uniform((10, 10), (150, 110), (POINTS, 2))
        blank = np.zeros((POINTS, len(targets), 2))
        weight = rng.uniform(0.2, 1, blank.shape[:2])
        weight[0, 0] = 0
        sight = Sight(anchor, targets, pixels, blank, weight, own * 1.2, np.full(POINTS, 0.3))
        sights.append(replace(sight, seen=look(sight, own, scene)[0]))
    return sights, scene


def disturbed(scene: Scene, size: float) -> Scene:
    rng = np.random.default_rng(3)
    change = size * rng.normal(size=(FRAMES, 6))
    change[0] = 0
    inverse = [own * np.exp(3 * size * rng.normal(size=POINTS)) for own in scene.inverse]
    return Scene(
        moved(scene.poses, change), inverse, scene.K * np.array(((1.03, 1, 1), (1, 1.03, 1), (1, 1, 1)))
    )


def derivatives(sights: list[Sight], scene: Scene, rules: Rules) -> tuple[np.ndarray, list[np.ndarray]]:
    """Of half the cost, by differences: six numbers a frame and the focal length's logarithm; each point."""
    step = 1e-6

    def slope(change: object) -> float:
        return (cost_of(sights, change(step), rules) - cost_of(sights, change(-step), rules)) / (4 * step)  # type: ignore[operator]

    def pose(frame: int, axis: int) -> object:
        unit = np.zeros((FRAMES, 6))
        unit[frame, axis] = 1
        return lambda h: replace(scene, poses=moved(scene.poses, h * unit))

    def lens(h: float) -> Scene:
        factor = np.exp(h)
        return replace(scene, K=scene.K * np.array(((factor, 1, 1), (1, factor, 1), (1, 1, 1))))

    def point(place: int, number: int) -> object:
        def change(h: float) -> Scene:
            inverse = [own.copy() for own in scene.inverse]
            inverse[place][number] += h
            return replace(scene, inverse=inverse)

        return change

    cameras = [slope(pose(frame, axis)) for frame in range(FRAMES) for axis in range(6)]
    points = [np.array([slope(point(place, n)) for n in range(POINTS)]) for place in range(len(sights))]
    return np.array([*cameras, slope(lens)]), points


@pytest.mark.parametrize("belief", [0.0, 40.0])
def test_gradient_is_that_of_the_cost(belief: float) -> None:
    sights, truth = exact()
    scene = disturbed(truth, 0.01)
    rules = Rules(robust=2.0, focal=True, focal_belief=belief, focal_expected=140.0)
    cameras, points = derivatives(sights, scene, rules)
    normal = Normal(sights, scene, rules)
    np.testing.assert_allclose(normal._gradient, cameras, rtol=1e-5, atol=1e-4 * np.abs(cameras).max())
    for (_, _, slope, _), expected in zip(normal._points, points, strict=True):
        np.testing.assert_allclose(slope, expected, rtol=1e-5, atol=1e-4 * np.abs(expected).max())


def test_a_disturbed_scene_is_found_again() -> None:
    sights, truth = exact()
    sights = [replace(sight, belief=np.zeros(POINTS)) for sight in sights]
    start = disturbed(truth, 0.01)
    rules = Rules(focal=True, iterations=100, enough=0.0)
    found = adjust(sights, start, rules)
    assert cost_of(sights, found, rules) < 1e-6 * cost_of(sights, start, rules)
    assert found.K[0, 0] / found.K[1, 1] == pytest.approx(K[0, 0] / K[1, 1])
    assert found.K[0, 0] == pytest.approx(K[0, 0], rel=0.01)
    scale = np.linalg.norm(truth.poses[-1, :3, 3]) / np.linalg.norm(found.poses[-1, :3, 3])
    whole = rescaled(found, 1 / scale)  # the unit is anybody's
    np.testing.assert_allclose(whole.poses, truth.poses, atol=2e-3)
    np.testing.assert_allclose(np.concatenate(whole.inverse), np.concatenate(truth.inverse), rtol=0.02)


def test_what_is_fixed_stays() -> None:
    sights, truth = exact()
    start = disturbed(truth, 0.01)
    found = adjust(sights, start, Rules(fixed=frozenset((0, 2)), points=False))
    assert np.array_equal(found.poses[[0, 2]], start.poses[[0, 2]])
    assert not np.allclose(found.poses[[1, 3]], start.poses[[1, 3]])
    assert np.array_equal(found.K, start.K)
    assert all(np.array_equal(one, other) for one, other in zip(found.inverse, start.inverse, strict=True))
