"""PackNet-SfM's pose network: SfMLearner's with group normalisation. 30 entries, 1,592,684 parameters."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

PLANES = (16, 32, 64, 128, 256, 256, 256)
KERNELS = (7, 5, 3, 3, 3, 3, 3)
GROUPS = 16
SCALE = 0.01  # of what the last layer says


class PackPoseNet(nn.Module):
    """The target and its context pictures -> a pose each."""

    def __init__(self, contexts: int = 2) -> None:
        """Makes the network for ``contexts`` pictures beside the target."""
        super().__init__()
        self.contexts = contexts
        lows = (3 * (1 + contexts), *PLANES[:-1])
        for i, (low, high, kernel) in enumerate(zip(lows, PLANES, KERNELS, strict=True), 1):
            conv = nn.Conv2d(low, high, kernel, 2, kernel // 2)
            setattr(self, f"conv{i}", nn.Sequential(conv, nn.GroupNorm(GROUPS, high), nn.ReLU(inplace=True)))
        self.pose_pred = nn.Conv2d(PLANES[-1], 6 * contexts, 1)

    def forward(self, target: Tensor, contexts: Sequence[Tensor]) -> Tensor:
        """Pictures (N, 3, H, W) in [0, 1] -> (N, contexts, 6), [translation, Euler angles]."""
        x = torch.cat((target, *contexts), 1)
        for i in range(1, len(PLANES) + 1):
            x = self.get_submodule(f"conv{i}")(x)
        poses: Tensor = SCALE * self.pose_pred(x).mean((2, 3)).view(len(x), self.contexts, 6)
        return poses
