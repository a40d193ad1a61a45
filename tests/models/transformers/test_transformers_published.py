"""The published depth models on transformers: what they promise, and what is refused."""

import json
import logging
import os
import pickle
import subprocess
import sys
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from vdepth_core.errors import UsageError, WeightsError
from vdepth_core.models import registry
from vdepth_core.models.licence import CLAIM
from vdepth_core.models.registry import load_model
from vdepth_core.models.tiny.transformers import FAMILIES
from vdepth_core.models.transformers.dense import MIN_DEPTH
from vdepth_core.models.transformers.folder import load_folder
from vdepth_core.protocols import CameraModel, DepthModel
from vdepth_core.weights.catalogue import catalogue

AFFINE, METRIC = ("disparity", "affine_invariant"), ("depth", "metric")
SPECS = {  # quantity and space, multiple, fixed size
    "depth-anything": (AFFINE, 14, None),
    "depth-anything-metric": (METRIC, 14, None),
    "dpt": (AFFINE, 32, (64, 64)),
    "dpt-beit": (AFFINE, 32, None),
    "dpt-swinv2": (AFFINE, 32, (64, 64)),
    "dpt-hybrid": (AFFINE, 32, (64, 64)),
    "depth-pro": (("disparity", "metric"), 32, (128, 128)),
    "zoedepth": (METRIC, 32, None),
    "zoedepth-nk": (METRIC, 32, None),
    "tipsv2-dpt": (METRIC, 14, None),
    "glpn": (METRIC, 32, None),
}


@pytest.fixture(scope="module")
def loaded(tiny):
    """The model of a family's tiny checkpoint, in fp32; not to be changed."""
    return cache(lambda family: load_folder(tiny(family)))


@pytest.fixture
def checkpoint(tiny, tmp_path):
    """A copy of a tiny Depth Anything, to be damaged."""
    copy(tiny("depth-anything"), tmp_path / "copy")
    return tmp_path / "copy"


def copy(source: Path, target: Path) -> Path:
    target.mkdir()
    for path in source.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


def change(folder: Path, name: str = "config.json", **facts) -> None:
    content = json.loads((folder / name).read_text()) | facts
    (folder / name).write_text(json.dumps(content))


def change_weights(folder: Path, work) -> None:
    state = load_file(folder / "model.safetensors")
    work(state)
    save_file(state, folder / "model.safetensors", {"format": "pt"})


def frames(model, count=3, wide=3):
    """Random smooth pictures of a size that is not square."""
    unit = 3 * model.spec.multiple if model.spec.multiple < 32 else model.spec.multiple
    height, width = 2 * unit, wide * unit
    coarse = torch.rand(count, 3, 5, 5, generator=torch.Generator().manual_seed(count))
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)


@pytest.mark.parametrize("family", FAMILIES)
def test_contract(family, tiny, loaded):
    model = loaded(family)
    meaning, multiple, fixed = SPECS[family]
    spec = model.spec
    assert (spec.quantity, spec.space) == meaning
    assert (spec.name, spec.window, spec.multiple, spec.fixed_size) == (family, 1, multiple, fixed)
    assert spec.canonical == (family == "depth-pro")
    assert (spec.license, spec.commercial) == ("unknown", False)
    assert spec.parameters == parameters(tiny(family))
    assert isinstance(model, DepthModel)
    given = frames(model)
    untouched = given.clone()
    depth = model.predict(given)
    assert depth.shape == (3, *given.shape[2:])
    assert depth.dtype == torch.float32
    assert not depth.requires_grad
    assert bool(torch.isfinite(depth).all())
    assert float(depth.min()) >= (MIN_DEPTH if meaning == METRIC else 0)
    assert torch.equal(given, untouched)
    assert torch.equal(depth, model.predict(given))
    for index in range(3):
        alone = model.predict(given[index : index + 1])[0]
        torch.testing.assert_close(depth[index], alone, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="multiples"):
        model.predict(torch.rand(1, 3, 3 * multiple + 2, 2 * multiple))


def parameters(folder: Path) -> int:
    """Numbers in a checkpoint, less the statistics of normalisations."""
    state = load_file(folder / "model.safetensors")
    return sum(v.numel() for k, v in state.items() if not k.endswith(("_mean", "_var", "_tracked")))


def strided_convolutions_are_right() -> bool:
    """Some oneDNN builds get GLPN's 8x8 convolutions of stride 8 wrong in bfloat16, on CPUs with AMX."""
    layer, picture = torch.nn.Conv2d(8, 8, 8, 8), torch.rand(1, 8, 16, 24)
    with torch.inference_mode():
        half = layer.to(torch.bfloat16)(picture.to(torch.bfloat16)).float()
        return torch.allclose(half, layer.float()(picture), atol=0.05)


@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_is_close_and_without_terraces(family, tiny, loaded):
    if family == "glpn" and not strided_convolutions_are_right():
        pytest.skip("this torch computes strided bfloat16 convolutions wrongly on this CPU")
    full, half = loaded(family), load_folder(tiny(family), dtype="bf16")
    given = frames(full, 1)
    expected, depth = full.predict(given), half.predict(given)
    assert depth.dtype == torch.float32
    assert float((depth - expected).abs().mean()) < 0.1 * float(expected.std())
    # Read off a bf16 layer, a picture has a few hundred different values at most.
    assert len(depth.unique()) > 0.8 * len(expected.unique()) > 1000
    assert torch.equal(load_folder(tiny(family), dtype="fp16").predict(given), expected)  # CPUs: fp32


