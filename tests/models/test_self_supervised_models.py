"""Checkpoints of networks that learn depth from video, from their files to a model and to EXR."""

import hashlib
import re
import zipfile
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from generated import write_movie
from PIL import Image

from vdepth_core.errors import UsageError, WeightsError
from vdepth_core.jobs.batch import estimate
from vdepth_core.learning.student import load_student
from vdepth_core.models.registry import load_model, match_family
from vdepth_core.models.tiny import make_tiny
from vdepth_core.models.tiny.self_supervised import FAMILIES
from vdepth_core.output.sequence import read_sequence
from vdepth_core.protocols import DepthModel, PreparingModel
from vdepth_core.weights.hashing import remembered_sha256
from vdepth_core.weights.parts import POSE_PARTS, read_network


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    return write_movie(tmp_path_factory.mktemp("clip") / "shot.mp4", 2)


@pytest.fixture(scope="module")
def loaded(tiny):
    """The model of a tiny checkpoint."""
    return cache(lambda family: load_model(tiny(family)))


@pytest.fixture(scope="module")
def contents(tiny):
    """Name of a file of a tiny checkpoint -> what it holds, which is not to be changed."""
    return cache(
        lambda family: {path.name: torch.load(path, weights_only=True) for path in tiny(family).iterdir()}
    )


def copied(source, target, change):
    """A copy of a tiny checkpoint, ``change(state)`` made to the file with its depth network."""
    target.mkdir()
    for path in source.iterdir():
        content = torch.load(path, weights_only=True)
        if path.name == "encoder.pth":
            change(content)
        torch.save(content, target / path.name)
    return target


@pytest.mark.parametrize("family", FAMILIES)
def test_every_layout_runs_from_its_files_to_exr(family, tiny, movie, tmp_path):
    options = {"model": str(tiny(family)), "method": "framewise", "device": "cpu"}
    manifest = estimate(movie, tmp_path, options)
    assert (manifest.model.quantity, manifest.model.space) == ("disparity", "scale_invariant")
    assert not manifest.model.commercial
    frames = np.stack(list(read_sequence(tmp_path)))
    assert len(frames) == 2
    assert np.isfinite(frames).all()
    assert (frames > 0).all()
    assert np.ptp(frames[0]) > 0


@pytest.mark.parametrize("family", FAMILIES)
def test_contract(family, tiny, loaded):
    model = loaded(family)
    assert isinstance(model, DepthModel)
    assert isinstance(model, PreparingModel)
    assert model.spec.name == family
    assert model.spec.license == "unknown"
    assert model.spec.weights_sha256 == remembered_sha256(tiny(family))
    size = (64, 96)  # smaller than what pictures are made into
    frames = torch.rand(2, 3, *size)
    depth = model.predict(frames)
    assert depth.shape == (2, *size)
    assert depth.dtype == torch.float32
    assert bool(torch.isfinite(depth).all())
    assert float(depth.min()) >= 0
    assert torch.equal(depth, model.predict(frames))
    strided = frames.repeat_interleave(2, 3)[..., ::2]
    assert not strided.is_contiguous()
    assert torch.equal(model.predict(strided), depth)
    odd = torch.rand(1, 3, size[0] + 7, size[1] - 5)
    if family == "sfmlearner":
        assert model.predict(odd).shape == (1, *odd.shape[2:])
    else:
        with pytest.raises(ValueError, match="multiples"):
            model.predict(odd)
    student = load_student(tiny(family))
    with torch.no_grad():
        torch.testing.assert_close(student.predict(frames), depth, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_wrong_and_missing_keys_are_refused_by_name(family, tiny):
    weights = read_network(tiny(family))
    keys = [key for key in weights.state if "pose" not in key.lower() and not key.startswith("extractor.")]
    key = keys[0 if family == "diffnet" else -1]  # DIFFNet's last ones have a second name
    name = re.escape(key.removeprefix("model.depth_net."))
    without = {k: value for k, value in weights.state.items() if k != key}
    for state, words in (
        (without, rf"lacks 1 key \({name}\)"),
        (weights.state | {"odd.weight": torch.zeros(3)}, r"has unknown 1 key \(odd\.weight\)"),
        (without | {f"{key}x": weights.state[key]}, rf"lacks.*{name}.*unknown.*{name}x"),
        (weights.state | {key: torch.zeros(2, 3, 7)}, rf"wrong shapes.*{name}"),
    ):
        with pytest.raises(WeightsError, match=words):
            match_family(state).network(replace(weights, state=state))


def test_a_file_that_does_not_fit_is_refused(tiny, tmp_path):
    odd = copied(tiny("monodepth2"), tmp_path / "odd", lambda s: s.update({"odd.weight": torch.zeros(3)}))
    with pytest.raises(WeightsError, match=r"odd does not fit Monodepth2.*odd\.weight"):
        load_model(odd)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_seed_gives_the_same_bytes(family, tiny, tmp_path):
    def sums(folder):
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}

    state = torch.get_rng_state()
    make_tiny(family, tmp_path)
    assert sums(tmp_path) == sums(tiny(family))
    assert torch.equal(torch.get_rng_state(), state)


def test_an_archive_is_its_files_and_says_its_size(tiny, loaded, tmp_path):
    path = tmp_path / "mono_96x64.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in tiny("monodepth2").iterdir():
            archive.write(file, f"mono_96x64/{file.name}")
    zipped, folder = load_model(path), loaded("monodepth2")
    assert zipped.spec.fixed_size == folder.spec.fixed_size == (64, 96)
    frames = torch.rand(1, 3, 64, 96)
    assert torch.equal(zipped.predict(frames), folder.predict(frames))
    pose = read_network(path, POSE_PARTS)
    assert {"encoder.conv1.weight", "net.3.bias"} <= pose.state.keys()
    assert zipped.spec.weights_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("size", [(0, 96), (60, 96), (64, 1 << 20), ("x", 96), (-64, 96)])
