"""`windowed`: plan, inputs, alignment and fading as the slow reference has them; files, resumption, jobs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from generated import RampModel, write_movie
from methods.windowed.windowed_reference import inputs, stitched
from rolling_fakes import FakeSnippets, Footage
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate
from windowed_fakes import FakeWindows

from vdepth_core.errors import UsageError
from vdepth_core.jobs.batch import estimate
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.jobs.presets import resolve
from vdepth_core.methods.windowed.align import HUB, chain, joint
from vdepth_core.methods.windowed.method import Windowed
from vdepth_core.methods.windowed.options import WindowedOptions
from vdepth_core.methods.windowed.plan import plan_windows
from vdepth_core.models.registry import ModelEntry, list_models, load_model
from vdepth_core.output.sequence import read_sequence
from vdepth_core.progress import Progress
from vdepth_core.store import DepthStore
from vdepth_core.types import ModelSpec, ShotAlignment

COUNTS = (1, 2, 9, 22, 23, 31, 32, 33, 54, 55, 65, 70)
SIZE = (24, 32)


def run(
    count: int,
    folder: Path,
    model: Any = None,
    footage: Footage | None = None,
    **options: Any,
) -> tuple[np.ndarray, ShotAlignment]:
    """A whole shot: final maps and what was done."""
    model, footage = model or FakeWindows(), footage or Footage(count, size=SIZE)
    method = Windowed(WindowedOptions(**options))
    with DepthStore(folder, count, *SIZE) as store:
        method.run(footage, model, store, Progress())
        alignment = method.settle(footage.shot, model.spec, store, Progress())
        return store.final.read(0, count), alignment


def slow(count: int, model: FakeWindows, footage: Footage) -> np.ndarray:
    """The reference on every window's frames, each encoded again."""
    pictures = torch.from_numpy(np.stack([footage.picture(index) for index in range(count)]))
    frames = pictures.permute(0, 3, 1, 2).float() / 255
    windows = [model.decode(model.encode(frames[seen])).numpy() for seen in inputs(count)]
    return stitched(windows, count, metric=model.spec.space == "metric")


@pytest.mark.parametrize("count", [*COUNTS, 600])
def test_published_windows_see_the_published_frames(count: int) -> None:
    plan = plan_windows(count, published=True)
    assert [list(frames) for frames in plan.frames] == inputs(count)
    if count > 44:
        assert plan.frames[2][:3] == (0, 34, min(46, count - 1))


@pytest.mark.parametrize("count", [*COUNTS, 600])
def test_our_windows_are_the_same_without_what_lies_behind_the_end(count: int) -> None:
    plan, published = plan_windows(count), plan_windows(count, published=True)
    assert len(plan) <= len(published) <= len(plan) + 1
    for frames, full in zip(plan.frames, published.frames, strict=False):
        assert frames == full[: len(frames)]
        assert len(set(frames)) == len(frames)
    assert sum(plan.new(window) for window in range(len(plan))) == count
    for each in (plan, published):
        for frame in range(count):
            parts = each.parts(frame)
            assert sum(weight for *_, weight in parts) == pytest.approx(1)
            assert all(each.frames[window][position] == frame for window, position, _ in parts)


@pytest.mark.parametrize("space", ["affine_invariant", "metric"])
@pytest.mark.parametrize("count", COUNTS)
def test_published_results_are_those_of_the_slow_reference(count: int, space: str, tmp_path: Path) -> None:
    model, footage = FakeWindows(space), Footage(count, size=SIZE)
    said, alignment = run(count, tmp_path, model, footage, preset="published")
    expected = slow(count, other := FakeWindows(space), footage)
    np.testing.assert_allclose(said, 1 / expected if space == "metric" else expected, rtol=2e-5, atol=2e-6)
    assert model.seen == other.seen
    assert sum(model.encoded) == count
    assert len(alignment.scale) == count


def test_the_published_fit_is_at_the_size_of_the_picture(tmp_path: Path) -> None:
    footage = Footage(40, size=SIZE)
    small, _ = run(40, tmp_path / "a", footage=footage, preset="published")
    large = Footage(40, size=SIZE)
    large.info = type(large.info)(*vars(large.info).values())
    object.__setattr__(large.info, "width", 4 * SIZE[1])
    object.__setattr__(large.info, "height", 4 * SIZE[0])
    said, _ = run(40, tmp_path / "b", footage=large, preset="published")
    np.testing.assert_allclose(said, small, rtol=1e-3)  # the truth is an affine of itself at any size


