"""Presets choose from what is installed; what the user says always wins."""

import pytest

from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.jobs.presets import resolve


@pytest.mark.parametrize("preset", ["draft", "balanced", "best"])
@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_with_nothing_installed_the_embedded_model_does_it(preset, device):
    chosen = resolve(EstimateConfig(preset=preset), [], device)
    assert chosen.model == "embedded"
    assert chosen.method in ("framewise", "temporal")
    assert chosen.device == device
    assert chosen.dtype != "auto"


def test_best_takes_the_best_installed():
    installed = ["embedded", "midas-v21", "tcmonodepth-small"]
    assert resolve(EstimateConfig(preset="best"), installed, "cpu").model == "midas-v21"
    assert resolve(EstimateConfig(preset="balanced"), installed, "cpu").model == "tcmonodepth-small"
    assert resolve(EstimateConfig(preset="balanced"), installed, "cuda").model == "midas-v21"


def test_explicit_choices_win():
    asked = EstimateConfig(preset="draft", method="temporal", model="mine.pt", size=320, dtype="bf16")
    chosen = resolve(asked, ["embedded"], "cuda")
    assert (chosen.method, chosen.model, chosen.size, chosen.dtype) == ("temporal", "mine.pt", 320, "bf16")


def test_a_chosen_model_keeps_its_native_size():
    assert resolve(EstimateConfig(preset="draft", model="midas-v21"), [], "cpu").size is None
