"""TCMonoDepth's small trunk and decoder, which keep edges, told what an ImageNet encoder sees.

EfficientNet-Lite looks at the picture at half its size, or at full size; its maps, mixed over the whole
picture and brought to the trunk's sizes, are added to the trunk's through 1x1 layers that start at zero. So
a network filled with published weights starts where those stand.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from .efficientnet_lite import LiteEncoder
from .global_context import GlobalContext
from .lite_depth import HEADS, ConvNorm, Fusion, grown
from .tcmonodepth_small import CHANNELS, Decoder, ShuffleEncoder

WIDTHS = (160, 128, 96, 64)  # channels of what the encoder sees, from its 1/32 to its 1/4


class HybridDepthNet(nn.Module):
    """RGB in [0, 1], sides multiples of 32 -> relative inverse depth >= 0, up to scale and shift.

    Args:
        variant: Of the encoder.
        full: Whether the encoder sees the picture at full size.
    """

    def __init__(self, variant: str = "lite0", full: bool = False) -> None:
        super().__init__()
        self.full = full
        self.trunk, self.decoder, self.encoder = ShuffleEncoder(), Decoder(), LiteEncoder(variant)
        _, c4, c8, c16, c32 = self.encoder.channels
        self.deep = ConvNorm(c32, WIDTHS[0])
        self.context = GlobalContext(WIDTHS[0], HEADS)
        self.fusions = nn.ModuleList(
            Fusion(skip, coarse, out)
            for skip, coarse, out in zip((c16, c8, c4), WIDTHS[:-1], WIDTHS[1:], strict=True)
        )
        # added to the trunk's maps at 1/16, 1/8 and, where the encoder's finest is that fine, 1/4
        count = 3 if full else 2
        self.added = nn.ModuleList(
            _zero(low, high) for low, high in zip(WIDTHS[-count:], CHANNELS[:0:-1], strict=False)
        )

    def forward(self, rgb: Tensor) -> Tensor:  # (N, 3, H, W) in [0, 1] -> (N, H, W) >= 0
        disparity: Tensor = self.decoder(*self.maps(rgb)[:-1])[0]
        return disparity

    def maps(self, rgb: Tensor) -> list[Tensor]:
        """The trunk's maps at 1/2, 1/4, 1/8 and 1/16 with what the encoder sees, and its view of the whole.

        Args:
            rgb: (N, 3, H, W) in [0, 1].
        """
        half, *maps = self.trunk(rgb)
        seen = rgb if self.full else functional.avg_pool2d(rgb, 2)
        _, *finer, x = self.encoder(seen)
        whole, found = self.context(self.deep(x)), []
        x = whole
        for fusion, skip in zip(self.fusions, reversed(finer), strict=True):
            x = fusion(skip, x)
            found.append(x)
        for place, layer in enumerate(self.added, 1):
            more = layer(found[place - 1 - len(self.added)])
            maps[-place] = maps[-place] + grown(more, maps[-place])
        return [half, *maps, whole]

    def load_trunk(self, state: Mapping[str, Tensor]) -> None:
        """Takes trunk and decoder from a state dict of `TCSmallNet`.

        Args:
            state: Tensors by key; those outside the trunk are ignored.

        Raises:
            KeyError: it lacks an entry of the trunk.
        """
        self.trunk.load_state_dict({key: state[f"encoder.{key}"] for key in self.trunk.state_dict()})
        self.decoder.load_state_dict({key: state[f"decoder.{key}"] for key in self.decoder.state_dict()})


def _zero(low: int, high: int) -> nn.Conv2d:
    layer = nn.Conv2d(low, high, 1)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer
