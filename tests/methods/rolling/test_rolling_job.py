"""`rolling` inside a whole job: two shots, all files, resumption."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from generated import RampModel, write_movie
from rolling_fakes import FakeSnippets

from vdepth_core.errors import UsageError
from vdepth_core.jobs.accelerator import ModelShelf
from vdepth_core.jobs.batch import ClipResult, estimate_clips
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.models.diffusion.rollingdepth import load_rollingdepth
from vdepth_core.models.tiny.diffusion import make_tiny
from vdepth_core.output.sequence import read_sequence
from vdepth_core.protocols import DepthModel

FRAMES = 24


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_movie(tmp_path_factory.mktemp("clip") / "shot.mp4", FRAMES, shots=2)


def run(movie: Path, out: Path, model: DepthModel, **options: object) -> ClipResult:
    shelf = ModelShelf()
    shelf.put("snippets", "cpu", "fp32", model)
    facts = {"model": "snippets", "method": "rolling", "device": "cpu", "dtype": "fp32", "size": 64}
    return estimate_clips([movie], out, EstimateConfig.parse(**{**facts, **options}), shelf=shelf)[0]


def pictures(out: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.glob("*.exr")}


@pytest.mark.parametrize("preset", ["fast", "full"])
def test_every_frame_of_both_shots_is_written_and_resumed(movie: Path, tmp_path: Path, preset: str) -> None:
    whole = run(movie, tmp_path / "whole", FakeSnippets(0.2), rolling_preset=preset)
    assert whole.error is None, whole.error
    assert whole.manifest is not None
    assert [(shot.start, shot.stop) for shot in whole.manifest.shots] == [(0, 12), (12, 24)]
    assert len(pictures(tmp_path / "whole")) == 2 * FRAMES
    assert not list((tmp_path / "whole" / ".vdepth").glob("shot_*"))
    depth = np.stack(list(read_sequence(tmp_path / "whole")))
    assert np.isfinite(depth).all()
    assert depth[0].std() > 0

    class Stopper(FakeSnippets):
        left = 18

        def predict_snippets(self, latents, noise, steps=1):  # type: ignore[no-untyped-def]
            self.left -= len(latents)
            if self.left < 0:
                raise KeyboardInterrupt
            return super().predict_snippets(latents, noise, steps)

    stopped = run(movie, tmp_path / "cut", Stopper(0.2), rolling_preset=preset)
    assert stopped.error is not None
    assert stopped.error.exit_code == 130
    again = FakeSnippets(0.2)
    assert run(movie, tmp_path / "cut", again, rolling_preset=preset).error is None
    assert pictures(tmp_path / "cut") == pictures(tmp_path / "whole")
    assert sum(again.batches) < 30


def test_a_published_layout_runs(movie: Path, tmp_path: Path) -> None:
    make_tiny("rollingdepth", tmp_path / "weights")
    model = load_rollingdepth(tmp_path / "weights", dtype="fp32")
    result = run(movie, tmp_path / "out", model, frames="0-2", rolling_preset="full")
    assert result.error is None, result.error
    assert len(pictures(tmp_path / "out")) == 6


def test_a_model_the_method_does_not_run_is_refused_before_anything_is_written(
    movie: Path, tmp_path: Path
) -> None:
    for method, model in (("rolling", RampModel()), ("framewise", FakeSnippets())):
        result = run(movie, tmp_path / "out", model, method=method)
        assert isinstance(result.error, UsageError)
        assert not (tmp_path / "out").exists()
    assert run(movie, tmp_path / "out", RampModel(), method="framewise", frames="0-2").error is None