@pytest.mark.parametrize("count", COUNTS)
def test_all_windows_together_find_the_truth(count: int, tmp_path: Path) -> None:
    model, footage = FakeWindows(), Footage(count, size=SIZE)
    said, alignment = run(count, tmp_path, model, footage)
    pictures = torch.from_numpy(np.stack([footage.picture(index) for index in range(count)]))
    pooled = avg_pool2d(pictures.permute(0, 3, 1, 2).float() / 255, 4)[:, :1]
    truth = interpolate(pooled, scale_factor=4, mode="bilinear")[:, 0].numpy()
    table = np.stack([truth.ravel(), np.ones(truth.size)], 1)
    fit = np.linalg.lstsq(table, said.ravel(), rcond=None)[0]
    np.testing.assert_allclose(said.ravel(), table @ fit, atol=2e-4)
    assert alignment.scale[0] == 1
    assert not alignment.notes
    assert sum(model.encoded) == count
    assert len(model.seen) == len(plan_windows(count))


@pytest.mark.parametrize("stop", [0, 1, 2])
def test_a_stopped_shot_goes_on_at_its_window_to_the_same_bytes(stop: int, tmp_path: Path) -> None:
    whole, _ = run(70, tmp_path / "whole", batch=3)

    class Stopper(FakeWindows):
        def decode(self, features: Sequence[Tensor]) -> Tensor:
            if len(self.seen) == stop:
                raise KeyboardInterrupt
            return super().decode(features)

    with pytest.raises(KeyboardInterrupt):
        run(70, tmp_path / "cut", Stopper(), batch=3)
    again = FakeWindows()
    said, _ = run(70, tmp_path / "cut", again, batch=3)
    np.testing.assert_array_equal(said, whole)
    assert len(again.seen) == 3 - stop
    assert not (tmp_path / "cut" / "windows").exists()
    third = FakeWindows()
    run(70, tmp_path / "cut", third)
    assert not third.seen


def test_it_refuses_other_models() -> None:
    for model in (RampModel(), FakeSnippets()):
        with pytest.raises(UsageError, match="32 frames at once"):
            Windowed().check(model)  # type: ignore[arg-type]


def drifting(count: int, seed: int) -> tuple[Callable[[int, int], np.ndarray], np.ndarray, np.ndarray]:
    """Samples of windows that drift against each other, with noise, and outliers in some; what is right."""
    rng = np.random.default_rng(seed)
    plan = plan_windows(count)
    base = rng.gamma(3, 1, (1, 400))
    walk = np.cumsum(rng.normal(0, 0.05, (count, 400)), 0)
    truth = np.maximum(base + walk - walk.min() + 0.5, 0.05)
    scale, shift = np.exp(rng.normal(0, 0.3, len(plan))), rng.normal(0, 1, len(plan)) + 3
    said = {}
    for window, frames in enumerate(plan.frames):
        for position, frame in enumerate(frames):
            values = truth[frame] * scale[window] + shift[window]
            values = values + rng.normal(0, 0.05, 400) * scale[window]
            if rng.random() < 0.6:
                odd = rng.random(400) < 0.15
                values[odd] += 6 * scale[window] * rng.random()
            said[window, position] = values
    right = np.stack([scale[0] / scale, shift[0] - shift * scale[0] / scale])
    return lambda window, position: said[window, position], right, truth * scale[0] + shift[0]


@pytest.mark.parametrize("seed", range(3))
def test_all_windows_together_drift_less_than_the_published_chain(seed: int) -> None:
    """600 frames: window scales and shifts at random, noise, and outliers in every other map."""
    plan = plan_windows(600)
    maps, right, truth = drifting(600, seed)
    errors = {}
    for name, found in (("joint", joint(plan, maps)), ("chain", chain(len(plan), maps))):
        rms = []
        for window in range(1, len(plan)):
            said = truth[22 * window + 10]
            raw = (said - right[1, window]) / right[0, window]
            rms.append(float(np.sqrt(np.mean((found.scale[window] * raw + found.shift[window] - said) ** 2))))
        errors[name] = rms
    print(
        f"rms {np.mean(errors['joint']):.4f}, drift {errors['joint'][-1]:.4f}; published chain "
        f"{np.mean(errors['chain']):.4f}, drift {errors['chain'][-1]:.4f}"
    )
    assert np.mean(errors["joint"]) < 0.5 * np.mean(errors["chain"])
    assert errors["joint"][-1] < errors["chain"][-1]


