"""Frames one by one: as the slow reference says, as a generator, and as a job."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from generated import RampModel, write_movie
from networks.vda_reference import streamed
from rolling_fakes import FakeSnippets, Footage
from torch.nn.functional import interpolate

import vdepth_core
from vdepth_core.errors import UsageError
from vdepth_core.jobs.batch import estimate
from vdepth_core.methods.windowed.method import Windowed
from vdepth_core.methods.windowed.options import WindowedOptions
from vdepth_core.methods.windowed.stream import stream
from vdepth_core.models.registry import load_model
from vdepth_core.networks.temporal_attention import KeptFrames
from vdepth_core.networks.video_depth_anything import VideoDepthAnything
from vdepth_core.output.sequence import read_sequence
from vdepth_core.progress import Progress
from vdepth_core.protocols import StreamModel
from vdepth_core.store import DepthStore
from vdepth_core.weights.parts import read_network

Tiny = Callable[[str], Path]


def test_frames_one_by_one_are_as_the_slow_reference_says(tiny: Tiny) -> None:
    """90 frames: the ring of those that are kept has gone round twice."""
    state = {key: value.double() for key, value in read_network(tiny("video-depth-anything")).state.items()}
    network = VideoDepthAnything.for_state(state).eval().double()
    network.load_state_dict(state)
    frames = torch.randn((90, 3, 28, 28), generator=torch.Generator().manual_seed(1)).double()
    with torch.inference_mode():
        kept = network.begin()
        said = torch.cat([network.decode_next(network.encode(frame[None]), kept) for frame in frames])
        expected = streamed(state, frames, (0, 1, 2, 3)).relu()
    assert float((said - expected).abs().max()) <= 1e-9 * float(expected.max() - expected.min())
    assert float(said.std()) > 0


@pytest.mark.parametrize("count", [1, 2, 29, 30, 41, 42, 43, 100])
def test_what_is_seen_is_what_is_written_down(count: int) -> None:
    kept = KeptFrames()
    kept.count = count
    order = kept.positions()
    written = [0, *(max(0, frame) for frame in (count - 41, *range(count - 29, count))), count]
    holds = [0] * 43
    for frame in range(count + 1):
        holds[1 + frame % 42] = frame
    seen = {position: holds[slot] for slot, position in enumerate(order) if position is not None}
    assert [seen[position] for position in range(32)] == written


def test_a_generator_gives_a_map_before_it_asks_for_the_next_picture(tiny: Tiny) -> None:
    model, taken = load_model(tiny("video-depth-anything")), []
    assert isinstance(model, StreamModel)
    rgb = np.random.default_rng(0).integers(0, 256, (5, 45, 61, 3), np.uint8)

    def camera() -> Iterator[np.ndarray]:
        for picture in rgb:
            taken.append(len(taken))
            yield picture

    maps = []
    for index, depth in enumerate(vdepth_core.stream(camera(), model, size=28)):
        assert len(taken) == index + 1
        maps.append(depth)
    assert [(depth.shape, depth.dtype) for depth in maps] == [((45, 61), np.float32)] * 5
    first = model.predict(model.prepare(torch.from_numpy(rgb[:1]), (28, 42)))  # type: ignore[attr-defined]
    expected = interpolate(first[None], size=(45, 61), mode="bilinear", align_corners=True)[0, 0]
    np.testing.assert_allclose(maps[0], expected, rtol=1e-4, atol=1e-5)
    again = list(stream(iter(rgb), model, size=28))
    np.testing.assert_array_equal(again, maps)  # it begins anew: nothing is left of the call before
    two = zip(stream(rgb, model, size=28), stream(rgb[::-1], model, size=28), strict=True)
    np.testing.assert_array_equal([one for one, _ in two], maps)  # and streams do not mix


def test_other_models_and_changing_pictures_are_refused(tiny: Tiny) -> None:
    for model in (RampModel(), FakeSnippets(), load_model("embedded")):
        with pytest.raises(UsageError, match="one by one"):
            stream([], model)  # type: ignore[arg-type]
    model = load_model(tiny("video-depth-anything"))
    for odd in ((42, 56), (56, 28)):
        maps = stream([np.zeros((28, 42, 3), np.uint8), np.zeros((*odd, 3), np.uint8)], model, size=28)
        next(maps)
        with pytest.raises(ValueError, match="42x28"):
            next(maps)
    for wrong in (np.zeros((28, 42), np.uint8), np.zeros((28, 42, 3), np.float32)):
        with pytest.raises(ValueError, match="uint8"):
            next(stream([wrong], model, size=28))
    assert isinstance(model, StreamModel)
    with pytest.raises(ValueError, match="another size"):
        list(model.stream([torch.rand(1, 3, 28, 42), torch.rand(1, 3, 28, 56)]))
    with pytest.raises(ValueError, match="no stream"):
        next(iter(model.stream([torch.rand(2, 3, 28, 42)])))


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_movie(tmp_path_factory.mktemp("clip") / "shots.mp4", 12, shots=2, size=(98, 66))


def test_a_job_streams_every_shot_anew(movie: Path, tiny: Tiny, tmp_path: Path) -> None:
    options = {"model": str(tiny("video-depth-anything")), "device": "cpu", "size": 42, "stream": True}
    manifest = estimate(movie, tmp_path / "a", options)
    assert manifest.method == "windowed"
    assert [len(range(shot.start, shot.stop)) for shot in manifest.shots] == [6, 6]
    estimate(movie, tmp_path / "b", options)
    sums = [
        [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((tmp_path / name).glob("*.exr"))]
        for name in "ab"
    ]
    assert sums[0] == sums[1]
    assert len(sums[0]) == 24
    depth = np.stack(list(read_sequence(tmp_path / "a")))
    assert np.isfinite(depth).all()
    assert depth.std() > 0


def test_a_stopped_shot_begins_anew_to_the_same_bytes(tiny: Tiny, tmp_path: Path) -> None:
    model, method = load_model(tiny("video-depth-anything")), Windowed(WindowedOptions(stream=True))

    class Stopped(Progress):
        def advance(self, stage: str, count: int = 1) -> None:
            raise KeyboardInterrupt

    found = []
    for name in ("whole", "cut"):
        footage = Footage(7, size=(28, 42))
        with DepthStore(tmp_path / name, 7, 28, 42) as store:
            if name == "cut":
                with pytest.raises(KeyboardInterrupt):
                    method.run(footage, model, store, Stopped())
                assert len(store.raw.missing()) == 6
            method.run(footage, model, store, Progress())
            method.settle(footage.shot, model.spec, store, Progress())
            found.append(store.final.read(0, 7))
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("space", ["", "-metric"])
def test_what_flickers_is_filtered_where_that_is_asked_for(
    streams: bool, space: str, tiny: Tiny, tmp_path: Path
) -> None:
    model = load_model(tiny(f"video-depth-anything{space}"))
    found, count = {}, 8 if streams else 34  # more than a window of 32
    for name in ("off", "align", "filter"):
        footage = Footage(count, size=(28, 42))
        method = Windowed(WindowedOptions(stream=streams, stabilize=name))  # type: ignore[arg-type]
        with DepthStore(tmp_path / name, count, 28, 42) as store:
            for again in (False, True) if name == "filter" else (False,):
                if again:  # a torn map is made again
                    store.final.drop([7])
                method.run(footage, model, store, Progress())
                alignment = method.settle(footage.shot, model.spec, store, Progress())
                found["again" if again else name] = store.final.read(0, count)
                assert len(alignment.scale) == count
                assert bool(alignment.curves) == (name != "off")
    np.testing.assert_array_equal(found["filter"], found["again"])
    jumps = {name: float(np.abs(np.diff(maps, axis=0)).mean()) for name, maps in found.items()}
    assert jumps["filter"] < jumps["off"]
    assert not np.array_equal(found["align"], found["off"])
