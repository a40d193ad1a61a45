"""Memory is computed from shapes alone, and is what a real pass keeps."""

import pytest
import torch

from vdepth_core.learning.diffusion.adapters import choose
from vdepth_core.learning.diffusion.memory import Kept, plan
from vdepth_core.learning.diffusion.table import RECIPES
from vdepth_core.training.diffusion.request import read_settings

CASES = {
    "rolling": ("rollingdepth", "unet"),
    "marigold": ("marigold", "unet"),
    "chrono": ("chronodepth", "."),
}


@pytest.mark.parametrize("recipe", CASES)
def test_the_plan_is_what_a_pass_keeps(tiny, recipe):
    _, chosen, _ = read_settings(recipe, {"height": 64, "width": 64})
    config = tiny(CASES[recipe][0]) / CASES[recipe][1] / "config.json"
    stage = chosen.stages(1)[-1]
    planned = plan(chosen, stage, config, (64, 64))
    unet = chosen.empty(config)
    trained = choose(unet, stage.trains, None)
    assert (planned.trained, planned.weights) == (trained.count(), 4 * planned.parameters)
    kept = Kept(unet)
    sample, times = torch.zeros(1, stage.longest, 8, 8, 8), torch.zeros(1, stage.longest)
    with kept.counting():
        chosen.answer(unet, sample, times, torch.zeros(1, 1, 16))
    assert planned.activations == pytest.approx(kept.total, rel=0.1)


def test_every_option_saves_what_it_says(tiny):
    settings, chosen, _ = read_settings("rolling", {})
    assert settings.size == (480, 640)
    assert read_settings("chrono", {})[0].size == (448, 640)
    (stage,) = chosen.stages(None)
    config = tiny("rollingdepth") / "unet" / "config.json"
    full = plan(chosen, stage, config, (64, 96))
    assert full.gradients * 2 == full.moments
    assert plan(chosen, stage, config, (64, 96), moments="bf16").moments == full.moments / 2
    assert plan(chosen, stage, config, (64, 96), moments="8bit").moments == full.moments / 4
    assert plan(chosen, stage, config, (64, 96), at_once=2).activations > 1.5 * full.activations
    assert plan(chosen, stage, config, (64, 96), checkpointing=True).activations < 0.8 * full.activations
    assert plan(chosen, stage, config, (64, 96), half=True).activations < 0.7 * full.activations
    low = plan(chosen, stage, config, (64, 96), rank=4, half=True)
    assert low.trained < full.trained / 5
    assert low.total < full.total / 2
    assert str(RECIPES.ours) == "['marigold', 'rolling', 'chrono']"
    assert low.row().count("|") == 4
