"""One range a shot, exact; one formula for every frame of it."""

import numpy as np
import pytest

from vdepth_core.output.finish import (
    FAR_AWAY,
    DepthMapping,
    DisparityRange,
    fit_mapping,
    fit_range,
)
from vdepth_core.store import FrameArray


def stored(tmp_path, frames):
    frames = np.asarray(frames, np.float32)
    array = FrameArray(tmp_path / "final", len(frames), frames.shape[1:], "<f4")
    array.write(0, frames)
    return array


def exact(values):
    ordered = np.sort(values.reshape(-1))
    return [float(ordered[round(q * (len(ordered) - 1))]) for q in (0.001, 0.999)]


def test_sky_is_what_blender_writes():
    assert np.float32(1e10) == FAR_AWAY


@pytest.mark.parametrize("seed", range(4))
def test_range_is_the_exact_order_statistic_of_the_whole_shot(tmp_path, seed):
    rng = np.random.default_rng(seed)
    frames = (rng.normal(size=(7, 23, 31)) * 10.0 ** rng.integers(-5, 5)).astype(np.float32)
    frames += np.float32(rng.normal())
    with stored(tmp_path, frames) as final:
        ends = fit_range(final)
    assert [ends.lo, ends.hi] == exact(frames)


def test_outliers_and_holes_do_not_move_the_range(tmp_path):
    frames = np.random.default_rng(1).random((4, 50, 50)).astype(np.float32)
    frames[0, 0, 0], frames[1, 2, 3] = 1e30, -1e30
    frames[2, :3, 0] = np.nan, np.inf, -np.inf
    with stored(tmp_path, frames) as final:
        ends = fit_range(final)
    assert 0 <= ends.lo < 0.01
    assert 0.99 < ends.hi <= 1


@pytest.mark.parametrize("value", [0.0, 3.5, -2.0, 1e-8])
def test_a_flat_shot_lies_in_the_middle(tmp_path, value):
    with stored(tmp_path, np.full((3, 4, 5), value)) as final:
        mapping = fit_mapping(final, "affine_invariant")
    assert mapping.range.lo < value < mapping.range.hi
    d = mapping.normalised(np.full((4, 5), value, np.float32))
    np.testing.assert_allclose(d, 0.5, atol=1e-6)
    noisy = mapping.normalised(np.float32(value) * np.float32([[1 - 1e-6, 1 + 1e-6]]))
    assert np.ptp(noisy) < 1e-5


def test_a_shot_without_a_single_number_still_has_a_range(tmp_path):
    with stored(tmp_path, np.full((2, 3, 3), np.nan)) as final:
        assert fit_range(final) == DisparityRange(0.0, 1.0)


def test_the_range_belongs_to_the_shot_not_to_the_frame(tmp_path):
    dim, bright = np.full((20, 20), 0.2), np.full((20, 20), 0.8)
    dim[:10], bright[:10] = 0.1, 0.4
    with stored(tmp_path, [dim, bright]) as final:
        mapping = fit_mapping(final, "affine_invariant")
    # the same disparity is the same depth in both frames, and a frame without near things stays far
    assert mapping.normalised(dim.astype(np.float32)).max() == pytest.approx(1 / 7, abs=1e-5)
    assert mapping.normalised(bright.astype(np.float32)).max() == pytest.approx(1, abs=1e-5)


def test_relative_depth_runs_from_near_to_far():
    mapping = DepthMapping("affine_invariant", DisparityRange(2.0, 6.0), 1.5, 40.0)
    z = mapping.depth(np.float32([[6, 9, 2, -5, 4, np.nan, np.inf, -np.inf]]))[0]
    np.testing.assert_allclose(z[:4], [1.5, 1.5, 40, 40], rtol=1e-5)
    assert z[4] == pytest.approx(1 / (0.5 * (1 / 1.5 - 1 / 40) + 1 / 40), rel=1e-5)
    np.testing.assert_array_equal(z[5:], FAR_AWAY)
    d = mapping.normalised(np.float32([[6, 2, 4, np.nan, np.inf, -np.inf]]))[0]
    np.testing.assert_allclose(d, [1, 0, 0.5, 0, 0, 0], atol=1e-6)


@pytest.mark.parametrize("space", ["metric", "scale_invariant"])
def test_metric_depth_is_one_over_disparity_and_sky_is_far(space):
    mapping = DepthMapping(space, DisparityRange(0.1, 1.0), 1.0, 10.0)
    z = mapping.depth(np.float32([[0.5, 4, 1e-20, 0, -1, np.nan, np.inf]]))[0]
    np.testing.assert_allclose(z[:2], [2, 0.25])
    np.testing.assert_array_equal(z[2:], FAR_AWAY)
    assert np.isfinite(z).all()


