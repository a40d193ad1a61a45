"""`temporal` on shots with exact truth: recovery, no drift, less noise, clean edges, resume, memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from procedural_shots import AFFINE, METRIC, clip_error, corridor, fill, texture

from vdepth_core.align.pairs import Alignment
from vdepth_core.errors import Cancelled, UsageError
from vdepth_core.methods.framewise import Framewise
from vdepth_core.methods.registry import METHODS
from vdepth_core.methods.temporal.matching import Matches
from vdepth_core.methods.temporal.method import Temporal, _floor, _notes
from vdepth_core.methods.temporal.options import TemporalOptions
from vdepth_core.progress import Progress
from vdepth_core.protocols import Method
from vdepth_core.store import DepthStore
from vdepth_core.types import ModelSpec, Shot, ShotAlignment

Frames = list[tuple[np.ndarray, np.ndarray]]


def settle(
    store: DepthStore, how: str, spec: ModelSpec = AFFINE, progress: Progress | None = None
) -> ShotAlignment:
    method = Framewise() if how == "off" else Temporal(TemporalOptions(stabilize=how))  # type: ignore[arg-type]
    return method.settle(Shot(0, 0, store.count), spec, store, progress or Progress())


def errors(
    tmp_path: Path, frames: Frames, predict, spec: ModelSpec = AFFINE, last: str = "filter"
) -> dict[str, float]:
    result = {}
    for how in ("off", "align", "filter")[: 3 if last == "filter" else 2]:
        with fill(tmp_path / how, frames, predict) as store:
            settle(store, how, spec)
            result[how] = clip_error(store, [truth for _, truth in frames])
    return result


@pytest.fixture(scope="module")
def dolly() -> Frames:
    return [corridor(0.06 * t) for t in range(220)]


def jitter(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.uniform(0.7, 1.4, count), rng.uniform(-0.2, 0.2, count)


def blobs(count: int, amount: float) -> list[np.ndarray]:
    """Smooth noise fields of standard deviation ``amount``, as networks flicker."""
    rng = np.random.default_rng(1)
    fields = [
        cv2.GaussianBlur(rng.normal(0, 1, (96, 160)).astype(np.float32), (0, 0), 6) for _ in range(count)
    ]
    return [amount * field / field.std() for field in fields]


def test_names_and_options() -> None:
    assert isinstance(Temporal(), Method)
    assert (Temporal.name, Framewise.name) == ("temporal", "framewise")
    with pytest.raises(UsageError, match="--stabilize sometimes"):
        METHODS.read("temporal", {"stabilize": "sometimes"})


def test_static_camera_recovers_jitter_and_drift_exactly(tmp_path: Path) -> None:
    frames = [corridor(1.0)] * 24
    scale, shift = jitter(24)
    scale = scale * np.linspace(1, 1.3, 24)
    result = errors(tmp_path, frames, lambda t, truth: (scale[t] * truth + shift[t]).astype(np.float32))
    assert result["off"] > 0.4
    assert result["align"] < 1e-3
    assert result["filter"] < 1e-3


def test_moving_camera_recovers_jitter(tmp_path: Path, dolly: Frames) -> None:
    scale, shift = jitter(100)
    result = errors(tmp_path, dolly[:100], lambda t, truth: (scale[t] * truth + shift[t]).astype(np.float32))
    assert result["align"] < 0.3 * result["off"]
    assert result["filter"] < 0.3 * result["off"]


def test_long_dolly_with_exact_predictions_stays_what_it_is(tmp_path: Path, dolly: Frames) -> None:
    """Everything comes nearer all the time: forcing tracked values to be equal would drift exponentially."""
    assert errors(tmp_path / "long", dolly, lambda t, truth: truth, last="align")["align"] < 0.02
    assert errors(tmp_path / "short", dolly[:30], lambda t, truth: truth)["filter"] < 0.03


def test_flicker_of_a_moving_camera_gets_less_and_accuracy_better(tmp_path: Path, dolly: Frames) -> None:
    noise = blobs(30, 0.06)
    result = errors(tmp_path, dolly[:30], lambda t, truth: truth * (1 + noise[t]))
    assert result["filter"] < 0.75 * result["off"]


def test_metric_depth_keeps_its_zero(tmp_path: Path, dolly: Frames) -> None:
    scale, _ = jitter(24)
    result = errors(
        tmp_path, dolly[:24], lambda t, truth: (1 / (scale[t] * truth)).astype(np.float32), METRIC, "align"
    )
    assert result["align"] < 0.35 * result["off"]
    with fill(tmp_path / "again", dolly[:24], lambda t, truth: 1 / truth) as store:
        assert set(settle(store, "align", METRIC).shift) == {0.0}


def test_depth_up_to_a_shift_is_aligned_as_depth(tmp_path: Path) -> None:
    """It has no reciprocal: jitter of scale and shift is taken out of the depth itself."""
    spec = ModelSpec("marigold-like", "depth", "affine_invariant", "none", True)
    frames = [corridor(1.0)] * 20
    scale, shift = jitter(20)
    depth = 1 / frames[0][1]
    with fill(tmp_path, frames, lambda t, truth: (scale[t] / truth + shift[t]).astype(np.float32)) as store:
        settle(store, "align", spec)
        final = store.final.read(0, 20)
    assert np.abs(final - final[0]).max() < 1e-3 * np.ptp(final[0])
    assert np.corrcoef(final[7].ravel(), depth.ravel())[0, 1] > 0.9999


def test_static_scene_loses_most_of_its_noise(tmp_path: Path) -> None:
    frames = [corridor(1.0)] * 30
    noise = blobs(30, 0.02)
    with fill(tmp_path, frames, lambda t, truth: truth + noise[t]) as store:
        settle(store, "filter")
        final = store.final.read(0, 30)
    before = np.stack([frames[0][1] + field for field in noise]).var(axis=0).mean()
    # nine frames with a Gaussian of 3: variance 1/7.5 at best; at the shot's ends half the window is missing
    assert final[6:-6].var(axis=0).mean() < before / 4.5
    assert final.var(axis=0).mean() < before / 3


def test_static_scene_with_equal_predictions_is_untouched(tmp_path: Path) -> None:
    frames = [corridor(1.0)] * 8
    with fill(tmp_path, frames, lambda t, truth: truth) as store:
        settle(store, "filter")
        np.testing.assert_allclose(
            store.final.read(0, 8), np.stack([truth for _, truth in frames]), atol=2e-6
        )


def test_the_far_end_of_a_clamped_shot_is_one_value() -> None:
    alignment = Alignment(np.ones(5), np.arange(5.0), np.zeros(5), np.zeros(5), 0.0, np.zeros(5, bool))

    def floor(clamped: list[float]) -> float:
        return float(_floor(Matches((), np.zeros(4), np.array(clamped)), alignment))

    assert floor([0.0, 0.005, 0, 0, 0]) == -np.inf
    assert floor([0.0, 0.006, 0, 0, 0]) == 1
    assert floor([0.9, 0.1, 0.1, 0, 0.1]) == pytest.approx(np.quantile([0, 1, 2, 4], 0.9))


def test_frames_that_match_no_other_are_told() -> None:
    def notes(alone: list[bool]) -> tuple[str, ...]:
        zero = np.zeros(len(alone))
        return _notes(Alignment(zero + 1, zero, zero, zero, 0.0, np.array(alone)))

    assert notes([True]) == notes([False, False]) == ()
    assert notes([True, False, True])[0].startswith("2 frames could not be matched")


def square_shot(count: int = 24) -> Frames:
    """A textured near square slides over a textured wall, 3 pixels a frame."""
    y, x = np.mgrid[0:96, 0:160].astype(np.float64)
    out = []
    for t in range(count):
        left = 20 + 3 * t
        inside = (x >= left) & (x < left + 40) & (y >= 30) & (y < 70)
        luma = np.where(inside, texture((x - left) * 0.7 + 90, y * 0.7), texture(x * 0.5, y * 0.5 + 150))
        out.append((luma.round().astype(np.uint8), np.where(inside, 1.0, 0.3).astype(np.float32)))
    return out


def test_moving_edges_do_not_smear(tmp_path: Path) -> None:
    frames = square_shot()
    noise = blobs(len(frames), 0.02)
    truth = np.stack([frame[1] for frame in frames])
    edge = np.stack(
        [cv2.dilate(cv2.morphologyEx(d, cv2.MORPH_GRADIENT, np.ones((3, 3))), np.ones((7, 7))) for d in truth]
    )
    error = {}
    for how in ("align", "filter"):
        with fill(tmp_path / how, frames, lambda t, d: d + noise[t]) as store:
            settle(store, how)
            miss = np.abs(store.final.read(0, store.count) - truth)
        error[how] = (miss[edge > 0.1].mean(), miss[edge <= 0.1].mean(), np.quantile(miss[edge > 0.1], 0.995))
    assert error["filter"][0] <= error["align"][0]
    assert error["filter"][1] < 0.7 * error["align"][1]
    assert error["filter"][2] < 0.15  # a smeared or doubled edge would be off by 0.7


class StopAfter(Progress):
    """Cancels after some frames of the stage."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        self.left = frames

    def advance(self, name: str, done: int = 1) -> None:
        self.left -= done
        if self.left <= 0:
            self.cancel()


