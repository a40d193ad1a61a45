"""How far a new view may go: worked out by hand on a box before a wall."""

import math

import numpy as np
import pytest

from blender_addon.result.safe_range import WIDEST, safe_range


def two_layers() -> np.ndarray:
    """A wall at 4, before it a box at 2 of 10x20 pixels in a picture of 40x100."""
    z = np.full((40, 100), 4.0, np.float32)
    z[10:30, 45:55] = 2
    return z


def test_holes_of_a_box_before_a_wall():
    found = safe_range(two_layers(), 80, 80, 50, 20, holes=0.03)
    assert (found.near, found.median) == (2, 4)
    # A shift by t opens 20 rows of 80·t·(1/2 − 1/4) pixels, of which half a one does not count, of 4000:
    # 20·(20·t − 0.5) = 0.03·4000.
    assert found.sideways == pytest.approx(0.325)
    assert found.yaw == pytest.approx(math.atan(0.325 / 4))
    # Up or down it is 10 columns: 10·(20·t − 0.5) = 120.
    assert found.upwards == pytest.approx(0.625)
    # Back by t a pixel at u moves by u·t/z: box edges at ±5 columns (20 rows each) and ±10 rows (10 columns
    # each): 40·(5·t/4 − 0.5) + 20·(10·t/4 − 0.5) = 120.
    assert found.along == pytest.approx(1.5)


def test_gentle_slopes_and_missing_depth_open_nothing():
    slope = np.tile(np.linspace(4, 4.4, 100, dtype=np.float32), (40, 1))
    slope[:, 90:] = np.inf
    found = safe_range(slope, 80, 80, 50, 20, holes=0.001)
    assert found.yaw == pytest.approx(WIDEST)
    assert found.pitch == pytest.approx(WIDEST)