def test_mapping_formulas_by_hand():
    mapping = DepthMapping("metric", DisparityRange(0.1, 1.0), 1.0, 10.0, gain=0.5, offset=0.25)
    np.testing.assert_allclose(mapping.disparity(np.float32([[2, 4]])), [[1.25, 2.25]])
    plain = DepthMapping("metric", DisparityRange(0.1, 1.0), 1.0, 10.0)
    values = np.float32([[2, 4]])
    assert plain.disparity(values) is values
    tiny = plain.depth(np.float32([[0.9e-10, 1.1e-10]]))
    assert tiny[0, 0] == FAR_AWAY
    assert tiny[0, 1] == pytest.approx(1 / 1.1e-10, rel=1e-5)
    lifted = DepthMapping("affine_invariant", DisparityRange(-0.5, 1.5), 1.0, 10.0, offset=0.1).lifted()
    assert (lifted.range, lifted.offset) == (DisparityRange(0.0, 2.0), 0.6)
    level = DepthMapping("affine_invariant", DisparityRange(0.0, 1.5), 1.0, 10.0)
    assert level.lifted() is level


def test_near_and_far_are_a_hundredfold_unless_asked(tmp_path):
    with stored(tmp_path, np.random.default_rng(0).random((2, 9, 9))) as final:
        asked = fit_mapping(final, "affine_invariant", 2.0, 9.0)
        assert (asked.near, asked.far) == (2, 9)
        assert fit_mapping(final, "affine_invariant").near == 1
        assert fit_mapping(final, "affine_invariant").far == 100
        assert fit_mapping(final, "affine_invariant", far=7.0).far == 7
        with pytest.raises(ValueError, match="1e10"):
            fit_mapping(final, "affine_invariant", 1.0, 1e10)


def test_what_is_not_positive_has_no_depth_and_no_say(tmp_path):
    frames = np.array([[[-1.0, 0.0, 0.25, 0.5]]])
    with stored(tmp_path, frames) as final:
        assert fit_range(final, "metric") == DisparityRange(0.25, 0.5)
        assert fit_range(final) == DisparityRange(-1.0, 0.5)


def test_metric_range_leaves_the_sky_out(tmp_path):
    frames = np.full((2, 40, 40), 0.5, np.float32)
    frames[:, :20] = 0
    frames[:, 30:] = 0.25
    with stored(tmp_path, frames) as final:
        mapping = fit_mapping(final, "metric", near=7, far=8)
    assert (mapping.near, mapping.far) == (2, 4)  # depth is what it is, whatever was asked


def test_near_must_be_nearer(tmp_path):
    with stored(tmp_path, np.ones((1, 2, 2))) as final:
        for near, far in ((2, 1), (0, 1), (1, 1), (-1, 5)):
            with pytest.raises(ValueError, match="near"):
                fit_mapping(final, "affine_invariant", near, far)


def test_canonical_disparity_becomes_metric_by_its_gain(tmp_path):
    """Inverse depth per picture width: a lens twice as long makes the same picture twice as far."""
    canonical = np.linspace(0.01, 0.5, 600, dtype=np.float32).reshape(1, 20, 30)
    with stored(tmp_path, canonical) as final:
        wide = fit_mapping(final, "metric", gain=0.8)
        long = fit_mapping(final, "metric", gain=0.4)
    depth = wide.depth(wide.disparity(canonical[0]))
    np.testing.assert_allclose(depth, 1 / (0.8 * canonical[0]), rtol=1e-6)
    np.testing.assert_allclose(long.depth(long.disparity(canonical[0])), 2 * depth, rtol=1e-6)
    assert wide.near <= depth.min() * 1.01
    assert wide.far >= depth.max() * 0.9


def test_depth_up_to_a_shift_lies_linearly_between_near_and_far(tmp_path):
    affine = (3 + 5 * np.linspace(0, 1, 5001, dtype=np.float32)).reshape(1, 3, 1667)
    with stored(tmp_path, affine) as final:
        mapping = fit_mapping(final, "affine_invariant", 2, 12, quantity="depth")
    middle = affine[0, 1:2]  # within the quantiles
    lo, hi = mapping.depth_ends
    z = mapping.depth(mapping.disparity(middle))
    np.testing.assert_allclose(z, 2 + 10 * (middle - lo) / (hi - lo), rtol=1e-4)
    ends = mapping.depth(mapping.disparity(np.float32([[lo - 1, lo, hi, hi + 1]])))
    np.testing.assert_allclose(ends, [[2, 2, 12, 12]], rtol=1e-4)
    d = mapping.normalised(mapping.disparity(np.float32([[lo, hi]])))
    np.testing.assert_allclose(d, [[1, 0]], atol=1e-5)
    hole = mapping.depth(mapping.disparity(np.float32([[np.nan]])))
    assert hole == FAR_AWAY


def test_files_hold_no_negative_disparity_and_the_same_depth(tmp_path):
    frames = np.random.default_rng(2).normal(size=(3, 40, 50)).astype(np.float32)
    with stored(tmp_path, frames) as final:
        plain = fit_mapping(final, "affine_invariant", 0.5, 20.0)
    lifted = plain.lifted()
    y = lifted.disparity(frames[1])
    assert np.quantile(y, 0.01) >= 0
    np.testing.assert_allclose(lifted.depth(y), plain.depth(frames[1]), rtol=1e-5)
    np.testing.assert_allclose(lifted.depth(np.maximum(y, 0)), plain.depth(frames[1]), rtol=1e-5)
    metric = DepthMapping("metric", DisparityRange(-0.1, 1.0), 1.0, 100.0)
    assert metric.lifted() is metric
