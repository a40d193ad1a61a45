"""One frame from another camera: what its plate shows, what other frames show behind it, and the rest filled.

In order, from the back: the plate's surfaces without their mixed rims (`matte`), where they leave holes
the clean plate of the frame if there is one, where that leaves any what is around them (`fill`), and over all
of it what is in front at silhouettes, by how much of a pixel it covers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..geometry.camera import Intrinsics
from .fill import fill
from .matte import split
from .splat import Landed, carried, splat

COVERED = 0.25  # of a pixel: with less it is a hole
HIDDEN = 0.05  # of inverse depth: a clean plate that lies less behind the plate is the plate
SKY = 5e9  # planar z from which on there is no depth
_LEAST = 1e-10  # inverse depth of it


@dataclass(frozen=True, eq=False)
class Source:
    """A frame as its own camera saw it.

    Attributes:
        rgb: (H, W, 3) uint8.
        z: (H, W) float32 planar depth.
        lens: Of it.
        span: Of inverse depth over the shot, in the unit of ``1 / z``.
    """

    rgb: np.ndarray
    z: np.ndarray
    lens: Intrinsics
    span: float


@dataclass(frozen=True, eq=False)
class Clean:
    """What lies behind and beside a frame, on a raster with a margin around it.

    Attributes:
        rgb: (H', W', 3) uint8.
        z: (H', W') float32 planar depth; 1e10 where nothing is known.
        margin: Pixels that the raster has more, at each side across and down.
    """

    rgb: np.ndarray
    z: np.ndarray
    margin: tuple[int, int]


@dataclass(frozen=True, eq=False)
class View:
    """The wanted camera.

    Attributes:
        motion: (4, 4) float64, carries points of the plate's camera into it, in units of the depth.
        lens: Of it.
        size: (height, width) of its picture.
    """

    motion: np.ndarray
    lens: Intrinsics
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Rendered:
    """A frame as the wanted camera would have seen it.

    Attributes:
        rgb: (H, W, 3) float32 in [0, 1], sRGB.
        z: (H, W) float32 planar depth in that camera.
        holes: Share of the picture that the plate does not show.
        found: Share of it that the clean plate does.
    """

    rgb: np.ndarray
    z: np.ndarray
    holes: float
    found: float


def render(source: Source, view: View, clean: Clean | None = None, device: str = "cpu") -> Rendered:
    """Renders it.

    Args:
        source: The frame.
        view: The camera.
        clean: Of the frame; None: there is none.
        device: Where torch works.
    """
    with torch.inference_mode():
        own, wanted = _matrix(source.lens), _matrix(view.lens)
        motion = torch.from_numpy(view.motion)
        layers = split(_picture(source.rgb, device), _inverse(source.z, device), source.span)
        grid = _grid(torch.ones_like(layers.q, dtype=torch.bool))

        def seen(place: Tensor, q: Tensor) -> Landed:
            return splat(carried(place, q, own, wanted, motion, _LEAST), view.size)

        base = seen(grid, layers.q.reshape(-1))
        known = base.cover > COVERED
        rgb, q = look_up(layers.behind, base.place), base.q
        holes = ~known
        found = torch.zeros_like(known)
        if clean is not None and bool(holes.any()):
            beside, deep, colours = _behind(clean, source, device)
            there = seen(beside, deep)
            found = holes & (there.cover > COVERED)
            offset = torch.tensor(clean.margin, dtype=torch.float32, device=device)
            rgb = torch.where(found, look_up(colours, there.place + offset), rgb)
            q = torch.where(found, there.q, q)
        rgb, q = fill(rgb, q, known | found)
        if len(layers.rim):
            front = seen(layers.rim.flip(1).float(), layers.rim_q)
            rgb, q = _over(rgb, q, front, layers.front)
        z = torch.where(q > 1 / SKY, 1 / q.clamp_min(1 / SKY), 2 * SKY)
        total = known.numel()
        return Rendered(
            rgb.clamp(0, 1).permute(1, 2, 0).cpu().numpy(), z.cpu().numpy(),
            float(holes.sum()) / total, float(found.sum()) / total,
        )  # fmt: skip


def look_up(image: Tensor, place: Tensor) -> Tensor:
    """Bicubic samples (C, H, W) of an image (C, h, w) at (H, W, 2) pixel indices; the border is repeated.

    Args:
        image: Of float32.
        place: x then y.
    """
    height, width = image.shape[-2:]
    ends = torch.tensor((width - 1, height - 1), dtype=torch.float32, device=place.device).clamp_min(1)
    grid = (place / ends * 2 - 1)[None]
    found = functional.grid_sample(image[None], grid, "bicubic", padding_mode="border", align_corners=True)
    return found[0]


def _over(rgb: Tensor, q: Tensor, front: Landed, layer: Tensor) -> tuple[Tensor, Tensor]:
    """What is in front, over what is behind it and nearer than it."""
    height, width = layer.shape[-2:]
    ends = torch.tensor((width - 1, height - 1), dtype=torch.float32, device=q.device).clamp_min(1)
    grid = (front.place / ends * 2 - 1)[None]
    found = functional.grid_sample(layer[None], grid, "bilinear", padding_mode="border", align_corners=True)[
        0
    ]
    there = (front.cover / COVERED).clamp(max=1) * (front.q > q * (1 - HIDDEN))
    found = found * there
    return found[:3] + (1 - found[3]) * rgb, torch.where(found[3] > 0.5, front.q, q)


def _behind(clean: Clean, source: Source, device: str) -> tuple[Tensor, Tensor, Tensor]:
    """Places in the frame's pixels, inverse depth there, and the whole raster's colours."""
    across, down = clean.margin
    deep = _inverse(clean.z, device)
    own = torch.full_like(deep, float("inf"))
    own[down : down + source.z.shape[0], across : across + source.z.shape[1]] = _inverse(source.z, device)
    # Beyond the margin of what anybody saw, z is the sky's too, but nothing is known.
    known = torch.from_numpy(clean.z < SKY).to(device) & (deep < (1 - HIDDEN) * own)
    places = _grid(known) - torch.tensor(clean.margin, dtype=torch.float32, device=device)
    return places, deep[known], _picture(clean.rgb, device)


def _grid(which: Tensor) -> Tensor:
    """(N, 2) float32 pixel indices, x then y, of the pixels (H, W) bool."""
    return torch.nonzero(which).flip(1).float()


def _picture(rgb: np.ndarray, device: str) -> Tensor:
    return torch.from_numpy(rgb).to(device).permute(2, 0, 1).float() / 255


def _inverse(z: np.ndarray, device: str) -> Tensor:
    depth = torch.from_numpy(np.ascontiguousarray(z, np.float32)).to(device)
    return torch.where(depth < SKY, 1 / depth.clamp_min(1e-9), 0)


def _matrix(lens: Intrinsics) -> Tensor:
    """K for pixel indices."""
    rows = ((lens.fx, 0, lens.cx - 0.5), (0, lens.fy, lens.cy - 0.5), (0, 0, 1))
    return torch.tensor(rows, dtype=torch.float64)
