"""What a preset of `rolling` decides, and what an option changes of it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from rolling_fakes import FakeSnippets

from vdepth_core.methods.rolling.method import Rolling
from vdepth_core.methods.rolling.options import RollingOptions
from vdepth_core.methods.rolling.plan import plan_snippets
from vdepth_core.methods.rolling.spill import spilled_bytes
from vdepth_core.methods.spill import sample_grid
from vdepth_core.types import ClipInfo


@pytest.mark.parametrize(("preset", "dtype", "longer"), [("fast", "fp16", 768), ("paper", "fp32", 768),
                                                         ("fast1024", "fp16", 1024)])  # fmt: skip
def test_a_preset_decides_precision_on_cuda_and_the_longer_side(preset: str, dtype: str, longer: int) -> None:
    method = Rolling(RollingOptions.model_validate({"preset": preset}))
    assert method.dtype("cuda") == dtype
    assert method.dtype("cpu") is None
    spec = FakeSnippets().spec
    for width, height in ((1920, 1080), (1080, 1920)):
        info = ClipInfo(Path("a.mp4"), "movie", "a", width, height, Fraction(1), Fraction(24))
        assert max(method.input_size(info, spec, None)) == longer
        assert max(method.input_size(info, replace(spec, multiple=8), 64)) != longer


def test_steps_of_the_refinement_are_the_presets_unless_asked() -> None:
    for preset, steps in (("fast", 0), ("full", 10)):
        assert Rolling(RollingOptions.model_validate({"preset": preset})).options.refine_steps == steps
        asked = RollingOptions.model_validate({"preset": preset, "refine_steps": 3})
        assert Rolling(asked).preset.refine_steps == 3


def test_disk_space_is_that_of_the_snippets() -> None:
    spec = FakeSnippets().spec
    fast, full = (Rolling(RollingOptions.model_validate({"preset": name})) for name in ("fast", "full"))
    grid = sample_grid(48, 64)
    assert fast.disk_space(spec, 0, 48, 64) == 0
    assert fast.disk_space(spec, 40, 48, 64) == spilled_bytes(
        plan_snippets(40, (1, 25)), 48, 64, grid, refine=False
    )
    assert full.disk_space(spec, 40, 48, 64) == spilled_bytes(
        plan_snippets(40, (1, 10, 25)), 48, 64, grid, refine=True
    )
