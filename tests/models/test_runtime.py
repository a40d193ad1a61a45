"""ONNX Runtime answers as torch does, is used where it can be, and says where it cannot."""

import sys

import pytest
import torch

from vdepth_core.errors import UsageError
from vdepth_core.models import runtime
from vdepth_core.models.device import probe_threads
from vdepth_core.models.registry import file_families, load_model, runs_on_onnx
from vdepth_core.models.runtime import WORTH_FRAMES, onnx_runtime, runtime_of, wanted_runtime

pytestmark = pytest.mark.skipif(onnx_runtime() is None, reason="needs vdepth[fast]")


@pytest.fixture(scope="module", params=["embedded", "tcmonodepth-small"])
def pair(request, random_small):
    name = "embedded" if request.param == "embedded" else random_small
    return load_model(name), load_model(name, runtime="onnx")


@pytest.mark.parametrize(("size", "threads"), [((64, 96), 1), ((32, 96), 1), ((160, 96), 2), ((192, 256), 1)])
def test_its_answer_is_torchs_to_rounding(pair, size, threads):
    ours, onnx = pair
    frames = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    torch.set_num_threads(threads)
    expected, got = ours.predict(frames), onnx.predict(frames)
    assert got.shape == expected.shape
    assert got.dtype == torch.float32
    assert float((got - expected).abs().max()) <= 1e-5 * float(expected.max())


def test_a_frame_gets_the_same_bytes_in_any_batch_and_after_other_sizes(pair):
    _, onnx = pair
    frames = torch.rand(3, 3, 64, 96)
    together = onnx.predict(frames)
    for side in (32, 96, 128, 160, 192):  # more sizes than are kept
        onnx.predict(torch.rand(1, 3, side, 64))
    for index in range(3):
        assert torch.equal(onnx.predict(frames[index : index + 1])[0], together[index])


def test_a_model_says_what_runs_it(pair, monkeypatch):
    ours, onnx = pair
    assert runtime_of(ours) == "torch"
    assert runtime_of(onnx) == onnx_runtime()
    assert runtime_of(object()) == "torch"
    assert onnx_runtime().split()[0] == "onnxruntime"
    monkeypatch.setattr("vdepth_core.models.device._cores", lambda: 2)
    assert probe_threads(onnx, (64, 96)) in (1, 2)


def test_families_with_published_last_digits_keep_to_torch(tiny):
    assert {f.stands_for for f in file_families() if f.portable} >= {"embedded", "tcmonodepth-small"}
    assert runs_on_onnx("embedded")
    assert not runs_on_onnx("midas-v21")  # too large
    assert not runs_on_onnx("monodepth2-mono-640x192")
    assert not runs_on_onnx("depth-pro")
    folder = tiny("monodepth2")
    assert runtime_of(load_model(folder, runtime="auto")) == "torch"
    with pytest.raises(UsageError, match="cannot run on ONNX Runtime: this network keeps to torch") as caught:
        load_model(folder, runtime="onnx")
    assert "--runtime" in caught.value.hint


def test_half_precision_stays_with_torch(random_small):
    assert runtime_of(load_model(random_small, dtype="bf16", runtime="auto")) == "torch"
    with pytest.raises(UsageError, match="half precision"):
        load_model(random_small, dtype="bf16", runtime="onnx")


def test_what_is_not_installed_is_said(monkeypatch, random_small):
    monkeypatch.setattr(runtime, "onnx_runtime", lambda: None)
    assert runtime_of(load_model(random_small, runtime="auto")) == "torch"
    with pytest.raises(UsageError, match="not installed") as caught:
        load_model(random_small, runtime="onnx")
    assert "pip install 'vdepth[fast]'" in caught.value.hint


def test_what_cannot_be_exported_runs_on_torch_with_a_warning(monkeypatch, caplog, random_small):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    model = load_model(random_small, runtime="auto")
    assert runtime_of(model) == "torch"
    assert "torch runs it" in caplog.text
    assert model.predict(torch.rand(1, 3, 64, 64)).shape == (1, 64, 64)


def test_another_answer_is_not_taken(monkeypatch, random_small):
    exported = runtime._exported
    monkeypatch.setattr(runtime, "_exported", lambda network, x: exported(_Louder(network), x))
    with pytest.raises(UsageError, match="off torch's"):
        load_model(random_small, runtime="onnx")


class _Louder(torch.nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, frames):
        return self.network(frames) * 1.0001


@pytest.mark.parametrize(
    ("found", "asked", "device", "facts"),
    [
        ("auto", "auto", "cpu", {}),
        ("auto", "auto", "cpu", {"frames": None}),
        ("torch", "auto", "cpu", {"frames": WORTH_FRAMES - 1}),
        ("torch", "auto", "cuda:1", {}),
        ("torch", "auto", "mps", {}),
        ("torch", "auto", "cpu", {"dtype": "bf16"}),
        ("torch", "auto", "cpu", {"compiled": True}),
        ("onnx", "onnx", "cpu", {"frames": 1}),
        ("torch", "torch", "cpu", {}),
    ],
)
def test_auto_takes_it_where_it_pays(found, asked, device, facts):
    usual = {"dtype": "auto", "compiled": False, "frames": WORTH_FRAMES}
    assert wanted_runtime(asked, device, **{**usual, **facts}) == found
