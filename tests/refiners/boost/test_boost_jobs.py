"""Boosting in a job: composed with methods, by the command line, resumed, refused."""

import json
import os
import signal
import textwrap
from dataclasses import replace

import numpy as np
import pytest
import torch
from generated import RampModel, write_movie
from jobs import test_run
from jobs.test_run import digest
from processes import start
from rolling_fakes import FakeSnippets

from vdepth_core import estimate
from vdepth_core.cli.main import app
from vdepth_core.clip import ShotView, open_clip
from vdepth_core.errors import UsageError, WeightsError
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.jobs.events import ProgressEvent
from vdepth_core.jobs.identity import FILES
from vdepth_core.jobs.record import read_record
from vdepth_core.learning.student import write_weights
from vdepth_core.models.sizing import frames_to_tensor
from vdepth_core.networks.merge_small import MergeSmall
from vdepth_core.output.exr import read_exr
from vdepth_core.output.sequence import read_sequence
from vdepth_core.refiners.boost import boost as room
from vdepth_core.refiners.boost.boost import Boost
from vdepth_core.refiners.boost.composite import resized
from vdepth_core.refiners.boost.merges.registry import MERGES
from vdepth_core.refiners.boost.options import BoostOptions
from vdepth_core.store import FrameArray
from vdepth_core.types import Shot

SIZE = {"size": 32}


def run(clips, out, model=None, on_event=None, **options):
    """A job whose network sees little, so that patches of twice that are small too."""
    return test_run.run(clips, out, model or RampModel(32), on_event, **options)


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    return write_movie(tmp_path_factory.mktemp("clip") / "shot.mp4", 8, size=(144, 96))


@pytest.fixture(scope="module")
def boosted(movie, tmp_path_factory):
    out = tmp_path_factory.mktemp("boosted")
    assert run([movie], out, boost="shot", method="temporal", keep_store=True, **SIZE)[0].error is None
    return out


def test_a_boosted_shot_has_the_detail_of_a_larger_picture(tmp_path):
    """What the model would say of frame 1 at the size of the maps is nearer than what it said."""
    movie = write_movie(tmp_path / "shot.mp4", 2, size=(576, 384))
    how = {"boost": "shot", "method": "temporal", "keep_store": True, "size": 64}
    assert run([movie], tmp_path / "out", RampModel(), **how)[0].error is None
    shot = tmp_path / "out" / ".vdepth" / "shot_0000"
    with (
        FrameArray(shot / "final.f32", 2, (64, 96), "<f4") as final,
        FrameArray(shot / "refined.f32", 2, (128, 192), "<f4") as refined,
    ):
        assert refined.missing() == []
        low, sharp = resized(final.read(1)[0], (128, 192)), refined.read(1)[0]
    picture = next(iter(ShotView(open_clip(movie), Shot(0, 0, 2)).frames(1, 2))).rgb
    truth = RampModel().predict(frames_to_tensor([picture], (128, 192)))[0].numpy()
    plain, ours = (np.corrcoef(map_.ravel(), truth.ravel())[0, 1] for map_ in (low, sharp))
    assert 1 - ours < 0.6 * (1 - plain)


def test_networks_of_patches_of_14_pixels_are_boosted(movie, tmp_path, tiny):
    options = {"model": str(tiny("depth-anything")), "method": "framewise", "frames": "0-0", "device": "cpu"}
    assert estimate(movie, tmp_path / "out", options | {"boost": "shot"}).count == 1


@pytest.mark.parametrize("method", ["framewise", "temporal"])
def test_two_runs_are_byte_identical_and_the_same_by_either_name(movie, tmp_path, method):
    for name, how in (("a", {"boost": "shot"}), ("b", {"refiner": "boost"})):
        assert run([movie], tmp_path / name, method=method, frames="0-3", **how, **SIZE)[0].error is None
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    first, second = (read_record(tmp_path / name).identity for name in "ab")
    assert first == second


def test_published_plans_every_picture_and_is_in_the_terms_of_the_estimate(movie, tmp_path):
    options = {"frames": "0-0", "method": "framewise", "size": 64}
    how = {"boost": "published", "boost_max_size": 256}
    assert run([movie], tmp_path / "plain", RampModel(), **options)[0].error is None
    events = []
    assert run([movie], tmp_path / "out", RampModel(), events.append, **how, **options)[0].error is None
    looks = [event for event in events if isinstance(event, ProgressEvent) and event.stage == "patches"]
    assert looks[-1].done == looks[-1].total  # of one frame
    plain, sharp = (read_sequence(tmp_path / name)[0] for name in ("plain", "out"))
    assert np.corrcoef(plain.ravel(), sharp.ravel())[0, 1] > 0.5


