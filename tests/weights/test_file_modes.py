"""Who may read what is written is the umask's to say, and what may not be read is not called damaged."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from typer.testing import CliRunner
from weights.small_catalogue import STATE, checkpoint, fresh_catalogue, use
from weights.test_prepare import write_text_parts

from vdepth_core.cli.weights import weights_app
from vdepth_core.errors import WeightsError
from vdepth_core.learning.state import write_state
from vdepth_core.learning.student import write_weights
from vdepth_core.models.registry import load_model
from vdepth_core.models.tiny import make_tiny
from vdepth_core.weights.convert import to_safetensors
from vdepth_core.weights.install import install, verify
from vdepth_core.weights.loading import check_safetensors, load_state_dict
from vdepth_core.weights.reading import UnreadableError, sha256_of

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")
__all__ = ["fresh_catalogue"]


@pytest.fixture(params=[0o022, 0o002, 0o077])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder):
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()}


def test_installed_weights_follow_the_umask(umask, tmp_path, monkeypatch, fresh_catalogue):
    source = tmp_path / "from"
    source.mkdir()
    write_text_parts(source)
    checkpoint(source / "w.pt")
    paths = sorted(path.relative_to(source).as_posix() for path in source.rglob("*.*"))
    entry = {"family": "rollingdepth", "repo": "org/r", "revision": "main"}
    folder = use(monkeypatch, tmp_path, {"one": {**entry, "files": [{"path": path} for path in paths]}})
    install("one", source=source)
    found = modes(folder)
    assert {"w.safetensors", "empty_prompt.safetensors", "weights.lock.json", "one.lock"} <= found.keys()
    assert set(found.values()) == {0o666 & ~umask}


def test_other_weights_follow_the_umask(umask, tmp_path):
    make_tiny("depth-anything", tmp_path / "tiny")
    make_tiny("marigold", tmp_path / "tiny2")
    to_safetensors(made(tmp_path.parent / f"{tmp_path.name}.pt"), tmp_path / "c.safetensors", {})
    network = torch.nn.Linear(2, 2)
    write_weights(tmp_path / "w.safetensors", network.state_dict(), {})
    write_state(tmp_path / "s.safetensors", network, torch.optim.AdamW(network.parameters()), {}, {})
    assert set(modes(tmp_path).values()) == {0o666 & ~umask}


def made(path):
    checkpoint(path)
    return path


@pytest.fixture
def nobody(monkeypatch):
    """A folder whose files are taken from the user afterwards: call it, and they may not be read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)

        def close(*paths):
            for path in paths:
                path.chmod(0)
            if os.geteuid() == 0:  # who may read everything
                os.seteuid(65534)

        user = os.geteuid()
        try:
            yield folder, close
        finally:
            os.seteuid(user)
            for path in folder.rglob("*"):
                path.chmod(0o700)


def test_what_may_not_be_read_is_not_damaged(nobody):
    folder, close = nobody
    safe, pickled = folder / "w.safetensors", made(folder / "w.pt")
    save_file(STATE, safe)
    check_safetensors(safe)
    load_state_dict(pickled)
    inner = folder / "inner"
    inner.mkdir()
    shutil.copy(safe, inner / safe.name)
    close(safe, pickled, inner)
    for path in (safe, pickled, inner / safe.name):
        for read in (load_state_dict, check_safetensors, sha256_of, load_model):
            if read is check_safetensors and path is pickled:
                continue
            with pytest.raises(UnreadableError, match="may not be read by you") as error:
                read(path)
            assert path.name in error.value.message
            assert "damaged" not in str(error.value)


def test_installed_weights_that_may_not_be_read_are_not_installed_again(
    nobody, tmp_path, monkeypatch, fresh_catalogue
):
    folder, close = nobody
    weights = use(
        monkeypatch, folder, {"one": {"files": [{"path": "w.pt"}], "obtain": "https://example.org"}}
    )
    source = made(folder / "w.pt")
    install("one", source=source)
    closed = next(weights.rglob("*.safetensors"))
    assert CliRunner().invoke(weights_app, ["verify"]).exit_code == 0
    close(closed)
    assert [(finding.problem, finding.path) for finding in verify()] == [("unreadable", closed)]
    result = CliRunner().invoke(weights_app, ["verify"])
    assert isinstance(result.exception, WeightsError)
    assert "may not be read" in result.exception.message


@pytest.mark.parametrize("family", ["depth-anything", "zoedepth", "rollingdepth", "marigold"])
def test_loading_and_running_writes_nothing_into_a_checkpoints_folder(family, tiny, tmp_path):
    folder = shutil.copytree(tiny(family), tmp_path / family)
    before = snapshot(folder)
    model = load_model(folder)
    model.predict(torch.rand(1, 3, 2 * model.spec.multiple, 2 * model.spec.multiple))
    assert snapshot(folder) == before


def snapshot(folder):
    return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in [folder, *folder.rglob("*")]}
