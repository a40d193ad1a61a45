"""SfMLearner's pose and explainability network PoseExpNet, in the layout of C. Pinard's PyTorch port.

With masks and two sources 34 entries and 3,340,388 parameters; checkpoints trained without masks lack
``upconv*`` and ``predict_mask*``, and so does the network then.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .dispnet import crop

PLANES = (16, 32, 64, 128, 256, 256, 256)
KERNELS = (7, 5, 3, 3, 3, 3, 3)
UP_PLANES = (16, 32, 64, 128, 256)  # finest first
MASKS = 4  # levels 1 to 4 have one
SCALE = 0.01  # of what the last layer says


class PoseExpNet(nn.Module):
    """The target and its source pictures -> a pose each and, if wanted, masks of what they explain."""

    def __init__(self, sources: int = 2, masks: bool = True) -> None:
        """Makes the network.

        Args:
            sources: Pictures beside the target.
            masks: Whether there are explainability masks.
        """
        super().__init__()
        self.sources, self.masks = sources, masks
        for i, kernel in enumerate(KERNELS, 1):
            low = (3 * (1 + sources), *PLANES)[i - 1]
            conv = nn.Conv2d(low, PLANES[i - 1], kernel, 2, kernel // 2)
            setattr(self, f"conv{i}", nn.Sequential(conv, nn.ReLU(inplace=True)))
        self.pose_pred = nn.Conv2d(PLANES[-1], 6 * sources, 1)
        if not masks:
            return
        for i, high in enumerate(UP_PLANES, 1):
            deeper = (*UP_PLANES[1:], PLANES[4])[i - 1]
            up = nn.ConvTranspose2d(deeper, high, 4, 2, 1)
            setattr(self, f"upconv{i}", nn.Sequential(up, nn.ReLU(inplace=True)))
            if i <= MASKS:
                setattr(self, f"predict_mask{i}", nn.Conv2d(high, sources, 3, padding=1))

    def forward(self, target: Tensor, sources: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Looks at the pictures.

        Args:
            target: (N, 3, H, W) in [-1, 1].
            sources: As many of the same shape as the network is for.

        Returns:
            (N, sources, 6), [translation, Euler angles] from target to source; and the masks
            (N, sources, H/2^s, W/2^s) in (0, 1), finest first, none without them.
        """
        features = [torch.cat((target, *sources), 1)]
        for i in range(1, len(KERNELS) + 1):
            features.append(self.get_submodule(f"conv{i}")(features[-1]))
        poses = SCALE * self.pose_pred(features[-1]).mean((2, 3)).view(len(target), self.sources, 6)
        masks: list[Tensor] = []
        if self.masks:
            x = features[len(UP_PLANES)]
            for i in range(len(UP_PLANES), 0, -1):
                x = crop(self.get_submodule(f"upconv{i}")(x), features[i - 1])
                if i <= MASKS:
                    masks.append(torch.sigmoid(self.get_submodule(f"predict_mask{i}")(x)))
        return poses, masks[::-1]
