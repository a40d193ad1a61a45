"""Checkpoints become safetensors: the same numbers, always the same bytes."""

import json
import shutil
import zipfile

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from weights.small_catalogue import STATE, checkpoint

from vdepth_core.errors import WeightsError
from vdepth_core.weights.convert import convert, to_safetensors
from vdepth_core.weights.loading import load_state_dict, read_metadata
from vdepth_core.weights.reading import sha256_of

FACTS = {"source": "w.pt", "sha256": "0" * 64, "license": "MIT", "commercial": "true"}


def same(path, state=STATE):
    found = load_file(path)
    assert found.keys() == state.keys()
    assert all(torch.equal(found[key], value) for key, value in state.items())
    assert all(found[key].dtype == value.dtype for key, value in state.items())


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pt.tar", ".ckpt", ".bin"])
@pytest.mark.parametrize("legacy", [False, True])
def test_every_checkpoint_format(tmp_path, suffix, legacy):
    checkpoint(tmp_path / f"w{suffix}", {"state_dict": STATE, "epoch": 3}, legacy)
    assert convert(tmp_path / f"w{suffix}", tmp_path / "out", "sub/w.safetensors", FACTS) == [
        "sub/w.safetensors"
    ]
    same(tmp_path / "out/sub/w.safetensors")
    assert [path.name for path in (tmp_path / "out/sub").iterdir()] == ["w.safetensors"]


def test_the_same_checkpoint_gives_the_same_bytes(tmp_path):
    checkpoint(tmp_path / "w.pt")
    hashes = set()
    for number in range(6):
        to_safetensors(tmp_path / "w.pt", tmp_path / f"{number}.safetensors", dict(reversed(FACTS.items())))
        to_safetensors(tmp_path / "w.pt", tmp_path / f"{number}b.safetensors", FACTS)
        hashes |= {
            sha256_of(tmp_path / f"{number}.safetensors"),
            sha256_of(tmp_path / f"{number}b.safetensors"),
        }
    assert len(hashes) == 1


def test_the_file_says_where_it_is_from(tmp_path):
    checkpoint(tmp_path / "w.pt")
    to_safetensors(tmp_path / "w.pt", tmp_path / "w.safetensors", FACTS)
    with safe_open(tmp_path / "w.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["vdepth"]) == FACTS
        assert len(file.metadata()) == 1
    assert read_metadata(tmp_path / "w.safetensors") == FACTS


def test_shared_and_strided_tensors_are_written_in_full(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    state = {
        "whole": base,
        "again": base,
        "part": base[1:],
        "turned": base.T,
        "spread": base[:1].expand(5, 4),
    }
    checkpoint(tmp_path / "w.pt", state)
    to_safetensors(tmp_path / "w.pt", tmp_path / "w.safetensors", FACTS)
    same(tmp_path / "w.safetensors", {key: value.contiguous() for key, value in state.items()})


def test_kinds_of_numbers_survive(tmp_path):
    kinds = (
        torch.float32,
        torch.float16,
        torch.bfloat16,
        torch.float64,
        torch.int64,
        torch.uint8,
        torch.bool,
    )
    state = {str(kind): torch.tensor([0, 1, 1]).to(kind) for kind in kinds}
    state |= {"scalar": torch.tensor(3), "empty": torch.zeros(0, 4)}
    checkpoint(tmp_path / "w.pt", state)
    to_safetensors(tmp_path / "w.pt", tmp_path / "w.safetensors", FACTS)
    same(tmp_path / "w.safetensors", state)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"a": torch.eye(3).to_sparse()}, "not plain"),
        ({"a": torch.zeros(3, device="meta")}, "not plain"),
        ({"__metadata__": torch.zeros(3), "a": torch.zeros(1)}, "cannot be converted"),
        ({"a": [torch.zeros(3)]}, "no tensors"),
        ({"a": "words only"}, "no tensors"),
    ],
)
def test_what_cannot_be_converted_is_refused_and_leaves_nothing(tmp_path, state, words):
    checkpoint(tmp_path / "w.pt", state)
    with pytest.raises(WeightsError, match=words):
        convert(tmp_path / "w.pt", tmp_path / "out", "w.safetensors", FACTS)
    assert list((tmp_path / "out").iterdir()) == []


def pack(path, **members):
    with zipfile.ZipFile(path, "w") as file:
        for name, data in members.items():
            file.writestr(name.replace("__", "/").replace("_pth", ".pth").replace("_pt", ".pt"), data)
    return path


def test_an_archive_of_one_checkpoint_takes_the_name_asked_for(tmp_path):
    archive = pack(tmp_path / "w.zip", deep__any_pth=checkpoint(tmp_path / "any.pth"))
    assert convert(archive, tmp_path / "out", "w.safetensors", FACTS) == ["w.safetensors"]
    same(tmp_path / "out/w.safetensors")


def test_an_archive_of_several_gives_each_its_own_name(tmp_path):
    """As Monodepth2 publishes: numbers of the training beside the tensors of one of them."""
    encoder = {"height": 192, "width": 640, "use_stereo": False, **STATE}
    archive = pack(
        tmp_path / "mono.zip",
        mono__encoder_pth=checkpoint(tmp_path / "e.pth", encoder),
        mono__depth_pth=checkpoint(tmp_path / "d.pth", {"b": torch.zeros(2)}),
    )
    names = convert(archive, tmp_path / "out", "unused.safetensors", FACTS)
    assert names == ["mono/encoder.safetensors", "mono/depth.safetensors"]
    same(tmp_path / "out/mono/encoder.safetensors")
    same(tmp_path / "out/mono/depth.safetensors", {"b": torch.zeros(2)})
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["mono"]


def test_an_archive_whose_names_would_collide_is_refused(tmp_path):
    data = checkpoint(tmp_path / "a.pt")
    with pytest.raises(WeightsError, match="ending"):
        convert(pack(tmp_path / "w.zip", w_pt=data, w_pth=data), tmp_path / "out", "x.safetensors", FACTS)
    assert list((tmp_path / "out").iterdir()) == []


def test_safetensors_in_an_archive_are_kept_as_they_are(tmp_path):
    save_file(STATE, tmp_path / "w.safetensors", {"license": "CC0"})
    with zipfile.ZipFile(tmp_path / "w.zip", "w") as file:
        file.write(tmp_path / "w.safetensors", "w.safetensors")
    convert(tmp_path / "w.zip", tmp_path / "out", "w.safetensors", FACTS)
    assert (tmp_path / "out/w.safetensors").read_bytes() == (tmp_path / "w.safetensors").read_bytes()
    (tmp_path / "bad.safetensors").write_bytes((tmp_path / "w.safetensors").read_bytes()[:-1])
    with pytest.raises(WeightsError, match="damaged"):
        to_safetensors(tmp_path / "bad.safetensors", tmp_path / "out/bad.safetensors", FACTS)


def test_the_published_checkpoint(tmp_path, shared):
    source = shared / "weights" / "tcmonodepth-small.pt.tar"
    to_safetensors(source, tmp_path / "w.safetensors", FACTS)
    same(tmp_path / "w.safetensors", {k: v.contiguous() for k, v in load_state_dict(source).items()})


def test_a_target_that_cannot_be_written(tmp_path):
    from vdepth_core.errors import ResourceError

    checkpoint(tmp_path / "w.pt")
    shutil.copy(tmp_path / "w.pt", tmp_path / "file")
    with pytest.raises(ResourceError, match="Cannot write"):
        to_safetensors(tmp_path / "w.pt", tmp_path / "file" / "w.safetensors", FACTS)
