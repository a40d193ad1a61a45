"""`rolling` with a small random checkpoint in the published layout, against dense restatements in float64."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from rolling_fakes import FakeSnippets, Footage, rolling

from vdepth_core.align.joint import STEPS, Snippets, coalign
from vdepth_core.errors import Cancelled
from vdepth_core.methods.batching import Batcher, Load
from vdepth_core.methods.depth_check import DepthCheck
from vdepth_core.methods.rolling.plan import longest_dilation
from vdepth_core.methods.rolling.presets import RollingPresetName
from vdepth_core.methods.rolling.refine import Refinement
from vdepth_core.methods.share import Share
from vdepth_core.models.diffusion.rollingdepth import RollingDepthModel, load_rollingdepth
from vdepth_core.models.sizing import frames_to_tensor
from vdepth_core.models.tiny.diffusion import make_tiny
from vdepth_core.progress import Progress
from vdepth_core.protocols import SnippetModel
from vdepth_core.store import DepthStore, FrameArray

SIZE = (24, 32)


class NoCheck(DepthCheck):
    """Takes everything."""

    def __init__(self) -> None:
        pass

    def repaired(self, said: np.ndarray, frames: object, luma: object = None) -> np.ndarray:
        return said

    def varied(self, maps: object, frames: object) -> None:
        pass


NOTHING = NoCheck()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rollingdepth")
    make_tiny("rollingdepth", folder)
    return folder


@pytest.fixture(scope="module")
def model(checkpoint: Path) -> RollingDepthModel:
    return load_rollingdepth(checkpoint, dtype="fp64")


def dense_refinement(
    model: RollingDepthModel, latents: torch.Tensor, merged: torch.Tensor, steps: int, cap: bool = True
) -> torch.Tensor:
    """As published: all in memory, one snippet at a time."""
    count = len(latents)
    first = max(1, min(6, count // 3 - 1)) if cap else 6
    noise = model.noise(*SIZE, 0)
    low, high = merged.min(), merged.max()
    new = model.start_refinement((merged - low) / (high - low) * 2 - 1, noise, steps)
    for step in range(steps):
        dilation = int((1 - step / steps) * (first - 1)) + 1
        dilation = min(dilation, count // 3)  # without a cap: what covers every frame
        old, new, votes = new, torch.zeros_like(new), torch.zeros(count, 1, 1, 1)
        for start in range(count - 2 * dilation):
            which = [start, start + dilation, start + 2 * dilation]
            new[which] += model.refine_snippets(latents[which][None], old[which][None], step, steps)[0]
            votes[which] += 1
        new = new / votes
    return model.decode(new)


@pytest.mark.parametrize(("count", "batch"), [(19, 4), (5, 1)])
def test_refinement_is_the_dense_one(
    tmp_path: Path, model: RollingDepthModel, count: int, batch: int
) -> None:
    steps, generator = 4, torch.Generator().manual_seed(3)
    latents = torch.randn((count, 4, SIZE[0] // 8, SIZE[1] // 8), generator=generator, dtype=torch.float64)
    merged = torch.rand((count, *SIZE), generator=generator, dtype=torch.float64) * 3 + 1
    expected = dense_refinement(model, latents, merged, steps).numpy()
    with (
        FrameArray(tmp_path / "rgb", count, tuple(latents.shape[1:]), "<f8") as rgb,
        FrameArray(tmp_path / "merged", count, SIZE, "<f8") as maps,
        FrameArray(tmp_path / "out", count, SIZE, "<f8") as out,
    ):
        rgb.write(0, latents.numpy())
        maps.write(0, merged.numpy())
        first = min(6, longest_dilation(count))
        refinement = Refinement(
            model, tmp_path, rgb, model.noise(*SIZE, 0), steps, Batcher(model, Load(batch)), first, 3, NOTHING
        )
        share = Share(Progress(), count, refinement.work())
        refinement.run(maps, float(merged.min()), float(merged.max()), out, share)
        np.testing.assert_allclose(out.read(0, count), expected, rtol=0, atol=1e-8)
    left = {path.name for path in tmp_path.iterdir() if path.name.startswith("depth_")}
    assert left == {f"depth_{steps:03d}", f"depth_{steps:03d}.crc"}


class Cut(Progress):
    """Cancels at one of the checks."""

    def __init__(self, stop: int) -> None:
        super().__init__()
        self.left = stop

    def check(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Cancelled("")


class Steps(FakeSnippets):
    """Remembers which steps it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[int] = []

    def refine_snippets(
        self, latents: torch.Tensor, depth_latents: torch.Tensor, step: int, steps: int
    ) -> torch.Tensor:
        self.asked.append(step)
        return super().refine_snippets(latents, depth_latents, step, steps)