@pytest.mark.parametrize("how", ["off", "align", "filter"])
def test_killed_and_resumed_gives_equal_bytes(tmp_path: Path, dolly: Frames, how: str) -> None:
    frames, noise = dolly[:24], blobs(24, 0.05)

    def predict(t: int, truth: np.ndarray) -> np.ndarray:
        return truth + noise[t]

    with fill(tmp_path / "whole", frames, predict) as store:
        whole = settle(store, how)
        expected = store.final.read(0, 24).tobytes()
    with fill(tmp_path / "killed", frames, predict) as store, pytest.raises(Cancelled):
        settle(store, how, progress=StopAfter(9))
    with DepthStore(tmp_path / "killed", 24, 96, 160) as store:
        assert not store.final.done(23)
        resumed = settle(store, how)
        assert store.final.read(0, 24).tobytes() == expected
        again = settle(store, how)  # everything is there already
        assert store.final.read(0, 24).tobytes() == expected
    np.testing.assert_equal(resumed.curves, whole.curves)
    np.testing.assert_equal(again.curves, whole.curves)
    assert resumed.scale == whole.scale


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("size", [(1, 1), (16, 40), (96, 160)])
def test_very_short_and_very_small(tmp_path: Path, count: int, size: tuple[int, int]) -> None:
    frames = [corridor(0.1 * t, size=size) for t in range(count)]
    with fill(tmp_path, frames, lambda t, truth: truth) as store:
        result = settle(store, "filter")
        assert np.isfinite(store.final.read(0, count)).all()
    assert len(result.scale) == count
    assert all(len(curve) == count for curve in result.curves.values())


