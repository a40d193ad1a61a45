"""Recipes: what each owes, and one made up here that brings a module and an option of its own."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from pydantic import Field
from safetensors.torch import load_file
from torch import Tensor, nn

from vdepth_core.adaptation import recipes
from vdepth_core.adaptation.adapt import adapt
from vdepth_core.adaptation.footage import split_pairs
from vdepth_core.adaptation.session import Session
from vdepth_core.clip.options import ClipOptions
from vdepth_core.errors import Cancelled, UsageError
from vdepth_core.learning.config import LoopConfig
from vdepth_core.learning.state import read_facts
from vdepth_core.options import Options
from vdepth_core.progress import Progress
from vdepth_core.seams import Own

STEPS: dict[str, Any] = {"recipe": "brightness", "steps": 3, "size": 64, "seed": 5, "device": "cpu"}

ONE = STEPS | {"steps": 1}


class Killed(BaseException):
    """Nobody cleans up after it."""


class Scale(nn.Module):
    """A learnt scale, which begins anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.rand(1))


class Brightness:
    """The objective: disparity in an unknown unit is what is bright."""

    killed_at: int | None = None

    def __init__(self, session: Session, weight: float) -> None:
        split = split_pairs(session.footage.shots)
        self.training, self.validation = split.training, split.validation
        self._footage, self._weight = session.footage, weight
        self._scale = session.bring("scale", Scale())
        self._calls = 0

    def terms(
        self, predict: Callable[[Tensor], Tensor], samples: Sequence[int], rng: np.random.Generator | None
    ) -> dict[str, Tensor]:
        self._calls += rng is not None
        if self._calls == self.killed_at:
            raise Killed
        frames = self._footage.pictures(samples)
        if rng is not None:
            frames = frames * rng.uniform(0.9, 1.1)
        wrong = self._scale.value * predict(frames) - frames.mean(1)
        return {"brightness": self._weight * wrong.abs().mean()}


class BrightnessRecipe:
    name, taught = "brightness", False

    class Options(Options):
        """Its own."""

        weight: float = Field(1.0, gt=0, description="Weight of the only term.")

    def __init__(self, options: Any) -> None:
        self._weight = options.weight

    def build(self, session: Session) -> Brightness:
        return Brightness(session, self._weight)


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plate")
    for t in range(6):
        noise = np.random.default_rng(t).integers(0, 255, (64, 96, 3), np.uint8)
        cv2.imwrite(str(folder / f"{t:03d}.png"), noise)
    return folder


@pytest.fixture(autouse=True)
def _recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    class Often(LoopConfig):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options, save_every=0, rate=1e-2)

    place = f"{__name__}:BrightnessRecipe"
    own = Own(place, f"{place}.Options")
    monkeypatch.setitem(recipes.RECIPES._ours, "brightness", own)
    monkeypatch.setattr("vdepth_core.adaptation.adapt.LoopConfig", Often)


class StopAfter(Progress):
    def __init__(self, steps: int) -> None:
        super().__init__()
        self.left = steps

    def advance(self, name: str, done: int = 1) -> None:
        self.left -= name == "adapt"
        if not self.left:
            self.cancel()


def test_its_module_is_trained_saved_and_restored(
    plate: Path, net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = adapt(plate, tmp_path / "straight.safetensors", model=net, **STEPS)
    with pytest.raises(Cancelled, match="--resume"):
        adapt(plate, tmp_path / "stopped.safetensors", progress=StopAfter(1), model=net, **STEPS)
    monkeypatch.setattr(Brightness, "killed_at", 3)
    with pytest.raises(Killed):
        adapt(plate, tmp_path / "killed.safetensors", model=net, **STEPS)
    monkeypatch.setattr(Brightness, "killed_at", None)
    state = load_file(straight.weights.with_suffix(".adapting"))
    for name, steps in (("stopped", 1), ("killed", 2)):
        out = tmp_path / f"{name}.safetensors"
        assert json.loads(read_facts(out.with_suffix(".adapting"))["counters"])["step"] == steps
        torch.manual_seed(steps)  # what the caller does with torch's generator makes no difference
        resumed = adapt(plate, out, resume=True, model=net, **STEPS)
        assert out.read_bytes() == straight.weights.read_bytes()
        assert (resumed.before, resumed.after) == (straight.before, straight.after)
        again = load_file(out.with_suffix(".adapting"))
        assert again.keys() == state.keys()
        assert all(torch.equal(again[key], state[key]) for key in state)
    assert {"average.scale.value", "kept.scale.value", "optimiser.exp_avg.scale.value"} < state.keys()
    assert float(state["network.scale.value"]) != float(state["average.scale.value"])
    assert not any("scale" in key for key in load_file(straight.weights))


def test_its_option_decides_and_is_part_of_the_run(plate: Path, net: Path, tmp_path: Path) -> None:
    out = tmp_path / "w.safetensors"
    plain = adapt(plate, out, model=net, **ONE)
    double = adapt(plate, tmp_path / "2.safetensors", brightness_weight=2.0, model=net, **ONE)
    assert double.before["brightness"] == pytest.approx(2 * plain.before["brightness"])
    with pytest.raises(UsageError, match="other options"):
        adapt(plate, out, brightness_weight=2.0, resume=True, model=net, **ONE)
    for options, words in (
        ({"brightness_weight": -1}, "--brightness-weight -1 .* above 0"),
        ({"form": "plain"}, "no option form"),
        ({"teacher": "embedded"}, "no teacher"),
    ):
        with pytest.raises(UsageError, match=words):
            adapt(plate, out, model=net, **ONE, **options)


def test_how_the_clip_is_read_counts_too(plate: Path, net: Path, tmp_path: Path) -> None:
    out = tmp_path / "w.safetensors"
    adapt(plate, out, rate="12", model=net, **ONE)
    linear = adapt(plate, tmp_path / "linear.safetensors", transfer="linear", model=net, **ONE)
    assert linear.weights.read_bytes() != out.read_bytes()
    with pytest.raises(UsageError, match="other options"):
        adapt(plate, out, transfer="linear", resume=True, model=net, **ONE)
    assert adapt(plate, out, resume=True, model=net, **ONE).steps == 1  # the rate decides nothing here
    with pytest.raises(UsageError, match="give one"):
        adapt(plate, out, transfer="linear", colorspace="acescg", model=net, **ONE)
    with pytest.raises(UsageError, match="layer"):
        adapt(plate, out, layer="beauty", model=net, **ONE)


@pytest.mark.parametrize("name", recipes.RECIPES.names())
def test_every_recipe_loads_and_explains_its_options(name: str) -> None:
    options = recipes.RECIPES.options_of(name)
    recipe, written = recipes.create_recipe(name, {})
    assert recipe.name == name
    assert recipe.Options is options
    assert isinstance(recipe.taught, bool)
    taken = inspect.signature(adapt).parameters.keys() | ClipOptions.model_fields.keys()
    assert not taken & written.keys()
    assert all(field.description for field in options.model_fields.values())
