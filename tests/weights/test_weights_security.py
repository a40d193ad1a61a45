"""Files that want to run code, or to be written elsewhere, are refused on every way in, and do not run."""

import io
import os
import pickle
import tarfile
import zipfile

import pytest
import torch
from weights import small_catalogue
from weights.file_server import Page, Repository
from weights.small_catalogue import STATE, use

from vdepth_core.errors import WeightsError
from vdepth_core.models.registry import load_model
from vdepth_core.weights.install import install, verify
from vdepth_core.weights.location import find_weights
from vdepth_core.weights.lock import LOCK_FILE

fresh_catalogue = small_catalogue.fresh_catalogue
pytestmark = pytest.mark.usefixtures("fresh_catalogue")


class Evil:
    """Unpickling it creates the file ``proof``."""

    def __init__(self, proof):
        self.proof = proof

    def __reduce__(self):
        return os.system, (f"touch '{self.proof}'",)


def torch_file(content, legacy=False):
    stream = io.BytesIO()
    torch.save(content, stream, _use_new_zipfile_serialization=not legacy)
    return stream.getvalue()


def zipped(name, data):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr(name, data)
    return stream.getvalue()


def tarred(name, data):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as file:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        file.addfile(info, io.BytesIO(data))
    return stream.getvalue()


KINDS = {
    "zip format": lambda evil: torch_file({**STATE, "x": evil}),
    "legacy format": lambda evil: torch_file({**STATE, "x": evil}, legacy=True),
    "evil alone": torch_file,
    "evil in a list": lambda evil: torch_file({"state_dict": {**STATE, "x": [evil]}}),
    "evil as a key's neighbour": lambda evil: torch_file(
        {"optimizer": evil, "state_dict": STATE}, legacy=True
    ),
    "plain pickle": lambda evil: pickle.dumps({"x": evil}),
    "old plain pickle": lambda evil: pickle.dumps({"x": evil}, protocol=0),
    "real tar": lambda evil: tarred("w.pth", torch_file({"x": evil}, legacy=True)),
    "legacy tar format": lambda evil: tarred("pickle", pickle.dumps({"x": evil})),
    "zip in a checkpoint's place": lambda evil: zipped("w.pth", torch_file({"x": evil})),
}
NAMES = ["w.pt", "w.pth", "w.pt.tar", "w.tar", "w.ckpt", "w.bin"]


@pytest.fixture
def proof(tmp_path):
    """What appears when something ran; it must not."""
    path = tmp_path / "ran"
    assert os.system(f"touch '{path}'") == 0  # the trap works
    path.unlink()
    yield path
    assert not path.exists()


def refused(source, folder):
    """``source`` can neither be installed nor loaded by its path, and leaves nothing."""
    with pytest.raises(WeightsError):
        install("one", source=source)
    with pytest.raises(WeightsError):
        find_weights("one")
    with pytest.raises(WeightsError):
        load_model(source)
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert left <= {LOCK_FILE, ".work/one.lock", ".work/_lock-file.lock"}


def entry(name, **more):
    return {"files": [{"path": name}], "obtain": "https://example.org", **more}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", KINDS)
def test_pickles_that_run_code(tmp_path, monkeypatch, proof, kind, name):
    folder = use(monkeypatch, tmp_path, {"one": entry(name)})
    (tmp_path / name).write_bytes(KINDS[kind](Evil(proof)))
    refused(tmp_path / name, folder)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("member", ["w.pth", "deep/w.bin", "w.pt.tar", "w.safetensors", "inner.zip"])
def test_archives_of_pickles_that_run_code(tmp_path, monkeypatch, proof, kind, member):
    folder = use(monkeypatch, tmp_path, {"one": entry("w.zip")})
    data = KINDS[kind](Evil(proof))
    (tmp_path / "w.zip").write_bytes(zipped(member, zipped("w.pth", data) if "zip" in member else data))
    refused(tmp_path / "w.zip", folder)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_pickles_under_a_harmless_name(tmp_path, monkeypatch, proof, name):
    folder = use(
        monkeypatch, tmp_path, {"one": {"files": [{"path": name}], "repo": "a/b", "revision": "main"}}
    )
    (tmp_path / name).write_bytes(torch_file({"x": Evil(proof)}))
    refused(tmp_path / name, folder)


@pytest.mark.parametrize("kind", KINDS)
def test_pickles_from_the_network(server, tmp_path, monkeypatch, proof, kind):
    url = server.add("/w.pt", Page(KINDS[kind](Evil(proof))))
    folder = use(monkeypatch, tmp_path, {"one": {"files": [{"path": "w.pt", "url": url}]}})
    with pytest.raises(WeightsError):
        install("one")
    assert not any(folder.rglob("w.*"))


def test_pickles_from_the_hub_do_not_touch_the_installed_version(hub, tmp_path, monkeypatch, proof):
    repo = hub.add_repo("org/one", Repository({"pytorch_model.bin": torch_file(STATE)}))
    files = [{"path": "pytorch_model.bin", "becomes": "model.safetensors"}]
    use(monkeypatch, tmp_path, {"one": {"repo": "org/one", "revision": "main", "files": files}})
    good = install("one").path
    hub.add_repo("org/one", Repository({"pytorch_model.bin": torch_file({**STATE, "x": Evil(proof)})}))
    assert hub.repos["org/one"].commit != repo.commit
    with pytest.raises(WeightsError, match="run code"):
        install("one", force=True)
    assert find_weights("one") == good
    assert verify() == []


@pytest.mark.parametrize("name", ["../../evil.pth", "/evil.pth", "C:\\evil.pth", "..\\evil.pth"])
def test_archives_that_reach_outside(tmp_path, monkeypatch, name):
    folder = use(monkeypatch, tmp_path, {"one": entry("w.zip")})
    (tmp_path / "w.zip").write_bytes(zipped(name, torch_file(STATE)))
    before = {path for path in tmp_path.rglob("*") if folder not in path.parents}
    refused(tmp_path / "w.zip", folder)
    after = {path for path in tmp_path.rglob("*") if folder not in path.parents}
    assert after - before <= {folder}
    assert not list(tmp_path.rglob("*evil*"))


def test_an_archive_bomb_is_refused_at_install(tmp_path, monkeypatch):
    folder = use(monkeypatch, tmp_path, {"one": entry("w.zip")})
    with zipfile.ZipFile(tmp_path / "w.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("w.pth", bytes(50_000_000))
    with pytest.raises(WeightsError, match="grow to"):
        install("one", source=tmp_path / "w.zip")
    assert not any(path.stat().st_size > 10_000 for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", ["../evil.pt", "/evil.pt", "a/../../evil.pt"])
def test_a_catalogue_that_points_outside_is_refused(tmp_path, monkeypatch, path):
    use(monkeypatch, tmp_path, {"one": entry(path)})
    with pytest.raises(WeightsError, match="relative"):
        install("one", source=tmp_path)
