"""Depth Anything V2 (Yang et al., 2024): DINOv2 and a DPT head, in the layout of its ``.pth`` files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, relu

from .dinov2 import GRID, HEAD, PATCH, DinoV2

TAKEN = {4: (0, 1, 2, 3), 12: (2, 5, 8, 11), 24: (4, 11, 17, 23)}  # by number of blocks; 4: for tests
GROUPS = 32  # of the temporal modules' normalisations
_LAST = 32  # planes before the last convolution
_AT_ONCE = 4  # frames whose large maps are in memory together
_MOST_LAYERS = 64


@dataclass(frozen=True)
class Variant:
    """The numbers of an architecture.

    Attributes:
        dim, layers, taken, grid: Of the encoder; see `DinoV2`.
        features: Planes of the head's paths.
        planes: Of the four maps it begins with.
    """

    dim: int
    layers: int
    features: int
    planes: tuple[int, ...]
    taken: tuple[int, ...]
    grid: int = GRID

    @classmethod
    def of(cls, state: Mapping[str, Tensor], head: str) -> Self:
        """What the tensors of a state say; one that is missing counts as the small variant's.

        Args:
            state: Under published keys.
            head: Prefix of the head's keys.
        """

        def size(key: str, axis: int, usual: int) -> int:
            value = state.get(key)
            return int(value.shape[axis]) if value is not None and value.ndim > axis else usual

        prefix = "pretrained.blocks."
        numbers = (key[len(prefix) :].split(".")[0] for key in state if key.startswith(prefix))
        layers = 1 + max((int(number) for number in numbers if number.isdecimal()), default=11)
        layers = min(layers, _MOST_LAYERS)
        usual = (48, 96, 192, 384)
        planes = tuple(max(1, size(f"{head}projects.{i}.weight", 0, usual[i])) for i in range(4))
        tokens = size("pretrained.pos_embed", 1, 1 + GRID * GRID)
        # What no network can be built of becomes what it can: the state is then refused by name and shape.
        return cls(
            _multiple(size("pretrained.cls_token", 2, 384), HEAD),
            layers,
            _multiple(size(f"{head}scratch.refinenet1.out_conv.weight", 0, 64), GROUPS),
            (planes[0], planes[1], *(_multiple(count, GROUPS) for count in planes[2:])),
            TAKEN.get(layers, tuple(layers * (i + 1) // 4 - 1 for i in range(4))),
            round(max(1, tokens - 1) ** 0.5),
        )


def _multiple(count: int, of: int) -> int:
    return max(of, count // of * of)


class DinoDpt(nn.Module):
    """What networks of this encoder and head have in common.

    Attributes:
        HEAD_KEYS: Prefix of the head's keys.
    """

    HEAD_KEYS: ClassVar[str]

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.pretrained = DinoV2(variant.dim, variant.layers, variant.taken, variant.grid)

    @classmethod
    def for_state(cls, state: Mapping[str, Tensor]) -> Self:
        """The network whose weights are ``state``.

        Args:
            state: Under published keys.
        """
        return cls(Variant.of(state, cls.HEAD_KEYS))


class DepthAnythingV2(DinoDpt):
    """The whole network, frame by frame."""

    HEAD_KEYS = "depth_head."

    def __init__(self, variant: Variant) -> None:
        super().__init__(variant)
        self.depth_head = DptHead(variant)

    def forward(self, frames: Tensor, max_depth: float | None = None) -> Tensor:
        """Normalised frames (N, 3, H, W) -> disparity (N, H, W).

        Args:
            frames: Sides are multiples of 14.
            max_depth: Of a metric network, in metres: its answer is depth up to it.
        """
        logits = self.depth_head(self.depth_head.project(self.pretrained(frames)))
        answer: Tensor = relu(logits) if max_depth is None else logits.sigmoid() * max_depth
        return answer


class DptHead(nn.Module):
    """Four maps of features to one map; `between` is where video networks look at the other frames."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        planes, features = variant.planes, variant.features
        self.projects = nn.ModuleList(nn.Conv2d(variant.dim, count, 1) for count in planes)
        self.resize_layers = nn.ModuleList(
            [
                nn.ConvTranspose2d(planes[0], planes[0], 4, 4),
                nn.ConvTranspose2d(planes[1], planes[1], 2, 2),
                nn.Identity(),
                nn.Conv2d(planes[3], planes[3], 3, 2, 1),
            ]
        )
        self.scratch = _Scratch(planes, features)

    def project(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The encoder's features as the maps the head begins with, (N, planes, H/14, W/14) each.

        Args:
            features: Four, (N, dim, H/14, W/14).
        """
        return tuple(project(part) for project, part in zip(self.projects, features, strict=True))

    def between(self, place: int, maps: Tensor) -> Tensor:
        """What is done at four places on the way; nothing.

        Args:
            place: 0 to 3.
            maps: (N, planes, h, w).
        """
        return maps

    def forward(
        self, projected: Sequence[Tensor], between: Callable[[int, Tensor], Tensor] | None = None
    ) -> Tensor:
        """What `project` gave -> (N, H, W) float32, before the last activation.

        Args:
            projected: Four maps.
            between: Instead of the head's own `between`.
        """
        between = between or self.between
        scratch, (first, second, third, fourth) = self.scratch, projected
        third = between(0, self.resize_layers[2](third))
        fourth = between(1, self.resize_layers[3](fourth))
        third, fourth = scratch.layer3_rn(third), scratch.layer4_rn(fourth)
        path = between(2, scratch.refinenet4(fourth, None, third.shape[2:]))
        path = between(3, scratch.refinenet3(path, third, tuple(2 * side for side in third.shape[2:])))
        parts = (part.split(_AT_ONCE) for part in (first, second, path))
        return torch.cat([self._finish(*part) for part in zip(*parts, strict=True)])

    def _finish(self, first: Tensor, second: Tensor, path: Tensor) -> Tensor:
        """The large maps, of a few frames at a time; float32 from the first output convolution on."""
        scratch, (height, width) = self.scratch, first.shape[2:]
        first = scratch.layer1_rn(self.resize_layers[0](first))
        second = scratch.layer2_rn(self.resize_layers[1](second))
        path = scratch.refinenet2(path, second, first.shape[2:])
        path = scratch.refinenet1(path, first, tuple(2 * side for side in first.shape[2:]))
        with torch.autocast(path.device.type, enabled=False):
            path = scratch.output_conv1(path.to(scratch.output_conv1.weight.dtype))
            path = _resized(path, (height * PATCH, width * PATCH))
            out: Tensor = scratch.output_conv2(path)[:, 0]
        return out


class _Scratch(nn.Module):
    def __init__(self, planes: Sequence[int], features: int) -> None:
        super().__init__()
        self.layer1_rn, self.layer2_rn, self.layer3_rn, self.layer4_rn = (
            nn.Conv2d(count, features, 3, 1, 1, bias=False) for count in planes
        )
        self.refinenet1, self.refinenet2, self.refinenet3, self.refinenet4 = (
            _Fusion(features) for _ in planes
        )
        self.output_conv1 = nn.Conv2d(features, features // 2, 3, 1, 1)
        self.output_conv2 = nn.Sequential(
            nn.Conv2d(features // 2, _LAST, 3, 1, 1), nn.ReLU(), nn.Conv2d(_LAST, 1, 1)
        )


class _Fusion(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.out_conv = nn.Conv2d(features, features, 1)
        self.resConfUnit1, self.resConfUnit2 = _Residual(features), _Residual(features)

    def forward(self, x: Tensor, beside: Tensor | None, size: Sequence[int]) -> Tensor:
        if beside is not None:
            x = x + self.resConfUnit1(beside)
        y: Tensor = self.out_conv(_resized(self.resConfUnit2(x), size))
        return y


class _Residual(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(features, features, 3, 1, 1) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.conv2(relu(self.conv1(relu(x))))
        return y


def _resized(maps: Tensor, size: Sequence[int]) -> Tensor:
    return interpolate(maps, size=tuple(size), mode="bilinear", align_corners=True)
