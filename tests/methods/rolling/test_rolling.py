"""`rolling` with a model whose truth is known: recovery, resumption, batches, memory, per-frame models."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import textwrap
import tracemalloc
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from generated import RampModel
from processes import start
from rolling_fakes import SIZE, FakeSnippets, Footage, Said, estimate, rolling

from vdepth_core.align.scale_shift import fit_scale_shift
from vdepth_core.errors import Cancelled, ResourceError, UsageError
from vdepth_core.methods.batching import Load, choose_load
from vdepth_core.methods.registry import METHODS
from vdepth_core.methods.rolling.method import Rolling
from vdepth_core.methods.rolling.presets import PRESETS, RollingPresetName
from vdepth_core.methods.spill import sample_grid
from vdepth_core.models.sizing import frames_to_tensor
from vdepth_core.progress import Progress
from vdepth_core.protocols import Method, SnippetModel
from vdepth_core.store import DepthStore
from vdepth_core.types import ModelSpec

Straight = Callable[[RollingPresetName, int, int], Said]


class Watch(Progress):
    """Adds up the stages; cancels once ``stage`` has come to ``stop`` frames."""

    def __init__(self, stage: str = "", stop: int = 10**9) -> None:
        super().__init__()
        self.seen: dict[str, int] = {}
        self.stage_to_stop, self.stop, self.warnings = stage, stop, list[str]()

    def advance(self, name: str, done: int = 1) -> None:
        self.seen[name] = self.seen.get(name, 0) + done
        if name == self.stage_to_stop and self.seen[name] >= self.stop:
            self.cancel()

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Straight:
    """What a preset says of so many frames in batches of a size, never interrupted; not to be changed."""

    @cache
    def straight(preset: RollingPresetName, count: int, batch: int) -> Said:
        folder = tmp_path_factory.mktemp("whole")
        return estimate(folder, Footage(count), FakeSnippets(0.2), rolling(preset, batch=batch))

    return straight


def truth_of(shot: Footage, model: FakeSnippets) -> np.ndarray:
    pictures = [shot.picture(index) for index in range(len(shot))]
    return model.truth(model.encode(frames_to_tensor(pictures, shot.size))).numpy()


def error(final: np.ndarray, truth: np.ndarray) -> float:
    """RMS error after one scale and shift for the whole clip, over the truth's spread."""
    scale, shift = fit_scale_shift(final, truth)
    assert scale > 0
    return float(np.sqrt(np.mean((scale * final + shift - truth) ** 2)) / truth.std())


def test_what_it_is() -> None:
    assert isinstance(rolling(), Method)
    assert Rolling.name == "rolling"
    assert isinstance(FakeSnippets(), SnippetModel)
    assert not isinstance(RampModel(), SnippetModel)
    with pytest.raises(UsageError, match="--rolling-preset best"):
        METHODS.read("rolling", {"rolling_preset": "best"})


@pytest.mark.parametrize("size", [(1, 1), (9, 20), (30, 44)])
@pytest.mark.parametrize("preset", PRESETS)
def test_very_short_very_small_and_no_multiple_of_8(
    tmp_path: Path, preset: RollingPresetName, size: tuple[int, int]
) -> None:
    for count in (1, 2, 3, 7):
        final, result = estimate(
            tmp_path / str(count), Footage(count, size=size), FakeSnippets(), rolling(preset, batch=2)
        )
        assert final.shape == (count, *size)
        assert np.isfinite(final).all()
        assert len(result.scale) == count


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 9, 40])
def test_the_truth_is_recovered_up_to_one_affine(tmp_path: Path, count: int) -> None:
    shot, model, watch = Footage(count), FakeSnippets(), Watch()
    final, result = estimate(tmp_path, shot, model, progress=watch)
    assert error(final, truth_of(shot, model)) < 2e-3
    assert watch.seen == {"infer": count, "settle": count}
    assert len(result.scale) == len(result.shift) == count
    assert min(result.scale) > 0
    assert all(len(curve) == count for curve in result.curves.values())
    assert min(result.curves["coverage"]) >= 1
    assert max(result.curves["spread"]) < 2e-3


