"""Folders of diffusion models: incomplete, damaged and foreign ones, older names, the hub's cache."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_diffusion import WEIGHTS, change_json, change_weights

from vdepth_core.errors import UsageError, WeightsError
from vdepth_core.models.diffusion.folder import load_diffusers_folder
from vdepth_core.models.diffusion.marigold import MarigoldModel
from vdepth_core.models.diffusion.rollingdepth import RollingDepthModel, load_rollingdepth
from vdepth_core.models.registry import load_model
from vdepth_core.models.tiny.diffusion import make_tiny
from vdepth_core.weights.hashing import folder_sha256
from vdepth_core.weights.prepare import prepare

FRAMES = torch.rand((3, 3, 32, 48), generator=torch.Generator().manual_seed(0))
BIAS = "conv_out.bias"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    make_tiny("rollingdepth", folder)
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    """A copy that a test may spoil."""
    shutil.copytree(whole, tmp_path / "copy")
    return tmp_path / "copy"


def widen(state):
    state[BIAS] = torch.zeros(5)


SPOILED = {
    "lacks the subfolders vae": lambda f: shutil.rmtree(f / "vae"),
    "scheduler_config.json does not exist": lambda f: (f / "scheduler/scheduler_config.json").unlink(),
    "holds no weights": lambda f: (f / "unet" / WEIGHTS).unlink(),
    "config.json is damaged": lambda f: (f / "unet/config.json").write_text("{"),
    "it holds no table": lambda f: (f / "vae/config.json").write_text("[]"),
    "network in .*unet cannot be built": lambda f: change_json(
        f / "unet/config.json", down_block_types=["Odd"]
    ),
    f"{WEIGHTS} is damaged": lambda f: (f / "vae" / WEIGHTS).write_bytes(b"nothing"),
    f"lacks 1 key .{BIAS}": lambda f: change_weights(f / "unet" / WEIGHTS, lambda state: state.pop(BIAS)),
    "unknown 1 key .more": lambda f: change_weights(
        f / "vae" / WEIGHTS, lambda state: state.update(more=torch.zeros(1))
    ),
    f"wrong shapes for 1 key .{BIAS}": lambda f: change_weights(f / "unet" / WEIGHTS, widen),
    "scheduler EulerDiscreteScheduler": lambda f: change_json(
        f / "scheduler/scheduler_config.json", _class_name="EulerDiscreteScheduler"
    ),
    "scheduler_config.json is damaged": lambda f: change_json(
        f / "scheduler/scheduler_config.json", beta_schedule="odd"
    ),
    "empty prompt's embedding": lambda f: shutil.rmtree(f / "text_encoder"),
    "pipeline.* no depth model": lambda f: change_json(f / "model_index.json", _class_name="FluxPipeline"),
    "model_index.json is damaged": lambda f: (f / "model_index.json").write_text("]"),
}


@pytest.mark.parametrize("message", SPOILED)
def test_spoiled_folders(folder, message):
    SPOILED[message](folder)
    with pytest.raises(WeightsError, match=message) as caught:
        load_diffusers_folder(folder)
    assert caught.value.hint


def other_unet(folder, **config):
    """Another UNet that is whole in itself."""
    from diffusers import UNet2DConditionModel

    change_json(folder / "unet/config.json", **config)
    unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(folder / "unet"))
    save_file(unet.state_dict(), folder / "unet" / WEIGHTS)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"in_channels": 4}, "4 channels into its UNet, not 8"),
        ({"cross_attention_dim": 24}, "16 values a token"),
    ],
)
def test_networks_that_are_whole_but_no_depth_model(folder, config, message):
    other_unet(folder, **config)
    with pytest.raises(WeightsError, match=message):
        load_rollingdepth(folder)


def test_the_folder_says_which_model_it_is(whole, folder):
    assert isinstance(load_model(whole), RollingDepthModel)
    (folder / "model_index.json").unlink()
    assert isinstance(load_model(str(folder)), RollingDepthModel)
    make_tiny("marigold", folder)
    assert isinstance(load_model(folder), MarigoldModel)


def test_wrong_places_and_dtypes(tmp_path, whole):
    for nowhere in (tmp_path / "none", str(tmp_path / "none"), "none"):
        with pytest.raises(WeightsError, match="does not exist"):
            load_rollingdepth(nowhere)
    for odd in ("int8", torch.int8, "float16"):
        with pytest.raises(UsageError, match="dtype"):
            load_rollingdepth(whole, dtype=odd)


def test_other_forms_of_the_same_weights(whole, folder):
    expected = load_rollingdepth(whole, dtype="fp32").predict(FRAMES)
    unet = load_file(folder / "unet" / WEIGHTS)
    (folder / "unet" / WEIGHTS).unlink()
    torch.save(unet, folder / "unet/diffusion_pytorch_model.bin")
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def rename(state):
        for key in [key for key in state if "mid_block.attentions" in key]:
            name = key
            for now, before in old.items():
                name = name.replace(f".{now}.", f".{before}.")
            state[name] = state.pop(key)

    change_weights(folder / "vae" / WEIGHTS, rename)
    assert "decoder.mid_block.attentions.0.proj_attn.bias" in load_file(folder / "vae" / WEIGHTS)
    assert torch.equal(load_rollingdepth(folder, dtype="fp32").predict(FRAMES), expected)
    halves = {key: value.half() for key, value in unet.items()}
    (folder / "unet/diffusion_pytorch_model.bin").unlink()
    save_file(halves, folder / "unet/diffusion_pytorch_model.fp16.safetensors")
    assert float((load_rollingdepth(folder, dtype="fp32").predict(FRAMES) - expected).abs().max()) < 0.05


def test_a_repository_comes_out_of_the_hubs_cache(whole, tmp_path, monkeypatch):
    commit = "0123456789abcdef0123456789abcdef01234567"
    home = tmp_path / "models--someone--depth"
    shutil.copytree(whole, home / "snapshots" / commit)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path))
    found = load_rollingdepth("someone/depth", dtype="fp32")
    assert torch.equal(found.predict(FRAMES), load_rollingdepth(whole, dtype="fp32").predict(FRAMES))
    with pytest.raises(WeightsError, match=r"prs-eth/rollingdepth-v1-0 is no folder here") as caught:
        load_rollingdepth("prs-eth/rollingdepth-v1-0")
    assert "network" in caught.value.hint


def test_the_hash_of_a_folder(whole, folder):
    prepare("rollingdepth", folder)
    assert (folder / "empty_prompt.safetensors").is_file()
    same = folder_sha256(folder)
    assert len(same) == 64
    (folder / "empty_prompt.safetensors").unlink()
    assert folder_sha256(folder) == folder_sha256(whole) == same
    (folder / "README.md").write_text("words")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "notes.json").write_text("{}")
    assert folder_sha256(folder) == same
    change_json(folder / "unet" / "config.json", sample_size=9)
    changed = folder_sha256(folder)
    assert changed != same
    (folder / "unet").rename(folder / "network")
    assert folder_sha256(folder) != changed
    with pytest.raises(WeightsError, match="holds no weights"):
        folder_sha256(folder / ".cache" / "nothing")
