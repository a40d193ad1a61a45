"""A folder's configuration runs no foreign code, asks no server and makes nothing larger than its weights."""

import json
import shutil
import socket
import textwrap
import time

import pytest
import torch
from processes import run
from safetensors.torch import load_file, save_file
from transformers import CONFIG_MAPPING

from vdepth_core.errors import WeightsError
from vdepth_core.models.registry import load_model
from vdepth_core.models.tiny.transformers import FAMILIES
from vdepth_core.models.transformers.folder import load_folder
from vdepth_core.weights.configs import transformers_config

HUB = "kernels-community/flash-attn2"
HOSTILE = {
    "attn_implementation": HUB,
    "_attn_implementation": HUB,
    "_attn_implementation_internal": HUB,
    "experts_implementation": HUB,
    "_experts_implementation": HUB,
    "quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True},
    "auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil--repo.Model"},
    "trust_remote_code": True,
    "use_kernels": True,
    "kernel_config": {"RMSNorm": f"{HUB}:RMSNorm"},
    "use_timm_backbone": True,
    "use_pretrained_backbone": True,
    "backbone_kwargs": {"out_indices": [1], "cache_dir": "/"},
    "dtype": "float16",
    "torch_dtype": "bfloat16",
    "return_dict": False,
    "output_attentions": True,
    "_name_or_path": HUB,
    "_out_features": ["stage1"],
}


def poison(value):
    """`HOSTILE` in every table of a configuration."""
    if isinstance(value, list):
        return [poison(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: poison(item) for key, item in value.items()} | HOSTILE


def rewrite(path, work):
    path.write_text(json.dumps(work(json.loads(path.read_text()))))


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def predictions(model):
    side = max(model.spec.fixed_size or (0,)) or 3 * model.spec.multiple
    frames = torch.rand((1, 3, side, side), generator=torch.Generator().manual_seed(1))
    return model.predict(frames)


@pytest.mark.parametrize("family", [*FAMILIES, "rollingdepth", "marigold"])
def test_whatever_else_a_configuration_names_the_plain_network_runs(family, tiny, tmp_path, no_network):
    folder = shutil.copytree(tiny(family), tmp_path / family)
    expected = predictions(load_model(folder))
    for path in folder.rglob("*.json"):
        if path.name not in ("vocab.json", "model_index.json"):
            rewrite(path, poison)
    if (index := folder / "model_index.json").is_file():
        facts = {"unet": ["evil", "Unet"], "evil": ["evil", "Thing"], "_module": "evil"}
        rewrite(index, lambda content: content | facts)
    model = load_model(folder)
    assert torch.equal(predictions(model), expected)
    for network in (getattr(model, "network", None),):
        if network is not None:
            kinds = {
                getattr(m.config, "_attn_implementation", None) for m in network.modules() if has_config(m)
            }
            assert kinds <= {"sdpa", "eager"}


def has_config(module):
    return hasattr(getattr(module, "config", None), "_attn_implementation")


FAKE = textwrap.dedent(
    """
    import pathlib
    LOG = pathlib.Path(__file__).with_name("called.txt")

    class Thing:
        def __init__(self, *arguments, **named): pass

    def kept(*arguments, **named):
        return lambda wrapped: wrapped

    use_kernel_forward_from_hub = use_kernel_func_from_hub = use_kernelized_func = kept

    def get_kernel(*arguments, **named):
        with LOG.open("a") as log:
            log.write(f"{arguments} {named}\\n")
        raise RuntimeError("fetched")

    get_local_kernel = load_kernel = has_kernel = kernelize = install_kernel = get_kernel

    def __getattr__(name):
        if name.startswith("__"):
            raise AttributeError(name)
        return Thing
    """
)
LOAD = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    sys.modules["peft"] = None  # where it is installed it imports bitsandbytes, whatever a file says
    assert "transformers" not in sys.modules  # which looks for kernels once
    import kernels, torch
    from transformers import CONFIG_MAPPING, AutoModelForDepthEstimation
    believed = CONFIG_MAPPING["depth_anything"](attn_implementation="kernels-community/flash-attn2")
    try:
        AutoModelForDepthEstimation.from_config(believed)
    except Exception as error:
        print(error, file=sys.stderr)
    assert kernels.LOG.exists(), "the fake is not what transformers asks"
    kernels.LOG.unlink()
    from vdepth_core.models.registry import load_model
    for folder in sys.argv[1:]:
        model = load_model(Path(folder))
        model.predict(torch.rand(1, 3, 2 * model.spec.multiple, 2 * model.spec.multiple))
    for name in ("timm", "bitsandbytes", "evil"):
        assert name not in sys.modules, name
    assert not kernels.LOG.exists(), kernels.LOG.read_text()
    print("loaded")
    """
)


def test_an_installed_kernels_package_is_never_called(tiny, tmp_path):
    """Unsanitised, a configuration that names a kernel of the hub's has it fetched and run."""
    from transformers.utils.import_utils import KERNELS_MIN_VERSION

    site = tmp_path / "site"
    (site / "kernels").mkdir(parents=True)
    (site / "kernels" / "__init__.py").write_text(FAKE)
    facts = site / f"kernels-{KERNELS_MIN_VERSION}.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: kernels\nVersion: {KERNELS_MIN_VERSION}\n")
    for name in ("timm", "bitsandbytes", "evil"):
        (site / f"{name}.py").write_text("raise SystemExit('imported')")
    folders = []
    for family in ("depth-anything", "rollingdepth"):
        folder = shutil.copytree(tiny(family), tmp_path / family)
        for path in folder.rglob("config.json"):
            rewrite(path, poison)
        folders.append(str(folder))
    done = run(f"import sys; sys.path.insert(0, {str(site)!r})\n{LOAD}", *folders)
    assert done.stdout.strip() == "loaded", done.stderr[-2000:]


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        (
            {"backbone_config": None, "backbone": "someone/else", "use_timm_backbone": False},
            "to be downloaded",
        ),
        ({"backbone_config": None, "backbone": "resnet50", "use_timm_backbone": True}, "to be downloaded"),
        ({"backbone_config": {"model_type": "timm_backbone", "backbone": "resnet50"}}, "timm_backbone"),
        ({"backbone_config": {"model_type": "bert", "text_config": HOSTILE}}, "bert"),
        ({"backbone_config": {"model_type": ["dinov2"]}}, "not known here"),
        ({"model_type": ["depth_anything"]}, "no depth model known here"),
        ({"model_type": "timm_wrapper"}, "no depth model known here"),
    ],
)
def test_a_part_that_would_come_from_elsewhere_is_refused(facts, message, tiny, tmp_path, no_network):
    folder = shutil.copytree(tiny("depth-anything"), tmp_path / "folder")
    rewrite(folder / "config.json", lambda content: content | facts)
    with pytest.raises(WeightsError, match=message):
        load_folder(folder)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_describes_the_network_is_all_kept(family, tiny):
    path = tiny(family) / "config.json"
    content = json.loads(path.read_text())
    plain = CONFIG_MAPPING[content["model_type"]].from_dict(content).to_dict()
    kept = transformers_config(content, path).to_dict()
    common = {"architectures", "dtype", "transformers_version", "backbone_hidden_size"}  # no field of any
    assert without(kept, common) == without(plain, common)


