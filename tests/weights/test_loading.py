"""Weights files are read without trusting them."""

import os
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from vdepth_core.errors import UsageError, WeightsError
from vdepth_core.weights.catalogue import catalogue
from vdepth_core.weights.loading import load_into, load_state_dict, read_metadata
from vdepth_core.weights.location import find_weights, weights_folder
from vdepth_core.weights.reading import sha256_of

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.zeros(2)}


class Evil:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch '{self.path}'",)


def check(state):
    assert list(state) == list(STATE)
    assert all(torch.equal(state[key], value) for key, value in STATE.items())


def test_safetensors(tmp_path):
    save_file(STATE, tmp_path / "w.safetensors", {"license": "CC0"})
    state = load_state_dict(tmp_path / "w.safetensors")
    assert {key: value.tolist() for key, value in state.items()} == {k: v.tolist() for k, v in STATE.items()}
    assert read_metadata(tmp_path / "w.safetensors") == {"license": "CC0"}


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pt.tar", ".ckpt", ".bin"])
@pytest.mark.parametrize("legacy", [False, True])
def test_pickles(tmp_path, suffix, legacy):
    path = tmp_path / f"w{suffix}"
    torch.save(STATE, path, _use_new_zipfile_serialization=not legacy)
    check(load_state_dict(path))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: {"state_dict": s, "epoch": 3},
        lambda s: {"model": s},
        lambda s: {"model": {"state_dict": s}},
        lambda s: {f"module.{k}": v for k, v in s.items()},
        lambda s: {"state_dict": {f"module.{k}": v for k, v in s.items()}, "optimizer": {"lr": 0.1}},
    ],
)
def test_wrappings_are_taken_off(tmp_path, wrap):
    torch.save(wrap(STATE), tmp_path / "w.pt")
    check(load_state_dict(tmp_path / "w.pt"))


@pytest.mark.parametrize("legacy", [False, True])
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path, legacy):
    proof = tmp_path / "ran"
    torch.save({"a": Evil(proof)}, tmp_path / "w.pt", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(WeightsError, match="run code"):
        load_state_dict(tmp_path / "w.pt")
    assert not proof.exists()


@pytest.mark.parametrize("name", ["w.pt", "w.pt.tar", "w.safetensors"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"\x80\x02}q\x00.", b"PK\x03\x04 not a zip" * 20])
def test_garbage_is_an_error_that_names_the_file(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=name):
        load_state_dict(tmp_path / name)


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors"])
def test_truncated_files(tmp_path, name):
    big = {"a": torch.randn(300, 300)}
    path = tmp_path / name
    save_file(big, path) if name.endswith("rs") else torch.save(big, path)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(WeightsError, match=name):
        load_state_dict(path)


def test_zip_that_is_no_checkpoint(tmp_path):
    with zipfile.ZipFile(tmp_path / "w.pt", "w") as file:
        file.writestr("hello.txt", "hello")
    with pytest.raises(WeightsError, match=r"w\.pt"):
        load_state_dict(tmp_path / "w.pt")


@pytest.mark.parametrize(
    "content", [{"a": 3}, {}, [torch.zeros(2)], {"state_dict": {"a": "text"}}, {3: torch.zeros(1)}]
)
def test_other_contents_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(WeightsError, match="tensors"):
        load_state_dict(tmp_path / "w.pt")


def test_missing_and_unknown_files(tmp_path):
    with pytest.raises(WeightsError, match="does not exist"):
        load_state_dict(tmp_path / "none.pt")
    (tmp_path / "w.txt").write_text("x")
    with pytest.raises(WeightsError, match=r"Known endings"):
        load_state_dict(tmp_path / "w.txt")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda s: s.pop("bias"), "lacks"),
        (lambda s: s.update(more=torch.zeros(1)), "unknown"),
        (lambda s: s.update(bias=torch.zeros(9)), "shapes"),
    ],
)
def test_load_into_is_strict(change, word):
    network = nn.Linear(3, 2)
    state = dict(network.state_dict())
    change(state)
    with pytest.raises(WeightsError, match=word):
        load_into(network, state, Path("w.pt"))


def test_sha256(tmp_path):
    (tmp_path / "f").write_bytes(b"abc")
    assert sha256_of(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(WeightsError):
        sha256_of(tmp_path / "none")


def test_the_folder_can_be_chosen_and_errors_say_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("VDEPTH_WEIGHTS", str(tmp_path))
    assert weights_folder() == tmp_path
    for name, entry in catalogue().items():
        if not entry.bundled:
            with pytest.raises(WeightsError, match=f"{name} are not installed") as error:
                find_weights(name)
            assert f"vdepth weights install {name}" in error.value.hint
    monkeypatch.delenv("VDEPTH_WEIGHTS")
    assert weights_folder() != tmp_path


def test_a_file_dropped_into_the_folder_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("VDEPTH_WEIGHTS", str(tmp_path))
    torch.save(STATE, tmp_path / "midas_v21_384.pt")
    with pytest.raises(WeightsError, match="not installed"):
        find_weights("midas-v21")
    with pytest.raises(UsageError, match="nonsense"):
        find_weights("nonsense")


def test_numbers_and_words_beside_the_tensors_are_left_out(tmp_path):
    torch.save({"height": 192, "name": "x", "stereo": False, **STATE}, tmp_path / "w.pt")
    check(load_state_dict(tmp_path / "w.pt"))


def test_a_checkpoint_that_unpacks_to_absurd_sizes_is_refused(tmp_path):
    torch.save({"a": torch.zeros(5_000_000)}, tmp_path / "w.pt")
    with zipfile.ZipFile(tmp_path / "w.pt") as file:
        members = [(name, file.read(name)) for name in file.namelist()]
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            file.writestr(name, data)
    assert load_state_dict(tmp_path / "w.pt")["a"].numel() == 5_000_000
    with pytest.raises(WeightsError, match="grow to"):
        load_state_dict(tmp_path / "bomb.pt")


@pytest.mark.parametrize("content", ["[]", "nonsense", '"words"'])
def test_strange_metadata_is_no_error(tmp_path, content):
    save_file(STATE, tmp_path / "w.safetensors", {"vdepth": content})
    assert read_metadata(tmp_path / "w.safetensors") == {}


def test_the_embedded_weights_ship_with_the_package_and_stay_small():
    path = find_weights("embedded")
    assert 1e6 < path.stat().st_size < 12e6
    weights = {k: v for k, v in load_state_dict(path).items() if "running" not in k and "batches" not in k}
    assert all(value.dtype == torch.float16 for value in weights.values())
