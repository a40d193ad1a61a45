"""Made-up models to install: one file at a plain address, and a repository."""

from __future__ import annotations

import hashlib

import pytest
from weights.file_server import Page, Repository
from weights.listener import Listener
from weights.small_catalogue import checkpoint, use

from vdepth_core.errors import Cancelled, WeightsError
from vdepth_core.weights.install import install
from vdepth_core.weights.location import find_weights

CONFIG, NOISE = b'{"kind": "tiny"}', b"words\n" * 300


def sha(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def single(server, tmp_path, monkeypatch):
    """One file at a plain address, called ``one``: (page, weights folder)."""
    data = checkpoint(tmp_path / "made.pt")
    page = Page(data)
    file = {"path": "w.pt", "url": server.add("/w.pt", page), "size": len(data), "sha256": sha(data)}
    entries = {"one": {"files": [file], "size": len(data)}}
    return page, use(monkeypatch, tmp_path, entries)


@pytest.fixture
def several(hub, tmp_path, monkeypatch):
    """A repository with a pickle, called ``many``: (repository, weights folder)."""
    files = {
        "config.json": CONFIG,
        "pytorch_model.bin": checkpoint(tmp_path / "m.bin"),
        "sub/merges.txt": NOISE,
    }
    repo = hub.add_repo("org/many", Repository({**files, "unwanted.bin": b"x" * 5000}))
    listed = [{"path": "config.json"}, {"path": "pytorch_model.bin", "becomes": "model.safetensors"}]
    entry = {"repo": "org/many", "revision": "main", "files": [*listed, {"path": "sub/merges.txt"}]}
    return repo, use(monkeypatch, tmp_path, {"many": entry})


@pytest.fixture
def plain(several, tmp_path, monkeypatch):
    """The same repository without the pickle: nothing has to import torch."""
    files = [{"path": "config.json"}, {"path": "sub/merges.txt"}]
    entry = {"repo": "org/many", "revision": "main", "files": files}
    return several[0], use(monkeypatch, tmp_path, {"many": entry})


def tree(folder):
    """Files below the weights folder, without process locks."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix() for path in files if path.suffix != ".lock"}


def nothing_is_installed(folder, name):
    with pytest.raises(WeightsError, match="not installed"):
        find_weights(name)
    return all(path.startswith(".work/") for path in tree(folder))


def stop_after_a_third(page, **options):
    """Installs ``one`` until the user stops it."""
    page.slice, page.pause = len(page.body) // 3, 0.05
    with pytest.raises(Cancelled):
        install("one", progress=Listener(page.slice), **options)
    page.pause = 0
