"""R_x: the fast search is the slow one, and degenerate pictures do no harm."""

import boost_pictures as pictures
import numpy as np
import plan_reference as slow
import pytest

from vdepth_core.refiners.boost.search import (
    edge_strength,
    is_textureless,
    receptive_resolution,
    search_sizes,
)

PICTURES = {
    "noise": pictures.noise(300, 421),
    "blobs": pictures.noise(700, 330, 1),
    "forms": pictures.forms(480, 640),
    "portrait": pictures.forms(500, 281, 2),
    "ramp": pictures.ramp(200, 300),
    "dot": pictures.dot(400, 700),
    "black": np.zeros((160, 250, 3)),
    "strip": pictures.noise(40, 600, 3),
    "line": pictures.noise(1, 500, 4),
    "small": pictures.forms(99, 150, 5),
}


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("base", [384, 448, 256])
def test_the_slow_search_says_the_same(name, base):
    rgb = PICTURES[name]
    if 3 * max(rgb.shape) // 32 <= base // 32:
        return
    fast = edge_strength(rgb)
    np.testing.assert_array_equal(fast, slow.gradients(rgb))
    if base // 128 != 3:  # the published window is of 3 for both published sizes
        assert receptive_resolution(fast, max(rgb.shape), base, 0.2)[0] >= base
        return
    for share in (0, 0.2):
        assert receptive_resolution(fast, max(rgb.shape), base, share) == slow.receptive_resolution(
            rgb, base, share
        )


def test_pictures_differ_in_what_they_stand():
    found = {
        name: receptive_resolution(edge_strength(p), max(p.shape), 384, 0.2) for name, p in PICTURES.items()
    }
    assert found["dot"][0] == 384
    assert found["noise"][0] > found["forms"][0] >= 384
    assert found["dot"][1] < 0.1 < found["noise"][1]


def test_bytes_are_floats():
    rgb = pictures.forms(120, 90)
    levels = np.round(rgb * 255).astype(np.uint8)
    np.testing.assert_array_equal(edge_strength(levels), edge_strength(levels / 255))


def test_strips_leave_no_seam():
    rgb = pictures.noise(600, 40)  # three strips
    np.testing.assert_array_equal(edge_strength(rgb), slow.gradients(rgb))


def test_tiny_pictures_are_not_searched():
    """int(3 · 138 / 32) = 12 = 384 / 32, the first size: the range is empty."""
    assert not search_sizes(138, 384)
    assert search_sizes(139, 384) == range(12, 13, 6)
    assert not search_sizes(159, 448)
    assert search_sizes(160, 448) == range(14, 15, 7)
    assert receptive_resolution(np.ones((100, 138)), 138, 384, 0.2) == (384, 1.0)


def test_the_largest_size_is_below_3000():
    assert search_sizes(5000, 384) == range(12, 93, 6)
    black = edge_strength(np.zeros((1000, 1000, 3), np.uint8))
    assert receptive_resolution(black, 1000, 384, 0.2) == (90 * 32, 1.0)  # all edges, as published


def test_a_size_below_64_pixels_still_moves_on():
    assert search_sizes(100, 32) == range(1, 9, 1)
    assert receptive_resolution(np.ones((80, 100)), 100, 32, 0.2) == (256, 1.0)


def test_what_has_texture():
    black, step, edge = (
        np.zeros((50, 60, 3), np.uint8),
        np.zeros((50, 60, 3), np.uint8),
        np.zeros((50, 60, 3)),
    )
    step[::2, ::3] = 1  # noise of one level, as codecs leave in black
    edge[:, 30:] = 0.1
    assert is_textureless(edge_strength(black))
    assert is_textureless(edge_strength(black + np.uint8(131)))
    assert is_textureless(edge_strength(step))
    assert not is_textureless(edge_strength(edge))
    assert is_textureless(edge_strength(np.zeros((1, 1, 3))))
