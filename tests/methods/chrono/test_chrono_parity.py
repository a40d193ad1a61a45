"""`chrono` against the published inference, whole and slow, on a small random checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from chrono_reference import Reference
from rolling_fakes import Footage

from vdepth_core.methods.chrono.method import Chrono
from vdepth_core.methods.chrono.options import ChronoOptions
from vdepth_core.models.diffusion.chronodepth import ChronoDepthModel, load_chronodepth
from vdepth_core.progress import Progress
from vdepth_core.store import DepthStore

SIZE = (64, 64)


@pytest.fixture(scope="module")
def model(tiny: Callable[[str], Path]) -> ChronoDepthModel:
    return load_chronodepth(tiny("chronodepth"), dtype="fp32")


@pytest.fixture(scope="module")
def reference(tiny: Callable[[str], Path]) -> Reference:
    return Reference(tiny("chronodepth"))


def pictures(footage: Footage) -> torch.Tensor:
    rgb = np.stack([footage.picture(index) for index in range(len(footage))])
    return torch.from_numpy(rgb).permute(0, 3, 1, 2) / 255


def run(model: ChronoDepthModel, footage: Footage, folder: Path, **options: object) -> np.ndarray:
    method = Chrono(ChronoOptions.model_validate({"numerics": "strict", **options}))
    with DepthStore(folder, len(footage), *footage.size) as store:
        method.run(footage, model, store, Progress())
        return store.raw.read(0, len(footage))


@pytest.mark.parametrize("mode", ["ours", "replacement", "naive"])
def test_eighteen_frames(model, reference, tmp_path, mode) -> None:
    footage = Footage(18, size=SIZE)
    steps = 3 if mode == "ours" else 2
    _, expected = reference.run(pictures(footage), mode, seed=4, steps=steps)
    found = run(model, footage, tmp_path, mode=mode, seed=4, steps=steps)
    assert np.ptp(expected.numpy()) > 0.2
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 9, 11])
def test_other_lengths(model, reference, tmp_path, count) -> None:
    footage = Footage(count, start=30, size=SIZE)
    _, expected = reference.run(pictures(footage), "ours", steps=1)
    found = run(model, footage, tmp_path, steps=1)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-5)


def test_the_published_seams_are_faded(model, tmp_path) -> None:
    """Of latents that never change, the whole clip decodes to what never changes, away from its ends."""
    latents = torch.randn((1, 4, 8, 8), generator=torch.Generator().manual_seed(2)).expand(20, -1, -1, -1)

    def decoded(numerics: str) -> np.ndarray:
        class Still(ChronoDepthModel):
            def __init__(self) -> None:
                self.__dict__.update(model.__dict__)

            def denoise(self, pictures, context, noise, **named):  # type: ignore[no-untyped-def]
                return latents[: len(noise)]

        return run(Still(), Footage(20, size=SIZE), tmp_path / numerics, numerics=numerics)

    jumps = {name: np.abs(np.diff(decoded(name), axis=0)).mean((1, 2)) for name in ("strict", "steady")}
    inside = {name: jump[4:-4].max() for name, jump in jumps.items()}  # the clip's own ends are no seams
    assert inside["steady"] < 0.4 * inside["strict"], inside
