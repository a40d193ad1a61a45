"""Models by name and by file; broken plug-ins; one contract for every installed model."""

import logging
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from generated import RampModel, random_network
from safetensors.torch import save_file

from vdepth_core.errors import UsageError, WeightsError
from vdepth_core.learning.student import load_student
from vdepth_core.models import device as threads
from vdepth_core.models import registry
from vdepth_core.models.device import pick_device
from vdepth_core.models.registry import list_models, load_model
from vdepth_core.networks.tcmonodepth_small import TCSmallNet
from vdepth_core.protocols import DepthModel
from vdepth_core.weights.catalogue import catalogue, published_models
from vdepth_core.weights.install import install

PUBLISHED = Path(__file__).parents[2] / ".." / "shared" / "weights" / "tcmonodepth-small.pt.tar"


def installed():
    """Names of the models whose weights are there."""
    return {entry.name for entry in list_models() if entry.installed}


@pytest.fixture(scope="module", params=["embedded", "file", "published"])
def model(request, random_small):
    if request.param == "embedded":
        return load_model("embedded")
    if request.param == "file":
        return load_model(random_small)
    if not PUBLISHED.is_file():
        pytest.skip("the published checkpoint is not beside the checkout")
    return load_model(str(PUBLISHED))


def test_contract(model):
    assert isinstance(model, DepthModel)
    frames = torch.rand(3, 3, 64, 96)
    copy = frames.clone()
    prediction = model.predict(frames)
    assert prediction.shape == (3, 64, 96)
    assert prediction.dtype == torch.float32
    assert bool(torch.isfinite(prediction).all())
    assert float(prediction.min()) >= 0
    assert not prediction.requires_grad
    assert torch.equal(frames, copy)
    assert torch.equal(prediction, model.predict(frames))
    assert len(model.spec.weights_sha256) == 64
    with pytest.raises(ValueError, match="multiples"):
        model.predict(torch.rand(1, 3, 60, 96))


def test_a_frame_does_not_depend_on_its_batch(model):
    frames = torch.rand(3, 3, 64, 96)
    together = model.predict(frames)
    for index in range(3):
        alone = model.predict(frames[index : index + 1])[0]
        torch.testing.assert_close(together[index], alone, rtol=1e-4, atol=1e-4 * float(together.max()))


def test_half_precision_is_close(random_small):
    frames = torch.rand(1, 3, 64, 96)
    full, half = load_model("embedded"), load_model("embedded", dtype="bf16")
    scale = float(full.predict(frames).std())
    assert float((full.predict(frames) - half.predict(frames)).abs().max()) < max(0.5 * scale, 0.05)
    assert torch.equal(
        load_model("embedded", dtype="fp16").predict(frames), full.predict(frames)
    )  # CPU: fp32


def test_random_checkpoint_round_trip(random_small, tmp_path):
    model = load_model(random_small)
    other = {k: v.clone() for k, v in random_network(1).state_dict().items()}
    save_file(other, tmp_path / "other.safetensors")
    frames = torch.rand(1, 3, 64, 64)
    assert model.spec.name == "mine.pt.tar"
    assert not torch.equal(model.predict(frames), load_model(tmp_path / "other.safetensors").predict(frames))
    network = TCSmallNet().eval()
    network.load_state_dict({k[7:]: v for k, v in torch.load(random_small)["state_dict"].items()})
    with torch.inference_mode():
        torch.testing.assert_close(model.predict(frames), network(frames * 255), rtol=1e-3, atol=1e-5)


def test_licence_of_user_files(random_small, tmp_path):
    assert load_model(random_small).spec.license == "unknown"
    assert not load_model(random_small).spec.commercial
    state = {k: v.clone() for k, v in TCSmallNet().state_dict().items()}
    save_file(state, tmp_path / "w.safetensors", {"license": "CC-BY-4.0", "commercial": "true"})
    spec = load_model(tmp_path / "w.safetensors").spec
    assert (spec.license, spec.commercial) == ("CC-BY-4.0 (the file's own claim)", True)


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="the published checkpoint is not beside the checkout")
def test_the_published_file_works_once_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("VDEPTH_WEIGHTS", str(tmp_path))
    assert "tcmonodepth-small" not in installed()
    with pytest.raises(WeightsError, match="not installed"):
        load_model("tcmonodepth-small")
    install("tcmonodepth-small", source=PUBLISHED)
    assert "tcmonodepth-small" in installed()
    by_name, by_path = load_model("tcmonodepth-small"), load_model(PUBLISHED)
    assert replace(by_name.spec, weights_sha256=by_path.spec.weights_sha256) == by_path.spec
    assert by_name.spec.license == "MIT"
    frames = torch.rand(1, 3, 64, 64)
    assert torch.equal(by_name.predict(frames), by_path.predict(frames))


