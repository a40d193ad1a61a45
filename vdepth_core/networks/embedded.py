"""The embedded network: a small plain-convolution U-Net for relative inverse depth, trained right here.

Plain 3x3 convolutions, because depthwise ones are slow on CPUs for the little they compute. The encoder
goes down to 1/32, where attention over all positions (with the position given as two extra channels)
provides the global context that monocular depth lives on; a light decoder comes back to 1/2, the rest is
bilinear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

RGB_MEAN = (0.485, 0.456, 0.406)  # ImageNet statistics, the customary centring
RGB_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class EmbeddedConfig:
    """Widths and depths; the defaults are the shipped network.

    Attributes:
        channels: Encoder channels at 1/2, 1/4, 1/8, 1/16, 1/32.
        blocks: Residual blocks at 1/4, 1/8, 1/16, 1/32.
        decoder: Decoder channels at 1/16, 1/8, 1/4, 1/2.
        heads: Attention heads at 1/32.
        norm: Batch normalisation behind each convolution; False once it is folded in (`fold_norms`).
    """

    channels: tuple[int, int, int, int, int] = (16, 32, 64, 128, 192)
    blocks: tuple[int, int, int, int] = (1, 2, 2, 1)
    decoder: tuple[int, int, int, int] = (96, 64, 32, 16)
    heads: int = 4
    norm: bool = False


class ConvUnit(nn.Module):
    """Convolution, normalisation (in training), ReLU."""

    def __init__(
        self, low: int, high: int, size: int = 3, stride: int = 1, norm: bool = False, act: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(low, high, size, stride, size // 2, bias=not norm)
        self.norm = nn.BatchNorm2d(high) if norm else nn.Identity()
        self.act = act

    def forward(self, x: Tensor) -> Tensor:  # (N, low, H, W) -> (N, high, H / stride, W / stride)
        x = self.norm(self.conv(x))
        return functional.relu(x) if self.act else x


class ResidualBlock(nn.Module):
    """Two convolutions around a skip."""

    def __init__(self, channels: int, norm: bool) -> None:
        super().__init__()
        self.first = ConvUnit(channels, channels, norm=norm)
        self.second = ConvUnit(channels, channels, norm=norm, act=False)

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> same
        return functional.relu(x + self.second(self.first(x)))


class GlobalContext(nn.Module):
    """Attention over all positions of a coarse map, then a perceptron (pre-norm transformer block)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.place = nn.Linear(2, channels)
        self.norm1 = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:  # (N, C, H, W) -> same
        n, c, h, w = x.shape
        rows = torch.linspace(-1, 1, h, device=x.device, dtype=x.dtype)
        columns = torch.linspace(-1, 1, w, device=x.device, dtype=x.dtype)
        grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), -1).reshape(1, h * w, 2)
        tokens = x.flatten(2).transpose(1, 2) + self.place(grid)
        q, k, v = (
            self.qkv(self.norm1(tokens))
            .reshape(n, h * w, 3, self.heads, c // self.heads)
            .permute(2, 0, 3, 1, 4)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, h * w, c)
        tokens = tokens + self.out(mixed)
        tokens = tokens + self.mlp(self.norm2(tokens))
        return tokens.transpose(1, 2).reshape(n, c, h, w)


class UpBlock(nn.Module):
    """Doubles a coarse map, joins it with the encoder's map of that size, refines."""

    def __init__(self, coarse: int, skip: int, out: int, norm: bool) -> None:
        super().__init__()
        self.coarse = ConvUnit(coarse, out, 1, norm=norm, act=False)
        self.skip = ConvUnit(skip, out, 1, norm=norm, act=False)
        self.refine = ConvUnit(out, out, norm=norm)

    def forward(
        self, coarse: Tensor, skip: Tensor
    ) -> Tensor:  # (N, coarse, H / 2, W / 2), (N, skip, H, W) -> (N, out, H, W)
        wide = functional.interpolate(
            self.coarse(coarse), size=skip.shape[-2:], mode="bilinear", align_corners=False
        )
        return self.refine(functional.relu(wide + self.skip(skip)))


class EmbeddedNet(nn.Module):
    """RGB in [0, 1], sides multiples of 32 -> relative inverse depth >= 0, up to scale and shift."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: EmbeddedConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or EmbeddedConfig()
        c, d, norm = config.channels, config.decoder, config.norm
        self.stem = ConvUnit(3, c[0], 3, 2, norm)
        self.stages = nn.ModuleList(
            nn.Sequential(ConvUnit(low, high, 3, 2, norm), *(ResidualBlock(high, norm) for _ in range(count)))
            for low, high, count in zip(c[:4], c[1:], config.blocks, strict=True)
        )
        self.context = GlobalContext(c[4], config.heads)
        self.ups = nn.ModuleList(
            UpBlock(coarse, skip, out, norm)
            for coarse, skip, out in zip((c[4], *d[:3]), (c[3], c[2], c[1], c[0]), d, strict=True)
        )
        self.head = nn.Conv2d(d[3], 1, 3, padding=1)
        self.register_buffer("mean", torch.tensor(RGB_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(RGB_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, rgb: Tensor) -> Tensor:  # (N, 3, H, W) in [0, 1] -> (N, H, W) >= 0
        x = self.stem((rgb - self.mean) / self.std)
        skips = [x]
        for stage in self.stages:
            x = stage(x)
            skips.append(x)
        x = self.context(skips.pop())
        for up in self.ups:
            x = up(x, skips.pop())
        with torch.autocast(
            x.device.type, enabled=False
        ):  # eight bits of mantissa would make steps in smooth depth
            half = functional.softplus(self.head(x.float()))
        return functional.interpolate(half, scale_factor=2, mode="bilinear", align_corners=False)[:, 0]


def fold_norms(network: EmbeddedNet) -> EmbeddedNet:
    """A copy for inference, with every batch normalisation folded into its convolution."""
    from dataclasses import replace

    from torch.nn.utils.fusion import fuse_conv_bn_eval

    folded = EmbeddedNet(replace(network.config, norm=False))
    state = {k: v for k, v in network.state_dict().items() if ".norm." not in k}
    for name, unit in network.named_modules():
        if isinstance(unit, ConvUnit) and isinstance(unit.norm, nn.BatchNorm2d):
            fused = fuse_conv_bn_eval(unit.conv.eval(), unit.norm.eval())
            state[f"{name}.conv.weight"], state[f"{name}.conv.bias"] = fused.weight, fused.bias
    folded.load_state_dict(state, strict=True)
    return folded.eval()


def unfold_norms(folded: EmbeddedNet, pictures: Sequence[Tensor]) -> EmbeddedNet:
    """The reverse of `fold_norms`: a network for training that starts where a released one stands.

    Each normalisation gets the statistics its convolution has on ``pictures``, and the scale and shift that
    undo it, so that the network computes on such pictures what it did.

    Args:
        folded: Without normalisations.
        pictures: Batches (N, 3, H, W) in [0, 1] of what it will be trained on, of any sizes.
    """
    from dataclasses import replace

    network = EmbeddedNet(replace(folded.config, norm=True))
    state = folded.state_dict()
    plain = {k: v for k, v in state.items() if not k.endswith(".conv.bias")}
    network.load_state_dict(plain, strict=False)
    units = {name: unit for name, unit in network.named_modules() if isinstance(unit, ConvUnit)}
    sums = {
        name: [torch.zeros(3, unit.conv.out_channels, dtype=torch.float64)] for name, unit in units.items()
    }
    hooks = [
        unit.conv.register_forward_hook(
            lambda _m, _i, out, total=sums[name]: total.append(_moments(out)), always_call=False
        )
        for name, unit in folded.named_modules()
        if isinstance(unit, ConvUnit)
    ]
    with torch.no_grad():
        for batch in pictures:
            folded.eval()(batch)
        for hook in hooks:
            hook.remove()
        for name, unit in units.items():
            norm, bias = unit.norm, state[f"{name}.conv.bias"]
            count, first, second = torch.stack(sums[name]).sum(0)
            mean, variance = first / count, second / count - (first / count) ** 2
            assert isinstance(norm, nn.BatchNorm2d)
            norm.running_mean.copy_(mean - bias)  # type: ignore[union-attr]
            norm.running_var.copy_(variance)  # type: ignore[union-attr]
            norm.weight.copy_((variance + norm.eps).sqrt())
            norm.bias.copy_(mean)
    return network


def _moments(maps: Tensor) -> Tensor:
    """(N, C, H, W) -> (3, C): how many values, their sum, the sum of their squares."""
    flat = maps.transpose(0, 1).flatten(1).double()
    return torch.stack((torch.full_like(flat[:, 0], flat.shape[1]), flat.sum(1), (flat**2).sum(1)))