def without(value, keys):
    if not isinstance(value, dict):
        return value
    return {key: without(item, keys) for key, item in value.items() if key not in keys}


def test_quantised_weights_are_refused(tiny, tmp_path):
    folder = shutil.copytree(tiny("depth-anything"), tmp_path / "folder")
    state = load_file(folder / "model.safetensors")
    key = next(key for key in state if key.endswith("query.weight"))
    state[key] = state[key].to(torch.int8)
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(WeightsError, match="quantised"):
        load_folder(folder)


ABSURD = {
    "config.json": [
        {"backbone_config.hidden_size": 1 << 40},
        {"backbone_config.hidden_size": 60_000},
        {"backbone_config.num_hidden_layers": 10**9},
        {"backbone_config.num_hidden_layers": 60_000},
        {"backbone_config.image_size": 50_000},
        {"neck_hidden_sizes": [60_000] * 4},
        {"fusion_hidden_size": 65_000},
        {"neck_hidden_sizes": [16] * 100_000},
        {"backbone_config.patch_size": -5},
        {"patch_size": 10**30},
    ],
    "preprocessor_config.json": [
        {"size": {"height": 10**6, "width": 10**6}},
        {"ensure_multiple_of": 10**9},
        {"image_std": [0, 0, 0]},
        {"rescale_factor": float("inf")},
        {"image_mean": [float("nan")] * 3},
    ],
}


@pytest.mark.parametrize(("name", "facts"), [(name, facts) for name in ABSURD for facts in ABSURD[name]])
def test_absurd_sizes_are_refused_before_anything_is_built(name, facts, tiny, tmp_path):
    folder = shutil.copytree(tiny("depth-anything"), tmp_path / "folder")

    def change(content):
        for key, value in facts.items():
            *path, last = key.split(".")
            table = content
            for part in path:
                table = table[part]
            table[last] = value
        return content

    rewrite(folder / name, change)
    began = time.monotonic()
    with pytest.raises(WeightsError) as refused:
        load_folder(folder)
    assert time.monotonic() - began < 5
    assert len(refused.value.message) < 600


@pytest.mark.parametrize(
    ("path", "facts"),
    [
        ("unet/config.json", {"block_out_channels": [60_000, 60_000]}),
        ("unet/config.json", {"layers_per_block": 60_000}),
        ("unet/config.json", {"layers_per_block": 10**12}),
        ("vae/config.json", {"latent_channels": 65_000, "block_out_channels": [40_000] * 4}),
        ("text_encoder/config.json", {"vocab_size": 65_000, "hidden_size": 65_000}),
        ("text_encoder/config.json", {"vocab_size": 10**12}),
        ("scheduler/scheduler_config.json", {"num_train_timesteps": 10**12}),
        ("scheduler/scheduler_config.json", {"prediction_type": "chance"}),
        ("scheduler/scheduler_config.json", {"_class_name": ["DDIMScheduler"]}),
        ("model_index.json", {"default_denoising_steps": 10**9}),
        ("model_index.json", {"default_processing_resolution": 10**6}),
        ("model_index.json", {"prediction_type": ["depth"]}),
    ],
)
def test_absurd_diffusion_folders_are_refused(path, facts, tiny, tmp_path):
    folder = shutil.copytree(tiny("marigold"), tmp_path / "folder")
    rewrite(folder / path, lambda content: content | facts)
    began = time.monotonic()
    with pytest.raises(WeightsError):
        load_model(folder)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a": ' * 5000 + "1" + "}" * 5000, "\ud800", "1" * 5000, ""]
)
def test_a_configuration_that_no_parser_likes_is_damaged(text, tiny, tmp_path):
    folder = shutil.copytree(tiny("depth-anything"), tmp_path / "folder")
    (folder / "config.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(WeightsError, match=r"config\.json"):
        load_folder(folder)
    (folder / "config.json").write_bytes(b"{}" + b" " * (9 << 20))
    with pytest.raises(WeightsError, match="larger than any"):
        load_folder(folder)
