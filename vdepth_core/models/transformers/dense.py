"""Depth Anything (Yang 2024), DPT / MiDaS 3 (Ranftl 2021), GLPN (Kim 2022) and TIPSv2's depth head (2026) as
published for transformers.

All four are a backbone with a dense head: scale the colours, run, read the map. The size of the input is the
job's business, and its rule (`network_size`) differs on purpose from transformers' image processors for
pictures smaller than the network was made for. Those take the scale nearer to 1 for both sides, so a small
picture is enlarged until its *longer* side fits (90×120 → 392×518); ours always makes the *shorter* side fit
(→ 518×686), as MiDaS and Depth Anything V2 themselves do, lest depth get coarser because a clip is small.

Two kinds of DPT take one size only: the plain and hybrid ViT (transformers reshapes their tokens to a square)
and SwinV2 (published for squares). They say so in ``spec.fixed_size``; frames of another size are resized
inside, without keeping the aspect, as their image processor does. MiDaS 3.1's BEiT networks take any size and
keep the aspect here, as they do in MiDaS.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

from ...errors import WeightsError
from ...types import ModelSpec
from ..network_model import NetworkModel
from .preprocessor_config import Processing, normaliser

if TYPE_CHECKING:
    from torch import Tensor, nn

_log = logging.getLogger(__name__)

MIN_DEPTH = 1e-3  # metres; the least depth ZoeDepth and the metric Depth Anything were trained with
DEPTH_ANYTHING = Processing(
    size=(518, 518),
    ensure_multiple_of=14,
    image_mean=(0.485, 0.456, 0.406),
    image_std=(0.229, 0.224, 0.225),
)
DPT = Processing(size=(384, 384), image_mean=(0.5,) * 3, image_std=(0.5,) * 3)
GLPN = Processing(size=(480, 480), size_divisor=32, do_normalize=False)  # it has no size: NYU's height
TIPS = Processing(size=(448, 448), ensure_multiple_of=14, do_normalize=False)
_LAST_LAYERS = {
    "depth_anything": ("head.conv3",),
    "dpt": ("head.head.4",),
    "glpn": ("head.head.2",),
    "tipsv2_dpt": ("decoder.head", "bin_regressor"),
}


def describe_depth_anything(config: Any, processing: Processing) -> dict[str, Any]:
    """The `ModelSpec` fields that a Depth Anything's configuration fixes.

    Args:
        config: Of the network, as transformers made it.
        processing: Of its pictures.
    """
    metric = config.depth_estimation_type == "metric"
    return {
        "quantity": "depth" if metric else "disparity",
        "space": "metric" if metric else "affine_invariant",
        "multiple": math.lcm(_side(config.patch_size), processing.ensure_multiple_of or 1),
        "native_size": min(processing.size or (518,)),
    }


def describe_dpt(config: Any, processing: Processing) -> dict[str, Any]:
    """The `ModelSpec` fields that a DPT's configuration fixes.

    Nothing in it tells a DPT fine-tuned to metric depth from the others: disparity is what most predict.

    Args:
        config: Of the network, as transformers made it.
        processing: Of its pictures.

    Raises:
        WeightsError: its backbone is none of those published.
    """
    facts: dict[str, Any] = {"quantity": "disparity", "space": "affine_invariant"}
    backbone = config.backbone_config
    size = processing.size or (_side(config.image_size),) * 2
    if config.is_hybrid or backbone is None:
        # The hybrid's position table has one size; the plain ViT's is resampled, but to squares only.
        side = _side(config.image_size) if config.is_hybrid or size[0] != size[1] else size[0]
    elif backbone.model_type == "swinv2":
        side = _side(backbone.image_size)
    elif hasattr(backbone, "patch_size"):
        # An even number of tokens, so that halving the grid and doubling it again gives the same one.
        multiple = math.lcm(2 * _side(backbone.patch_size), processing.ensure_multiple_of or 1)
        return facts | {"multiple": multiple, "native_size": min(size)}
    else:
        raise WeightsError(
            f"A DPT with a {backbone.model_type} backbone is not known here.",
            "Known are ViT, hybrid, BEiT, SwinV2 and DINOv2.",
        )
    return facts | {"multiple": math.gcd(side, 32), "native_size": side, "fixed_size": (side, side)}


def describe_glpn(config: Any, processing: Processing) -> dict[str, Any]:
    """The `ModelSpec` fields that a GLPN's configuration fixes.

    Args:
        config: Of the network, as transformers made it.
        processing: Of its pictures.
    """
    return {
        "quantity": "depth",
        "space": "metric",
        "multiple": processing.size_divisor or 32,
        "native_size": min(processing.size or (480,)),
    }


def describe_tips(config: Any, processing: Processing) -> dict[str, Any]:
    """The `ModelSpec` fields that a TIPSv2's configuration fixes.

    Args:
        config: Of the network, as transformers made it.
        processing: Of its pictures.
    """
    return {
        "quantity": "depth",
        "space": "metric",
        "multiple": math.lcm(_side(config.backbone_config.patch_size), processing.ensure_multiple_of or 1),
        "native_size": min(processing.size or (448,)),
    }


class DenseDepth(NetworkModel):
    """A transformers network whose ``predicted_depth`` is the answer at the size of its input."""

    def __init__(
        self, network: nn.Module, spec: ModelSpec, device: str, dtype: str, processing: Processing
    ) -> None:
        """See `NetworkModel`; ``processing`` is the input scaling.

        Raises:
            UsageError: ``dtype`` does not exist.
        """
        from ..wrappers import keep_full_precision

        config: Any = network.config
        backbone = getattr(config, "backbone_config", None)
        swin = backbone is not None and backbone.model_type == "swinv2"
        if swin and dtype == "fp16" and not device.startswith("cpu"):
            _log.info("%s overflows fp16, as MiDaS warns of its Swin networks; it runs in bf16", spec.name)
            dtype = "bf16"
        for name in _LAST_LAYERS[config.model_type]:
            keep_full_precision(network, name)
        self._enlarging = "bilinear" if config.model_type == "tipsv2_dpt" else "bicubic"  # as published
        super().__init__(network, spec, device, dtype, normaliser(processing, device))

    def _forward(self, frames: Tensor) -> Tensor:
        import torch.nn.functional as F

        size, fixed = tuple(frames.shape[2:]), self.spec.fixed_size
        if fixed is not None and fixed != size:
            frames = F.interpolate(frames, fixed, mode="bicubic", antialias=True).clamp(0, 1)
        depth: Tensor = super()._forward(frames).predicted_depth.float()
        if depth.shape[1:] != size:
            depth = F.interpolate(depth[:, None], size, mode=self._enlarging)[:, 0]
        metric = self.spec.quantity == "depth" and self.spec.space == "metric"
        return depth.clamp(min=MIN_DEPTH if metric else 0.0)  # bicubic overshoots; the networks end in a ReLU


def _side(size: Any) -> int:
    return int(size if isinstance(size, int) else size[0])