def test_the_charts_of_the_snippets_do_differ() -> None:
    shot, model = Footage(40), FakeSnippets()
    pictures = frames_to_tensor([shot.picture(index) for index in range(40)], SIZE)
    latents = model.encode(pictures)
    alone = torch.cat(
        [model.predict_snippets(latents[None, t : t + 1], torch.zeros(1))[0] for t in range(40)]
    )
    assert error(alone.numpy(), truth_of(shot, model)) > 0.3


def test_disagreement_is_averaged_and_told(tmp_path: Path) -> None:
    shot, model = Footage(30), FakeSnippets(noisy=0.5)
    final, result = estimate(tmp_path, shot, model)
    assert error(final, truth_of(shot, model)) < 0.1
    assert min(result.curves["spread"]) > 1e-3


def test_pictures_are_decoded_once_and_luma_is_kept(tmp_path: Path) -> None:
    shot = Footage(9)
    with DepthStore(tmp_path, 9, *SIZE) as store:
        rolling().run(shot, FakeSnippets(), store, Progress())
        assert shot.decoded == list(range(9))
        luma = shot.picture(4).astype(np.float64) @ (0.299, 0.587, 0.114)
        np.testing.assert_allclose(store.luma.read(4)[0], luma, atol=0.51)


def test_nothing_large_is_left_behind(tmp_path: Path) -> None:
    estimate(tmp_path, Footage(9), FakeSnippets())
    assert not (tmp_path / "snippets").exists()
    held = {path.name for path in tmp_path.iterdir()}
    assert {"final.f32", "alignment.json", "store.json"} <= held


@pytest.mark.parametrize("preset", ["fast", "full"])
def test_batches_do_not_change_the_result(tmp_path: Path, preset: RollingPresetName) -> None:
    shot, single, many = Footage(25), FakeSnippets(0.2), FakeSnippets(0.2)
    first, _ = estimate(tmp_path / "1", shot, single, rolling(preset, batch=1))
    second, _ = estimate(tmp_path / "7", shot, many, rolling(preset, batch=7))
    assert set(single.batches) == {1}
    assert set(many.batches[:-1]) == {7}
    np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("preset", "stage", "stop"),
    [
        ("fast", "infer", 3),
        ("fast", "infer", 14),
        ("fast", "infer", 23),
        ("fast", "settle", 1),
        ("fast", "settle", 24),
        ("full", "infer", 2),
        ("full", "infer", 6),
        ("full", "infer", 8),
        ("full", "infer", 12),
        ("full", "infer", 20),
        ("full", "infer", 23),
        ("full", "settle", 10),
        ("full", "refine", 1),
        ("full", "refine", 9),
        ("full", "refine", 17),
        ("full", "refine", 24),
    ],
)
def test_stopped_and_resumed_gives_equal_bytes(
    tmp_path: Path, preset: RollingPresetName, stage: str, stop: int, whole: Straight
) -> None:
    shot, method = Footage(25), rolling(preset, batch=4)
    expected, told = whole(preset, 25, 4)
    with pytest.raises(Cancelled):
        estimate(tmp_path / "cut", shot, FakeSnippets(0.2), method, Watch(stage, stop))
    again, watch = FakeSnippets(0.2), Watch()
    resumed, result = estimate(tmp_path / "cut", shot, again, method, watch)
    assert resumed.tobytes() == expected.tobytes()
    np.testing.assert_equal(result, told)
    stages = ["infer", "settle"] + (["refine"] if method.refines else [])
    assert watch.seen == dict.fromkeys(stages, 25)
    if stop > 20:
        assert sum(again.batches) < 20


