"""Weights adapted along a known camera path know what their disparity means: depth in the path's unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from ..types import ModelSpec

if TYPE_CHECKING:
    from torch import nn

READING = "reading"  # what the weights say: scale, shift and least inverse depth


def reading_fact(scale: float, shift: float, least: float) -> dict[str, str]:
    """What weights are to say of themselves: depth = 1 / max(scale · disparity + shift, least).

    Args:
        scale, shift, least: In the reciprocal unit of depth; above 0, any, above 0.
    """
    return {READING: f"{scale!r} {shift!r} {least!r}"}


def as_metric(
    network: nn.Module, spec: ModelSpec, metadata: Mapping[str, str]
) -> tuple[nn.Module, ModelSpec]:
    """The network that answers depth where its weights say how; else the same.

    Args:
        network: Answers disparity.
        spec: What it is.
        metadata: What the weights say of themselves.
    """
    try:
        scale, shift, least = map(float, metadata[READING].split())
    except (KeyError, ValueError):
        return network, spec
    from torch import Tensor, nn

    class Metric(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.disparity = network

        def forward(self, frames: Tensor) -> Tensor:  # (N, 3, H, W) -> (N, H, W) depth
            disparity: Tensor = self.disparity(frames)
            return 1 / (scale * disparity.float() + shift).clamp(min=least)

    return Metric().eval(), replace(spec, quantity="depth", space="metric")
