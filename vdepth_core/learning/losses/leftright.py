"""Left-right consistency (Godard et al., CVPR 2017): both disparities are learnt from the left picture.

A pixel x of the left picture is x − d_l in the right one, and one of the right picture is x + d_r in the left
one. Disparities are fractions of the width. Each picture is reconstructed from the other (appearance), each
disparity is smooth but at the picture's edges, and each agrees with the other where it points.
Written from the paper.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .photometric import SSIM_WEIGHT, photometric_error
from .resampling import area
from .smoothness import first_order
from .synthesis import Warp, sample

APPEARANCE, SMOOTHNESS, CONSISTENCY = 1.0, 0.1, 1.0  # smoothness is halved with every coarser scale
_WARP = Warp("border")


def from_right(maps: Tensor, disparity: Tensor) -> Tensor:
    """What belongs to the right picture, at the pixels of the left one; differentiable.

    Args:
        maps: (B, C, H, W), seen by the right camera.
        disparity: (B, 1, H, W) of the left picture, in widths.
    """
    return _across(maps, -disparity)


def from_left(maps: Tensor, disparity: Tensor) -> Tensor:
    """What belongs to the left picture, at the pixels of the right one; differentiable.

    Args:
        maps: (B, C, H, W), seen by the left camera.
        disparity: (B, 1, H, W) of the right picture, in widths.
    """
    return _across(maps, disparity)


def consistency_loss(left: Tensor, right: Tensor) -> Tensor:
    """mean |d_l − d_r(x − d_l)| + mean |d_r − d_l(x + d_r)|.

    Args:
        left, right: (B, 1, H, W) disparity of each picture, in widths.
    """
    return (left - from_right(right, left)).abs().mean() + (right - from_left(left, right)).abs().mean()


def appearance_loss(
    left: Tensor, right: Tensor, disparity_left: Tensor, disparity_right: Tensor, ssim: float = SSIM_WEIGHT
) -> Tensor:
    """Mean error of the left picture made from the right one, plus that of the right from the left.

    Args:
        left, right: (B, 3, H, W) in [0, 1].
        disparity_left, disparity_right: (B, 1, H, W) in widths.
        ssim: Weight of SSIM in the error.
    """
    one = photometric_error(left, from_right(right, disparity_left), ssim)
    other = photometric_error(right, from_left(left, disparity_right), ssim)
    return one.mean() + other.mean()


def leftright_terms(
    disparities: Sequence[Tensor],
    left: Tensor,
    right: Tensor,
    smoothness: float = SMOOTHNESS,
    consistency: float = CONSISTENCY,
) -> dict[str, Tensor]:
    """The weighted terms ``appearance``, ``smoothness`` and ``consistency``, each a sum over the scales.

    Args:
        disparities: (B, 2, H/2^s, W/2^s), finest first: of the left picture and of the right one, in widths.
        left, right: (B, 3, H, W) in [0, 1].
        smoothness: Weight of smoothness at the finest scale.
        consistency: Weight of the disparities' agreement.
    """
    terms = {name: left.new_zeros(()) for name in ("appearance", "smoothness", "consistency")}
    for scale, pair in enumerate(disparities):
        l_picture, r_picture = (area(picture, pair.shape[-2:]) for picture in (left, right))
        l_disparity, r_disparity = pair[:, :1], pair[:, 1:]
        rough = first_order(l_disparity, l_picture) + first_order(r_disparity, r_picture)
        found = {
            "appearance": APPEARANCE * appearance_loss(l_picture, r_picture, l_disparity, r_disparity),
            "smoothness": smoothness / 2**scale * rough,
            "consistency": consistency * consistency_loss(l_disparity, r_disparity),
        }
        terms = {name: terms[name] + found[name] for name in terms}
    return terms


def _across(maps: Tensor, shift: Tensor) -> Tensor:
    """Maps looked up ``shift`` (B, 1, H, W) widths to the right."""
    height, width = maps.shape[-2:]
    x = torch.arange(width, device=shift.device, dtype=shift.dtype) + shift[:, 0] * width
    y = torch.arange(height, device=shift.device, dtype=shift.dtype)[:, None].expand_as(x)
    return sample(maps, torch.stack((x, y), -1), _WARP)[0]
