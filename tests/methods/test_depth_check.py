"""What is no depth is an error that names the model and the frame; a slate may be flat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from generated import RampModel
from rolling_fakes import SIZE, FakeSnippets, Footage, rolling

from vdepth_core.errors import WeightsError
from vdepth_core.methods.depth_check import DepthCheck
from vdepth_core.methods.framewise import Framewise
from vdepth_core.methods.options import FramewiseOptions
from vdepth_core.methods.temporal.method import Temporal
from vdepth_core.progress import Progress
from vdepth_core.protocols import Method, RefiningMethod
from vdepth_core.store import DepthStore, FrameArray


class Slates(Footage):
    """Black pictures but for those of ``shown``."""

    def __init__(self, count: int, shown: tuple[int, ...] = (), start: int = 0) -> None:
        super().__init__(count, start)
        self.shown = shown

    def picture(self, index: int) -> np.ndarray:
        return super().picture(index) if index in self.shown else np.full((*SIZE, 3), 3, np.uint8)


class Spoilt(RampModel):
    """Says ``value`` on the frames ``where`` (of all, in the order it sees them); None: on all."""

    def __init__(self, value: float, where: tuple[int, ...] | None = None) -> None:
        super().__init__()
        self.value, self.where, self.count = value, where, 0

    def predict(self, frames: torch.Tensor) -> torch.Tensor:
        said = super().predict(frames)
        for index in range(len(said)):
            if self.where is None or self.count in self.where:
                said[index] = self.value
            self.count += 1
        return said


class SpoiltSnippets(FakeSnippets):
    """Says ``value`` of everything, in its snippets or in its refinement."""

    def __init__(self, value: float, refined: bool = False) -> None:
        super().__init__()
        self.value, self.refined = value, refined

    def predict_snippets(self, latents: torch.Tensor, noise: torch.Tensor, steps: int = 1) -> torch.Tensor:
        said = super().predict_snippets(latents, noise, steps)
        return said if self.refined else torch.full_like(said, self.value)

    def decode(self, depth_latents: torch.Tensor) -> torch.Tensor:
        return torch.full_like(super().decode(depth_latents), self.value)


def run(folder: Path, shot: Footage, model: object, method: Method) -> None:
    with DepthStore(folder, len(shot), *SIZE) as store:
        method.run(shot, model, store, Progress())  # type: ignore[arg-type]
        if isinstance(method, RefiningMethod) and method.refines:
            method.settle(shot.shot, model.spec, store, Progress())  # type: ignore[attr-defined]
            method.refine(shot, model, store, Progress())  # type: ignore[arg-type]


@pytest.mark.parametrize(("contrast", "shows"), [(8, False), (9, True)])
@pytest.mark.parametrize(("ripple", "varies"), [(0.9e-6, False), (1.1e-6, True)])
def test_a_picture_shows_something_from_nine_levels_on_and_a_map_varies_beyond_rounding(
    tmp_path: Path, contrast: int, shows: bool, ripple: float, varies: bool
) -> None:
    with (
        FrameArray(tmp_path / "luma", 2, (2, 2), "u1") as luma,
        FrameArray(tmp_path / "maps", 2, (2, 2), "<f8") as maps,
    ):
        luma.write(0, np.uint8([[[5, 5], [5, 5]], [[20, 20], [20, 20 + contrast]]]))
        maps.write(0, np.array([[[1, 2], [3, 4]], [[-3, -3], [-3, -3 - 3 * ripple]]]))
        check = DepthCheck("model-x", luma, 100, Progress())
        if shows and not varies:
            with pytest.raises(WeightsError, match="first in frame 101"):
                check.varied(maps, range(2))
        else:
            check.varied(maps, range(2))
        said = np.full((2, 2, 2), np.nan)
        if shows:
            with pytest.raises(WeightsError, match="no number at all for frame 101"):
                check.repaired(said, range(2))
            with pytest.raises(WeightsError, match="for frame 107"):
                check.repaired(said, (6, 7), luma.read(0, 2))
        else:
            check.repaired(said, range(2))
        said[:, 0, 0] = 1
        check.repaired(said, range(2))


def test_the_first_constant_frame_is_named_and_one_that_varies_is_enough(tmp_path: Path) -> None:
    with (
        FrameArray(tmp_path / "luma", 3, (2,), "u1") as luma,
        FrameArray(tmp_path / "m", 3, (2,), "<f4") as maps,
    ):
        luma.write(0, np.uint8([[0, 99]] * 3))
        maps.write(0, np.float32([[1, 1], [2, 2], [3, 3]]))
        with pytest.raises(WeightsError, match="first in frame 0"):
            DepthCheck("x", luma, 0, Progress()).varied(maps, range(3))
        maps.write(2, np.float32([[3, 4]]))
        DepthCheck("x", luma, 0, Progress()).varied(maps, range(3))


METHODS = [Framewise(FramewiseOptions(batch=2)), Temporal()]


@pytest.mark.parametrize("method", METHODS)
def test_a_picture_without_a_number_is_an_error(method: Method, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"ramp.* no number at all for frame 13") as error:
        run(tmp_path, Footage(6, start=10), Spoilt(torch.nan, (3,)), method)
    assert error.value.exit_code == 4
    assert "--dtype fp32" in error.value.hint


@pytest.mark.parametrize("value", [0.0, 1e-3, -7.5e6])
@pytest.mark.parametrize("method", METHODS)
def test_a_constant_shot_is_an_error_also_when_it_is_resumed(
    method: Method, value: float, tmp_path: Path
) -> None:
    shot, model = Footage(5, start=20), Spoilt(value)
    for _ in range(2):
        with pytest.raises(WeightsError, match=r"same depth everywhere .*frame 20"):
            run(tmp_path, shot, model, method)
    assert shot.decoded == list(range(5))


def test_slates_and_single_constant_frames_are_depth(tmp_path: Path) -> None:
    black, half = Slates(4), Slates(6, shown=(4, 5))
    run(tmp_path / "black", black, Spoilt(0.0), Framewise())
    run(tmp_path / "none", black, Spoilt(torch.nan), Framewise())
    run(tmp_path / "half", half, Spoilt(0.0, (0, 1, 2, 3, 4)), Framewise())
    run(tmp_path / "one", Footage(4), Spoilt(0.0, (0, 1, 2)), Framewise())
    with pytest.raises(WeightsError, match="frame 4"):
        run(tmp_path / "all", half, Spoilt(0.0), Framewise())


@pytest.mark.parametrize(
    ("value", "message"), [(torch.nan, "no number at all"), (0.5, "same depth everywhere")]
)
@pytest.mark.parametrize("refined", [False, True])
def test_snippets_and_their_refinement_are_looked_at(
    value: float, message: str, refined: bool, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=message):
        run(tmp_path, Footage(9), SpoiltSnippets(value, refined), rolling(refine_steps=2))
    run(tmp_path / "black", Slates(9), SpoiltSnippets(0.5), rolling())
