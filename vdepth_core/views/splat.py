"""Points of one camera as another one sees them: a forward splat with a soft z-buffer, in torch.

Each point is spread bilinearly over the four pixels around where it lands. Of what lands on a pixel the
nearest counts, and what lies little behind it: two samples of one surface are averaged, two surfaces are not.
What is carried are places in the picture the points came from, not colours: those are looked up once
afterwards, so that nothing is blurred twice (inverse mapping, as Morvan et al. 2007 do it).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

SOFT = 0.02  # of inverse depth: behind the nearest by this, a sample counts e times less
_TOUCHES = 0.05  # of a pixel that a sample must cover to hide what is behind it
_NOTHING = 1e-6
_FIELDS = 4  # that are summed: weight, inverse depth, place across and down


@dataclass(frozen=True, eq=False)
class Points:
    """Samples of a picture, with where they come from and where they land.

    Attributes:
        place: (N, 2) float32 pixel indices in the picture they are of, x then y.
        target: (N, 2) float32 pixel indices in the wanted picture.
        q: (N,) float32 inverse depth in the wanted camera, > 0.
    """

    place: Tensor
    target: Tensor
    q: Tensor


@dataclass(frozen=True, eq=False)
class Landed:
    """What the wanted picture shows of some points.

    Attributes:
        cover: (H, W) how much of a pixel they cover, 0 to about 1; where they lie dense more.
        q: (H, W) inverse depth; 0 where nothing landed.
        place: (H, W, 2) pixel indices of the picture that the points are of, x then y.
    """

    cover: Tensor
    q: Tensor
    place: Tensor


def carried(place: Tensor, q: Tensor, own: Tensor, wanted: Tensor, motion: Tensor, least: float) -> Points:
    """Points of a camera in another one; those behind it are left out.

    Args:
        place: (N, 2) float32 pixel indices, x then y.
        q: (N,) inverse depth there, >= 0.
        own: (3, 3) of that camera, for pixel indices.
        wanted: (3, 3) of the other one.
        motion: (4, 4), carries points of the first into the second.
        least: Inverse depth of what is infinitely far.
    """
    q = q.clamp_min(least)
    turn = (wanted @ motion[:3, :3] @ torch.linalg.inv(own)).to(torch.float32)
    move = (wanted @ motion[:3, 3]).to(torch.float32)
    x, y = place.unbind(1)
    ahead = turn[2, 0] * x + turn[2, 1] * y + turn[2, 2] + q * move[2]
    if bool((ahead <= _NOTHING).any()):
        before = ahead > _NOTHING
        place, x, y, q, ahead = place[before], x[before], y[before], q[before], ahead[before]
    across = (turn[0, 0] * x + turn[0, 1] * y + turn[0, 2] + q * move[0]) / ahead
    down = (turn[1, 0] * x + turn[1, 1] * y + turn[1, 2] + q * move[1]) / ahead
    return Points(place, torch.stack((across, down), 1), q / ahead)


def splat(points: Points, size: tuple[int, int]) -> Landed:
    """What a picture shows of the points.

    Args:
        points: In its camera.
        size: (height, width) of the picture.
    """
    height, width = size
    # With a border of a pixel around the picture, what lies beside it lands there.
    x = points.target[:, 0].clamp(-1, width)
    y = points.target[:, 1].clamp(-1, height)
    left, top = x.floor(), y.floor()
    right, below = x - left, y - top
    stride = width + 2
    first = ((top + 1) * stride + left + 1).long()
    corners = [(first, (1 - right) * (1 - below)), (first + 1, right * (1 - below))]
    if bool((below > _NOTHING).any()):  # never so between two eyes
        corners += [(first + stride, (1 - right) * below), (first + stride + 1, right * below)]
    nearest = points.q.new_zeros(stride * (height + 3) + 1)
    for at, share in corners:
        nearest.scatter_reduce_(0, at, torch.where(share > _TOUCHES, points.q, 0), "amax")
    total = points.q.new_zeros((len(nearest), _FIELDS))
    carry = torch.cat((torch.ones_like(left)[:, None], points.q[:, None], points.place), 1)
    for at, share in corners:
        front = nearest.index_select(0, at).clamp_min_(_NOTHING**2)
        behind = (points.q / front).sub_(1).clamp_max_(0).div_(SOFT).exp_()
        total.index_add_(0, at, carry * behind.mul_(share)[:, None])
    total = total[: stride * (height + 2)].view(height + 2, stride, _FIELDS)[1:-1, 1:-1]
    cover = total[..., 0].contiguous()
    mean = total[..., 1:] / cover.clamp_min(_NOTHING)[..., None]
    return Landed(cover, mean[..., 0], mean[..., 1:])
