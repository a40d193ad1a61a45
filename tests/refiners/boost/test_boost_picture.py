"""The published algorithm on one picture, against a literal, slow one; and pictures that break it."""

from contextlib import contextmanager

import boost_pictures as pictures
import cv2
import numpy as np
import plan_reference as slow
import pytest
import torch
from torch.nn import functional

from vdepth_core.errors import Cancelled
from vdepth_core.refiners.boost.blending import MASK_KERNEL, MASK_SIGMA, soft_mask
from vdepth_core.refiners.boost.image_plan import ImagePlan, Patch, plan_image
from vdepth_core.refiners.boost.published import boost_planned, double_estimate, looks

BASE = 384


def estimate(rgb, size):
    """Softer the smaller the size: of the gray, and of where it lies."""
    small = cv2.resize(rgb, (max(size // 8, 1),) * 2, interpolation=cv2.INTER_AREA).mean(2)
    small += np.linspace(0, 1, len(small))[:, None]
    wide = cv2.resize(small.astype(np.float32), rgb.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    low, high = wide.min(), wide.max()
    return (wide - low) / (high - low) if high - low > 1e-6 else np.zeros_like(wide)


def boost_picture(rgb, estimate, merge, base, *, max_size, output="input"):
    """The published algorithm on one picture."""
    return boost_planned(rgb, plan_image(rgb, base, max_size), estimate, merge, output)


class RandomNet:
    """Shaped as the published merge: two maps of -1..1 in, one out of a tanh; untrained."""

    name = "random"

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        self.kernel = torch.randn(1, 2, 3, 3, generator=generator) * 0.05
        self.kernel[0, 0] += 0.04
        self.kernel[0, 1, 1, 1] += 0.7

    def net(self, low, high):
        """What the network itself answers, -1..1."""
        stretched = [
            2 * (x - x.amin((2, 3), True)) / (x.amax((2, 3), True) - x.amin((2, 3), True)) - 1
            for x in (low, high)
        ]
        return torch.tanh(functional.conv2d(torch.cat(stretched, 1), self.kernel, padding="same"))

    def __call__(self, low, high):
        assert low.shape == high.shape == (1, 1, 1024, 1024)
        assert low.dtype == high.dtype == torch.float32
        least, most = low.amin((2, 3), True), low.amax((2, 3), True)
        return least + (self.net(low, high) + 1) / 2 * (most - least)


MERGE = RandomNet()


def literal(rgb, max_size, at_input_size):
    """Everything as the page says, with polyfit and the mask of 3000 x 3000."""

    def merged(low, high):
        return ((MERGE.net(*(torch.from_numpy(x)[None, None] for x in (low, high))) + 1) / 2)[0, 0].numpy()

    def large(values, size=(1024, 1024)):
        return cv2.resize(values, size[::-1], interpolation=cv2.INTER_CUBIC)

    def double(picture, low, high):
        out = merged(large(estimate(picture, low)), large(estimate(picture, high)))
        return (out - out.min()) / (out.max() - out.min())

    line = np.zeros((3000, 1))
    line[450:2550] = 1
    line = cv2.filter2D(line, -1, cv2.getGaussianKernel(MASK_KERNEL, MASK_SIGMA))
    mask = (line @ line.T).astype(np.float32)
    height, width = rgb.shape[:2]
    whole_size, density = slow.receptive_resolution(rgb, BASE, 0.2)
    (h, w), rects = slow.patches(rgb, BASE, whole_size, density, max_size)
    assert rects
    m = height / h if at_input_size else 1
    size = (round(h * m), round(w * m))
    big = cv2.resize(rgb, (w, h), interpolation=cv2.INTER_CUBIC)
    picture = cv2.resize(big, size[::-1], interpolation=cv2.INTER_CUBIC)
    base = large(double(rgb, BASE, whole_size), size)
    result = base.copy()
    for x, y, w, h in np.round(np.array(rects) * m).astype(int):
        crop = base[y : y + h, x : x + w]
        sharp, low = double(picture[y : y + h, x : x + w], BASE, 2 * BASE), large(crop)
        out = merged(low, sharp)
        out = np.polyval(np.polyfit(out.ravel(), low.ravel(), 1), out)
        weight = cv2.resize(mask, crop.shape[::-1])
        part = result[y : y + h, x : x + w]
        part[:] = part * (1 - weight) + large(out, crop.shape) * weight
    return large(result, (height, width)) if at_input_size else result


@pytest.mark.parametrize("output", ["input", "working"])
@pytest.mark.parametrize("rgb", [pictures.noise(300, 421), pictures.forms(333, 251, 2)], ids=["wide", "tall"])
def test_every_step_is_the_published_one(rgb, output):
    ours = boost_picture(rgb, estimate, MERGE, BASE, max_size=1300, output=output)
    wanted = literal(rgb, 1300, output == "input")
    assert ours.dtype == np.float32
    assert ours.shape == wanted.shape
    assert max(ours.shape) == (max(rgb.shape) if output == "input" else 1300)
    np.testing.assert_allclose(ours, wanted, atol=2e-5)


def test_boosting_sharpens():
    rgb = pictures.forms(300, 400, 3)
    plain, boosted = estimate(rgb, BASE), boost_picture(rgb, estimate, MERGE, BASE, max_size=1200)
    assert np.abs(np.diff(boosted)).max() > 1.5 * np.abs(np.diff(plain)).max()


def _affine(low, high):
    """A merge that finds nothing new in any patch, in terms of its own."""
    return 5 - 3 * low


def test_patches_that_agree_leave_the_map_alone():
    rgb, size = pictures.noise(200, 300), (400, 600)
    patches = (Patch(0, 0, 300, 300), Patch(200, 90, 310, 310), Patch(350, 150, 250, 250))
    plan = ImagePlan(BASE, BASE, size, patches)
    alone = boost_planned(rgb, ImagePlan(BASE, BASE + 32, size, ()), estimate, _affine, "working")
    boosted = boost_planned(rgb, plan, estimate, _affine, "working")
    np.testing.assert_allclose(boosted, alone, atol=3e-4)  # to 1024 x 1024 and back


def test_a_patch_changes_nothing_outside_of_it():
    rgb, patch = pictures.noise(200, 300), Patch(20, 30, 100, 110)
    bare = boost_planned(rgb, ImagePlan(BASE, 416, (200, 300), ()), estimate, MERGE)
    boosted = boost_planned(rgb, ImagePlan(BASE, 416, (200, 300), (patch,)), estimate, MERGE)
    touched = np.abs(boosted - bare) > 1e-7
    inside = np.zeros_like(touched)
    inside[patch.rows_and_columns] = soft_mask((110, 100)) > 0
    assert touched.any()
    assert not (touched & ~inside).any()


def test_every_look_is_told_and_may_be_the_last():
    patches, seen = (Patch(20, 30, 100, 110), Patch(60, 30, 100, 110)), []

    @contextmanager
    def view():
        if len(seen) == limit:
            raise Cancelled("")
        yield
        seen.append(1)

    for plan in (ImagePlan(BASE, 416, (200, 300), patches), ImagePlan(BASE, 416, (200, 300), ())):
        seen, limit = [], None
        boost_planned(pictures.noise(200, 300), plan, estimate, MERGE, view=view)
        assert len(seen) == looks(plan) == 1 + len(plan.patches)
    seen, limit, plan = [], 2, ImagePlan(BASE, 416, (200, 300), patches)
    with pytest.raises(Cancelled):
        boost_planned(pictures.noise(200, 300), plan, estimate, MERGE, view=view)


def test_a_patch_cut_by_rounding_at_the_border():
    plan = ImagePlan(BASE, 416, (401, 601), (Patch(301, 101, 300, 300),))  # 300.5 and 150 of 300 columns
    boosted = boost_planned(pictures.noise(200, 300), plan, estimate, MERGE)
    assert boosted.shape == (200, 300)
    assert np.isfinite(boosted).all()


@pytest.mark.parametrize(
    "rgb",
    [
        np.zeros((480, 640, 3), np.uint8),
        np.full((300, 400, 3), 131, np.uint8),
        np.full((300, 400, 3), 0.4),
        pictures.noise(75, 100),
        (pictures.noise(100, 138) * 255).astype(np.uint8),
        pictures.noise(1, 1),
        pictures.noise(1, 700),
        pictures.noise(900, 20),
        pictures.noise(60, 400),
    ],
    ids=["black", "gray", "floats", "100", "138", "pixel", "line", "strip", "short"],
)
def test_degenerate_pictures(rgb):
    boosted = boost_picture(rgb, estimate, MERGE, BASE, max_size=1200)
    assert boosted.shape == rgb.shape[:2]
    assert boosted.dtype == np.float32
    assert np.isfinite(boosted).all()
    source = rgb / 255 if rgb.dtype == np.uint8 else rgb
    if not plan_image(rgb, BASE, 1200).boosts:
        np.testing.assert_array_equal(boosted, estimate(source, BASE))


def test_a_model_that_sees_nothing_stays_flat():
    rgb = pictures.forms(300, 400)
    flat = boost_picture(rgb, lambda rgb, _: np.zeros(rgb.shape[:2], np.float32), MERGE, BASE, max_size=900)
    assert not flat.any()


def test_detail_of_nothing_adds_nothing():
    """A model blind at the larger size: what the smaller says stays, and no 0/0."""

    def blind(rgb, size):
        return estimate(rgb, size) if size == BASE else np.zeros(rgb.shape[:2], np.float32)

    made = double_estimate(pictures.noise(64, 64), blind, MERGE, BASE, 2 * BASE)
    assert made.shape == (1024, 1024)
    np.testing.assert_allclose(
        made,
        cv2.resize(blind(pictures.noise(64, 64), BASE), (1024, 1024), interpolation=cv2.INTER_CUBIC),
        atol=0.2,
    )
    assert (made.min(), made.max()) == (0, 1)
    assert np.isfinite(boost_picture(pictures.forms(300, 400), blind, MERGE, BASE, max_size=900)).all()


def test_no_local_stage_is_the_double_estimate():
    rgb = pictures.noise(300, 421)
    whole = plan_image(rgb, BASE, 400).whole
    boosted = boost_picture(rgb, estimate, MERGE, BASE, max_size=400)
    double = double_estimate(rgb, estimate, MERGE, BASE, whole)
    np.testing.assert_allclose(
        boosted, cv2.resize(double, (421, 300), interpolation=cv2.INTER_CUBIC), atol=1e-6
    )


def test_estimates_in_double_precision_will_do():
    rgb = pictures.noise(150, 210)
    made = boost_picture(rgb, lambda *a: estimate(*a).astype(np.float64), MERGE, BASE, max_size=900)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, boost_picture(rgb, estimate, MERGE, BASE, max_size=900), atol=1e-5)