def test_long_shots_are_solved_in_bounded_blocks() -> None:
    plan = plan_windows(22 * (2 * HUB + 5) + 10)
    rng = np.random.default_rng(0)
    base, scale = rng.gamma(3, 1, 64) + 0.1, np.exp(rng.normal(0, 0.3, len(plan)))
    found = joint(plan, lambda window, _: base * scale[window], scale_only=True)
    np.testing.assert_allclose(found.scale, scale[0] / scale, rtol=1e-6)
    assert not found.shift.any()


def test_it_is_chosen_by_itself_and_by_presets() -> None:
    small = ModelEntry("video-depth-anything-small", True, _spec("video-depth-anything-small"))
    large = ModelEntry("video-depth-anything-large", True, _spec("video-depth-anything-large"))
    embedded = next(entry for entry in list_models() if entry.name == "embedded")
    chosen = resolve(EstimateConfig(), [small, embedded], "cpu")
    assert (chosen.method, chosen.model, chosen.size) == ("windowed", small.name, 280)
    assert resolve(EstimateConfig(preset="best"), [small, large, embedded], "cuda").model == small.name
    free = EstimateConfig(preset="best", non_commercial=True)
    assert resolve(free, [small, large, embedded], "cuda").model == large.name
    assert resolve(EstimateConfig(preset="draft"), [small, embedded], "cpu").method == "framewise"
    assert resolve(EstimateConfig(method="temporal"), [small, embedded], "cpu").model == "embedded"
    assert resolve(EstimateConfig(method="windowed"), [small, embedded], "cpu").model == small.name
    assert resolve(EstimateConfig(model=small.name), [small, embedded], "cpu").method == "windowed"


def _spec(name: str) -> ModelSpec:
    return next(entry.spec for entry in list_models() if entry.name == name and entry.spec)


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_movie(tmp_path_factory.mktemp("clip") / "shots.mp4", 42, shots=3, size=(98, 66))


@pytest.mark.parametrize("preset", ["joint", "published"])
def test_a_tiny_checkpoint_runs_over_three_shots(
    preset: str, movie: Path, tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    options = {"model": str(tiny("video-depth-anything")), "device": "cpu", "size": 42}
    manifest = estimate(movie, tmp_path / "out", {**options, "windowed_preset": preset})
    assert "windowed" in str(manifest.method)
    assert [(shot.start, shot.stop) for shot in manifest.shots] == [(0, 14), (14, 28), (28, 42)]
    depth = np.stack(list(read_sequence(tmp_path / "out")))
    assert depth.shape == (42, 66, 98)
    assert np.isfinite(depth).all()
    assert depth.std() > 0
    names = [path.name for path in (tmp_path / "out").glob("*.exr")]
    assert len(names) == 84


def test_an_encoded_frame_does_not_depend_on_where_a_job_began(
    tiny: Callable[[str], Path], tmp_path: Path
) -> None:
    model = load_model(tiny("video-depth-anything"))
    sums = []
    for folder, stop in (("whole", 9), ("cut", 1)):
        footage = Footage(40, size=(28, 42))
        with DepthStore(tmp_path / folder, 40, 28, 42) as store:
            decode, left = model.decode, [stop]  # type: ignore[attr-defined]

            def limited(features: Any, decode: Any = decode, left: list[int] = left) -> Tensor:
                left[0] -= 1
                if left[0] < 0:
                    raise KeyboardInterrupt
                return decode(features)  # type: ignore[no-any-return]

            model.decode = limited  # type: ignore[attr-defined]
            with suppress(KeyboardInterrupt):
                Windowed().run(footage, model, store, Progress())
            model.decode = decode  # type: ignore[attr-defined]
            Windowed().run(footage, model, store, Progress())
            Windowed().settle(footage.shot, model.spec, store, Progress())
            sums.append(hashlib.sha256(store.final.read(0, 40).tobytes()).hexdigest())
    assert sums[0] == sums[1]