def test_an_impossible_size_is_not_taken(size, tiny, tmp_path):
    def change(state):
        state.update(height=size[0], width=size[1])

    assert load_model(copied(tiny("monodepth2"), tmp_path / "odd", change)).spec.fixed_size == (192, 640)


@pytest.mark.parametrize(
    ("family", "file", "key"),
    [
        ("featdepth", "fm_depth.pth", "PoseDecoder.conv3.bias"),
        ("packnet01", "PackNet01.ckpt", "pose_pred.bias"),
    ],
)
def test_a_pose_network_in_the_same_file_must_be_whole(family, file, key, contents, tmp_path):
    content = contents(family)[file]
    state = dict(content["state_dict"])
    del state[next(name for name in state if name.endswith(key))]
    torch.save(content | {"state_dict": state}, tmp_path / file)
    with pytest.raises(WeightsError, match=rf"lacks 1 key \({re.escape(key)}\)"):
        load_model(tmp_path / file)


@pytest.mark.parametrize(
    ("family", "file", "keep"),
    [("featdepth", "fm_depth.pth", "Depth"), ("packnet01", "PackNet01.ckpt", "model.depth_net.")],
)
def test_the_depth_network_alone_is_enough(family, file, keep, contents, loaded, tmp_path):
    state = contents(family)[file]["state_dict"]
    alone = {key.removeprefix("model.depth_net."): v for key, v in state.items() if key.startswith(keep)}
    torch.save(alone, tmp_path / "mine.pth")
    frames = torch.rand(1, 3, 64, 96)
    depth = load_model(tmp_path / "mine.pth").predict(frames)
    assert torch.equal(depth, loaded(family).predict(frames))


def test_older_names_of_packnet(contents, loaded, tmp_path):
    """Before ``.ckpt``, and with a dropout in the skips."""
    state = contents("packnet01")["PackNet01.ckpt"]["state_dict"]
    older = {}
    for key, value in state.items():
        name = key.replace("model.depth_net.", "disp_network.").replace("model.pose_net.", "pose_network.")
        older[name.replace(".conv3.weight", ".conv3.0.weight").replace(".conv3.bias", ".conv3.0.bias")] = (
            value
        )
    torch.save({"epoch": 1, "state_dict": older}, tmp_path / "older.pth.tar")
    frames = torch.rand(1, 3, 64, 96)
    depth = load_model(tmp_path / "older.pth.tar").predict(frames)
    assert torch.equal(depth, loaded("packnet01").predict(frames))


@pytest.mark.parametrize("kept", ["convs.", "decoder."])
def test_diffnet_under_one_of_its_names(kept, contents, loaded, tmp_path):
    frames = torch.rand(1, 3, 64, 96)
    files = dict(contents("diffnet"))
    files["depth.pth"] = {key: value for key, value in files["depth.pth"].items() if key.startswith(kept)}
    for name, content in files.items():
        torch.save(content, tmp_path / name)
    assert torch.equal(load_model(tmp_path).predict(frames), loaded("diffnet").predict(frames))


def test_diffnet_under_two_names_that_differ_is_refused(contents, tmp_path):
    files, key = dict(contents("diffnet")), "decoder.9.conv.bias"
    files["depth.pth"] = files["depth.pth"] | {key: files["depth.pth"][key] + 1}
    for name, content in files.items():
        torch.save(content, tmp_path / name)
    with pytest.raises(WeightsError, match=r"dispConvScale3.*differ"):
        load_model(tmp_path)


def test_a_dropout_in_ddvs_unused_branch_shifts_a_name(contents, loaded, tmp_path):
    for name, content in contents("ddv").items():
        torch.save({key.replace(".dsn.2.", ".dsn.3."): v for key, v in content.items()}, tmp_path / name)
    frames = torch.rand(1, 3, 64, 96)
    assert torch.equal(load_model(tmp_path).predict(frames), loaded("ddv").predict(frames))


def test_sfmlearner_takes_pictures_around_zero(loaded):
    model = loaded("sfmlearner")
    frames = torch.rand(1, 3, 128, 416)
    with torch.inference_mode():
        expected = model.network(frames * 2 - 1)
    torch.testing.assert_close(model.predict(frames), expected, rtol=1e-5, atol=1e-6)


def test_pictures_are_resampled_by_lanczos(loaded):
    rgb = np.random.default_rng(0).integers(0, 256, (2, 100, 150, 3), np.uint8)
    model = loaded("monodepth2")
    published = np.stack(
        [np.asarray(Image.fromarray(p).resize((96, 64), Image.Resampling.LANCZOS)) for p in rgb]
    )
    expected = torch.from_numpy(published).permute(0, 3, 1, 2).float() / 255
    assert torch.equal(model.prepare(torch.from_numpy(rgb), (64, 96)), expected)
    assert torch.equal(model.prepare(torch.from_numpy(rgb).permute(0, 3, 1, 2), (64, 96)), expected)


def test_a_folder_of_several_networks_is_not_guessed_at(tiny, tmp_path):
    content = torch.load(tiny("monodepth2") / "depth.pth", weights_only=True)
    for name in ("a.pth", "b.pth"):
        torch.save(content, tmp_path / name)
    with pytest.raises(WeightsError, match="encoder and depth"):
        load_model(tmp_path)
    for name in ("encoder.pth", "depth.pth"):
        torch.save(content, tmp_path / name)
    with pytest.raises(WeightsError, match="in two files"):
        load_model(tmp_path)


def test_no_other_family_is_made(tmp_path):
    with pytest.raises(UsageError, match="no tiny"):
        make_tiny("monodepth3", tmp_path)