def test_flat_and_black_frames_in_the_middle(tmp_path: Path) -> None:
    frames = [corridor(1.0)] * 36
    black = (np.zeros_like(frames[0][0]), np.full_like(frames[0][1], 0.4))
    frames[12:24] = [black] * 12
    scale, shift = jitter(36)
    with fill(tmp_path, frames, lambda t, truth: (scale[t] * truth + shift[t]).astype(np.float32)) as store:
        settle(store, "filter")
        final = store.final.read(0, 36)
    assert np.isfinite(final).all()
    for part in (slice(0, 12), slice(24, 36)):
        assert final[part].std(axis=0).mean() < 0.02


def test_curves_show_the_gain(tmp_path: Path, dolly: Frames) -> None:
    noise = blobs(30, 0.03)
    with fill(tmp_path, dolly[:30], lambda t, truth: truth + noise[t]) as store:
        curves = settle(store, "filter").curves
    before, after = np.array(curves["residual_before"]), np.array(curves["residual_after"])
    assert np.isnan(before[-1])
    assert np.nanmedian(after) < 0.6 * np.nanmedian(before)
    assert np.nanmin(curves["visible"]) > 0.3


def test_memory_does_not_depend_on_length(tmp_path: Path) -> None:
    cycle = [corridor(0.06 * t) for t in range(10)]
    peaks = []
    for count in (14, 42):
        frames = (cycle * 9)[:count]
        with fill(tmp_path / str(count), frames, lambda t, truth: truth) as store:
            tracemalloc.start()
            settle(store, "filter")
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 1.15 * peaks[0] + 200_000
