"""A student loads as published, trains with its statistics frozen, and its weights load again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from vdepth_core.errors import UsageError, WeightsError
from vdepth_core.learning.student import load_student, write_weights
from vdepth_core.models.registry import load_model
from vdepth_core.networks.tcmonodepth_small import TCSmallNet


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of tcmonodepth-small, the statistics of its normalisations not the defaults."""
    torch.manual_seed(0)
    network = TCSmallNet()
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.rand(2, 3, 64, 64) * 255)
    nn.init.constant_(network.decoder.final.bias, 1)
    path = tmp_path_factory.mktemp("weights") / "small.pt.tar"
    torch.save({"state_dict": network.state_dict()}, path)
    return path


@pytest.mark.parametrize("which", ["embedded", "small"])
def test_the_student_computes_what_the_model_does(which: str, small: Path) -> None:
    source = small if which == "small" else "embedded"
    frames = torch.rand(2, 3, 64, 96)
    student = load_student(source)
    with torch.no_grad():
        ours = student.predict(frames)
    torch.testing.assert_close(ours, load_model(source).predict(frames), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("which", ["embedded", "small"])
def test_adapted_weights_load_again(which: str, small: Path, tmp_path: Path) -> None:
    student = load_student(small if which == "small" else "embedded")
    before = {k: v.clone() for k, v in student.network.state_dict().items()}
    optimiser = torch.optim.SGD(student.network.parameters(), 1e-3)
    for _ in range(2):
        optimiser.zero_grad()
        student.predict(torch.rand(1, 3, 64, 64)).mean().backward()
        optimiser.step()
    state = student.network.state_dict()
    assert any(not torch.equal(state[k], before[k]) for k in state)
    frozen = [k for k in state if "running_" in k or "num_batches" in k]
    assert frozen
    assert all(torch.equal(state[k], before[k]) for k in frozen)
    out = tmp_path / "adapted.safetensors"
    write_weights(out, state, {"license": "MIT AND CC0-1.0", "commercial": "true"})
    model, frames = load_model(out), torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(model.predict(frames), student.predict(frames), rtol=1e-3, atol=1e-4)
    assert (model.spec.license, model.spec.commercial) == ("MIT AND CC0-1.0 (the file's own claim)", True)
    assert model.spec.native_size == student.spec.native_size
    again = tmp_path / "again.safetensors"
    write_weights(again, state, {"commercial": "true", "license": "MIT AND CC0-1.0"})
    assert again.read_bytes() == out.read_bytes()


def test_what_cannot_be_adapted_is_told_what_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no model nonsense") as caught:
        load_student("nonsense")
    for name in ("embedded", "tcmonodepth-small", "tcmonodepth-large", "midas-v21"):
        assert name in caught.value.hint
    with pytest.raises(WeightsError, match="not installed"):
        load_student("midas-v21")
    with pytest.raises(WeightsError, match="does not exist"):
        load_student(tmp_path / "none.safetensors")
    (tmp_path / "marigold").mkdir()
    with pytest.raises(UsageError, match=r"transformers or diffusers.*can be adapted|embedded"):
        load_student(tmp_path / "marigold")
    save_file({"some.key": torch.zeros(3)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="no network that can be adapted"):
        load_student(tmp_path / "w.safetensors")
    monkeypatch.setattr("vdepth_core.learning.student.family_of", lambda name: None)
    with pytest.raises(UsageError, match="embedded cannot be adapted"):
        load_student("embedded")
