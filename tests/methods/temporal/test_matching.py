"""Matching while a shot is still being predicted gives what matching afterwards gives, and can be stopped."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from procedural_shots import corridor

from vdepth_core.errors import Cancelled
from vdepth_core.methods.temporal.matching import MatchAhead, _still_share, _stillness, match_shot
from vdepth_core.progress import Progress
from vdepth_core.store import DepthStore

COUNT = 20


def write(store: DepthStore, t: int) -> None:
    luma, disparity = corridor(0.06 * t)
    store.raw.write(t, disparity[None] * (1 + 0.2 * (t % 3)))
    store.luma.write(t, luma[None])


def test_matching_ahead_changes_nothing(tmp_path: Path) -> None:
    with DepthStore(tmp_path, COUNT, 96, 160) as store:

        def disparity(t: int) -> np.ndarray:
            return store.raw.read(t)[0]

        ahead = MatchAhead(store, disparity, False, Progress())
        for t in reversed(range(COUNT)):  # whatever the order frames come in
            write(store, t)
        early, late = ahead.result(), match_shot(store, disparity, False, Progress())
        assert early.pairs == late.pairs
        np.testing.assert_array_equal(early.still, late.still)
        np.testing.assert_array_equal(early.clamped, late.clamped)
        assert len(early.pairs) > COUNT


def test_pairs_are_neighbours_and_fewer_farther_apart(tmp_path: Path) -> None:
    """1, 2, 4, 8 and 16 frames apart, from every, every, every second, fourth and eighth frame."""
    with DepthStore(tmp_path, COUNT, 96, 160) as store:
        luma, disparity = corridor(1.0)
        for t in range(COUNT):
            store.raw.write(t, disparity[None] * np.float32(1 + 0.1 * t) + np.float32(0.2))
            store.luma.write(t, luma[None])
        found = match_shot(store, lambda t: store.raw.read(t)[0], False, Progress())
    wanted = {(i, i + d) for d in (1, 2, 4, 8, 16) for i in range(0, COUNT - d, max(1, d // 2))}
    assert {(pair.i, pair.j) for pair in found.pairs} == wanted
    for pair in found.pairs:
        assert pair.fit.scale == pytest.approx((1 + 0.1 * pair.j) / (1 + 0.1 * pair.i), rel=1e-4)
    np.testing.assert_array_equal(found.still, 1)
    np.testing.assert_array_equal(found.clamped, 0)


def test_zeros_are_clamped_and_matched_with_nothing(tmp_path: Path) -> None:
    with DepthStore(tmp_path, 3, 96, 160) as store:
        luma, disparity = corridor(1.0)
        clamped = np.where(np.arange(160) < 40, 0, disparity).astype(np.float32)
        for t, scale in enumerate((1, 2, 3)):
            store.raw.write(t, scale * clamped[None])
            store.luma.write(t, luma[None])
        found = match_shot(store, lambda t: store.raw.read(t)[0], True, Progress())
    np.testing.assert_allclose(found.clamped, 0.25)
    assert [pair.fit.scale for pair in found.pairs] == pytest.approx([2, 1.5, 3], rel=1e-5)
    assert found.pairs[0].fit.x == pytest.approx(
        clamped[1::3, 1::3][clamped[1::3, 1::3] > 0].mean(), rel=1e-4
    )


def test_unlike_pictures_say_nothing_of_each_other(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with DepthStore(tmp_path, 2, 96, 160) as store:
        store.raw.write(0, rng.random((2, 96, 160)))
        store.luma.write(0, rng.integers(0, 256, (2, 96, 160)))
        found = match_shot(store, lambda t: store.raw.read(t)[0], False, Progress())
    assert found.pairs == ()
    assert found.still.tolist() == [0]


def test_stillness_is_told_by_the_longest_pair_over_a_step() -> None:
    """0.4 of the texture in its place: it moved for sure; 0.6: it stood still; between them in proportion."""
    assert _stillness(5, []).tolist() == [0, 0, 0, 0]
    assert _stillness(1, []).tolist() == []
    moved = [(0, 1, 1.0), (1, 2, 0.5), (0, 2, 0.45), (2, 3, 0.4), (3, 4, 0.6)]
    np.testing.assert_allclose(_stillness(5, moved), [0.25, 0.25, 0, 1])
    # of two equally long ones the smaller
    np.testing.assert_allclose(_stillness(4, [(0, 2, 0.55), (1, 3, 0.45)]), [0.75, 0.25, 0.25])
    np.testing.assert_allclose(_stillness(3, [(0, 2, 0.5), (0, 1, 0.9), (1, 2, 0.1)]), [0.5, 0.5])


def test_only_texture_that_was_found_tells_whether_it_stayed() -> None:
    luma = np.zeros((40, 40), np.uint8)
    luma[:, 20:] = np.random.default_rng(1).integers(0, 256, (40, 20))
    flow, weight = np.zeros((40, 40, 2), np.float32), np.ones((40, 40), np.float32)
    assert _still_share(luma, flow, weight) == 1
    flow[..., :20, 0] = 5  # nothing to see there
    assert _still_share(luma, flow, weight) == 1
    flow[:21, 20:, 1] = 0.36
    assert _still_share(luma, flow, weight) == pytest.approx(19 / 39, abs=0.02)
    flow[:21, 20:, 1] = 0.34
    weight[:21] = 0.3
    assert _still_share(luma, flow, weight) == pytest.approx(19 / 39, abs=0.02)
    assert _still_share(np.zeros((40, 40), np.uint8), flow, weight) == 0
    faint = np.tile(np.uint8([0, 6]), (40, 20))  # steps of six grey levels are noise
    assert _still_share(faint, 0 * flow, weight + 1) == 0
    assert _still_share(faint // 6 * 7, 0 * flow, weight + 1) == 1


@pytest.mark.parametrize("how", ["abandoned", "cancelled"])
def test_waiting_for_a_frame_that_never_comes_ends(tmp_path: Path, how: str) -> None:
    progress = Progress()
    with DepthStore(tmp_path, COUNT, 96, 160) as store:
        ahead = MatchAhead(store, lambda t: store.raw.read(t)[0], False, progress)
        write(store, 0)
        if how == "abandoned":
            ahead.abandon()
        else:
            progress.cancel()
        with pytest.raises(Cancelled):
            ahead.result()
    left = [thread for thread in threading.enumerate() if thread.name.startswith("vdepth-match")]
    for thread in left:
        thread.join(5)
    assert not any(thread.is_alive() for thread in left)
