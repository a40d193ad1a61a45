"""The embedded network: TCMonoDepth's small trunk, and a view of the whole picture, which the trunk lacks.

The trunk ends at 1/16 with few channels, all its convolutions are small, and it has no attention: what it
says of a wall depends on the wall's texture. The deep branch goes on to 1/32 with plain convolutions (cheap
there, and faster on CPUs than depthwise ones for what they compute), mixes all positions by attention (with
the position given as two extra channels) and adds what it found to the trunk's last map. Its last layer
starts at zero, so that a network whose trunk is loaded from published weights starts where those stand.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from .global_context import GlobalContext
from .tcmonodepth_small import CHANNELS, Decoder, ShuffleEncoder

TRUNK = ("encoder.first_conv.", "encoder.features.", "decoder.")
"""Prefixes of the keys that this network and `TCSmallNet` share."""


class ConvUnit(nn.Sequential):
    """Convolution, normalisation, ReLU."""

    def __init__(self, low: int, high: int, stride: int = 1, act: bool = True) -> None:
        layers: list[nn.Module] = [nn.Conv2d(low, high, 3, stride, 1, bias=False), nn.BatchNorm2d(high)]
        super().__init__(*layers, *([nn.ReLU(inplace=True)] if act else []))


class ResidualBlock(nn.Module):
    """Two convolutions around a skip."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvUnit(channels, channels)
        self.second = ConvUnit(channels, channels, act=False)

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> same
        return functional.relu(x + self.second(self.first(x)))


class DeepBranch(nn.Module):
    """From the trunk's map at 1/16 to 1/32, over the whole picture, and back."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.down = ConvUnit(CHANNELS[3], channels, 2)
        self.block = ResidualBlock(channels)
        self.context = GlobalContext(channels, heads)
        self.up = nn.Conv2d(channels, CHANNELS[3], 1)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:  # (N, 192, H, W) -> same
        found = self.up(self.context(self.block(self.down(x))))
        return x + functional.interpolate(found, size=x.shape[-2:], mode="bilinear", align_corners=False)


class EmbeddedNet(nn.Module):
    """RGB in [0, 1], sides multiples of 32 -> relative inverse depth >= 0, up to scale and shift.

    Args:
        channels: Channels of the deep branch.
        heads: Its attention heads.
    """

    def __init__(self, channels: int = 256, heads: int = 4) -> None:
        super().__init__()
        self.encoder = ShuffleEncoder()
        self.deep = DeepBranch(channels, heads)
        self.decoder = Decoder()

    def forward(self, rgb: Tensor) -> Tensor:  # (N, 3, H, W) in [0, 1] -> (N, H, W) >= 0
        half, quarter, eighth, sixteenth = self.encoder(rgb)
        disparity: Tensor = self.decoder(half, quarter, eighth, self.deep(sixteenth))[0]
        return disparity

    def load_trunk(self, state: Mapping[str, Tensor]) -> None:
        """Takes the trunk from a state dict of `TCSmallNet`.

        Args:
            state: Tensors by key; those outside the trunk are ignored.

        Raises:
            KeyError: it lacks an entry of the trunk.
        """
        own = {key for key in self.state_dict() if key.startswith(TRUNK)}
        self.load_state_dict({**self.state_dict(), **{key: state[key] for key in own}})