def test_the_frames_of_a_batch_do_not_vote_on_each_others_depth(tiny):
    """As published, the pictures of a batch share one of ZoeDepth's two heads."""
    model = load_folder(tiny("zoedepth-nk"))
    given = frames(model, 2)
    inputs = []
    hook = model.network.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    model.predict(given)
    hook.remove()
    classifier = model.network.get_submodule("metric_head.module.head.mlp_classifier.linear2")
    with (
        torch.no_grad()
    ):  # the first picture is made to vote for one head, more than the second for the other
        logits = model.network(inputs[0]).domain_logits
        between = 0.25 * logits[0] + 0.75 * logits[1]
        classifier.bias.add_(between.flip(0) / 2 - between / 2)
    logits = model.network(inputs[0]).domain_logits
    assert logits[0].argmax() != logits[1].argmax()
    together = model.predict(given)
    apart = torch.cat([model.predict(given[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-4)
    original = model.network.get_submodule("metric_head.module.head")
    model.network.metric_head = original
    assert float((model.predict(given)[1] - apart[1]).abs().max()) > 0.01


def test_disparity_stays_positive_where_the_network_says_zero(tiny, tmp_path):
    """Bicubic resizing overshoots at the edge of what a ReLU cut off."""
    folder = copy(tiny("dpt"), tmp_path / "dpt")
    change_weights(folder, lambda state: state["head.head.4.bias"].sub_(1.0))
    model = load_folder(folder)
    given = frames(model, wide=5)
    disparity = model.predict(given)
    assert 0.1 < float((disparity == 0).float().mean()) < 0.9
    assert float(disparity.min()) == 0
    model.spec = replace(model.spec, quantity="depth", space="metric")  # a DPT fine-tuned to metric depth
    assert float(model.predict(given).min()) == pytest.approx(MIN_DEPTH)


def test_depth_pro_sees_the_lens_where_it_has_the_head_for_it(tiny, loaded, tmp_path):
    model = loaded("depth-pro")
    assert isinstance(model, CameraModel)
    given = frames(model)
    disparity, fov = model.predict_with_fov(given)
    assert torch.equal(disparity, model.predict(given))
    assert fov.shape == (3,)
    assert fov.dtype == torch.float32
    assert bool(((fov > 20) & (fov < 80)).all())
    blind = copy(tiny("depth-pro"), tmp_path / "blind")
    change(blind, use_fov_model=False)
    other = load_folder(blind)
    assert not isinstance(other, CameraModel)
    assert other.spec.canonical
    assert torch.equal(other.predict(given), disparity)


def test_depth_pro_refuses_a_size_its_patches_do_not_fit(tiny, tmp_path):
    folder = copy(tiny("depth-pro"), tmp_path / "small")
    change(folder, "preprocessor_config.json", size={"height": 96, "width": 96})
    with pytest.raises(WeightsError, match="needs 128"):
        load_folder(folder)


def test_weights_published_in_half_precision_run_in_full(tiny, loaded, tmp_path):
    """As Depth Pro's are: 1.9 GB for 952 million parameters."""
    folder = copy(tiny("depth-pro"), tmp_path / "half")
    change(folder, dtype="float16")
    change_weights(folder, lambda state: state.update({k: v.half() for k, v in state.items()}))
    model, full = load_folder(folder), loaded("depth-pro")
    assert {parameter.dtype for parameter in model.network.parameters()} == {torch.float32}
    given = frames(full)
    expected = full.predict(given)
    assert float((model.predict(given) - expected).abs().max()) < 0.01 * float(expected.max())


def test_compiling_changes_nothing_but_rounding(tiny, loaded, monkeypatch):
    monkeypatch.setattr(
        torch, "compile", partial(torch.compile, backend="eager")
    )  # the capture without a compiler
    plain, compiled = loaded("depth-anything"), load_folder(tiny("depth-anything"))
    compiled.compile()
    given = frames(plain)
    torch.testing.assert_close(compiled.predict(given), plain.predict(given))


def test_what_does_not_compile_runs_as_it_is(tiny, monkeypatch, caplog):
    calls = []

    def broken(network):
        def run(*_):
            calls.append(1)
            raise RuntimeError("no C++ compiler found")

        return run

    monkeypatch.setattr(torch, "compile", broken)
    model = load_folder(tiny("depth-anything"))
    expected = model.predict(frames(model))
    model.compile()
    with caplog.at_level(logging.WARNING):
        assert torch.equal(model.predict(frames(model)), expected)
        assert torch.equal(model.predict(frames(model)), expected)
    assert calls == [1]
    assert "depth-anything does not compile here and runs as it is: no C++ compiler found" in caplog.text


def test_out_of_memory_is_no_fault_of_the_compiler(tiny, monkeypatch):
    def full(*_):
        raise torch.cuda.OutOfMemoryError("full")

    monkeypatch.setattr(torch, "compile", lambda network: full)
    model = load_folder(tiny("depth-anything"))
    model.compile()
    for _ in range(2):
        with pytest.raises(torch.cuda.OutOfMemoryError):
            model.predict(frames(model))


def test_the_hash_is_that_of_what_was_read(loaded, checkpoint):
    digest = loaded("depth-anything").spec.weights_sha256
    assert len(digest) == 64
    assert load_folder(checkpoint).spec.weights_sha256 == digest
    (checkpoint / "notes.txt").write_text("not read")
    (checkpoint / "pytorch_model.bin").write_bytes(b"not read, there is a safetensors file")
    assert load_folder(checkpoint).spec.weights_sha256 == digest
    names = ["config.json", "model.safetensors", "preprocessor_config.json"]
    if sys.platform == "linux":
        sums = subprocess.run(["sha256sum", *names], cwd=checkpoint, capture_output=True, check=True).stdout
        whole = subprocess.run(["sha256sum"], input=sums, capture_output=True, check=True).stdout
        assert whole.decode().split()[0] == digest
    seen = {digest}
    for name in ("config.json", "preprocessor_config.json"):
        with (checkpoint / name).open("a") as file:
            file.write(" ")
        seen.add(load_folder(checkpoint).spec.weights_sha256)
    change_weights(checkpoint, lambda state: state["head.conv3.bias"].add_(1))
    seen.add(load_folder(checkpoint).spec.weights_sha256)
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda state: state.pop("head.conv3.bias"), r"lack 1 key \(head\.conv3\.bias\)"),
        (lambda state: state.update(other=torch.zeros(2)), r"have unknown 1 key \(other\)"),
        (
            lambda state: state.update({"head.conv3.weight": torch.zeros(1, 9, 1, 1)}),
            r"wrong shapes for 1 key \(head\.conv3\.weight\)",
        ),
    ],
)
def test_weights_must_fit_strictly(work, message, checkpoint):
    change_weights(checkpoint, work)
    with pytest.raises(WeightsError, match=message):
        load_folder(checkpoint)