@pytest.mark.parametrize("stop", range(25))
def test_a_step_resumes_in_its_middle(tmp_path: Path, stop: int) -> None:
    count, steps, model = 13, 3, Steps()
    random = np.random.default_rng(0)
    pictures, disparity = random.normal(size=(count, 4, 3, 4)), random.random((count, *SIZE))
    results = []
    for name in ("whole", "cut"):
        folder = tmp_path / name
        folder.mkdir()
        with (
            FrameArray(folder / "rgb", count, (4, 3, 4), "<f4") as rgb,
            FrameArray(folder / "merged", count, SIZE, "<f4") as maps,
            FrameArray(folder / "out", count, SIZE, "<f4") as out,
        ):
            rgb.write(0, pictures)
            maps.write(0, disparity)
            batcher = Batcher(model, Load(2))
            refinement = Refinement(model, folder, rgb, model.noise(*SIZE, 0), steps, batcher, 6, 3, NOTHING)
            work = refinement.work()
            model.asked.clear()
            if name == "cut":
                with pytest.raises(Cancelled):
                    refinement.run(maps, 0.0, 1.0, out, Share(Cut(stop), count, work))
                if stop % 4 == 3:  # and half of what was written got lost
                    newest = max(folder.glob("depth_???"))
                    os.truncate(newest, newest.stat().st_size // 2)
                before, model.steps, model.asked = model.asked, 0, []
            refinement.run(maps, 0.0, 1.0, out, Share(Progress(), count, work))
            results.append(out.read(0, count).tobytes())
    assert results[0] == results[1]
    assert model.steps < 5 + 5 + 9 or stop < 10
    if before and model.asked and stop % 4 != 3:
        assert model.asked[0] >= before[-1]  # no step is taken again


@pytest.mark.parametrize("preset", ["fast", "paper"])
def test_the_whole_method_is_the_dense_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: RollingDepthModel, preset: RollingPresetName
) -> None:
    """`paper` strictly, so that solver and range are the published ones."""
    monkeypatch.setitem(STEPS, "adam", 300)  # of 2000, which change nothing here but the time
    count, strict = 7, preset == "paper"
    shot = Footage(count, size=SIZE)
    assert isinstance(model, SnippetModel)
    method = rolling(preset, strict=strict, batch=2)
    with DepthStore(tmp_path, count, *SIZE) as store:
        method.run(shot, model, store, Progress())
        method.settle(shot.shot, model.spec, store, Progress())
        if method.refines:
            method.refine(shot, model, store, Progress())
        final = store.final.read(0, count)

    frames = frames_to_tensor([shot.picture(index) for index in range(count)], SIZE).double()
    latents, noise = model.encode(frames), model.noise(*SIZE, 0)
    which = np.array([[start, start + 1, start + 2] for start in range(count - 2)])
    dense = torch.stack([model.predict_snippets(latents[rows][None], noise)[0] for rows in which]).numpy()
    dense = dense - dense.min()
    step = 10 if strict else 1
    samples = dense[:, :, 2:-2:step, 2:-2:step].reshape(len(which), 3, -1)
    found = coalign(
        Snippets(count, which, samples, np.zeros(len(which), np.int64)), solver="adam" if strict else "irls"
    )
    aligned = dense * found.scale[:, None, None, None] + found.shift[:, None, None, None]
    merged = np.stack([aligned[which == frame].mean(0) for frame in range(count)])
    if strict:
        expected = dense_refinement(model, latents, torch.from_numpy(merged), 10, cap=False).numpy()
        np.testing.assert_allclose(final, expected, atol=2e-6)
    else:
        np.testing.assert_allclose(final - final.min(), merged - merged.min(), atol=2e-6)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_shortest_shots(tmp_path: Path, model: RollingDepthModel, count: int) -> None:
    shot, method = Footage(count, size=SIZE), rolling("full")
    with DepthStore(tmp_path, count, *SIZE) as store:
        method.run(shot, model, store, Progress())
        method.settle(shot.shot, model.spec, store, Progress())
        if method.refines:
            method.refine(shot, model, store, Progress())
        final = store.final.read(0, count)
    assert np.isfinite(final).all()
    assert final.std() > 0
