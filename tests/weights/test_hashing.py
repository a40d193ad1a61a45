"""Weights are hashed once and remembered, and a file is opened once to be loaded."""

import os
import shutil
from pathlib import Path

import pytest
import safetensors
import torch
from safetensors.torch import save_file
from weights.small_catalogue import checkpoint, fresh_catalogue, use  # noqa: F401

from vdepth_core import checksums
from vdepth_core.models.registry import load_model
from vdepth_core.networks.tcmonodepth_small import TCSmallNet
from vdepth_core.weights import hashing
from vdepth_core.weights.hashing import file_sha256, remembered_sha256
from vdepth_core.weights.install import install
from vdepth_core.weights.lock import read_lock
from vdepth_core.weights.reading import sha256_of


@pytest.fixture
def read(monkeypatch, tmp_path):
    """Names of the files that are hashed; nothing is remembered from before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    names, real = [], checksums.sha256_of
    monkeypatch.setattr(checksums, "sha256_of", lambda path: names.append(path.name) or real(path))
    return names


@pytest.fixture
def opened(monkeypatch):
    """Names of the weights files that are opened, by Python or by safetensors."""
    names = []

    def counting(real):
        def call(path, *rest, **named):
            if str(path).endswith((".safetensors", ".pt")):
                names.append(Path(path).name)
            return real(path, *rest, **named)

        return call

    monkeypatch.setattr(Path, "open", counting(Path.open))
    monkeypatch.setattr(os, "open", counting(os.open))
    monkeypatch.setattr(safetensors, "safe_open", counting(safetensors.safe_open))
    return names


def own_file(folder):
    torch.manual_seed(0)
    path = folder / "mine.safetensors"
    save_file({key: value.clone() for key, value in TCSmallNet().state_dict().items()}, path)
    return path


def test_a_file_is_hashed_once_until_it_changes(tmp_path, read):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"one")
    first = file_sha256(path)
    assert file_sha256(path) == first == remembered_sha256(path)
    assert read == ["a.safetensors"]
    (tmp_path / "b.safetensors").write_bytes(b"other")
    file_sha256(tmp_path / "b.safetensors")
    assert file_sha256(path) == first
    assert read == ["a.safetensors", "b.safetensors"]
    path.write_bytes(b"two")
    assert file_sha256(path) == sha256_of(path) != first
    assert remembered_sha256(tmp_path / "none.safetensors") is None


@pytest.mark.parametrize("name", ["mine.safetensors", "mine.pt"])
def test_a_weights_file_is_opened_once_to_be_loaded(name, tmp_path, read, opened):
    path = own_file(tmp_path)
    if name.endswith(".pt"):
        path = tmp_path / name
        torch.save({"state_dict": TCSmallNet().state_dict()}, path)
    digest = load_model(path).spec.weights_sha256
    assert read == [name]  # the first time it is hashed, too
    opened.clear()
    assert load_model(path).spec.weights_sha256 == digest
    assert opened == [name]
    assert read == [name]
    assert remembered_sha256(path) == digest


@pytest.mark.parametrize("family", ["depth-anything", "dpt-hybrid", "marigold", "rollingdepth"])
def test_what_is_remembered_is_what_a_model_says(family, tiny, read):
    digest = load_model(tiny(family)).spec.weights_sha256
    read.clear()
    assert remembered_sha256(tiny(family)) == digest
    assert remembered_sha256(str(tiny(family))) == digest
    assert read == []


def test_what_is_bundled_or_not_installed(read):
    assert remembered_sha256("embedded") == load_model("embedded").spec.weights_sha256
    assert remembered_sha256("depth-pro") is None


@pytest.mark.usefixtures("fresh_catalogue")
def test_the_lock_knows_what_was_installed(tmp_path, monkeypatch, read):
    weights = use(
        monkeypatch, tmp_path, {"one": {"files": [{"path": "w.pt"}], "obtain": "https://example.org"}}
    )
    (tmp_path / "w.pt").write_bytes(checkpoint(tmp_path / "made.pt"))
    path = install("one", source=tmp_path / "w.pt").path
    entry = read_lock(weights)["one"]
    locked = entry.files["w.safetensors"]
    older = entry.model_copy(update={"seen": {}})  # of an older lock file
    assert older.sha256_of("w.safetensors", path) is None
    read.clear()
    assert remembered_sha256("one") == file_sha256(path) == locked.sha256
    assert read == []
    shutil.copy(path, tmp_path / "copy")
    os.replace(tmp_path / "copy", path)  # the same content, but who knows
    assert remembered_sha256("one") == locked.sha256
    assert read == ["w.safetensors"]
    path.write_bytes(b"x" * locked.size)
    assert remembered_sha256("one") != locked.sha256


def test_a_cache_that_cannot_be_used_only_costs_reading(tmp_path, monkeypatch, read):
    monkeypatch.setattr(hashing.platformdirs, "user_cache_dir", lambda name: str(tmp_path / "file" / "cache"))
    (tmp_path / "file").write_bytes(b"in the way")
    (tmp_path / "a.pt").write_bytes(b"one")
    assert file_sha256(tmp_path / "a.pt") == file_sha256(tmp_path / "a.pt")
    assert read == ["a.pt", "a.pt"]