def test_wrong_names_and_files(tmp_path):
    with pytest.raises(UsageError, match="embedded"):
        load_model("nonsense")
    with pytest.raises(WeightsError, match="does not exist"):
        load_model(tmp_path / "none.safetensors")
    save_file({"some.key": torch.zeros(3)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="no network known"):
        load_model(tmp_path / "w.safetensors")
    former = {"encoder.first_conv.0.weight": torch.zeros(3), "deep.context.qkv.weight": torch.zeros(3)}
    save_file(former, tmp_path / "former.safetensors")
    for load in (load_model, load_student):
        with pytest.raises(
            WeightsError, match=r"former\.safetensors is of a network that vdepth no longer has"
        ):
            load(tmp_path / "former.safetensors")
    with pytest.raises(UsageError, match="dtype"):
        load_model("embedded", dtype="int8")


def test_devices():
    assert pick_device("cpu") == "cpu"
    assert pick_device("auto") in ("cpu", "cuda", "mps")
    with pytest.raises(UsageError, match="tpu"):
        pick_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="not available"):
            load_model("embedded", "cuda:0")


def test_one_of_several_cuda_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert pick_device("cuda:1") == "cuda:1"
    assert pick_device("auto") == "cuda"
    with pytest.raises(UsageError, match=r"cuda:2 is not available.*cuda:0 to cuda:1"):
        pick_device("cuda:2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(UsageError, match="its one CUDA device is cuda:0"):
        pick_device("cuda:1")
    for odd in ("cuda:", "cuda:x", "cuda:-1", "cuda:1:2", "cpu:0", "mps:1", "cuda:N", ""):
        with pytest.raises(UsageError, match="There is no device"):
            pick_device(odd)


def test_broken_plugins_are_reported_and_the_others_go_on(monkeypatch, caplog):
    good = EntryPoint("another", "builtins:print", registry.GROUP)
    bad = [
        EntryPoint("gone", "no_such_package:load", registry.GROUP),
        EntryPoint("odd", "sys:maxsize", registry.GROUP),
        EntryPoint("embedded", "builtins:print", registry.GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: [bad[0], good, *bad[1:]])
    with caplog.at_level(logging.INFO):
        names = [entry.name for entry in list_models()]
    assert names[0] == "embedded"
    assert sorted(names) == sorted(["another", *published_models()])
    assert "gone" in caplog.text
    assert "odd" in caplog.text
    assert set(registry.broken_plugins()) == {"gone", "odd", "embedded"}
    assert "shadowed" in registry.broken_plugins()["embedded"]


def test_what_an_older_installation_says_of_our_models_is_left_alone(monkeypatch, caplog):
    """Metadata of an editable installation grow stale; ours are found without them."""
    stale = EntryPoint("embedded", "vdepth_core.models.embedded:no_such_name", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [stale])
    assert {entry.name for entry in list_models()} == set(published_models())
    assert load_model("embedded").spec.name == "embedded"
    assert registry.broken_plugins() == {}
    assert not caplog.text


def test_every_catalogue_entry_has_its_loader_and_says_what_the_loader_means():
    models = {name for name, entry in catalogue().items() if entry.kind == "model"}
    assert {entry.name for entry in published_models().values()} == models
    specs = {entry.name: entry.spec for entry in list_models()}
    for name, entry in published_models().items():
        assert callable(registry._loader(registry._FAMILIES[entry.family]))
        assert specs[name].name == name
        for fact in ("quantity", "space", "license", "commercial"):
            assert getattr(specs[name], fact) == getattr(entry, fact), name


@pytest.mark.parametrize(
    ("asked", "spared"),
    [
        ("assert [e.name for e in r.list_models()][0] == 'embedded'", "torch"),
        ("r.load_model('embedded')", "sympy"),  # half of torch's compiler: a second of every process
    ],
)
def test_a_process_loads_no_more_than_it_needs(asked, spared):
    code = f"import sys, vdepth_core.models.registry as r; {asked}; assert {spared!r} not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Pretend:
    """A model that takes as long as it is told, by the number of threads, on a clock of its own."""

    def __init__(self, seconds, monkeypatch):
        self.spec, self.seconds, self.now = RampModel().spec, seconds, 0.0
        monkeypatch.setattr(threads, "time", SimpleNamespace(perf_counter=lambda: self.now))

    def predict(self, frames):
        self.now += self.seconds[torch.get_num_threads() > 1]
        return frames[:, 0]


@pytest.mark.parametrize(("seconds", "best"), [((0.01, 0.05), 1), ((0.05, 0.01), 2), ((0.02, 0.02), 1)])
def test_probing_takes_the_faster_number_and_leaves_the_setting_alone(seconds, best, monkeypatch):
    monkeypatch.setattr(threads, "_cores", lambda: 2)
    before = torch.get_num_threads()
    assert threads.probe_threads(Pretend(seconds, monkeypatch), (64, 64)) == best
    assert torch.get_num_threads() == before
    monkeypatch.setattr(threads, "_cores", lambda: 1)
    assert threads.probe_threads(Pretend(seconds, monkeypatch), (64, 64)) == 1
    threads.set_threads(1)
    assert torch.get_num_threads() == 1
    threads.set_threads(before)


def test_a_slow_network_is_asked_twice_before_its_first_frame(monkeypatch):
    monkeypatch.setattr(threads, "_cores", lambda: 2)
    monkeypatch.setattr(threads, "_SLOW_S", 0.02)
    model = Pretend((0.06, 0.03), monkeypatch)
    asked, real = [], model.predict
    model.predict = lambda frames: asked.append(torch.get_num_threads()) or real(frames)
    assert threads.probe_threads(model, (64, 64)) == 2
    assert asked == [2, 1]
