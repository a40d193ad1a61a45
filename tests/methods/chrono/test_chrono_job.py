"""`chrono` inside a whole job: two shots, all files, killed and resumed at any window."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from chrono_fakes import FakeClip
from generated import RampModel, write_movie
from processes import run
from rolling_fakes import FakeSnippets, Footage

from vdepth_core.errors import ResourceError, UsageError, WeightsError
from vdepth_core.jobs.accelerator import ModelShelf
from vdepth_core.jobs.batch import ClipResult, estimate, estimate_clips
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.methods.chrono.method import Chrono
from vdepth_core.methods.chrono.options import ChronoOptions
from vdepth_core.output.sequence import read_sequence
from vdepth_core.progress import Progress
from vdepth_core.store import DepthStore

FRAMES, SHOTS = 26, 2


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_movie(tmp_path_factory.mktemp("clip") / "shot.mp4", FRAMES, shots=SHOTS)


def job(movie: Path, out: Path, model: object, **options: object) -> ClipResult:
    shelf = ModelShelf()
    shelf.put("clip", "cpu", "fp32", model)  # type: ignore[arg-type]
    facts = {"model": "clip", "method": "chrono", "device": "cpu", "dtype": "fp32", "size": 64}
    return estimate_clips([movie], out, EstimateConfig.parse(**{**facts, **options}), shelf=shelf)[0]


def pictures(out: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.glob("*.exr")}


@pytest.mark.parametrize("options", [{}, {"chrono_mode": "replacement", "chrono_numerics": "strict"},
                                     {"chrono_mode": "naive"}])  # fmt: skip
def test_every_shot_begins_anew_and_is_resumed_at_any_window(movie: Path, tmp_path: Path, options) -> None:  # type: ignore[no-untyped-def]
    model = FakeClip()
    whole = job(movie, tmp_path / "whole", model, **options)
    assert whole.error is None, whole.error
    assert [(shot.start, shot.stop) for shot in whole.manifest.shots] == [(0, 13), (13, 26)]
    new = (10, 0, 10) if options.get("chrono_mode") == "naive" else (10, 7, 3)
    assert model.asked == [(10, 0, 10), new] * SHOTS
    assert len(pictures(tmp_path / "whole")) == 2 * FRAMES
    assert not list((tmp_path / "whole" / ".vdepth").glob("shot_*"))
    for stop in (1, 3):
        out = tmp_path / f"cut{stop}"
        stopped = job(movie, out, FakeClip(stop), **options)
        assert stopped.error.exit_code == 130
        again = FakeClip()
        assert job(movie, out, again, **options).error is None
        assert len(again.asked) == 2 * SHOTS - stop
        assert pictures(out) == pictures(tmp_path / "whole")


def test_a_torn_map_is_decoded_again_with_the_same_neighbours(tmp_path: Path) -> None:
    def maps(folder: Path, drop: tuple[int, ...] = ()) -> np.ndarray:
        with DepthStore(folder, 21, 48, 64) as store:
            store.raw.drop(drop)
            Chrono().run(Footage(21), FakeClip(), store, Progress())
            return store.raw.read(0, 21)

    whole = maps(tmp_path / "a")
    for drop in ((0,), (9,), (20,), (3, 13)):
        np.testing.assert_array_equal(maps(tmp_path / "a", drop), whole)


@pytest.mark.parametrize("count", [1, 2, 9, 10, 11, 31, 32, 33, 65])
def test_lengths_and_odd_sizes(tmp_path: Path, count: int) -> None:
    model = FakeClip()
    with DepthStore(tmp_path, count, 43, 61) as store:
        Chrono().run(Footage(count, size=(43, 61)), model, store, Progress())
        Chrono().settle(Footage(count).shot, model.spec, store, Progress())
        assert store.final.shape == (43, 61)
        assert not store.final.missing()
        assert sum(new for _, _, new in model.asked) == count


def test_what_does_not_fit_or_is_no_depth_is_said(tmp_path: Path) -> None:
    class Full(FakeClip):
        def denoise(self, *parts, **named):  # type: ignore[no-untyped-def]
            raise torch.cuda.OutOfMemoryError("no")

    class Flat(FakeClip):
        def decode(self, depth_latents: torch.Tensor) -> torch.Tensor:
            return torch.ones(len(depth_latents), 48, 64)

    for model, error, words in ((Full(), ResourceError, "10 frames"), (Flat(), WeightsError, "same depth")):
        with DepthStore(tmp_path / words, 3, 48, 64) as store, pytest.raises(error, match=words):
            Chrono().run(Footage(3), model, store, Progress())


def test_only_what_denoises_a_clip_is_taken(movie: Path, tmp_path: Path) -> None:
    for method, model in (
        ("chrono", RampModel()),
        ("chrono", FakeSnippets()),
        ("rolling", FakeClip()),
        ("framewise", FakeClip()),
    ):
        result = job(movie, tmp_path / "out", model, method=method)
        assert isinstance(result.error, UsageError)
        assert not (tmp_path / "out").exists()


def test_half_precision_on_cuda_as_published() -> None:
    assert Chrono().dtype("cuda") == "fp16"
    assert Chrono().dtype("cpu") is None
    assert Chrono(ChronoOptions(mode="naive")).options.mode == "naive"


def test_a_tiny_published_folder_on_three_shots(tiny: Callable[[str], Path], tmp_path: Path) -> None:
    movie = write_movie(tmp_path / "shots.mp4", 9, shots=3, size=(66, 50))
    config = {"model": str(tiny("chronodepth")), "method": "chrono", "device": "cpu", "chrono_steps": 1}
    manifest = estimate(movie, tmp_path / "out", {**config, "near": 2.0, "far": 6.0})
    assert (manifest.model.quantity, manifest.model.license) == ("depth", "unknown")
    depth = np.stack(list(read_sequence(tmp_path / "out")))
    assert depth.shape == (9, 50, 66)
    assert np.isfinite(depth).all()
    assert (depth.min(), depth.max()) == pytest.approx((2, 6), abs=1e-3)


KILLED = """
import os, signal, sys
from pathlib import Path
from chrono_fakes import FakeClip
from rolling_fakes import Footage
from vdepth_core.methods.chrono.method import Chrono
from vdepth_core.progress import Progress
from vdepth_core.store import DepthStore

class Killed(FakeClip):
    def stop(self):
        os.kill(os.getpid(), signal.SIGKILL)

with DepthStore(Path(sys.argv[1]), 21, 48, 64) as store:
    Chrono().run(Footage(21), Killed(2), store, Progress())
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_killed_outright_it_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    done = run(KILLED, tmp_path / "cut")
    assert done.returncode == -signal.SIGKILL, done.stderr
    found, asked = [], []
    for name in ("whole", "cut"):
        with DepthStore(tmp_path / name, 21, 48, 64) as store:
            model = FakeClip()
            Chrono().run(Footage(21), model, store, Progress())
            found.append(store.raw.read(0, 21))
            asked.append(model.asked)
    np.testing.assert_array_equal(*found)
    assert asked[0][2:] == asked[1]
