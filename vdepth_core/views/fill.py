"""Holes of a new view, filled with what lies around them, from behind: colours and depth of the background.

Push and pull over a pyramid (Grossman & Dally 1998), where what is farther than all around counts for more,
then a few steps of diffusion in which a pixel listens only to neighbours of its own depth: a hole beside a
silhouette continues the wall behind, not the person before it, and a ridge between two depths stays one.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_FAR = 24.0  # power of inverse depth by which the nearer counts for less
_MOST = 100.0  # times more or less: a sky far above a road is no background of it
_AROUND = 0.05  # of the width to each side is compared: more than a hole is wide
_ALIKE = 0.15  # of inverse depth: what differs by more is another surface
_COARSE = 0.2  # what a larger neighbourhood weighs beside a pixel's own: all where that is only near
_STEPS = 24  # of diffusion
_LEAST = 1e-6


def fill(rgb: Tensor, q: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """A picture and its inverse depth without holes.

    Args:
        rgb: (3, H, W).
        q: (H, W) inverse depth, >= 0.
        known: (H, W) bool; what is not is a hole.

    Returns:
        (3, H, W) and (H, W), as they were where they were known; black where nothing was.
    """
    if bool(known.all()):
        return rgb, q
    if not bool(known.any()):  # the camera looks beside the plate
        return torch.zeros_like(rgb), q
    around = _around(q, known)
    far = ((around + _LEAST) / (q + _LEAST)).pow(_FAR).clamp(1 / _MOST, _MOST)
    pulled = _push_pull(torch.cat((q[None], rgb)), known * far)
    values = torch.where(known, torch.cat((q[None], rgb)), pulled)
    values = _diffused(values, known)
    return values[1:], values[0]


def _around(q: Tensor, known: Tensor) -> Tensor:
    """Mean inverse depth of what is known around each pixel."""
    weight = known.to(q)
    both = torch.stack((q * weight, weight))[None]
    small = functional.avg_pool2d(both, 4, ceil_mode=True)
    reach = max(6, round(_AROUND * q.shape[1] / 4))
    for axis in (0, 1):
        beside = [0, 0]
        beside[axis] = min(reach, (small.shape[2 + axis] - 1) // 2)
        side = [2 * beside[0] + 1, 2 * beside[1] + 1]
        small = functional.avg_pool2d(small, side, 1, beside, count_include_pad=False)
    mean = small[:, :1] / small[:, 1:].clamp_min(_LEAST)
    return functional.interpolate(mean, size=q.shape, mode="bilinear", align_corners=False)[0, 0]


def _push_pull(values: Tensor, weight: Tensor) -> Tensor:
    """Weighted means of ever larger neighbourhoods, where the smaller know nothing: (C, H, W)."""
    levels = [(values, weight)]
    while max(weight.shape) > 1:
        whole = functional.avg_pool2d(weight[None], 2, ceil_mode=True)[0]
        sums = functional.avg_pool2d((values * weight)[None], 2, ceil_mode=True)[0]
        values, weight = sums / whole.clamp_min(1e-30), whole
        levels.append((values, weight))
    found, coarse = levels.pop()
    for values, weight in reversed(levels):
        larger = torch.cat((found, coarse[None]))[None]
        up = functional.interpolate(larger, size=weight.shape, mode="bilinear", align_corners=False)[0]
        beside = _COARSE * up[-1]
        coarse = weight + beside
        found = (values * weight + up[:-1] * beside) / coarse.clamp_min(1e-30)
    return found


def _diffused(values: Tensor, known: Tensor) -> Tensor:
    """Smoothed within holes, between pixels of one depth; (C, H, W), the first channel is the depth."""
    rows, columns = torch.nonzero(~known).unbind(1)
    height, width = known.shape
    around = [
        (rows + down).clamp(0, height - 1) * width + (columns + across).clamp(0, width - 1)
        for down, across in ((0, -1), (0, 1), (-1, 0), (1, 0))
    ]
    flat, here = values.reshape(len(values), -1), rows * width + columns
    own = flat[0, here]
    weights = []
    for at in around:
        off = (flat[0, at] - own) / (_ALIKE * torch.maximum(own, flat[0, at]).clamp_min(_LEAST))
        weights.append(torch.exp(-off * off) + _LEAST)
    total = torch.stack(weights).sum(0)
    for _ in range(_STEPS):
        moved = torch.stack([flat[:, at] * weight for at, weight in zip(around, weights, strict=True)]).sum(0)
        flat[:, here] = moved / total
    return values
