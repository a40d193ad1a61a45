"""Flow, warping, visibility and the guided filter on pictures whose answer is known."""

from __future__ import annotations

import subprocess
import sys

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


@pytest.mark.parametrize(
    ("there", "back"),
    [((3, 4), (-3, -4)), ((3, 4), (-3, -3)), ((0, 0.5), (0, 0.3)), ((9, 0), (-8, 0)), ((0, 8), (1, -8.5))],
)
def test_visibility_is_the_published_bound_softened(
    there: tuple[float, float], back: tuple[float, float]
) -> None:
    """Sundaram 2010, eq. 5: |f + b|² < 0.01 (|f|² + |b|²) + 0.5; half sure there, sure at half of it."""
    forward, backward = (np.full((30, 40, 2), flow, np.float32) for flow in (there, back))
    f, b = np.array(there), np.array(back)
    bound = 0.01 * (f @ f + b @ b) + 0.5
    expected = np.clip(1.5 - (f + b) @ (f + b) / bound, 0, 1)
    np.testing.assert_allclose(forward_backward(forward, backward)[10:20, 10:30], expected, atol=1e-5)


def test_visibility_ends_at_the_border() -> None:
    where = target(np.zeros((3, 5, 2), np.float32))
    assert inside(where, 3, 5).all()  # the outermost pixel centres are inside
    for step in ((-0.01, 0), (0, -0.01), (0.01, 0), (0, 0.01)):
        seen = inside(where + np.float32(step), 3, 5)
        lost = {(-0.01, 0): seen[:, 0], (0, -0.01): seen[0], (0.01, 0): seen[:, -1], (0, 0.01): seen[-1]}
        assert not lost[step].any()
        assert seen.sum() == 15 - lost[step].size


def test_photometric_is_a_gaussian_of_what_exposure_does_not_explain() -> None:
    """exp(−50 ΔI²) with I in [0, 1]; at most 24 steps are exposure."""
    a = np.full((40, 40), 100, np.uint8)
    for step in (0, 10, 24, 40, -24, -40):
        b = (a + np.float32(step)).astype(np.float32)
        b[1:4, 1:4] += 20  # where the median is not looked for
        rest = step - np.clip(step, -24, 24)
        weight = photometric(a, b)
        np.testing.assert_allclose(weight[8:, 8:], np.exp(-50 * (rest / 255) ** 2), rtol=1e-5)
        np.testing.assert_allclose(weight[2, 2], np.exp(-50 * ((rest + 20) / 255) ** 2), rtol=1e-5)
    assert photometric(a, a + np.float32(20), sigma=0.0).min() == 1


def test_flow_needs_a_few_patches_and_motion_is_flow_with_visibility() -> None:
    a, b = shifted(4, -2)
    assert not DisFlow().flow(a[:23], b[:23]).any()
    assert DisFlow().flow(a[:24], b[:24]).any()
    assert not DisFlow().flow(a[:, :23], b[:, :23]).any()
    flow, seen = DisFlow().motion(*(np.repeat(image[..., None], 3, 2) for image in (a, b)))
    np.testing.assert_array_equal(flow, DisFlow().flow(a, b))
    np.testing.assert_array_equal(seen, forward_backward(flow, DisFlow().flow(b, a)))
    red, green = np.zeros((2, *a.shape, 3), np.uint8)
    red[..., 0], green[..., 1] = a, a
    grey, _ = DisFlow().motion(red, green)  # luma is of RGB, not of BGR: 0.299 and 0.587
    half, double = ((a * np.float32(share)).round().astype(np.uint8) for share in (0.299, 0.587))
    np.testing.assert_allclose(grey, DisFlow().flow(half, double), atol=1)


@pytest.mark.parametrize(("height", "width"), [(24, 80), (31, 80), (28, 256), (31, 79), (32, 256), (256, 24)])
def test_low_and_narrow_pictures_have_flow_too(height: int, width: int) -> None:
    """OpenCV dies of an access violation on pictures of 24 to 31 rows and 80 or more columns."""
    big = picture(300, 300)
    code = (
        "import numpy as np, sys; from vdepth_core.flow.dis import DisFlow;"
        f"a, b = np.frombuffer(sys.stdin.buffer.read(), np.uint8).reshape(2, {height}, {width});"
        "sys.stdout.buffer.write(DisFlow().flow(a, b).tobytes())"
    )
    pair = big[20 : 20 + height, 20 : 20 + width], big[21 : 21 + height, 18 : 18 + width]
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, input=np.stack(pair).tobytes(), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    flow = np.frombuffer(done.stdout, np.float32).reshape(height, width, 2)
    np.testing.assert_allclose(np.median(flow[4:-4, 4:-4].reshape(-1, 2), 0), (2, -1), atol=0.3)


def test_areas_are_averaged_down_to_the_working_size() -> None:
    assert reduce(np.arange(16.0).reshape(4, 4), (2, 2)).tolist() == [[2.5, 4.5], [10.5, 12.5]]
    assert reduce(np.ones((4, 6)), (2, 6)).shape == (2, 6)
    assert working_size(300, 200, 100) == (100, 67)
    assert working_size(10, 1, 5) == (5, 1)


def test_guided_spread_agrees_with_a_slow_one() -> None:
    rng = np.random.default_rng(4)
    guide, values, trust = rng.uniform(0, 1, (3, 9, 11)).astype(np.float32)
    trust[2:4] = 0
    radius, epsilon = 2, 0.01
    window = 2 * radius + 1

    def mean(image: np.ndarray) -> np.ndarray:
        padded = np.pad(image, radius, mode="reflect")
        views = np.lib.stride_tricks.sliding_window_view(padded, (window, window))
        return views.mean(axis=(2, 3))

    weight = np.maximum(trust.astype(np.float64), 1e-3)
    total = mean(weight)
    mean_guide, mean_value = mean(weight * guide) / total, mean(weight * values) / total
    covariance = mean(weight * guide * values) / total - mean_guide * mean_value
    a = covariance / (mean(weight * guide**2) / total - mean_guide**2 + epsilon)
    b = mean_value - a * mean_guide
    expected = (mean(a * total) * guide + mean(b * total)) / mean(total)
    np.testing.assert_allclose(spread_by_guide(guide, values, trust, radius, epsilon), expected, atol=1e-4)


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
