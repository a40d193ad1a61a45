"""The shared inference loop: fixed batches, resume, repair of bad values, out of memory, errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from vdepth_core.errors import Cancelled, InputError, ResourceError, UsageError
from vdepth_core.methods import frames as methods_frames
from vdepth_core.methods.depth_check import DepthCheck
from vdepth_core.methods.frames import check_per_frame, luma_of, to_disparity
from vdepth_core.methods.framewise import Framewise
from vdepth_core.methods.options import FramewiseOptions
from vdepth_core.models.sizing import resample
from vdepth_core.progress import Progress
from vdepth_core.store import DepthStore
from vdepth_core.types import ClipInfo, Frame, ModelSpec, Shot

SPEC = ModelSpec("mean", "disparity", "affine_invariant", "none", True)
SIZE = (8, 12)


class Pictures:
    """A shot of ``count`` random pictures; remembers what was decoded."""

    def __init__(self, count: int, available: int | None = None) -> None:
        self.shot = Shot(0, 100, 100 + count)
        self.info = ClipInfo(Path("clip.mp4"), "movie", "clip", SIZE[1], SIZE[0], Fraction(1), Fraction(24))
        self.available = count if available is None else available
        self.decoded: list[int] = []

    def __len__(self) -> int:
        return len(self.shot)

    def picture(self, index: int) -> np.ndarray:
        return np.random.default_rng(index).integers(0, 256, (*SIZE, 3), dtype=np.uint8)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        for index in range(start, min(len(self) if stop is None else stop, self.available)):
            self.decoded.append(index)
            yield Frame(100 + index, Fraction(index, 24), index, self.picture(index))


class Mean:
    """Predicts the mean of the channels; remembers its batches."""

    def __init__(self, spec: ModelSpec = SPEC, memory: int = 10**9) -> None:
        self.spec, self.memory, self.batches = spec, memory, list[int]()

    def predict(self, frames: torch.Tensor) -> torch.Tensor:
        if len(frames) > self.memory:
            raise torch.cuda.OutOfMemoryError("no")
        self.batches.append(len(frames))
        return frames.mean(dim=1)


class Watch(Progress):
    """Counts and listens; cancels after ``stop`` frames."""

    def __init__(self, stop: int = 10**9) -> None:
        super().__init__()
        self.done, self.stop, self.warnings = 0, stop, list[str]()

    def advance(self, name: str, done: int = 1) -> None:
        assert name == "infer"
        self.done += done
        if self.done >= self.stop:
            self.cancel()

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def run(
    shot: Pictures, model: Mean, folder: Path, batch: int, progress: Progress | None = None
) -> DepthStore:
    store = DepthStore(folder, len(shot), *SIZE)
    try:
        Framewise(FramewiseOptions(batch=batch)).run(shot, model, store, progress or Progress())
    except BaseException:
        store.close()
        raise
    return store


def test_a_chain_is_never_split(tmp_path: Path) -> None:
    """Each frame of a chain depends on the one before: a resumed job must run the same chains."""
    model = Mean(replace(SPEC, chain=4))
    shot = Pictures(10)
    with DepthStore(tmp_path, 10, *SIZE) as store:
        Framewise(FramewiseOptions(batch=3)).run(shot, model, store, Progress())
        assert model.batches == [4, 4, 2]
    (tmp_path / "raw.f32.crc").write_bytes(bytes(4 * 5) + (tmp_path / "raw.f32.crc").read_bytes()[20:])
    model.batches.clear()
    with DepthStore(tmp_path, 10, *SIZE) as store:
        Framewise(FramewiseOptions(batch=3)).run(shot, model, store, Progress())
    assert model.batches == [4, 4]
    small = Mean(replace(SPEC, chain=4), memory=3)
    with DepthStore(tmp_path / "small", 10, *SIZE) as store, pytest.raises(ResourceError):
        Framewise().run(shot, small, store, Progress())


def test_luma_is_rec_601() -> None:
    rgb = torch.eye(3)[:, :, None, None]  # a red, a green and a blue picture
    assert luma_of(rgb).ravel().tolist() == [76, 150, 29]
    assert luma_of(torch.ones(1, 3, 1, 1)).item() == 255
    assert luma_of(torch.full((1, 3, 1, 1), 0.5)).item() in (127, 128)


def test_depth_becomes_disparity_where_it_is_positive() -> None:
    metric = replace(SPEC, quantity="depth", space="metric")
    raw = np.float32([[2, 0, -1, 1.1e-6, 1e-6]])
    np.testing.assert_allclose(to_disparity(raw, metric), [[0.5, 0, 0, 1 / 1.1e-6, 0]], rtol=1e-5)
    np.testing.assert_array_equal(to_disparity(raw, SPEC), raw)
    np.testing.assert_array_equal(to_disparity(raw, replace(metric, space="affine_invariant")), raw)


def test_holes_take_the_nearest_value() -> None:
    raw = np.float32([[[1, np.nan, np.nan, 5], [1, 1, 5, 5]], [[np.nan, np.inf, -np.inf, np.nan]] * 2])
    whole = np.arange(8, dtype=np.float32).reshape(1, 2, 4)
    told = []
    progress = Progress()
    progress.warn = told.append  # type: ignore[method-assign]
    check = DepthCheck("net", None, 0, progress)  # type: ignore[arg-type]
    black = np.zeros((3, 2, 4), np.uint8)
    fixed = check.repaired(np.concatenate([raw, whole]), range(3), black)
    assert len(told) == 1
    assert fixed[0].tolist() == [[1, 1, 5, 5], [1, 1, 5, 5]]
    assert not fixed[1].any()
    np.testing.assert_array_equal(fixed[2], whole[0])
    assert np.isnan(raw[0, 0, 1])  # what came in stays as it is
    assert check.repaired(whole, range(1), black[:1]) is whole
    assert len(told) == 1


def test_only_per_frame_models_are_taken_and_an_accelerator_gets_eight_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(methods_frames, "_beside", lambda model: nullcontext)  # streams need a GPU
    monkeypatch.setattr(methods_frames, "prepare", lambda model, rgb, size: resample(rgb, size, "cpu"))
    with pytest.raises(UsageError, match="looks at 3 frames at once"):
        check_per_frame(Mean(replace(SPEC, window=3)))
    for device, batches in (("cuda:0", [8, 2]), ("cpu", [1] * 10)):
        model = Mean()
        monkeypatch.setattr(methods_frames, "on_cuda", lambda _, device=device: device != "cpu")
        with DepthStore(tmp_path / device[:4], 10, *SIZE) as store:
            Framewise().run(Pictures(10), model, store, Progress())
        assert model.batches == batches


def test_what_is_done_is_skipped_in_whole_batches(tmp_path: Path) -> None:
    shot, watch = Pictures(11), Watch()
    with run(shot, Mean(), tmp_path, 3) as store:
        store.raw.drop([4])
        store.luma.drop([9])
        model = Mean()
        shot.decoded.clear()
        Framewise(FramewiseOptions(batch=3)).run(shot, model, store, watch)
    assert shot.decoded == [3, 4, 5, 9, 10]
    assert model.batches == [3, 2]
    assert watch.done == 11


def test_fills_raw_and_luma_in_fixed_batches(tmp_path: Path) -> None:
    shot, model, watch = Pictures(10), Mean(), Watch()
    with run(shot, model, tmp_path, 4, watch) as store:
        assert model.batches == [4, 4, 2]
        assert watch.done == 10
        for index in range(10):
            rgb = shot.picture(index).astype(np.float64)
            np.testing.assert_allclose(store.raw.read(index)[0], rgb.mean(2) / 255, atol=1e-5)
            luma = rgb @ (0.299, 0.587, 0.114)
            np.testing.assert_allclose(store.luma.read(index)[0], luma, atol=0.51)


def test_cancelled_and_resumed_decodes_only_what_is_missing(tmp_path: Path) -> None:
    shot = Pictures(12)
    with pytest.raises(Cancelled):
        run(shot, Mean(), tmp_path / "a", 2, Watch(stop=4))
    shot, model, watch = Pictures(12), Mean(), Watch()
    with (
        run(shot, model, tmp_path / "a", 2, watch) as resumed,
        run(Pictures(12), Mean(), tmp_path / "b", 2) as whole,
    ):
        assert shot.decoded[0] >= 4
        assert shot.decoded[0] % 2 == 0
        assert watch.done == 12
        assert resumed.raw.read(0, 12).tobytes() == whole.raw.read(0, 12).tobytes()
        assert resumed.luma.read(0, 12).tobytes() == whole.luma.read(0, 12).tobytes()


def test_a_hole_is_filled_on_its_batch(tmp_path: Path) -> None:
    with run(Pictures(9), Mean(), tmp_path, 3) as store:
        expected = store.raw.read(0, 9)
    with (tmp_path / "raw.f32").open("r+b") as file:  # frame 4 gets damaged on the disk
        file.seek(4 * 4 * SIZE[0] * SIZE[1])
        file.write(b"damaged")
    shot, model = Pictures(9), Mean()
    with run(shot, model, tmp_path, 3) as store:
        assert shot.decoded == [3, 4, 5]
        np.testing.assert_array_equal(store.raw.read(0, 9), expected)


def test_out_of_gpu_memory_halves_the_batch(tmp_path: Path) -> None:
    model = Mean(memory=2)
    with run(Pictures(10), model, tmp_path / "a", 8) as store:
        assert not store.raw.missing()
    assert model.batches == [2, 2, 2, 2, 2]
    with pytest.raises(ResourceError, match="single frame of 12x8"):
        run(Pictures(3), Mean(memory=0), tmp_path / "b", 2)


def test_values_that_are_not_numbers_are_filled_and_told(tmp_path: Path) -> None:
    class Broken(Mean):
        def predict(self, frames: torch.Tensor) -> torch.Tensor:
            out = super().predict(frames).clone()
            out[0, 2, 3], out[0, 4, 5] = torch.nan, torch.inf
            if len(self.batches) == 3:
                out[:, 1:] = torch.nan
            return out

    watch = Watch()
    with run(Pictures(4), Broken(), tmp_path, 1, watch) as store:
        raw = store.raw.read(0, 4)
    assert np.isfinite(raw).all()
    assert len(watch.warnings) == 1
    assert "frame 100" in watch.warnings[0]
    assert raw[0, 2, 3] in (raw[0, 2, 2], raw[0, 2, 4], raw[0, 1, 3], raw[0, 3, 3])
    np.testing.assert_array_equal(raw[2, 1:], np.broadcast_to(raw[2, :1], raw[2, 1:].shape))


def test_what_cannot_work_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ends after frame 104, 3 frames before"):
        run(Pictures(8, available=5), Mean(), tmp_path / "a", 2)
    window = ModelSpec("video", "disparity", "affine_invariant", "none", True, window=32)
    with pytest.raises(UsageError, match="32 frames at once"):
        run(Pictures(2), Mean(window), tmp_path / "b", 1)


def test_framewise_settle_is_the_models_own_disparity(tmp_path: Path) -> None:
    depth = ModelSpec("z", "depth", "metric", "none", True)
    with run(Pictures(3), Mean(), tmp_path, 1) as store:
        store.raw.write(1, np.full((1, *SIZE), 4.0))
        store.raw.write(2, np.zeros((1, *SIZE)))
        result = Framewise().settle(Shot(0, 0, 3), depth, store, Progress())
        assert (store.final.read(1) == 0.25).all()
        assert (store.final.read(2) == 0).all()
    assert result.scale == (1.0,) * 3
    raw = np.array([[1.0, -2.0]], np.float32)
    np.testing.assert_array_equal(to_disparity(raw, SPEC), raw)
