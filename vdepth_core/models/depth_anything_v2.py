"""Depth Anything V2 as its authors publish it: a ``.pth``; the catalogue has transformers' folders."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..protocols import DepthModel
from ..types import ModelSpec
from ..weights.loading import Weights
from .network_model import Family, ResamplingModel, as_published
from .sizing import resample_keeping_overshoot

if TYPE_CHECKING:
    from torch import Tensor, nn

RGB_MEAN, RGB_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
_INDOOR, _OUTDOOR = 20.0, 80.0  # metres, the farthest that metric networks can say
_OUTDOOR_NAMES = ("vkitti", "outdoor")


def imagenet(frames: Tensor) -> Tensor:
    """Frames as the networks want them, in the published arithmetic: float64, then float32.

    Args:
        frames: (N, 3, H, W), about in [0, 1].
    """
    import torch

    kind = torch.float32 if frames.device.type == "mps" else torch.float64  # which has no other
    mean, std = (
        torch.tensor(value, dtype=kind, device=frames.device).view(1, 3, 1, 1)
        for value in (RGB_MEAN, RGB_STD)
    )
    memory = torch.channels_last
    return ((frames.to(kind) - mean) / std).to(torch.float32, memory_format=memory)


def says(weights: Weights, words: Collection[str]) -> bool:
    """Whether a file's name, or that of one in a folder, has one of some words: its tensors do not say.

    Args:
        weights: As read.
        words: In lower case.
    """
    path = weights.path.resolve()
    names = [path.name, *(part.name for part in path.iterdir())] if path.is_dir() else [path.name]
    return any(word in name.lower() for word in words for name in names)


class DepthAnythingV2Model(ResamplingModel):
    """The network with its preprocessing.

    Attributes:
        max_depth: What a metric network's answer ends at, metres.
    """

    max_depth = _INDOOR

    def _forward(self, frames: Tensor) -> Any:
        metric = self.max_depth if self.spec.space == "metric" else None
        return self.network(imagenet(frames), metric)


@dataclass(frozen=True)
class NamedFamily(Family):
    """Files whose names alone say whether they are metric."""

    def spec_of(self, weights: Weights, spec: ModelSpec | None = None) -> ModelSpec:
        """Metric where the name says so; see `Family.spec_of`. Tables of positions are no parameters."""
        meant = super().spec_of(weights, spec)
        if spec is None and says(weights, ("metric",)):
            meant = replace(meant, quantity="depth", space="metric")
        known = (value.numel() for key, value in weights.state.items() if not key.endswith(".pe"))
        return replace(meant, parameters=sum(known))


class _Family(NamedFamily):
    """Their names also say of which data metric ones are."""

    def load(
        self, weights: Weights, device: str = "cpu", dtype: str = "fp32", spec: ModelSpec | None = None
    ) -> DepthModel:
        network, meant = self.network(weights), self.spec_of(weights, spec)
        assert self.resampled is not None
        model = DepthAnythingV2Model(network, meant, device, dtype, None, self.resampled)
        if says(weights, _OUTDOOR_NAMES):
            model.max_depth = _OUTDOOR
        return model


def _build(state: Mapping[str, Tensor]) -> nn.Module:
    from ..networks.depth_anything_v2 import DepthAnythingV2

    return DepthAnythingV2.for_state(state)


def _matches(keys: Collection[str]) -> bool:
    return "pretrained.cls_token" in keys and any(key.startswith("depth_head.") for key in keys)


FAMILY = _Family(
    "depth-anything-v2-small",
    _build,
    as_published,
    _matches,
    resampled=resample_keeping_overshoot,
    trainable=False,  # metric ones answer depth
)
