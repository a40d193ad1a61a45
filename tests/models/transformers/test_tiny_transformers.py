"""The small random checkpoints: the same bytes from the same seed, and pictures in, pictures out."""

from pathlib import Path

import pytest
import torch

from vdepth_core.errors import UsageError
from vdepth_core.models.tiny.transformers import FAMILIES, make_tiny
from vdepth_core.models.transformers.folder import load_folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_seed_is_a_checkpoint_and_the_global_random_state_is_left_alone(tmp_path):
    torch.manual_seed(7)
    before = torch.get_rng_state()
    make_tiny("depth-anything", tmp_path / "a")
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(8)
    make_tiny("depth-anything", tmp_path / "b", 0)
    make_tiny("depth-anything", tmp_path / "c", 1)
    same, other = content(tmp_path / "b"), content(tmp_path / "c")
    assert set(same) == {"config.json", "model.safetensors", "preprocessor_config.json"}
    assert content(tmp_path / "a") == same
    assert other["config.json"] == same["config.json"]
    assert other["model.safetensors"] != same["model.safetensors"]


@pytest.mark.parametrize("family", FAMILIES)
def test_depth_varies_within_and_between_pictures(family, tmp_path):
    make_tiny(family, tmp_path)
    assert (tmp_path / "model.safetensors").stat().st_size < 4e6
    model = load_folder(tmp_path)
    height, width = model.spec.fixed_size or (model.spec.multiple * 4,) * 2
    source = torch.Generator().manual_seed(0)
    frames = torch.nn.functional.interpolate(torch.rand(2, 3, 6, 6, generator=source), (height, width))
    depth = model.predict(frames)
    assert bool(torch.isfinite(depth).all())
    assert float(depth.amin((1, 2)).max()) < float(depth.amax((1, 2)).min())
    for picture in depth:
        assert float(picture.std()) > 0.01 * float(picture.mean()) > 0
    assert float((depth[0] - depth[1]).abs().mean()) > 0.003 * float(depth.mean())


def test_unknown_families(tmp_path):
    with pytest.raises(UsageError, match="zoedepth-nk"):
        make_tiny("nonsense", tmp_path / "x")
    assert not (tmp_path / "x").exists()
