"""Which frames are predicted together: every preset covers every frame of a shot of any length."""

from __future__ import annotations

import numpy as np
import pytest

from vdepth_core.errors import UsageError
from vdepth_core.methods.registry import METHODS
from vdepth_core.methods.rolling.plan import (
    longest_dilation,
    plan_snippets,
    refinement_dilations,
    snippets_of,
)
from vdepth_core.methods.rolling.presets import PRESETS


def test_presets_are_the_published_table() -> None:
    rows = {
        name: (p.longest_edge, p.dtype, p.dilations, p.cap, p.refine_steps) for name, p in PRESETS.items()
    }
    assert rows == {
        "fast": (768, "fp16", (1, 25), True, 0),
        "fast1024": (1024, "fp16", (1, 25), True, 0),
        "full": (1024, "fp16", (1, 10, 25), True, 10),
        "paper": (768, "fp32", (1, 10, 25), False, 10),
    }
    with pytest.raises(UsageError, match="--rolling-preset slow"):
        METHODS.read("rolling", {"rolling_preset": "slow"})


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("strict", [False, True])
def test_every_frame_of_every_shot_is_covered(name: str, strict: bool) -> None:
    preset = PRESETS[name]
    for count in range(1, 121):
        plan = plan_snippets(count, preset.dilations, cap=preset.cap, strict=strict)
        covering = plan.covering()
        assert len(covering) == count
        flat = plan.frames.ravel()
        for frame, slots in enumerate(covering):
            np.testing.assert_array_equal(np.flatnonzero(flat == frame), slots)
            assert len(slots) > 0
        assert (plan.frames >= 0).all()
        assert (plan.frames < count).all()
        steps = np.diff(plan.frames, axis=1)
        if count >= 3:
            assert (steps == np.array(plan.dilations)[plan.group][:, None]).all()
        else:
            assert plan.frames.tolist() == [list(range(count))]
        if not strict:
            assert len(np.unique(plan.frames, axis=0)) == len(plan)


@pytest.mark.parametrize(
    ("count", "dilations"),
    [(3, (1,)), (6, (1,)), (9, (1, 2)), (24, (1, 7)), (30, (1, 9)), (75, (1, 24)), (78, (1, 25))],
)
def test_long_dilations_are_capped_and_drop_out(count: int, dilations: tuple[int, ...]) -> None:
    plan = plan_snippets(count, (1, 25))
    assert plan.dilations == dilations
    assert len(plan) == sum(count - 2 * d for d in dilations)


def test_strict_keeps_duplicates_and_the_published_cap() -> None:
    """The cap is on the dilation itself: 24 frames and snippets of 3 give 1, 7, 7."""
    plan = plan_snippets(24, (1, 10, 25), strict=True)
    assert plan.dilations == (1, 7, 7)
    assert plan.group.tolist() == [0] * 22 + [1] * 10 + [2] * 10
    np.testing.assert_array_equal(plan.frames[22:32], plan.frames[32:])
    assert plan_snippets(24, (1, 10, 25)).dilations == (1, 7)


def test_without_a_cap_what_does_not_fit_is_left_out() -> None:
    assert plan_snippets(30, (1, 10, 25), cap=False).dilations == (1, 10)
    assert plan_snippets(51, (1, 10, 25), cap=False).frames[-1].tolist() == [0, 25, 50]


def test_no_snippets_of_nothing() -> None:
    with pytest.raises(ValueError, match="0 frames"):
        plan_snippets(0, (1,))
    with pytest.raises(ValueError, match="dilations"):
        plan_snippets(9, (2,))
    assert snippets_of(6, 3).shape == (0, 3)


def test_the_refinement_schedule_is_the_published_one() -> None:
    assert refinement_dilations(10, 6) == (6, 5, 5, 4, 4, 3, 3, 2, 1, 1)
    assert refinement_dilations(1, 6) == (6,)
    assert longest_dilation(12) == 3
    assert refinement_dilations(10, longest_dilation(12)) == (3, 2, 2, 2, 2, 2, 1, 1, 1, 1)
    assert [longest_dilation(count) for count in (1, 5, 6, 8, 9, 24, 300)] == [1, 1, 1, 1, 2, 7, 99]
