"""Tiles: where they stand, which stay, how far they grow."""

import tracemalloc

import boost_pictures as pictures
import numpy as np
import plan_reference as slow
import pytest

from vdepth_core.refiners.boost.image_plan import ImagePlan, Patch, plan_image, resized_picture, working_size
from vdepth_core.refiners.boost.search import edge_strength, receptive_resolution
from vdepth_core.refiners.boost.tiles import candidate_tiles, select_tiles


def test_ends_are_exclusive():
    """Stride 24, centres from 32: 32 and 56 of 88 columns, for 88 - 32 = 56 is no centre any more."""
    assert candidate_tiles((65, 88), 32) == [Patch(0, 0, 64, 64)]
    assert candidate_tiles((65, 89), 32) == [Patch(0, 0, 64, 64), Patch(24, 0, 64, 64)]
    assert candidate_tiles((64, 500), 32) == []
    assert candidate_tiles((89, 89), 32)[1] == Patch(0, 24, 64, 64)  # column by column


def test_growth_may_touch_the_border():
    """A step of 32 adds 16 on either side: the tile at 72..136 of 200 grows four times, to 8..200."""
    tiles = select_tiles(np.ones((200, 200)), 32, 1.0)
    assert Patch(8, 8, 192, 192) in tiles
    assert Patch(0, 0, 64, 64) in tiles
    assert Patch(8, 32, 96, 96) in tiles  # 24..88 across grows once: 16 further is out


def test_growth_ends_where_edges_thin_out():
    gradients = np.zeros((400, 400))
    gradients[168:232, 168:232] = 1  # 64 · 64 pixels,
    gradients[:, :8] = 1  # and 3200 more: the density of all is .0456
    tiles = select_tiles(gradients, 32, 0.5)
    (middle,) = (tile for tile in tiles if (tile.x + tile.width / 2, tile.y + tile.height / 2) == (200, 200))
    assert middle == Patch(72, 72, 256, 256)  # .0625 of it; 320 pixels wide it would be .04


def test_nothing_to_select():
    assert select_tiles(np.zeros((300, 300)), 32, 1.0) == ()


def test_largest_first_and_stable():
    rgb = pictures.noise(500, 700)
    widths = [tile.width for tile in select_tiles(edge_strength(rgb), 64, 1.0)]
    assert len(set(widths)) > 1
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("max_size", [1900, 2600])
@pytest.mark.parametrize(
    ("name", "rgb"),
    [
        ("noise", pictures.noise(300, 421)),
        ("portrait", pictures.forms(500, 281, 2)),
        ("square", pictures.noise(333, 333, 7)),
        ("dot", pictures.dot(150, 260)),
    ],
)
def test_the_slow_plan_is_the_same(name, rgb, max_size):
    plan = plan_image(rgb, 384, max_size)
    whole, density = slow.receptive_resolution(rgb, 384, 0.2)
    size, rects = slow.patches(rgb, 384, whole, density, max_size)
    assert (plan.base, plan.whole, plan.size) == (384, whole, size)
    assert [list(patch) for patch in plan.patches] == rects
    assert rects


def test_working_size_by_hand():
    assert working_size((1000, 2000), 1000, 0.9, 9999) == (1.0, (1000, 2000))  # 4 · .9 · 1000 / 3000 > 1
    assert working_size((1000, 2000), 600, 0.5, 9999) == (0.4, (1500, 3000))
    assert working_size((1000, 2000), 384, 0.1, 9999) == (0.2, (1920, 3840))  # never below .2
    assert working_size((2000, 1000), 600, 0.5, 2000) == (0.4, (2000, 1000))
    assert working_size((3, 2000), 384, 0.1, 100) == (0.2, (1, 100))


def test_no_local_stage_beyond_the_largest_size():
    rgb = pictures.noise(300, 421)
    plan = plan_image(rgb, 384, 500)
    assert plan.whole > 500
    assert plan == ImagePlan(384, plan.whole, (300, 421), ())
    assert plan.boosts


@pytest.mark.parametrize("height_width", [(100, 138), (480, 640)])
def test_no_boost_without_texture_or_pixels(height_width):
    black = np.zeros((*height_width, 3), np.uint8)
    assert plan_image(black, 384, 8000) == ImagePlan(384, 384, height_width, ())
    assert not plan_image(black + np.uint8(77), 384, 8000).boosts
    tiny = pictures.noise(100, 138)
    assert not plan_image(tiny, 384, 8000).boosts


def test_a_line_of_pixels_is_planned():
    plan = plan_image(pictures.noise(1, 500), 384, 8000)
    assert plan.size[0] >= 1
    assert plan.patches == ()


def test_scaled_rounds_to_even():
    plan = ImagePlan(384, 768, (301, 401), (Patch(1, 3, 768, 769),))
    assert plan.scaled(0.5) == ImagePlan(384, 768, (150, 200), (Patch(0, 2, 384, 384),))


def test_pictures_keep_their_overshoot():
    rgb = pictures.dot(40, 40)
    larger = resized_picture((rgb * 255).astype(np.uint8), (100, 90))
    assert larger.shape == (100, 90, 3)
    assert larger.min() < -0.01
    assert larger.max() > 1.01


def test_densities_of_flat_pictures_are_one():
    assert receptive_resolution(np.zeros((400, 500)), 500, 384, 0.2)[1] == 1.0


@pytest.mark.parametrize(
    ("make", "planes"), [(edge_strength, 1.7), (lambda p: resized_picture(p, p.shape[:2]), 4.3)]
)
def test_memory_in_planes_of_float64(make, planes):
    """Of 8K (7680x4320) a plane is 0.27 GB: gradients take one, the working picture three and one at work."""
    rgb = np.zeros((8000, 200, 3), np.uint8)
    tracemalloc.start()
    try:
        make(rgb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < planes * 8000 * 200 * 8