@pytest.mark.parametrize("family", ["dpt", "depth-pro", "depth-anything"])
def test_what_no_network_reads_may_be_missing(family, tiny, loaded, tmp_path):
    """Intel's DPT checkpoints lack the first fusion layer's unused half."""
    folder = copy(tiny(family), tmp_path / family)

    def drop(state):
        names = ("layers.0.residual_layer1.", "intermediate.0.residual_layer1.", "mask_token")
        unused = [key for key in state if any(name in key for name in names)]
        assert unused
        for key in unused:
            del state[key]

    change_weights(folder, drop)
    model, whole = load_folder(folder), loaded(family)
    assert torch.equal(model.predict(frames(model)), whole.predict(frames(whole)))


def test_pickled_weights_are_read_as_tensors_only(loaded, checkpoint, tmp_path):
    expected = loaded("depth-anything")
    state = load_file(checkpoint / "model.safetensors")
    (checkpoint / "model.safetensors").unlink()
    torch.save(state, checkpoint / "pytorch_model.bin")
    model = load_folder(checkpoint)
    assert torch.equal(model.predict(frames(model)), expected.predict(frames(model)))

    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    for write in (
        lambda path: torch.save({"a": Evil()}, path),
        lambda path: path.write_bytes(pickle.dumps({"a": Evil()}, protocol=2)),
    ):
        write(checkpoint / "pytorch_model.bin")
        with pytest.raises(WeightsError, match="could run code"):
            load_folder(checkpoint)
    assert not (tmp_path / "ran").exists()


def test_code_beside_the_weights_is_not_run(checkpoint, tmp_path):
    change(checkpoint, auto_map={"AutoConfig": "code.C", "AutoModelForDepthEstimation": "code.M"})
    (checkpoint / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    load_folder(checkpoint)
    assert not (tmp_path / "ran").exists()


def test_weights_in_parts(tiny, checkpoint):
    expected = load_folder(checkpoint)
    state = load_file(checkpoint / "model.safetensors")
    (checkpoint / "model.safetensors").unlink()
    where = {key: f"model-0000{1 + index % 2}-of-00002.safetensors" for index, key in enumerate(state)}
    for name in set(where.values()):
        save_file({key: state[key] for key in where if where[key] == name}, checkpoint / name)
    index = checkpoint / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": where}))
    model = load_folder(checkpoint)
    assert torch.equal(model.predict(frames(model)), expected.predict(frames(model)))
    assert model.spec.weights_sha256 != expected.spec.weights_sha256

    (checkpoint / "model-00002-of-00002.safetensors").rename(checkpoint.parent / "outside.safetensors")
    with pytest.raises(WeightsError, match="lacks model-00002"):
        load_folder(checkpoint)
    for text, message in (
        (json.dumps({"weight_map": {"a": "../outside.safetensors"}}), "no files of its folder"),
        (json.dumps({"weight_map": {}}), "no files of its folder"),
        ("[]", "damaged"),
        ("{", "damaged"),
    ):
        index.write_text(text)
        with pytest.raises(WeightsError, match=message):
            load_folder(checkpoint)


def test_damaged_folders(checkpoint):
    (checkpoint / "model.safetensors").write_bytes((checkpoint / "model.safetensors").read_bytes()[:3000])
    with pytest.raises(WeightsError, match=r"model\.safetensors is damaged"):
        load_folder(checkpoint)
    (checkpoint / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="holds no weights"):
        load_folder(checkpoint)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"config\.json does not exist"),
        ("{", r"config\.json is damaged"),
        ("[1]", "holds no table"),
        ('{"model_type": "bert"}', "no depth model known here, but: bert"),
        ('{"model_type": "chmv2"}', "but: chmv2"),
        ('{"model_type": "depth_anything", "fusion_hidden_size": "wide"}', "no usable network"),
        (
            '{"model_type": "depth_anything", "backbone_config": {"model_type": "bert"}}',
            "from elsewhere .bert",
        ),
        ('{"model_type": "depth_anything", "backbone": "facebook/dinov2-small"}', "to be downloaded"),
    ],
)
def test_folders_of_something_else(text, message, checkpoint):
    (checkpoint / "config.json").unlink()
    if text is not None:
        (checkpoint / "config.json").write_text(text)
    with pytest.raises(WeightsError, match=message):
        load_folder(checkpoint)


