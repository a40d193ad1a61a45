"""Small random checkpoints of Video Depth Anything and of Depth Anything V2, laid out as published."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...choices import one_of
from ...errors import UsageError

if TYPE_CHECKING:
    from torch import nn

_FILES = {
    "video-depth-anything": "video_depth_anything_tiny.pth",
    "video-depth-anything-metric": "metric_video_depth_anything_tiny.pth",
    "depth-anything-v2-pth": "depth_anything_v2_tiny.pth",
    "depth-anything-v2-metric-pth": "depth_anything_v2_metric_hypersim_tiny.pth",
}
_SMALL: dict[str, Any] = {"dim": 64, "layers": 4, "features": 32, "planes": (32, 32, 32, 64), "grid": 5}
_CALM, _OPEN = 0.2, 1.5  # weights and bias of the last convolution: its ReLU lets most pixels through

FAMILIES: tuple[str, ...] = tuple(_FILES)
"""What `make_tiny` can make."""


def make_tiny(family: str, folder: Path, seed: int = 0) -> None:
    """Writes a small random checkpoint of a family into ``folder``; the same seed gives the same bytes.

    Args:
        family: One of `FAMILIES`.
        folder: Made if needed.
        seed: Of the weights.

    Raises:
        UsageError: there is no such family.
    """
    if family not in FAMILIES:
        raise UsageError(f"There is no tiny {family}.", one_of(family, FAMILIES))
    import torch

    from ...networks.depth_anything_v2 import TAKEN, DepthAnythingV2, Variant
    from ...networks.video_depth_anything import VideoDepthAnything

    variant = Variant(**_SMALL, taken=TAKEN[4])
    with torch.random.fork_rng(devices=[]):
        network = VideoDepthAnything(variant) if "video" in family else DepthAnythingV2(variant)
    _draw(network, seed)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), folder / _FILES[family])


def _draw(network: nn.Module, seed: int) -> None:
    """Weights that let values pass; no branch is off, as temporal ones are where training begins."""
    import torch

    source = torch.Generator().manual_seed(seed)

    def normal(like: torch.Tensor, deviation: float) -> torch.Tensor:
        return torch.randn(like.shape, generator=source) * deviation

    with torch.no_grad():
        for name, value in network.named_parameters():
            if name.endswith("gamma"):
                value.fill_(0.5)
            elif name.endswith(("pos_embed", "_token")):
                value.copy_(normal(value, 0.5))
            elif value.ndim > 1:
                value.copy_(normal(value, 1 / math.sqrt(value[0].numel())))
            elif "norm" in name and name.endswith("weight"):
                value.fill_(1.0)
            else:
                value.copy_(normal(value, 0.05))
        last = next(module for name, module in network.named_modules() if name.endswith("output_conv2.2"))
        last.get_parameter("weight").mul_(_CALM)
        last.get_parameter("bias").fill_(_OPEN)
