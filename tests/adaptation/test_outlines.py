"""Outlines that are lost are noticed; moved, scaled and kept ones are not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vdepth_core.adaptation.outlines import SOFT, outlines_kept


@pytest.fixture
def disc() -> np.ndarray:
    """A near disc before a slanted ground, as disparity."""
    rows, columns = np.mgrid[:96, :160].astype(np.float32)
    ground = 0.2 + 0.3 * rows / 96
    return np.where((rows - 48) ** 2 + (columns - 80) ** 2 < 30**2, 0.9, ground).astype(np.float32)


def test_a_map_keeps_all_of_its_own_outlines(disc: np.ndarray) -> None:
    assert outlines_kept(disc, disc) == pytest.approx(1)


def test_an_outline_that_moved_a_little_is_kept(disc: np.ndarray) -> None:
    moved = np.roll(disc, 2, axis=1)
    moved[:, :2] = disc[:, :2]
    assert outlines_kept(disc, moved) == pytest.approx(1, abs=0.1)


def test_the_softer_the_less_is_kept(disc: np.ndarray) -> None:
    kept = [outlines_kept(disc, cv2.GaussianBlur(disc, (0, 0), sigma)) for sigma in (1, 2, 4)]
    assert None not in kept
    assert 1 > kept[0] > kept[1] > kept[2]
    assert kept[2] < SOFT / 2


def test_a_wall_has_no_outlines() -> None:
    wall = np.tile(np.linspace(0, 1, 2000, dtype=np.float32), (40, 1))
    assert outlines_kept(wall, wall) is None
    assert outlines_kept(np.ones((40, 60), np.float32), wall[:, :60]) is None
