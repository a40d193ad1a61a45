"""Fine-tuning of the diffusion models: it learns, it goes on to the same bytes, and what it writes loads."""

import csv
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from crashing import Crash, CrashAt
from diffusers import MarigoldDepthPipeline, UNet2DConditionModel, UNetSpatioTemporalConditionModel
from safetensors import safe_open
from typer.testing import CliRunner

from vdepth_core.cli.main import app
from vdepth_core.errors import InputError, UsageError, WeightsError
from vdepth_core.learning.diffusion.adapters import choose
from vdepth_core.learning.diffusion.chrono import ChronoRecipe, is_temporal
from vdepth_core.learning.diffusion.options import ChronoTraining
from vdepth_core.models.diffusion.chronodepth import ChronoDepthModel
from vdepth_core.models.diffusion.rollingdepth import RollingDepthModel
from vdepth_core.models.registry import load_model
from vdepth_core.training.diffusion.layouts import find_footage
from vdepth_core.training.diffusion.lesson import DepthLesson
from vdepth_core.training.diffusion.request import read_settings
from vdepth_core.training.diffusion.train import train_diffusion
from vdepth_core.training.shards import write_shard

Accelerator = pytest.importorskip("accelerate").Accelerator


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    """Rooms of one wall each: brighter is nearer."""
    folder = tmp_path_factory.mktemp("shards")
    for number, kind in enumerate(("train", "train", "held")):
        rng = np.random.default_rng(number)
        coarse = rng.uniform(0.1, 1, (4, 3, 4)).astype(np.float32)
        disparity = np.kron(coarse, np.ones((1, 24, 24), np.float32))
        rgb = np.repeat((disparity[..., None] * 255).astype(np.uint8), 3, -1)
        disparity[0, :3, :3] = np.nan
        write_shard(folder / f"{kind}-{number}.npz", rgb, disparity)
    return folder


SMALL = {
    "height": 64, "width": 64, "batch": 2, "steps": 4, "every": 4, "rate": 1e-3, "threads": 1,
    "device": "cpu", "degrade": False, "held_out": 1,
}  # fmt: skip


def losses(out, stage):
    with (out / f"losses-{stage}.csv").open(newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def test_a_killed_run_goes_on_to_the_same_bytes(shards, tiny, tmp_path):
    whole, cut, start = tmp_path / "whole", tmp_path / "cut", tiny("rollingdepth")
    train_diffusion("rolling", [shards], start, whole, **SMALL)
    with pytest.raises(Crash):
        train_diffusion("rolling", [shards], start, cut, progress=CrashAt("train", 3), save=0, **SMALL)
    assert len(losses(cut, "snippets")) == 2
    with pytest.raises(UsageError, match="holds a run"):
        train_diffusion("rolling", [shards], start, cut, **SMALL)
    with pytest.raises(UsageError, match="another seed"):
        train_diffusion("rolling", [shards], start, cut, resume=True, **SMALL | {"seed": 1})
    train_diffusion("rolling", [shards], start, cut, resume=True, **SMALL)
    assert losses(whole, "snippets") == losses(cut, "snippets")
    unet = "unet/diffusion_pytorch_model.safetensors"
    assert (whole / unet).read_bytes() == (cut / unet).read_bytes()
    assert (whole / unet).read_bytes() != (start / unet).read_bytes()


def test_rolling_learns_and_its_folder_loads(shards, tiny, tmp_path):
    out = tmp_path / "mine"
    done = train_diffusion(
        "rolling", [shards], tiny("marigold"), out, **SMALL | {"steps": 12, "average": 0.5}
    )
    found = losses(out, "snippets")
    assert np.mean(found[-4:]) < np.mean(found[:4])
    assert done.steps == 12
    assert sorted(path.name for path in (out / "samples").iterdir())[0] == "snippets-000000.png"
    model = load_model(out)
    assert isinstance(model, RollingDepthModel)
    assert model.spec.quantity == "disparity"
    assert model.predict(torch.rand(3, 3, 64, 64)).shape == (3, 64, 64)
    stock = UNet2DConditionModel.from_pretrained(out / "unet")
    for key, value in model._unet.state_dict().items():
        assert torch.equal(value, stock.state_dict()[key]), key
    card = (out / "README.md").read_text()
    assert card.startswith("---\nlicense: ")
    assert "| snippets | 12 |" in card


def test_marigold_loads_in_stock_diffusers(shards, tiny, tmp_path):
    out = tmp_path / "mine"
    train_diffusion("marigold", [shards], tiny("marigold"), out, **SMALL | {"steps": 1})
    pipeline = MarigoldDepthPipeline.from_pretrained(out)
    assert torch.equal(
        pipeline.unet.conv_in.weight, load_model(out)._pipeline.unet.conv_in.weight.contiguous()
    )


def test_wrong_options_and_folders_are_told(shards, tiny, tmp_path):
    start = tiny("marigold")
    with pytest.raises(UsageError, match="no option"):
        train_diffusion("marigold", [shards], start, tmp_path / "a", rolling_frames=2)
    with pytest.raises(UsageError, match="multiples of 64"):
        train_diffusion("chrono", [shards], start, tmp_path / "a", height=72)
    with pytest.raises(InputError, match="no layout"):
        train_diffusion("marigold", [tmp_path], start, tmp_path / "a", **SMALL)
    with pytest.raises(UsageError, match="nothing to learn"):
        train_diffusion("marigold", [], start, tmp_path / "a", **SMALL)
    with pytest.raises(WeightsError, match="nothing to resume"):
        train_diffusion("marigold", [shards], start, tmp_path / "a", resume=True, **SMALL)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "letter.txt").touch()
    with pytest.raises(UsageError, match="not ours"):
        train_diffusion("marigold", [shards], start, tmp_path / "b", **SMALL)


