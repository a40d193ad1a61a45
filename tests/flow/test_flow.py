"""Flow, warping, visibility and the guided filter on pictures whose answer is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vdepth_core.flow.dis import DisFlow, reduce, working_size
from vdepth_core.flow.guided import spread_by_guide
from vdepth_core.flow.visibility import forward_backward, photometric
from vdepth_core.flow.warp import inside, sample, target


def picture(height: int = 120, width: int = 160, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return np.clip((smooth - smooth.mean()) * 5 + 128, 0, 255).astype(np.uint8)


def shifted(dx: int, dy: int) -> tuple[np.ndarray, np.ndarray]:
    """Two views of one picture: what is at p in the first is at p + (dx, dy) in the second."""
    big = picture(160, 200)
    return big[20:140, 20:180], big[20 - dy : 140 - dy, 20 - dx : 180 - dx]


def test_dis_finds_a_translation() -> None:
    a, b = shifted(6, -3)
    flow = DisFlow().flow(a, b)
    inner = flow[15:-15, 15:-15].reshape(-1, 2)
    np.testing.assert_allclose(np.median(inner, 0), (6, -3), atol=0.2)
    assert np.percentile(np.linalg.norm(inner - (6, -3), axis=1), 95) < 0.5


def test_dis_is_deterministic_for_any_number_of_threads() -> None:
    a, b = shifted(3, 2)
    threads = cv2.getNumThreads()
    try:
        results = []
        for count in (1, 2, 4, 1):
            cv2.setNumThreads(count)
            results.append(DisFlow().flow(a, b))
    finally:
        cv2.setNumThreads(threads)
    reused = DisFlow()
    reused.flow(b, a)
    results.append(reused.flow(a, b))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_tiny_pictures_have_no_flow_and_sizes_must_agree() -> None:
    tiny = np.zeros((1, 1), np.uint8)
    assert DisFlow().flow(tiny, tiny).shape == (1, 1, 2)
    with pytest.raises(ValueError, match="equal size"):
        DisFlow().flow(picture(), picture(100))


def test_working_size_never_enlarges() -> None:
    assert working_size(384, 672, 320) == (183, 320)
    assert working_size(100, 50, 320) == (100, 50)
    assert working_size(1, 4000, 320) == (1, 320)
    image = picture()
    assert reduce(image, image.shape) is image


def test_warp_samples_the_target() -> None:
    image = picture().astype(np.float32)
    flow = np.full((120, 160, 2), (3.0, -2.0), np.float32)
    np.testing.assert_allclose(sample(image, target(flow))[2:, :-3], image[:-2, 3:], atol=1e-3)
    ok = inside(target(flow), 120, 160)
    assert ok[2:, :-3].all()
    assert not ok[:2].any()
    assert not ok[:, -3:].any()


def test_visibility_finds_what_a_moving_square_hides() -> None:
    flow = np.zeros((80, 100, 2), np.float32)
    back = np.zeros_like(flow)
    flow[20:60, 20:60, 0] = 10  # a square moves right by 10 …
    back[20:60, 30:70, 0] = -10
    seen = forward_backward(flow, back)
    assert seen[20:60, 20:60].min() == 1  # … itself stays visible
    assert seen[22:58, 61:69].max() == 0  # … hides what was to its right
    assert seen[:15].min() == 1
    assert forward_backward(flow + np.float32(90), back - np.float32(90)).max() == 0  # all outside


def test_photometric_ignores_exposure_but_sees_another_thing() -> None:
    a = picture()
    b = np.clip(a.astype(int) + 20, 0, 255).astype(np.uint8)
    assert np.median(photometric(a, b)) > 0.99
    b[40:60, 40:60] = 255 - b[40:60, 40:60]
    weight = photometric(a, b)
    assert weight[40:60, 40:60].mean() < 0.6 < weight[:30].mean()
    np.testing.assert_allclose(photometric(a, a), 1.0)


def test_guided_spread_fills_the_own_surface_and_keeps_its_edges() -> None:
    guide = np.zeros((60, 80), np.float32)
    guide[:, 40:] = 1.0
    values = np.where(guide > 0, 0.3, -0.2).astype(np.float32)
    trust = np.ones_like(guide)
    wrong = values.copy()
    hole = (slice(20, 40), slice(36, 40))
    wrong[hole], trust[hole] = 1.0, 0.0
    out = spread_by_guide(guide, wrong, trust, 8, 1e-4)
    np.testing.assert_allclose(out, values, atol=0.06)


def test_guided_spread_is_a_local_scale_and_shift() -> None:
    guide = picture().astype(np.float32) / 255
    out = spread_by_guide(guide, 0.7 * guide + 0.1, np.ones_like(guide), 6, 1e-9)
    np.testing.assert_allclose(out, 0.7 * guide + 0.1, atol=1e-3)
