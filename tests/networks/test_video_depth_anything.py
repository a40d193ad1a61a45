"""Video Depth Anything and Depth Anything V2: published sizes, and the slow reference's answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from networks.vda_reference import depth, together
from torch import nn
from transformers import Dinov2Config, Dinov2Model

from vdepth_core.networks.depth_anything_v2 import TAKEN, DepthAnythingV2, Variant
from vdepth_core.networks.dinov2 import DinoV2
from vdepth_core.networks.temporal_attention import positions
from vdepth_core.networks.video_depth_anything import TemporalModule, VideoDepthAnything
from vdepth_core.weights.parts import read_network

Tiny = Callable[[str], Path]
PUBLISHED = {  # layers, dim, features, planes, heads, parameters, tensors
    "vits": (12, 384, 64, (48, 96, 192, 384), 29_035_137, 351),
    "vitb": (12, 768, 128, (96, 192, 384, 768), 114_441_409, 351),
    "vitl": (24, 1024, 256, (256, 512, 1024, 1024), 384_390_337, 519),
}


def exact(folder: Path) -> dict[str, torch.Tensor]:
    """A state in double precision: what is left of a difference is none of rounding."""
    return {key: value.double() for key, value in read_network(folder).state.items()}


def close(one: torch.Tensor, other: torch.Tensor, share: float = 1e-6) -> None:
    assert one.shape == other.shape
    assert float((one - other).abs().max()) <= share * float(other.max() - other.min())


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_variants_have_the_published_tensors_and_are_known_by_them(name: str) -> None:
    layers, dim, features, planes, parameters, tensors = PUBLISHED[name]
    with torch.device("meta"):
        network = VideoDepthAnything(Variant(dim, layers, features, planes, TAKEN[layers]))
        state = network.state_dict()
        again = VideoDepthAnything.for_state(state)
    assert sum(value.numel() for value in network.parameters()) == parameters
    assert len(state) == tensors
    assert {key: value.shape for key, value in again.state_dict().items()} == {
        key: value.shape for key, value in state.items()
    }
    assert again.pretrained.taken == ((4, 11, 17, 23) if layers == 24 else (2, 5, 8, 11))
    for key, shape in {
        "pretrained.pos_embed": (1, 1370, dim),
        "pretrained.mask_token": (1, dim),
        "pretrained.blocks.0.attn.qkv.weight": (3 * dim, dim),
        "pretrained.blocks.0.ls2.gamma": (dim,),
        "head.projects.3.bias": (planes[3],),
        "head.resize_layers.0.weight": (planes[0], planes[0], 4, 4),
        "head.resize_layers.3.weight": (planes[3], planes[3], 3, 3),
        "head.scratch.refinenet4.resConfUnit1.conv2.bias": (features,),
        "head.scratch.output_conv2.2.weight": (1, 32, 1, 1),
        "head.motion_modules.1.temporal_transformer.transformer_blocks.0.attention_blocks.1.to_out.0.bias": (
            planes[3],
        ),
        "head.motion_modules.3.temporal_transformer.transformer_blocks.0.ff.net.0.proj.weight": (
            8 * features,
            features,
        ),
    }.items():
        assert tuple(state[key].shape) == shape, key
    assert not {key for key in state if "attention_blocks.0.to_q.bias" in key or "layer1_rn.bias" in key}


@pytest.mark.parametrize(("frames", "size"), [(1, (70, 70)), (3, (42, 70)), (8, (28, 42))])
def test_a_window_is_as_the_slow_reference_says(tiny: Tiny, frames: int, size: tuple[int, int]) -> None:
    state = exact(tiny("video-depth-anything"))
    network = VideoDepthAnything.for_state(state).eval().double()
    network.load_state_dict(state)
    batch = torch.randn((frames, 3, *size), generator=torch.Generator().manual_seed(1)).double()
    with torch.inference_mode():
        said = network(batch)
        close(said, depth(state, batch, (0, 1, 2, 3)).relu())
        halves = [network.encode(part) for part in batch.split(2)]
        together = network.decode([torch.cat(level) for level in zip(*halves, strict=True)])
        close(together, said)
    assert float((said > 0).float().mean()) > 0.5


def test_depth_anything_v2_is_as_the_slow_reference_says(tiny: Tiny) -> None:
    state = exact(tiny("depth-anything-v2-pth"))
    network = DepthAnythingV2.for_state(state).eval().double()
    network.load_state_dict(state)
    batch = torch.randn((2, 3, 42, 70), generator=torch.Generator().manual_seed(1)).double()
    with torch.inference_mode():
        expected = depth(state, batch, (0, 1, 2, 3), "depth_head.")
        close(network(batch), expected.relu())
        close(network(batch, 20.0), 20 * expected.sigmoid())


def test_pixels_in_blocks_and_time_look_at_nothing_else() -> None:
    torch.manual_seed(0)
    module = TemporalModule(32).eval()
    maps = torch.randn(5, 32, 3, 4)
    with torch.inference_mode():
        whole = module(maps)
        module.work_bytes = 1  # a pixel at a time
        close(module(maps), whole, 1e-5)
        state = {f"motion_modules.0.{key}": value for key, value in module.state_dict().items()}
        close(together(state, 0, maps), whole, 1e-5)


def test_positions_are_the_published_table() -> None:
    table = positions(48)
    for time, column in ((0, 0), (31, 0), (7, 20), (7, 21), (31, 47)):
        angle = time * 10000 ** (-(column // 2 * 2) / 48)
        assert float(table[0, time, column]) == pytest.approx(
            math.cos(angle) if column % 2 else math.sin(angle), abs=1e-5
        )


def test_the_encoder_is_transformers_dinov2_at_its_own_size() -> None:
    """Elsewhere the two differ: positions are resampled by other factors."""
    config = Dinov2Config(
        hidden_size=64, num_hidden_layers=3, num_attention_heads=1, image_size=42, patch_size=14
    )
    torch.manual_seed(0)
    theirs = Dinov2Model(config).eval()
    ours = DinoV2(64, 3, (0, 1, 2), 3).eval()
    source = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in theirs.parameters():
            value.copy_(torch.randn(value.shape, generator=source) * 0.1)
    state = dict(theirs.state_dict())
    with torch.no_grad():
        for key, value in ours.named_parameters():
            value.copy_(_of_transformers(key, state))
        batch = torch.randn(2, 3, 42, 42)
        said = ours(batch)[2].flatten(2).transpose(1, 2)
        close(said, theirs(batch).last_hidden_state[:, 1:], 1e-5)


def _of_transformers(key: str, state: dict[str, torch.Tensor]) -> torch.Tensor:
    if ".attn.qkv." in key:
        base, kind = key.replace("blocks.", "encoder.layer.").split(".attn.qkv.")
        names = [f"{base}.attention.{part}_proj.{kind}" for part in "qkv"]
        return torch.cat([state[name] for name in names])
    for old, new in (
        ("cls_token", "embeddings.cls_token"),
        ("mask_token", "embeddings.mask_token"),
        ("pos_embed", "embeddings.position_embeddings"),
        ("patch_embed.proj", "embeddings.patch_embeddings.projection"),
        ("blocks.", "encoder.layer."),
        (".attn.proj", ".attention.o_proj"),
        ("ls1.gamma", "layer_scale1.lambda1"),
        ("ls2.gamma", "layer_scale2.lambda1"),
    ):
        key = key.replace(old, new)
    return state[key if key in state else key.replace("norm.", "layernorm.")]


def test_a_branch_that_is_off_would_be_seen(tiny: Tiny) -> None:
    state = read_network(tiny("video-depth-anything")).state
    network = VideoDepthAnything.for_state(state).eval()
    network.load_state_dict(state)
    batch = torch.randn((4, 3, 28, 42), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before = network(batch)
        for module in network.head.motion_modules:
            nn.init.zeros_(module.temporal_transformer.proj_out.weight)
            nn.init.zeros_(module.temporal_transformer.proj_out.bias)
        assert float((network(batch) - before).abs().max()) > 0.05 * float(before.max() - before.min())