def test_the_verb(shards, tiny, tmp_path):
    words = [
        "train-diffusion",
        "rolling",
        str(shards),
        "--init",
        str(tiny("rollingdepth")),
        "-o",
        str(tmp_path / "m"),
    ]
    words += [
        "--height",
        "64",
        "--width",
        "64",
        "--batch",
        "1",
        "--steps",
        "1",
        "--device",
        "cpu",
        "--threads",
        "1",
    ]
    result = CliRunner().invoke(app, [*words, "--rolling-frames", "2"])
    assert result.exit_code == 0, result.output
    assert "Held-out AbsRel" in result.output
    said = CliRunner().invoke(app, [*words[:2], *words[3:5], "--lora", "4", "--plan"])
    assert said.exit_code == 0, said.output
    lost = CliRunner().invoke(app, words[:5])
    assert "where to write" in str(lost.exception)
    assert "| snippets |" in said.output


def test_chrono_in_two_stages_goes_on_where_it_was_killed_and_loads(shards, tiny, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    course = SMALL | {"steps": 2, "batch": 1, "every": 2, "chrono_frames": 2}
    done = train_diffusion("chrono", [shards], tiny("chronodepth"), whole, **course)
    assert done.steps == 4
    with pytest.raises(Crash):
        train_diffusion(
            "chrono", [shards], tiny("chronodepth"), cut, progress=CrashAt("train", 4), save=0, **course
        )
    train_diffusion("chrono", [shards], tiny("chronodepth"), cut, resume=True, **course)
    for stage in ("spatial", "temporal"):
        assert losses(whole, stage) == losses(cut, stage)
    name = "diffusion_pytorch_model.safetensors"
    assert (whole / name).read_bytes() == (cut / name).read_bytes()

    model = load_model(whole)
    assert isinstance(model, ChronoDepthModel)
    assert model.predict(torch.rand(3, 3, 64, 64)).shape == (3, 64, 64)
    stock = UNetSpatioTemporalConditionModel.from_pretrained(whole).state_dict()
    before = UNetSpatioTemporalConditionModel.from_pretrained(tiny("chronodepth")).state_dict()
    moved = {key for key in stock if not torch.equal(stock[key], before[key])}
    assert any(map(is_temporal, moved))
    assert any(not is_temporal(key) for key in moved)


def test_stable_video_diffusion_itself_may_be_the_start(tiny, tmp_path):
    """Its UNet lies in a subfolder, and sees noise before picture."""
    start = tmp_path / "svd"
    shutil.copytree(tiny("chronodepth"), start)
    (start / "unet").mkdir()
    for name in ("config.json", "diffusion_pytorch_model.safetensors"):
        (start / name).rename(start / "unet" / name)
    recipe = ChronoRecipe(ChronoTraining())
    ours = recipe.load(tiny("chronodepth"), "cpu", torch.float32).parts.unet.conv_in.weight
    theirs = recipe.load(start, "cpu", torch.float32)
    assert torch.equal(theirs.parts.unet.conv_in.weight[:, :4], ours[:, 4:])
    assert torch.equal(theirs.parts.unet.conv_in.weight[:, 4:], ours[:, :4])


def test_low_rank_matrices_in_half_precision_give_a_whole_model(shards, tiny, tmp_path):
    pytest.importorskip("peft")
    out = tmp_path / "mine"
    course = SMALL | {"steps": 3, "lora": 2, "precision": "bf16", "moments": "bf16", "checkpointing": True}
    train_diffusion("rolling", [shards], tiny("rollingdepth"), out, at_once=2, **course)
    assert np.isfinite(losses(out, "snippets")).all()
    model = load_model(out)
    assert isinstance(model, RollingDepthModel)
    assert not any("lora" in key for key in model._unet.state_dict())
    with safe_open(out / "state-snippets.training", "pt") as file:
        assert all("lora_" in key for key in file.keys() if key.startswith("network."))  # noqa: SIM118


def test_gradients_added_up_are_those_of_the_whole_step(shards, tiny, tmp_path):
    """Snippets one by one, as the loop takes them, and all of them in one graph."""
    course = SMALL | {"steps": 1, "rolling_frames": 1, "average": 0.0, "clip": 1e9}
    train_diffusion("rolling", [shards], tiny("rollingdepth"), tmp_path / "run", **course)
    settings, recipe, _ = read_settings("rolling", course)
    net = recipe.load(tiny("rollingdepth"), "cpu", torch.float32)
    trained = choose(net.parts.unet, lambda name: True, None)
    accelerator = Accelerator(cpu=True)
    lesson = DepthLesson(
        recipe, net, recipe.stages(1)[0], 0, find_footage(shards), settings, accelerator, 0, tmp_path, print
    )
    try:
        total = lesson.backward(0)
        gradients = [p.grad.clone() for p in trained.parameters()]
        trained.zero_grad()
        whole = lesson.terms(0)["latent"]
        whole.backward()
    finally:
        lesson.close()
    assert total == pytest.approx(float(whole.detach()), rel=1e-6)
    for ours, parameter in zip(gradients, trained.parameters(), strict=True):
        torch.testing.assert_close(ours, parameter.grad, atol=1e-7, rtol=1e-4)
    assert total == pytest.approx(losses(tmp_path / "run", "snippets")[0], rel=1e-6)


@pytest.mark.slow
def test_two_processes_share_a_step(shards, tiny, tmp_path):
    """As `accelerate launch` starts them; their sums differ from one process's in the last digits only."""
    course = [*("--height", "64", "--width", "64", "--batch", "4", "--steps", "3", "--rate", "1e-3")]
    course += ["--threads", "1", "--device", "cpu", "--no-degrade", "--held-out", "1"]
    words = [
        "-m",
        "vdepth_core",
        "train-diffusion",
        "rolling",
        shards,
        "--init",
        tiny("rollingdepth"),
        *course,
    ]
    launch = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no"]
    for name, start in (("one", []), ("two", launch)):
        command = [sys.executable, *start, *words, "-o", tmp_path / name]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(
        losses(tmp_path / "one", "snippets"), losses(tmp_path / "two", "snippets"), rtol=1e-4
    )