@pytest.mark.parametrize(("quantity", "space"), [("depth", "affine_invariant"), ("depth", "metric")])
def test_models_of_depth_are_boosted_in_their_own_terms(movie, tmp_path, quantity, space):
    class Depths(RampModel):
        def __init__(self):
            super().__init__(32)
            self.spec = replace(self.spec, quantity=quantity, space=space)

        def predict(self, frames):
            return 2.0 + 4.0 / (1.0 + super().predict(frames))

    options = {"frames": "0-2", "method": "temporal", **SIZE}
    for name, how in (("plain", {}), ("out", {"boost": "shot"})):
        assert run([movie], tmp_path / name, Depths(), **how, **options)[0].error is None
    plain, sharp = (read_sequence(tmp_path / name)[1] for name in ("plain", "out"))
    assert np.corrcoef(plain.ravel(), sharp.ravel())[0, 1] > 0.8
    if space == "metric":
        assert 3 < sharp.min() <= sharp.max() < 6.5


KILLED = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from refiners.boost.test_boost_jobs import run
    from vdepth_core.refiners.boost import boost
    frame = boost._Boosting._frame

    def loud(*arguments):
        last = frame(*arguments)
        print("frame", flush=True)
        return last

    boost._Boosting._frame = loud
    run([Path(sys.argv[1])], Path(sys.argv[2]), boost="shot", method="temporal", keep_store=True, size=32)
    """
)


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL does not exist on Windows")
def test_killed_in_the_middle_it_goes_on_to_the_same_bytes(movie, boosted, tmp_path, monkeypatch):
    out = tmp_path / "out"
    with start(KILLED, movie, out) as job:
        for _ in range(2):
            assert job.stdout.readline() == "frame\n"
        job.send_signal(signal.SIGKILL)
    done = []
    frame = room._Boosting._frame
    monkeypatch.setattr(room, "plan_shot", None)  # it is planned
    monkeypatch.setattr(
        room._Boosting, "_frame", lambda self, t, *rest: done.append(t) or frame(self, t, *rest)
    )
    assert run([movie], out, boost="shot", method="temporal", keep_store=True, **SIZE)[0].error is None
    assert done[0] >= 2
    assert done == list(range(done[0], 8))
    assert digest(out) == digest(boosted)


def test_out_of_memory_halves_the_batch(movie, boosted, tmp_path, monkeypatch):
    class Small(RampModel):
        def predict(self, frames):
            if len(frames) > 1:
                raise torch.cuda.OutOfMemoryError("no")
            return super().predict(frames)

    assert run([movie], tmp_path, Small(32), boost="shot", method="temporal", **SIZE)[0].error is None
    kept = {name: value for name, value in digest(boosted).items() if name.endswith(".exr")}
    assert kept == {name: value for name, value in digest(tmp_path).items() if name.endswith(".exr")}


def test_models_that_cannot_look_at_parts_are_refused_before_anything_is_written(movie, tmp_path):
    class Fixed(RampModel):
        def __init__(self):
            super().__init__(32)
            self.spec = replace(self.spec, fixed_size=(64, 96))

    error = run([movie], tmp_path / "out", Fixed(), boost="shot")[0].error
    assert isinstance(error, UsageError)
    assert "96x64 only" in error.message
    assert "--boost" in error.hint
    assert not list((tmp_path / "out").rglob("*.f32"))


def test_what_rolling_merged_is_boosted_by_snippets_of_one_frame(movie, tmp_path):
    """The model sees a patch alone, whatever it saw of the shot."""

    class Snippets(FakeSnippets):
        def encode(self, frames):
            self.seen = [*getattr(self, "seen", []), frames.shape]
            return super().encode(frames)

    model, options = Snippets(), {"frames": "0-5", "method": "rolling", "size": 96, "dtype": "fp32"}
    assert run([movie], tmp_path / "plain", FakeSnippets(), **options)[0].error is None
    assert run([movie], tmp_path / "out", model, boost="shot", **options)[0].error is None
    assert (1, 3, 128, 128) in model.seen  # a patch of twice the network's size
    plain, sharp = (read_sequence(tmp_path / name)[3] for name in ("plain", "out"))
    assert 0.7 < np.corrcoef(plain.ravel(), sharp.ravel())[0, 1] < 1 - 1e-6  # of random pictures


def merge_file(path, seed=0):
    torch.manual_seed(seed)
    net = MergeSmall()
    torch.nn.init.normal_(net.last.weight, 0, 0.05)
    write_weights(path, net.state_dict(), {"license": "CC-BY-NC-4.0", "commercial": "false"})
    return str(path)


def test_a_merge_of_ones_own_is_part_of_the_job_and_its_licence_binds(movie, tmp_path, monkeypatch):
    options = {"boost": "shot", "frames": "0-0", "method": "framewise", **SIZE}
    files = [merge_file(tmp_path / name) for name in ("a.safetensors", "moved.safetensors")]
    other = merge_file(tmp_path / "other.safetensors", seed=1)
    out = tmp_path / "out"
    assert run([movie], out, boost_merge=files[0], **options)[0].error is None
    before = digest(out)
    assert run([movie], out, boost_merge=files[1], **options)[0].error is None  # the same weights elsewhere
    assert {name: value for name, value in digest(out).items() if name != "manifest.json"} == {
        name: value for name, value in before.items() if name != "manifest.json"
    }
    monkeypatch.setenv("HOME", str(tmp_path))  # the same file, as shells do not always spell it out
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert run([movie], out, boost_merge="~/a.safetensors", **options)[0].error is None
    error = run([movie], out, boost_merge=other, **options)[0].error
    assert isinstance(error, UsageError)
    model = json.loads(before["manifest.json"])["model"]
    assert (model["license"].split(" and ")[1], model["commercial"]) == (
        "CC-BY-NC-4.0 (the file's own claim)",
        False,
    )
    _, header = read_exr(next(out.glob("*depth*.exr")))
    assert "Non-commercial" in header["comments"]


@pytest.mark.parametrize("merge", ["pix2pix", "learned", "nowhere.safetensors"])
def test_a_merge_without_weights_is_told_before_anything_is_predicted(movie, tmp_path, monkeypatch, merge):
    monkeypatch.setenv("VDEPTH_WEIGHTS", str(tmp_path / "weights"))
    error = run([movie], tmp_path / "out", boost="shot", boost_merge=merge, **SIZE)[0].error
    assert isinstance(error, WeightsError)
    assert not list((tmp_path / "out").rglob("*.f32"))
    with pytest.raises(UsageError, match="no merge poison"):
        Boost(BoostOptions(merge="poison")).weights()


def test_a_refiner_is_a_file_fact_and_named_once():
    assert "refiner" in FILES
    config = EstimateConfig.parse(boost="published")
    assert (config.refiner, config.refiner_options().plan) == ("boost", "published")
    assert EstimateConfig.parse(refiner="boost").boost == "shot"
    assert EstimateConfig.parse(**EstimateConfig.parse(boost="shot").model_dump()).boost == "shot"
    with pytest.raises(UsageError, match="give one"):
        EstimateConfig.parse(boost="shot", refiner="other")


def test_the_help_names_the_merges():
    words = BoostOptions.model_fields["merge"].description
    assert all(name in words for name in MERGES if name != "learned")


@pytest.mark.parametrize(
    ("words", "boost", "clips"),
    [
        ("--boost photo.jpg -o out", "shot", ["photo.jpg"]),
        ("photo.jpg -o out --boost", "shot", ["photo.jpg"]),
        ("--boost published photo.jpg -o out", "published", ["photo.jpg"]),
        ("--boost=published photo.jpg -o out", "published", ["photo.jpg"]),
        ("--boost shot a.mov b.mov -o out", "shot", ["a.mov", "b.mov"]),
        ("-o out --boost -- published", "shot", ["published"]),
        ("photo.jpg -o out", None, ["photo.jpg"]),
    ],
)
def test_boost_may_stand_before_a_clip(words, boost, clips, monkeypatch):
    from typer.testing import CliRunner

    from vdepth_core.cli import estimate

    taken = {}
    monkeypatch.setattr(
        estimate, "run_clips", lambda clips, out, options, **_: taken.update(clips=clips, options=options)
    )
    done = CliRunner().invoke(app, ["estimate", *words.split()])
    assert done.exit_code == 0, done.output
    assert [str(clip) for clip in taken["clips"]] == clips
    assert taken["options"].get("boost") == boost


def test_a_misspelt_boost_is_no_clip(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from vdepth_core.cli import estimate

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(estimate, "run_clips", lambda *_, **__: None)
    words = ["estimate", "--boost", "publised", "photo.jpg", "-o", "out"]
    with pytest.raises(
        UsageError, match=r"--boost does not take publised.* Did you mean --boost published\?"
    ):
        CliRunner().invoke(app, words, catch_exceptions=False)
    (tmp_path / "publised").mkdir()  # a folder of pictures
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    for clip in ("shot*", "shot.mov", "./shots", "plates"):
        assert CliRunner().invoke(app, ["estimate", "--boost", clip, "-o", "out"]).exit_code == 0
