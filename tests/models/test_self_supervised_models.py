"""Checkpoints of networks that learn depth from video, from their files to a model and to EXR."""

import hashlib
import re
import zipfile

import numpy as np
import pytest
import torch
from generated import write_movie
from PIL import Image

from vdepth_core.errors import UsageError, WeightsError
from vdepth_core.jobs.batch import estimate
from vdepth_core.learning.student import load_student
from vdepth_core.models.registry import load_model
from vdepth_core.models.tiny import make_tiny
from vdepth_core.models.tiny.self_supervised import FAMILIES
from vdepth_core.output.sequence import read_sequence
from vdepth_core.protocols import DepthModel, PreparingModel
from vdepth_core.weights.hashing import remembered_sha256
from vdepth_core.weights.parts import POSE_PARTS, read_network

DEPTH_FILE = {"monodepth2": "encoder.pth", "monodepth2-resnet50": "depth.pth"}


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    return write_movie(tmp_path_factory.mktemp("clip") / "shot.mp4", 2)


def copied(source, target, change):
    """A copy of a tiny checkpoint, ``change(state)`` made to the file with its depth network."""
    target.mkdir()
    for path in source.iterdir():
        content = torch.load(path, weights_only=True)
        if path.name == DEPTH_FILE.get(source.name, path.name) and "pose" not in path.name:
            change(content.get("state_dict", content))
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
def test_contract(family, tiny):
    model, again = load_model(tiny(family)), load_model(tiny(family))
    assert isinstance(model, DepthModel)
    assert isinstance(model, PreparingModel)
    assert model.spec.name == family
    assert model.spec.license == "unknown"
    assert model.spec.weights_sha256 == remembered_sha256(tiny(family))
    size = model.spec.fixed_size
    frames = torch.rand(2, 3, *size)
    depth = model.predict(frames)
    assert depth.shape == (2, *size)
    assert depth.dtype == torch.float32
    assert bool(torch.isfinite(depth).all())
    assert float(depth.min()) >= 0
    assert torch.equal(depth, again.predict(frames))
    with pytest.raises(ValueError, match="multiples"):
        model.predict(torch.rand(1, 3, size[0] + 7, size[1]))
    student = load_student(tiny(family))
    with torch.no_grad():
        torch.testing.assert_close(student.predict(frames), depth, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_wrong_and_missing_keys_are_refused_by_name(family, tiny, tmp_path):
    def key_of(state):
        return next(reversed([key for key, value in state.items() if torch.is_tensor(value)]))

    removed = []
    lacking = copied(tiny(family), tmp_path / "lacking", lambda s: removed.append(s.pop(key_of(s))))
    with pytest.raises(WeightsError, match="lacks 1 keys"):
        load_model(lacking)
    stray = copied(tiny(family), tmp_path / "stray", lambda s: s.update({"odd.weight": torch.zeros(3)}))
    with pytest.raises(WeightsError, match=r"has unknown 1 keys \(odd\.weight\)"):
        load_model(stray)

    def rename(state):
        removed.append(key := key_of(state))
        state[f"{key}x"] = state.pop(key)

    renamed = copied(tiny(family), tmp_path / "renamed", rename)
    with pytest.raises(
        WeightsError, match=f"lacks.*{re.escape(removed[-1])}.*unknown.*{re.escape(removed[-1])}x"
    ):
        load_model(renamed)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_seed_gives_the_same_bytes(family, tiny, tmp_path):
    def sums(folder):
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}

    state = torch.get_rng_state()
    make_tiny(family, tmp_path)
    assert sums(tmp_path) == sums(tiny(family))
    assert torch.equal(torch.get_rng_state(), state)


def test_an_archive_is_its_files_and_says_its_size(tiny, tmp_path):
    path = tmp_path / "mono_96x64.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in tiny("monodepth2").iterdir():
            archive.write(file, f"mono_96x64/{file.name}")
    zipped, folder = load_model(path), load_model(tiny("monodepth2"))
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


def test_pictures_are_resampled_by_lanczos(tiny):
    rgb = np.random.default_rng(0).integers(0, 256, (2, 100, 150, 3), np.uint8)
    model = load_model(tiny("monodepth2"))
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
