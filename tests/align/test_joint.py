"""Co-alignment: recovery, no shrinking, invariances, outliers, streaming, and the degenerate shots."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from snippet_sets import Case, case_of, frames_of, merge, merged_error, truth_of

from vdepth_core.align.joint import Snippets, coalign
from vdepth_core.align.scale_shift import fit_scale_shift
from vdepth_core.align.snippets import FrameRows


@pytest.fixture(scope="module")
def noisy() -> Case:
    return case_of(truth_of(40, 150), *frames_of(40, (1, 12)), noise=0.01, outliers=0.03)


def same_up_to_affine(one: np.ndarray, other: np.ndarray, atol: float) -> None:
    scale, shift = fit_scale_shift(one, other)
    np.testing.assert_allclose(scale * one + shift, other, atol=atol * float(np.ptp(other)))


@pytest.mark.parametrize("dilations", [(1,), (1, 12), (1, 6, 12)])
def test_without_noise_the_recovery_is_exact(dilations: tuple[int, ...]) -> None:
    case = case_of(truth_of(40, 150), *frames_of(40, dilations))
    found = coalign(case.snippets, tolerance=1e-9)
    assert merged_error(case, found) < 1e-6
    np.testing.assert_allclose(found.scale / case.scale, (found.scale / case.scale).mean(), rtol=1e-6)


def test_gauge_is_mean_scale_one_and_mean_shift_zero(noisy: Case) -> None:
    found = coalign(noisy.snippets)
    assert found.scale.mean() == pytest.approx(1)
    assert found.shift.mean() == pytest.approx(0, abs=1e-12)
    assert (found.scale > 0).all()
    assert found.parts.tolist() == [0] * 40
    assert found.notes == ()
    assert 1 < found.iterations < 20


def test_noise_and_outliers_cost_almost_nothing(noisy: Case) -> None:
    found = coalign(noisy.snippets)
    assert merged_error(noisy, found, clean=True) < 0.005
    ideal = replace(found, scale=noisy.scale, shift=noisy.shift)
    assert merged_error(noisy, found) < 1.01 * merged_error(noisy, ideal)


def test_contrast_does_not_fade_along_a_chain() -> None:
    """What least squares on the residuals does: noise on both sides rewards small scales."""
    case = case_of(truth_of(120, 150), *frames_of(120, (1,)), noise=0.01)
    found = coalign(case.snippets)
    gain = np.log(found.scale / case.scale)
    time = np.arange(len(gain))
    assert np.ptp(np.polyval(np.polyfit(time, gain, 2), time)) < 0.12
    assert gain.std() < 0.04


def test_charts_of_the_input_do_not_matter(noisy: Case) -> None:
    rng = np.random.default_rng(5)
    scale, shift = rng.uniform(0.1, 9, (2, len(noisy.snippets), 1, 1))
    other = replace(noisy.snippets, values=scale * np.asarray(noisy.snippets.values[:]) + shift)
    one = merge(noisy.snippets, coalign(noisy.snippets, tolerance=1e-9, steps=60))
    same_up_to_affine(merge(other, coalign(other, tolerance=1e-9, steps=60)), one, 1e-6)


def test_order_of_the_snippets_does_not_matter(noisy: Case) -> None:
    order = np.random.default_rng(6).permutation(len(noisy.snippets))
    values = np.asarray(noisy.snippets.values[:])[order]
    shuffled = Snippets(40, noisy.snippets.frames[order], values, noisy.snippets.group[order])
    one, other = coalign(noisy.snippets), coalign(shuffled)
    np.testing.assert_allclose(other.scale, one.scale[order], rtol=1e-9)
    np.testing.assert_allclose(other.shift, one.shift[order], atol=1e-9)


def test_precisions_agree(noisy: Case) -> None:
    single = replace(noisy.snippets, values=np.asarray(noisy.snippets.values[:]).astype(np.float32))
    double = coalign(single)
    found = coalign(single, dtype="fp32")
    np.testing.assert_allclose(found.scale, double.scale, rtol=1e-4)
    np.testing.assert_allclose(found.shift, double.shift, atol=1e-4)
    np.testing.assert_array_equal(coalign(single).scale, double.scale)


class Slices:
    """Values that only answer slices, and remember the longest."""

    def __init__(self, rows: Callable[[int, int], np.ndarray], shape: tuple[int, int, int]) -> None:
        self.rows, self.shape, self.dtype, self.longest = rows, shape, np.dtype(np.float64), 0

    def __getitem__(self, which: slice) -> np.ndarray:
        start, stop, _ = which.indices(self.shape[0])
        self.longest = max(self.longest, stop - start)
        return self.rows(start, stop)


def test_chunks_do_not_change_the_result(noisy: Case) -> None:
    values = np.asarray(noisy.snippets.values[:]).copy()
    values[np.random.default_rng(7).uniform(size=values.shape) < 0.1] = np.nan
    whole = coalign(replace(noisy.snippets, values=values))
    slices = Slices(lambda start, stop: values[start:stop], values.shape)
    chunked = coalign(replace(noisy.snippets, values=slices), chunk_bytes=7 * 5 * 150 * 8)
    assert slices.longest < len(values)
    np.testing.assert_allclose(chunked.scale, whole.scale, rtol=1e-9)
    np.testing.assert_allclose(chunked.shift, whole.shift, atol=1e-9)


def test_memory_does_not_grow_with_the_shot() -> None:
    def peak(count: int) -> int:
        frames, group = frames_of(count, (1, 4))

        def rows(start: int, stop: int) -> np.ndarray:
            place = np.linspace(0, 1, 3000)
            return (
                np.sin(9 * place + 0.1 * frames[start:stop, :, None])
                * (1 + np.arange(start, stop) % 3)[:, None, None]
            )

        values = Slices(rows, (*frames.shape, 3000))
        tracemalloc.start()
        coalign(Snippets(count, frames, values, group), steps=2, chunk_bytes=1 << 20)
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    coalign(case_of(truth_of(5, 40), *frames_of(5, (1,))).snippets)  # imports
    assert peak(160) < 1.3 * peak(40)


@pytest.mark.parametrize("solver", ["irls", "adam"])
@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_very_short_shots(count: int, solver: str) -> None:
    truth = truth_of(count, 60)
    if count < 3:
        frames = np.array([[0, 1, -1] if count == 2 else [0, -1, -1]])
        values = np.where(frames[..., None] >= 0, 2 * truth[frames] + 1, np.nan)
        snippets = Snippets(count, frames, values, np.zeros(1, np.int64))
    else:
        snippets = case_of(truth, *frames_of(count, (1,))).snippets
    found = coalign(snippets, solver=solver, steps=30)  # type: ignore[arg-type]
    assert found.parts.tolist() == [0] * count
    assert np.isfinite(found.objective).all()
    if len(snippets) == 1:
        np.testing.assert_allclose([found.scale[0], found.shift[0]], [1, 0], atol=0.1)
    if solver == "irls":
        assert found.notes == ()
        same_up_to_affine(merge(snippets, found, np.nan_to_num(np.asarray(snippets.values[:]))), truth, 1e-6)


def test_parts_that_nothing_connects_keep_their_own_gauge() -> None:
    case = case_of(truth_of(20, 80), *frames_of(20, (5,)), noise=0.01)
    found = coalign(case.snippets)
    assert found.parts.tolist() == [0, 1, 2, 3, 4] * 4  # frames 5 apart belong together
    part = found.parts[case.snippets.frames[:, 0]]
    for index in range(5):
        assert found.scale[part == index].mean() == pytest.approx(1)
        assert found.shift[part == index].mean() == pytest.approx(0, abs=1e-12)
    assert "5 parts" in found.notes[0]


def test_frames_without_snippets_are_reported() -> None:
    case = case_of(truth_of(20, 80), *frames_of(20, (1,)))
    found = coalign(replace(case.snippets, count=23))
    assert found.parts.tolist() == [0] * 20 + [-1] * 3
    assert "3 frames" in found.notes[0]


@pytest.mark.parametrize("gone", ["flat", "rounding", "nan"])
def test_flat_and_empty_snippets_do_not_disturb_the_others(noisy: Case, gone: str) -> None:
    values = np.asarray(noisy.snippets.values[:]).copy()
    rounding = 0.7 + 1e-9 * values[[3, 50]]
    values[[3, 50]] = {"flat": 0.7, "rounding": rounding, "nan": np.nan}[gone]
    found = coalign(replace(noisy.snippets, values=values))
    assert np.flatnonzero(found.flat).tolist() == [3, 50]
    assert found.scale[found.flat].tolist() == [1, 1]
    assert np.isfinite(found.shift).all()
    assert "2 snippets are flat" in found.notes[0]
    gain = (found.scale / noisy.scale)[~found.flat]
    assert np.std(np.log(gain)) < 0.01


def test_a_black_shot() -> None:
    frames, group = frames_of(9, (1, 3))
    found = coalign(Snippets(9, frames, np.zeros((*frames.shape, 30), np.float32), group))
    assert found.flat.all()
    np.testing.assert_allclose(found.scale, 1)
    np.testing.assert_allclose(found.shift, 0, atol=1e-9)


def test_contradicting_snippets_stay_positive_and_are_reported(noisy: Case) -> None:
    values = np.asarray(noisy.snippets.values[:]).copy()
    values[5] *= -1
    values[50, 1] = np.random.default_rng(8).uniform(size=values.shape[2]) * 5  # one bad frame only
    found = coalign(replace(noisy.snippets, values=values))
    assert (found.scale > 0).all()
    assert "1 snippet looks like no other" in found.notes[0]
    assert len(found.notes) == 1  # what it creeps on by is not waited for
    gain = np.delete(found.scale / noisy.scale, 5)
    assert np.std(np.log(gain)) < 0.01


def test_missing_pixels() -> None:
    case = case_of(truth_of(40, 150), *frames_of(40, (1, 12)), noise=0.01)
    values = np.asarray(case.snippets.values[:]).copy()
    values[np.random.default_rng(9).uniform(size=values.shape) < 0.3] = np.nan
    values[:, :, 20:30] = np.inf
    values[7, 1] = np.nan
    found = coalign(replace(case.snippets, values=values))
    assert merged_error(case, found, clean=True) < 0.01


def test_emphasis_lets_the_trusted_dilation_decide() -> None:
    case = case_of(truth_of(40, 150), *frames_of(40, (1, 12)), noise=0.01)
    values, group = np.asarray(case.snippets.values[:]).copy(), case.snippets.group
    values[group == 1] += np.random.default_rng(10).normal(0, 0.5, values[group == 1].shape)
    spoiled = replace(case.snippets, values=values)

    def error(emphasis: tuple[float, float] | None) -> float:
        found = coalign(spoiled, emphasis=emphasis)
        return float(np.log(found.scale / case.scale)[group == 0].std())

    assert error((1.0, 1e-3)) < error((1.0, 1e3))
    assert error((1.0, 1.0)) == error(None)


def test_cancelling_and_bad_arguments(noisy: Case) -> None:
    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    for solver in ("irls", "adam"):
        with pytest.raises(Stop):
            coalign(noisy.snippets, solver=solver, check=stop)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="emphasis"):
        coalign(noisy.snippets, emphasis=(1.0,))
    for emphasis in ((1.0, 0.0), (1.0, -1.0)):
        with pytest.raises(ValueError, match="emphasis"):
            coalign(noisy.snippets, emphasis=emphasis)
    with pytest.raises(ValueError, match="steps"):
        coalign(noisy.snippets, steps=0)
    frames, group = noisy.snippets.frames, noisy.snippets.group
    with pytest.raises(ValueError, match="do not fit"):
        Snippets(40, frames[1:], noisy.snippets.values, group)
    with pytest.raises(ValueError, match="outside"):
        Snippets(39, frames, noisy.snippets.values, group)
    with pytest.raises(ValueError, match="group"):
        Snippets(40, frames, noisy.snippets.values, group[1:])


def test_snippets_say_what_does_not_fit() -> None:
    frames, group = frames_of(6, (1,))
    values = np.zeros((*frames.shape, 4))
    Snippets(6, frames, values, group)
    for wrong in (values[..., 0], values[..., :0], values[:, :-1], values[None], values[:-1]):
        with pytest.raises(ValueError, match="do not fit"):
            Snippets(6, frames, wrong, group)
    with pytest.raises(ValueError, match="do not fit"):
        Snippets(6, frames.ravel(), values, group)
    for other in (group - 1, group[:0]):
        with pytest.raises(ValueError, match="group"):
            Snippets(6, frames, values, other)
    with pytest.raises(ValueError, match="group"):
        Snippets(6, frames[:0], values[:0], group[:0])
    for place, frame in (((0, 0), -2), ((0, 0), 6), (0, -1)):
        wrong = frames.copy()
        wrong[place] = frame
        with pytest.raises(ValueError, match="outside of 0 … 5, or without any"):
            Snippets(6, wrong, values, group)


def test_rows_of_a_frame_come_by_dilation_and_slot() -> None:
    frames = np.array([[0, 1, 2], [1, 2, 3], [0, 2, -1], [2, 3, -1]])
    values = 10.0 * np.arange(4)[:, None, None] + np.arange(3)[:, None] + np.array([0.0, 0.5])
    values[1, 1, 1] = np.inf
    snippets = Snippets(4, frames, values, np.array([1, 0, 0, 1]))
    for size in (1, 1 << 20):
        rows = FrameRows(snippets, size)
        assert rows.snippet.tolist() == [[2, 0, -1, -1], [1, 0, -1, -1], [1, 2, 3, 0], [1, 3, -1, -1]]
        assert rows.slot.tolist()[2] == [1, 1, 0, 2]
        chunks = list(rows)
        assert [chunk.start for chunk in chunks] == ([0, 1, 2, 3] if size == 1 else [0])
        known = next(chunk.known for chunk in chunks if chunk.start + len(chunk.values) > 2)
        assert known is not None
        where = 0 if size == 1 else 2
        assert known[where].tolist() == [[True, False], [True, True], [True, True], [True, True]]
        shown = np.concatenate([chunk.values for chunk in chunks])
        assert shown[2].tolist() == [[11, 0], [21, 21.5], [30, 30.5], [2, 2.5]]
        assert shown[0].tolist() == [[20, 20.5], [0, 0.5], [0, 0], [0, 0]]


def test_notes_say_what_is_there_and_the_last_step_may_not_settle(noisy: Case) -> None:
    assert coalign(noisy.snippets, steps=1).notes[-1].endswith("did not settle within 1 iterations.")
    assert coalign(noisy.snippets, steps=1).iterations == 1
    assert coalign(noisy.snippets, solver="adam", steps=1).iterations == 1


def test_an_outlying_edge_of_a_snippet_does_not_move_it() -> None:
    """One frame of a snippet is something else altogether: the other two still say its scale and level."""
    case = case_of(truth_of(30, 150), *frames_of(30, (1, 5)), noise=0.005)
    values = np.asarray(case.snippets.values[:]).copy()
    values[10, 1] = 40 * np.random.default_rng(3).uniform(size=150)
    found = coalign(replace(case.snippets, values=values))
    gain = found.scale / case.scale
    assert gain[10] == pytest.approx(np.median(gain), rel=0.03)


def test_importing_stays_light() -> None:
    code = "import sys, vdepth_core.align.joint; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
