"""Tiny diffusion checkpoints: the published layout, small, reproducible, with sensible numbers."""

import json
import logging
import subprocess
import sys

import pytest
import torch

from vdepth_core.errors import UsageError
from vdepth_core.models.diffusion.folder import load_diffusers_folder
from vdepth_core.models.tiny.diffusion import FAMILIES, make_tiny
from vdepth_core.weights.catalogue import find_entry
from vdepth_core.weights.hashing import folder_sha256

PUBLISHED = {"rollingdepth": "rollingdepth-v1", "marigold": "marigold-v1-1", "marigold-lcm": "marigold-lcm"}


@pytest.fixture(scope="module", params=FAMILIES)
def tiny(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    make_tiny(request.param, folder)
    return request.param, folder


def files(folder):
    return {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}


def test_layout_and_size(tiny):
    family, folder = tiny
    published = {file.path for file in find_entry(PUBLISHED[family]).files}
    assert files(folder).keys() - {"empty_prompt.safetensors"} == published
    assert sum(path.stat().st_size for path in files(folder).values()) < 2e6
    schedule = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    for key, value in {
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "prediction_type": "v_prediction",
        "timestep_spacing": "trailing",
        "rescale_betas_zero_snr": True,
        "set_alpha_to_one": False,
        "steps_offset": 1,
    }.items():
        assert schedule[key] == value


def test_the_empty_prompt_is_two_tokens(tiny):
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(tiny[1] / "tokenizer")
    ids = tokenizer("").input_ids
    assert tokenizer.convert_ids_to_tokens(ids) == ["<|startoftext|>", "<|endoftext|>"]


def test_numbers_are_of_sensible_size(tiny):
    model = load_diffusers_folder(tiny[1])
    frames = torch.rand((3, 3, 64, 96), generator=torch.Generator().manual_seed(1))
    depth = model.predict(frames)
    assert 0.05 < float(depth.std()) < 1
    assert abs(float(depth.mean())) < 1
    other = model.predict(1 - frames)
    assert float((other - depth).std()) > 0.2 * float(depth.std())  # it looks at the picture


def test_seeds(tiny, tmp_path):
    family, folder = tiny
    state = torch.get_rng_state()
    torch.manual_seed(9)
    make_tiny(family, tmp_path / "again")
    make_tiny(family, tmp_path / "other", seed=1)
    torch.manual_seed(9)
    before = torch.get_rng_state()
    make_tiny(family, tmp_path / "third")
    assert torch.equal(torch.get_rng_state(), before)
    torch.set_rng_state(state)
    assert folder_sha256(tmp_path / "again") == folder_sha256(folder) == folder_sha256(tmp_path / "third")
    assert folder_sha256(tmp_path / "other") != folder_sha256(folder)


def test_nothing_is_said_and_nothing_drawn(tmp_path, capfd, caplog):
    with caplog.at_level(logging.INFO):
        make_tiny("rollingdepth", tmp_path)
        load_diffusers_folder(tmp_path).predict(torch.rand(1, 3, 32, 32))
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_unknown_families(tmp_path):
    with pytest.raises(UsageError, match="rollingdepth"):
        make_tiny("sora", tmp_path)


def test_the_models_modules_load_nothing_heavy():
    code = (
        "import sys\nfrom vdepth_core.models.diffusion import folder, marigold, rollingdepth\n"
        "from vdepth_core.models.tiny import diffusion\n"
        "from vdepth_core.weights.catalogue import find_entry as find\n"
        "print(find('rollingdepth-v1').spec().name, find('marigold-lcm').spec().name, diffusion.FAMILIES)\n"
        "assert not {'torch', 'diffusers', 'transformers', 'huggingface_hub'} & sys.modules.keys()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("rollingdepth-v1 marigold-lcm ('rollingdepth', 'marigold', 'marigold-lcm')")