def test_unknown_dtypes(tiny):
    with pytest.raises(UsageError, match="dtype"):
        load_folder(tiny("glpn"), dtype="int8")


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("---\nlicense: apache-2.0\ntags: [depth]\n---\n# Model\n", ("Apache-2.0" + CLAIM, True)),
        ("---\nlicense: other\nlicense_name: apple-amlr\n---\n", ("apple-amlr" + CLAIM, False)),
        ("---\nlicense: cc-by-nc-4.0\n---\n", ("cc-by-nc-4.0" + CLAIM, False)),
        ("# No front matter\n", ("unknown", False)),
        ("---\nlicense: [a, b]\n---\n", ("unknown", False)),
        ("---\n: : [\n---\n", ("unknown", False)),
    ],
)
def test_the_licence_is_what_the_card_says(card, expected, checkpoint):
    (checkpoint / "README.md").write_text(card)
    spec = load_folder(checkpoint).spec
    assert (spec.license, spec.commercial) == expected


def test_loading_is_quiet_and_leaves_the_settings_of_transformers_alone(tiny, capfd):
    from transformers.utils import logging as settings

    before = (settings.get_verbosity(), settings.is_progress_bar_enabled())
    load_folder(tiny("dpt-hybrid"))
    assert capfd.readouterr() == ("", "")
    assert (settings.get_verbosity(), settings.is_progress_bar_enabled()) == before


def test_the_catalogue_knows_the_size_of_every_network():
    families = {"dpt", "depth-anything", "depth-pro", "zoedepth", "glpn"}
    found = [entry for entry in catalogue().values() if entry.family in families]
    assert len(found) == 13
    for entry in found:
        spec = entry.spec()
        assert (spec.license, spec.commercial) == (entry.license, entry.commercial)
        bytes_each = 2 if entry.name == "depth-pro" else 4  # published in fp16
        assert spec.parameters * bytes_each == pytest.approx(entry.size, rel=0.01)


@pytest.mark.parametrize(
    ("name", "family", "other"),
    [
        ("depth-anything-v2-base", "depth-anything", "depth-anything-metric"),
        ("depth-anything-v2-metric-indoor-small", "depth-anything-metric", "dpt"),
        ("dpt-hybrid", "dpt-hybrid", "depth-pro"),
        ("depth-pro", "depth-pro", "zoedepth"),
        ("zoedepth", "zoedepth-nk", "depth-anything"),
    ],
)
def test_installed_models_carry_the_catalogues_facts(name, family, other, tiny, monkeypatch):
    monkeypatch.setattr(registry, "find_weights", lambda _: tiny(family))
    spec, entry = load_model(name).spec, catalogue()[name]
    assert (spec.name, spec.license, spec.commercial) == (name, entry.license, entry.commercial)
    assert (spec.quantity, spec.space) == (entry.quantity, entry.space)
    assert (spec.multiple, spec.canonical) == (entry.spec().multiple, entry.spec().canonical)
    assert (spec.fixed_size is None) == (entry.spec().fixed_size is None)
    assert load_model(tiny(family)).spec.license == "unknown"  # a user's own
    monkeypatch.setattr(registry, "find_weights", lambda _: tiny(other))
    with pytest.raises(WeightsError, match="other weights"):
        load_model(name)


def test_the_published_facts_need_no_torch():
    code = (
        "import sys; from vdepth_core.models.registry import list_models; "
        "assert any(m.spec.canonical for m in list_models()); "
        "assert not {'torch', 'transformers'} & sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