@pytest.mark.parametrize("name", ["maps", "samples", "lows", "latents"])
def test_a_damaged_file_is_made_again(tmp_path: Path, name: str, whole: Straight) -> None:
    shot, method = Footage(12), rolling(batch=2)
    expected, _ = whole("fast", 12, 2)
    with DepthStore(tmp_path / "cut", 12, *SIZE) as store:
        method.run(shot, FakeSnippets(0.2), store, Progress())
    path = tmp_path / "cut" / "snippets" / name
    os.truncate(path, path.stat().st_size * 2 // 3)
    again = FakeSnippets(0.2)
    resumed, _ = estimate(tmp_path / "cut", shot, again, method)
    assert resumed.tobytes() == expected.tobytes()
    assert sum(again.batches) < 18 - 2


@pytest.fixture(scope="module")
def refining(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store whose shot was stopped in its refinement; to be copied."""
    folder = tmp_path_factory.mktemp("refining") / "cut"
    with pytest.raises(Cancelled):
        estimate(folder, Footage(12), FakeSnippets(0.2), rolling("full", batch=2), Watch("refine", 9))
    return folder


@pytest.mark.parametrize("name", ["alignment.json", "snippets/facts.json", "snippets/solution.json"])
@pytest.mark.parametrize("damage", [None, b"", b"[]", b"null", b'{"scale": []}', b"one digit"])
def test_a_damaged_note_is_made_again(
    tmp_path: Path, name: str, damage: bytes | None, whole: Straight, refining: Path
) -> None:
    shot, method = Footage(12), rolling("full", batch=2)
    expected, told = whole("full", 12, 2)
    path = shutil.copytree(refining, tmp_path / "cut") / name
    if damage == b"one digit":
        text = path.read_text()
        at = next(at for at in range(len(text) - 1, 0, -1) if text[at] in "12345678")
        path.write_text(text[:at] + str(int(text[at]) + 1) + text[at + 1 :])
    elif damage is None:
        path.unlink()
    else:
        path.write_bytes(damage)
    resumed, result = estimate(tmp_path / "cut", shot, FakeSnippets(0.2), method)
    assert resumed.tobytes() == expected.tobytes()
    np.testing.assert_equal(result, told)


def test_settled_shots_need_no_model(tmp_path: Path) -> None:
    shot, method = Footage(9), rolling()
    first, told = estimate(tmp_path, shot, FakeSnippets(), method)
    again, watch = FakeSnippets(), Watch()
    shot = Footage(9)
    second, result = estimate(tmp_path, shot, again, method, watch)
    assert second.tobytes() == first.tobytes()
    assert (again.batches, shot.decoded) == ([], [])
    assert watch.seen == {"infer": 9, "settle": 9}
    np.testing.assert_equal(result, told)


def test_two_shots_know_nothing_of_each_other(tmp_path: Path) -> None:
    """One method object serves all shots; the second is predicted before the first is settled."""
    method, model = rolling(), FakeSnippets(0.2)
    shots = [Footage(20), Footage(30, start=20)]
    alone = [estimate(tmp_path / f"alone{i}", shot, model, rolling())[0] for i, shot in enumerate(shots)]
    stores = [DepthStore(tmp_path / str(i), len(shot), *SIZE) for i, shot in enumerate(shots)]
    for shot, store in zip(shots, stores, strict=True):
        method.run(shot, model, store, Progress())
    for shot, store, expected in zip(shots, stores, alone, strict=True):
        with store:
            method.settle(shot.shot, model.spec, store, Progress())
            assert store.final.read(0, len(shot)).tobytes() == expected.tobytes()


def test_the_seed_is_that_of_the_noise(tmp_path: Path) -> None:
    shot = Footage(12)
    finals = [
        estimate(tmp_path / str(i), shot, FakeSnippets(0.2), rolling(seed=seed))[0]
        for i, seed in enumerate([0, 1, 0])
    ]
    np.testing.assert_array_equal(finals[0], finals[2])
    assert not np.array_equal(finals[0], finals[1])


def test_out_of_memory_halves_the_batch(tmp_path: Path) -> None:
    shot = Footage(12)
    whole, _ = estimate(tmp_path / "whole", shot, FakeSnippets(0.2), rolling(batch=8))
    for most in (2.0, 0.5):  # the model's own low-memory mode doubles what fits
        small = FakeSnippets(0.2, most)
        final, _ = estimate(tmp_path / str(most), shot, small, rolling(batch=8))
        assert max(small.batches) == max(most, 1)
        assert small.low_memory == (most < 1)
        np.testing.assert_allclose(final, whole, atol=1e-4)
    with pytest.raises(ResourceError, match="does not fit the GPU"):
        estimate(tmp_path / "none", shot, FakeSnippets(most=0))


def test_values_that_are_not_numbers_are_filled_and_told(tmp_path: Path) -> None:
    class Broken(FakeSnippets):
        def predict_snippets(
            self, latents: torch.Tensor, noise: torch.Tensor, steps: int = 1
        ) -> torch.Tensor:
            said = super().predict_snippets(latents, noise, steps)
            said[:, 0, 7, 9] = torch.nan
            return said

    shot, model, watch = Footage(9), Broken(), Watch()
    final, _ = estimate(tmp_path, shot, model, progress=watch)
    assert np.isfinite(final).all()
    assert error(final, truth_of(shot, model)) < 0.02
    assert len(watch.warnings) == 1
    assert "not numbers" in watch.warnings[0]


def test_a_disk_that_is_too_small_is_said_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = FakeSnippets().spec
    need = rolling().disk_space(spec, 9, *SIZE)
    assert need > 9 * 3 * SIZE[0] * SIZE[1] * 4
    assert rolling("full").disk_space(spec, 90, *SIZE) > rolling("fast").disk_space(spec, 90, *SIZE)
    assert rolling().disk_space(spec, 0, *SIZE) == 0
    monkeypatch.setattr(shutil, "disk_usage", lambda path: type("Disk", (), {"free": need - 1}))
    shot = Footage(9)
    with pytest.raises(ResourceError, match="snippets of this shot"):
        estimate(tmp_path, shot, FakeSnippets())
    assert shot.decoded == []


def test_what_is_spilled_is_no_more_than_was_said(tmp_path: Path) -> None:
    shot = Footage(40)
    with DepthStore(tmp_path, 40, *SIZE) as store:
        rolling().run(shot, FakeSnippets(), store, Progress())
    used = sum(path.stat().st_size for path in (tmp_path / "snippets").iterdir())
    said = rolling().disk_space(FakeSnippets().spec, 40, *SIZE)
    assert 0.95 * said < used < said


def test_memory_does_not_depend_on_length(tmp_path: Path) -> None:
    peaks = []
    for count in (60, 180):
        shot = Footage(count)
        with DepthStore(tmp_path / str(count), count, *SIZE) as store:
            tracemalloc.start()
            rolling(batch=2).run(shot, FakeSnippets(), store, Progress())
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 1.15 * peaks[0] + 100_000


def test_models_that_need_neighbours_are_refused(tmp_path: Path) -> None:
    class Windowed:
        spec = ModelSpec("window", "disparity", "affine_invariant", "none", True, window=32)

        def predict(self, frames: torch.Tensor) -> torch.Tensor:
            return frames[:, 0]

    with pytest.raises(UsageError, match="32 neighbouring frames"):
        estimate(tmp_path, Footage(3), Windowed())


def test_the_load_is_what_fits_the_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_load(FakeSnippets(), 48, 64, 3) == Load(1)

    def load_with(free: float, model: FakeSnippets) -> Load:
        said = {
            "mem_get_info": (int(free), 80e9),
            "memory_allocated": int(2e9),
            "max_memory_allocated": int(3e9),  # so a snippet takes one of these gigabytes
            "empty_cache": None,
            "reset_peak_memory_stats": None,
        }
        for name, value in said.items():
            monkeypatch.setattr(torch.cuda, name, lambda *_, value=value: value)
        model.device = "cuda"
        return choose_load(model, 48, 64, 3)

    assert load_with(1e9, FakeSnippets()) == Load(1)
    assert load_with(5.1e9, FakeSnippets()) == Load(4)
    assert load_with(100e9, FakeSnippets()) == Load(16)
    assert load_with(1e9, FakeSnippets(most=0)) == Load(1, low_memory=True)


@pytest.mark.parametrize("size", [(8, 8), (16, 24), (48, 64), (432, 768), (1024, 576)])
def test_the_sampling_grid(size: tuple[int, int]) -> None:
    seen = np.zeros(size, bool)
    seen[sample_grid(*size)] = True
    assert seen.sum() >= min(64, seen.size)
    if min(size) > 8:
        assert not seen[:2].any()
        assert not seen[:, -2:].any()
    if min(size) > 400:
        np.testing.assert_array_equal(np.flatnonzero(seen[2])[:3], [2, 12, 22])
        assert sample_grid(*size) == sample_grid(*size, strict=True)


def test_a_per_frame_model_is_refused_by_a_sentence_that_names_temporal(tmp_path: Path) -> None:
    shot = Footage(3)
    with pytest.raises(UsageError, match="every frame by itself") as refused:
        estimate(tmp_path, shot, RampModel())
    assert "--method temporal" in refused.value.hint
    assert shot.decoded == []


def test_denoising_steps_and_the_refinement_are_options(tmp_path: Path) -> None:
    shot, model = Footage(12), FakeSnippets(0.2)
    plain, _ = estimate(tmp_path / "plain", shot, model)
    assert (model.denoised, model.steps) == (1, 0)
    estimate(tmp_path / "steps", shot, model, rolling(steps=4))
    assert model.denoised == 4
    refined, _ = estimate(tmp_path / "refined", shot, model, rolling(refine_steps=2))
    assert model.steps == 6 + 8  # 12 frames: dilations 3 and 2
    assert not np.array_equal(refined, plain)
    model.steps = 0
    estimate(tmp_path / "longer", shot, model, rolling("full", refine_steps=2, refine_length=5))
    assert model.steps == 8 + 8  # of 5 frames; no dilation but 1 reaches every frame
    model.steps = 0
    estimate(tmp_path / "off", shot, model, rolling("full", refine_steps=0))
    assert model.steps == 0
    for wrong in ({"rolling_steps": 0}, {"rolling_refine_steps": 51}, {"rolling_refine_length": 0}):
        with pytest.raises(UsageError, match=f"--{next(iter(wrong)).replace('_', '-')} "):
            METHODS.read("rolling", wrong)


KILLED = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    import torch
    from rolling_fakes import FakeSnippets, Footage, estimate, rolling

    torch.set_num_threads(1)

    class Slow(FakeSnippets):
        def predict_snippets(self, latents, noise, steps=1):
            time.sleep(0.05)
            return super().predict_snippets(latents, noise, steps)

        def refine_snippets(self, *arguments):
            time.sleep(0.02)
            return super().refine_snippets(*arguments)

    print("ready", flush=True)
    estimate(Path(sys.argv[1]), Footage(25), Slow(0.2), rolling("full", batch=4))
    """
)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL does not exist on Windows")
def test_killed_twice_the_result_is_the_same(tmp_path: Path, whole: Straight) -> None:
    for seconds in (0.3, 0.6):
        with start(KILLED, tmp_path / "cut") as job:
            assert job.stdout is not None
            assert job.stdout.readline() == "ready\n"
            with pytest.raises(subprocess.TimeoutExpired):
                job.wait(seconds)
            job.send_signal(signal.SIGKILL)
    shot, method = Footage(25), rolling("full", batch=4)
    resumed, _ = estimate(tmp_path / "cut", shot, FakeSnippets(0.2), method)
    assert resumed.tobytes() == whole("full", 25, 4)[0].tobytes()
