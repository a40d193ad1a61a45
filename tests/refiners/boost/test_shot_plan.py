"""The plan of a shot, its fits and its canvas."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from vdepth_core.progress import Progress
from vdepth_core.refiners.boost.composite import Canvas, box_in, crop, resized
from vdepth_core.refiners.boost.fits import fitted, measure, steadied
from vdepth_core.refiners.boost.shot_plan import KEYS, ShotPlan, key_frames, plan_shot
from vdepth_core.refiners.boost.steady import Steady
from vdepth_core.types import ClipInfo


class Pictures:
    """A shot of pictures made on demand."""

    def __init__(self, make, count, height=360, width=640):
        self._make, self._count = make, count
        self.info = ClipInfo(Path("x"), "movie", "x", width, height, Fraction(1), Fraction(24))
        self.asked = []

    def __len__(self):
        return self._count

    def frames(self, start=0, stop=None):
        for t in range(start, self._count if stop is None else stop):
            self.asked.append(t)
            yield SimpleNamespace(rgb=self._make(t))


def noise(where):
    """A grey picture with texture in some columns."""
    picture = np.full((360, 640, 3), 120, np.uint8)
    left, right = where
    picture[:, left:right] = np.random.default_rng(0).integers(0, 255, (360, right - left, 3))
    return picture


def test_key_frames_are_bounded_and_even():
    assert key_frames(1) == (0,)
    assert key_frames(10) == (0, 4, 9)
    many = key_frames(5000)
    assert len(many) == KEYS
    assert (many[0], many[-1]) == (0, 4999)


def test_a_shots_plan_is_the_same_twice_and_survives_json():
    shot = Pictures(lambda t: noise((40 * t % 300, 40 * t % 300 + 200)), 20)
    plan = plan_shot(shot, 64, 640, Progress())
    assert shot.asked == list(plan.times)
    assert plan == plan_shot(shot, 64, 640, Progress())
    assert ShotPlan.of_json(plan.to_json()) == plan
    assert max(plan.size) <= 640
    assert plan.patches
    height, width = plan.size
    for x, y, w, h in plan.patches:
        assert min(x, y) >= 0
        assert (x + w <= width, y + h <= height) == (True, True)


def test_what_passes_through_a_patch_comes_and_goes_slowly():
    shot = Pictures(lambda t: noise((0, 200) if t < 40 else (440, 640)), 81)
    plan = plan_shot(shot, 64, 640, Progress())
    table = np.stack([plan.weights_at(t) for t in range(81)])
    assert np.abs(np.diff(table, axis=0)).max() <= 1 / 8
    left = [index for index, patch in enumerate(plan.patches) if patch.x + patch.width <= plan.size[1] // 2]
    assert left
    assert (table[0, left] == 1).all()
    assert (table[-1, left] == 0).all()


@pytest.mark.parametrize("value", [0, 120])
def test_pictures_without_texture_get_no_patches(value):
    plan = plan_shot(Pictures(lambda t: np.full((360, 640, 3), value, np.uint8), 3), 64, 640, Progress())
    assert (plan.whole, plan.patches) == (64, ())


def test_a_fit_takes_out_a_frames_own_scale_and_smooths_the_correlation():
    low = torch.rand(2, 1, 40, 50)
    exact = fitted(low * 7 + 3, measure(low, low * 7 + 3), np.ones(2))
    torch.testing.assert_close(exact, low, rtol=1e-4, atol=1e-5)
    against = fitted(-low, measure(low, -low), np.array([-1.0, -1.0]))
    assert against.std(dim=(2, 3)).max() < 1e-6
    known = steadied(np.array([0.8, 0.4, np.nan]), np.array([np.nan, 0.8, 0.5]))
    np.testing.assert_allclose(known, [0.8, 0.7, 0.5], rtol=1e-6)


def test_overlapping_patches_are_averaged_and_half_weights_count_half():
    canvas = Canvas((60, 90))
    for box in ((0, 0, 60, 60), (30, 0, 60, 60), (0, 0, 90, 60)):
        canvas.add(box, np.full((8, 8), 2.0, np.float32), 1.0)
    np.testing.assert_allclose(canvas.onto(np.ones((6, 9), np.float32)), 3.0, rtol=1e-5)
    faint = Canvas((60, 90))
    faint.add((0, 0, 90, 60), np.full((8, 8), 2.0, np.float32), 0.5)
    np.testing.assert_allclose(faint.onto(np.zeros((6, 9), np.float32)), 1.0, rtol=1e-5)


def test_crops_lie_where_their_boxes_do():
    rows, columns = np.mgrid[0:60, 0:90].astype(np.float32)
    image, patch = columns + 100 * rows, (120, 40, 80, 80)
    assert box_in(patch, (240, 360), (60, 90)) == (30, 10, 20, 20)
    part = crop(image, patch, (240, 360), (40, 40))
    np.testing.assert_allclose(resized(part, (20, 20)), image[10:30, 30:50], atol=0.6)


def test_detail_that_flickers_is_held_and_follows_the_picture():
    steady, rng = Steady((96, 128)), np.random.default_rng(0)
    wide = np.kron(rng.integers(0, 255, (24, 40)), np.ones((4, 4))).astype(np.uint8)
    first, second = (np.repeat(wide[:, t : t + 128, None], 3, 2) for t in (0, 2))
    seen, before = steady.see(second), steady.see(first)
    detail = 0.01 * rng.standard_normal((96, 128)).astype(np.float32)
    kept = detail.copy()
    steady(kept, np.zeros((96, 128), np.float32), seen, before, 1.0)
    inner = (slice(16, -16), slice(16, -16))
    assert kept[inner].std() < 0.5 * detail[inner].std()
    jump = np.full((96, 128), 0.5, np.float32)
    kept = jump.copy()
    steady(kept, np.zeros((96, 128), np.float32), seen, before, 1.0)
    np.testing.assert_allclose(kept, jump, atol=1e-4)
