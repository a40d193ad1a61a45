"""How far a new view may go: worked out by hand on a box before a wall."""

import math

import numpy as np
import pytest

from blender_addon.result.manifest import Camera
from blender_addon.result.safe_range import WIDEST, SafeRange, step

CAMERA = Camera(800, 800, 500, 200, "given")


def two_layers() -> np.ndarray:
    """A wall at 4, before it a box at 2 of 100x200 pixels in a picture of 400x1000."""
    z = np.full((400, 1000), 4.0, np.float32)
    z[100:300, 450:550] = 2
    return z


def measured(*frames: np.ndarray, distance: float = 4.0, holes: float = 0.03) -> SafeRange:
    safe = SafeRange(CAMERA, distance, 0.1, holes)
    for z in frames:
        safe.add(z)
    return safe


def test_holes_of_a_box_before_a_wall():
    found = measured(two_layers())
    assert found.near == 2
    # The wall is where the picture is held still. A shift by t opens 200 rows of 800·t·(1/2 − 1/4) pixels:
    # 40000·t = 0.03·400000.
    assert found.limits["parallax"] == pytest.approx(0.3, rel=0.01)
    # From s farther away, the picture's sides open, and a rim around the box.
    back = found.limits["farther"]
    wall, box = (4 / (4 + back)) ** 2, (2 / (2 + back)) ** 2
    assert 1 - wall + 0.05 * (wall - box) == pytest.approx(0.03, rel=0.1)


def test_the_pictures_border_counts():
    wall = np.full((400, 1000), 4.0, np.float32)
    # Turned around a point on it, a wall leaves nothing open but at the picture's border; held still at 8
    # rather than at 4, it moves by 800·t·(1/4 − 1/8) pixels: 100·t = 0.03·1000.
    assert measured(wall, distance=8.0).limits["parallax"] == pytest.approx(0.3, rel=0.01)
    assert measured(wall, distance=4.0).limits["parallax"] == pytest.approx(4 * math.tan(WIDEST))


def test_the_worst_frame_counts():
    wall = np.full((400, 1000), 4.0, np.float32)
    found = measured(wall, two_layers(), wall)
    assert found.frames == 3
    assert found.limits == pytest.approx(measured(two_layers()).limits, rel=0.01)


def test_missing_depth_is_not_counted_at_rest():
    z = two_layers()
    z[:80] = np.inf
    assert measured(z).limits["parallax"] == pytest.approx(0.3, rel=0.01)


def test_a_floor_is_whole_and_a_silhouette_is_cut():
    floor = 0.004 * (np.arange(30) + 0.5)
    assert not step(floor, 0.1).any()
    floor[20:] += 0.5
    assert step(floor, 0.1).tolist() == [index == 19 for index in range(29)]
    floor[5] = 0
    assert step(floor, 0.1)[[4, 5]].all()
