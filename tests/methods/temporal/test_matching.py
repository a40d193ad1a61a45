"""Matching while a shot is still being predicted gives what matching afterwards gives, and can be stopped."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from procedural_shots import corridor

from vdepth_core.errors import Cancelled
from vdepth_core.methods.temporal.matching import MatchAhead, match_shot
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
