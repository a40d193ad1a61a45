"""An archive of a network saved in parts: installed by its MD5, loaded by its name, written again."""

import hashlib
import zipfile

import pytest
import torch
from weights import small_catalogue
from weights.small_catalogue import use

from vdepth_core.errors import WeightsError
from vdepth_core.learning.student import load_student, write_weights
from vdepth_core.models.registry import load_model
from vdepth_core.weights.install import install
from vdepth_core.weights.loading import read_metadata
from vdepth_core.weights.location import find_weights

fresh_catalogue = small_catalogue.fresh_catalogue
pytestmark = pytest.mark.usefixtures("fresh_catalogue")


@pytest.fixture
def archive(tiny, tmp_path):
    path = tmp_path / "mono_96x64.zip"
    with zipfile.ZipFile(path, "w") as file:
        for part in sorted(tiny("monodepth2").iterdir()):
            file.write(part, part.name)
    return path


def known(monkeypatch, folder, md5):
    files = [{"path": "mono_96x64.zip", "md5": md5}]
    entry = {"family": "monodepth2", "space": "scale_invariant", "files": files}
    use(monkeypatch, folder, {"monodepth2-mono-640x192": {**entry, "obtain": "https://example.org/x"}})


def test_an_archive_is_installed_and_loads_by_name(archive, tiny, tmp_path, monkeypatch):
    frames = torch.rand(1, 3, 64, 96)
    expected = load_model(tiny("monodepth2")).predict(frames)
    known(monkeypatch, tmp_path, hashlib.md5(archive.read_bytes()).hexdigest())
    install("monodepth2-mono-640x192", source=archive)
    home = find_weights("monodepth2-mono-640x192")
    assert {path.name for path in home.iterdir()} == {
        f"{part}.safetensors" for part in ("encoder", "depth", "pose_encoder", "pose")
    }
    facts = read_metadata(home / "encoder.safetensors")
    assert (facts["height"], facts["width"], facts["license"]) == ("64", "96", "MIT")
    by_name, by_path = load_model("monodepth2-mono-640x192"), load_model(home)
    assert torch.equal(by_name.predict(frames), expected)
    assert by_name.spec.license == "MIT"
    assert by_name.spec.weights_sha256 == by_path.spec.weights_sha256
    student = load_student("monodepth2-mono-640x192")
    write_weights(tmp_path / "mine.safetensors", student.network.state_dict(), {"license": "MIT"})
    assert torch.equal(load_model(tmp_path / "mine.safetensors").predict(frames), expected)


def test_an_archive_with_another_md5_is_refused(archive, tmp_path, monkeypatch):
    known(monkeypatch, tmp_path, "0" * 32)
    with pytest.raises(WeightsError, match="MD5 is"):
        install("monodepth2-mono-640x192", source=archive)
    with pytest.raises(WeightsError, match="not installed"):
        find_weights("monodepth2-mono-640x192")
