"""Pixels at depth steps as two: what is in front, with how much it covers, and what is behind.

A pixel on a silhouette is a mixture C = a F + (1 - a) B (Porter & Duff 1984). Carried as a whole with either
side it leaves a rim of the wrong colour in a new view. So within two pixels of a step both colours are
taken from each side beyond the rim, the share a from where C lies between them (Zitnick et al. 2004 do the
same for views between cameras), and F and B are solved such that together they give C again: seen from
its own camera the picture is what it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

STEP = 0.08  # of inverse depth: a larger jump between neighbours is a silhouette
SEEN = 0.015  # of the shot's range of it: a smaller one moves by less than anyone sees
_REACH = 3  # pixels to each side that colours are taken from
_RIM = 0.02  # weight of those that are rims themselves, where there are no others
_CONTRAST = (0.02, 0.1)  # squared distance of F and B, from where on their mixture is told by colour
_OWN = 0.05  # of inverse depth: a pixel that is as near to its side keeps its own


@dataclass(frozen=True, eq=False)
class Layers:
    """A picture as what is behind and what is in front.

    Attributes:
        behind: (3, H, W) in [0, 1]: the picture, with what is behind at its steps.
        q: (H, W) inverse depth of that.
        front: (4, H, W): colour times share, and the share, of what is in front at steps; 0 elsewhere.
        rim: (N, 2) int64 row and column of the pixels that are both.
        rim_q: (N,) inverse depth in front there.
    """

    behind: Tensor
    q: Tensor
    front: Tensor
    rim: Tensor
    rim_q: Tensor


def steps(q: Tensor, span: float) -> Tensor:
    """Pixels at a jump of depth, on both its sides: (H, W) bool.

    Args:
        q: (H, W) inverse depth, >= 0.
        span: Of inverse depth over the shot.
    """
    high, low = _extremes(q, 1)
    return (high - low) > torch.clamp(STEP * high, min=SEEN * span)


def split(rgb: Tensor, q: Tensor, span: float) -> Layers:
    """Takes a picture apart.

    Args:
        rgb: (3, H, W) in [0, 1].
        q: (H, W) inverse depth, >= 0.
        span: Of inverse depth over the shot.
    """
    edge = steps(q, span)
    rim = functional.max_pool2d(edge[None].float(), 3, 1, 1)[0] > 0
    places = torch.nonzero(rim)
    behind, deep, front = rgb.clone(), q.clone(), rgb.new_zeros((4, *q.shape))
    if not len(places):
        return Layers(behind, deep, front, places, q.new_zeros(0))
    row, column = places.unbind(1)
    own, mixed = q[row, column], rgb[:, row, column]
    high, low = (values[row, column] for values in _extremes(q, _REACH))
    middle = (high + low) / 2
    is_front = own > middle
    (ahead, ahead_q), (back, back_q) = _sides(rgb, q, rim, places, middle)
    way = ahead - back
    contrast = (way * way).sum(0)
    share = (((mixed - back) * way).sum(0) / contrast.clamp_min(1e-9)).clamp(0, 1)
    told = ((contrast - _CONTRAST[0]) / (_CONTRAST[1] - _CONTRAST[0])).clamp(0, 1)
    share = torch.lerp(is_front.to(share), share, told)
    # Beyond the pixels at the step itself a colour alone does not make a thing of the other side.
    beside = ~edge[row, column]
    low_end, high_end = is_front & beside, ~is_front & beside
    share = torch.where(low_end, share.clamp_min(0.75), torch.where(high_end, share.clamp_max(0.25), share))
    mostly = share >= 0.5
    solved = ((mixed - share * ahead) / (1 - share).clamp_min(0.5)).clamp(0, 1)
    back = torch.where(mostly, back, solved)
    over = torch.where(mostly, mixed - (1 - share) * back, share * ahead)
    over = torch.minimum(over.clamp_min(0), share)
    behind[:, row, column] = back
    deep[row, column] = _kept(own, back_q, ~is_front)
    front[:3, row, column], front[3, row, column] = over, share
    return Layers(behind, deep, front, places, _kept(own, ahead_q, is_front))


def _kept(own: Tensor, side: Tensor, of_it: Tensor) -> Tensor:
    """A side's depth, but the pixel's own where it is of that side."""
    return torch.where(of_it & ((own - side).abs() < _OWN * side), own, side)


def _extremes(q: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """Largest and smallest value within ``reach`` pixels."""
    return _highest(q, reach), -_highest(-q, reach)


def _highest(q: Tensor, reach: int) -> Tensor:
    across = functional.max_pool2d(q[None], (1, 2 * reach + 1), 1, (0, reach))
    return functional.max_pool2d(across, (2 * reach + 1, 1), 1, (reach, 0))[0]


def _sides(
    rgb: Tensor, q: Tensor, rim: Tensor, places: Tensor, middle: Tensor
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Colour (3, N) and inverse depth (N,) of the nearer and the farther side, around each of the places."""
    height, width = q.shape
    row, column = places.unbind(1)
    weight = torch.where(rim, _RIM, 1.0).to(q)
    table = torch.cat((weight[None], q[None] * weight, rgb * weight)).reshape(5, -1).T.contiguous()
    every, nearer = (q.new_zeros((len(places), 5)) for _ in range(2))
    for down in range(-_REACH, _REACH + 1):
        for across in range(-_REACH, _REACH + 1):
            if (down + across) % 2:  # every second pixel says as much
                continue
            at = (row + down).clamp(0, height - 1) * width + (column + across).clamp(0, width - 1)
            found = table.index_select(0, at).div_(1 + down * down + across * across)
            every += found
            nearer += found.mul_((found[:, 1] > middle * found[:, 0])[:, None])
    own = torch.cat((q[row, column][:, None], rgb[:, row, column].T), 1)
    sides = []
    for sums in (nearer, every - nearer):
        # The window's middle always parts it, but every second pixel may lie on one side of it.
        known = sums[:, :1] > 1e-4
        mean = torch.where(known, sums[:, 1:] / sums[:, :1].clamp_min(1e-4), own)
        sides.append((mean[:, 1:].T, mean[:, 0]))
    return sides[0], sides[1]
