"""ZoeDepth (Bhat 2023) as published for transformers: metric depth from BEiT and adaptive bins.

Its recipe is its own: the picture is padded by reflection (top and bottom int(√(h/2)·3), left and right
int(√(w/2)·3) pixels), resized bilinearly with aligned corners to about the published 384×512, keeping the
aspect, and the answer is resized back bicubically and cropped. That resize belongs to the network, so a
larger frame gives smoother outlines but no more detail.

The published recipe can also average with the answer to the mirrored picture; that doubles the time and is
left out.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ...types import ModelSpec
from ..network_model import NetworkModel
from .dense import MIN_DEPTH
from .preprocessor_config import Processing, normaliser

if TYPE_CHECKING:
    from torch import Tensor, nn

ZOEDEPTH = Processing(
    size=(384, 512), ensure_multiple_of=32, image_mean=(0.5,) * 3, image_std=(0.5,) * 3, do_pad=True
)


def describe(config: Any, processing: Processing) -> dict[str, Any]:
    """The `ModelSpec` fields that a ZoeDepth's configuration fixes.

    Args:
        config: Of the network, as transformers made it.
        processing: Of its pictures.
    """
    return {
        "quantity": "depth",
        "space": "metric",
        "multiple": processing.ensure_multiple_of or 32,
        "native_size": min(processing.size or (384,)),
    }


class ZoeDepth(NetworkModel):
    """ZoeDepth with one metric head, or with several and a vote which one a picture belongs to."""

    def __init__(
        self, network: nn.Module, spec: ModelSpec, device: str, dtype: str, processing: Processing
    ) -> None:
        """See `NetworkModel`; ``processing`` is padding, size and input scaling.

        Raises:
            UsageError: ``dtype`` does not exist.
        """
        from ..wrappers import OneByOne, keep_full_precision

        self._target = processing.size or (384, 512)
        self._multiple = processing.ensure_multiple_of or 32
        self._pads = processing.do_pad is not False
        config: Any = network.config
        if len(config.bin_configurations) > 1:
            network.metric_head = OneByOne(network.get_submodule("metric_head"))
        keep_full_precision(network, "metric_head")
        super().__init__(network, spec, device, dtype, normaliser(processing, device))

    def _forward(self, frames: Tensor) -> Tensor:
        import torch.nn.functional as F

        height, width = frames.shape[2:]
        down, across = (_padding(height), _padding(width)) if self._pads else (0, 0)
        frames = F.pad(frames, (across, across, down, down), mode="reflect")
        padded = frames.shape[2:]
        inner = _keep_aspect(padded[0], padded[1], self._target, self._multiple)
        frames = F.interpolate(frames, inner, mode="bilinear", align_corners=True)
        depth = super()._forward(frames).predicted_depth.float()
        depth = F.interpolate(depth[:, None], padded, mode="bicubic")[:, 0]
        return depth[:, down : down + height, across : across + width].clamp(min=MIN_DEPTH)


def _padding(side: int) -> int:
    return int(math.sqrt(side / 2) * 3)


def _keep_aspect(height: int, width: int, target: tuple[int, int], multiple: int) -> tuple[int, int]:
    """Both sides scaled alike, by the one nearer to 1 of the scales that make a side fit ``target``."""
    scale = min((target[0] / height, target[1] / width), key=lambda scale: abs(1 - scale))
    rows, columns = (max(1, round(scale * side / multiple)) * multiple for side in (height, width))
    return rows, columns
