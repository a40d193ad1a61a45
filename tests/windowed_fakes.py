"""A made-up network that sees windows of frames, and remembers what it saw."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from vdepth_core.methods.windowed.plan import WINDOW
from vdepth_core.types import ModelSpec


class FakeWindows:
    """Answers a known affine of a known truth, another one for every window; remembers what it saw.

    Attributes:
        seen: Mean green of the frames of every window it decoded, which tells frames apart.
        encoded: Frames of every pass of the first half.
    """

    def __init__(self, space: str = "affine_invariant") -> None:
        quantity = "depth" if space == "metric" else "disparity"
        self.spec = ModelSpec(
            "fake-windows",
            quantity,
            space,
            "CC0",
            True,
            window=WINDOW,
            multiple=8,
            native_size=24,  # type: ignore[arg-type]
        )
        self.device = "cpu"
        self.seen: list[list[float]] = []
        self.encoded: list[int] = []

    def predict(self, frames: Tensor) -> Tensor:
        return torch.cat([self.decode([frame[None]]) for frame in frames])

    def encode(self, frames: Tensor) -> tuple[Tensor, ...]:
        self.encoded.append(len(frames))
        return (avg_pool2d(frames, 4),)

    def decode(self, features: Sequence[Tensor]) -> Tensor:
        (pooled,) = features
        assert len(pooled) <= WINDOW
        self.seen.append([float(frame[1].mean()) for frame in pooled])
        truth = interpolate(pooled[:, :1], scale_factor=4, mode="bilinear")[:, 0]
        mood = (pooled.double().mean() * 977).frac()
        return (truth * (0.6 + mood) + 0.5 * (1 - mood) + 0.1).float()
