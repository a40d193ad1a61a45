"""Upright lines tell how the ground's disparity must be shifted, whichever way the camera turns."""

import numpy as np
import pytest

from vdepth_core.geometry.ground_shift import agreement, shift_by_uprights, uprights, ways_of_uprights
from vdepth_core.geometry.lines import Lines

SHIFT, EYE = -0.2, 1.6
PITCHES = np.radians(np.linspace(4, 9, 6))  # a quick tilt
DOWNS = np.stack([0.1 * np.ones(6), np.cos(PITCHES), np.sin(PITCHES)], 1)
DOWNS /= np.linalg.norm(DOWNS, axis=1, keepdims=True)
PLANES = DOWNS / EYE - np.array((0, 0, SHIFT))


def lines_of(ends: np.ndarray) -> Lines:
    """Segments (N, 2, 2) at z = 1."""
    rays = np.concatenate([ends, np.ones((len(ends), 2, 1))], 2)
    normals = np.cross(rays[:, 0], rays[:, 1])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return Lines(normals, ends.mean(1), ends[:, 1] - ends[:, 0])


def seen(down: np.ndarray, chance: np.random.Generator) -> Lines:
    """Twenty uprights, and as many lines that go anywhere."""
    foot = np.concatenate(
        [chance.uniform(-0.5, 0.5, (20, 1)), chance.uniform(0, 0.4, (20, 1)), np.ones((20, 1))], 1
    )
    head = foot - 0.3 * down
    ends = np.stack([foot[:, :2] / foot[:, 2:], head[:, :2] / head[:, 2:]], 1)
    return lines_of(np.concatenate([ends, chance.uniform(-0.5, 0.5, (20, 2, 2))]))


@pytest.fixture
def shot() -> list[Lines]:
    chance = np.random.default_rng(3)
    return [uprights(seen(down, chance), plane) for down, plane in zip(DOWNS, PLANES, strict=True)]


def degrees(ways: np.ndarray) -> np.ndarray:
    unit = ways / np.linalg.norm(ways, axis=1, keepdims=True)
    return np.degrees(np.arccos(np.clip((unit * DOWNS).sum(1), -1, 1)))


def test_all_frames_vote_for_one_shift(shot):
    shift = shift_by_uprights(PLANES, shot)
    assert shift == pytest.approx(SHIFT, abs=0.002)
    ways = PLANES + np.array((0, 0, shift))
    assert degrees(ways).max() < 0.1
    assert agreement(ways, shot)[1] >= 20


def test_lines_alone_follow_the_tilt_where_the_ground_leans(shot):
    leaning = PLANES + np.array((0.06, 0, 0))
    with_ground = agreement(leaning + np.array((0, 0, shift_by_uprights(leaning, shot))), shot)
    ways = ways_of_uprights(shot)
    assert agreement(ways, shot)[0] > with_ground[0]
    assert degrees(ways).max() < 1.0


def test_without_lines_nothing_is_told():
    none = [lines_of(np.zeros((0, 2, 2)))] * len(PLANES)
    assert shift_by_uprights(PLANES, none) is None
    assert ways_of_uprights(none) is None
