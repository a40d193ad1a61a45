"""TCMonoDepth's loss (Li et al., "Enforcing Temporal Consistency in Video Depth Estimation", ICCV-W 2021).

A frozen optical flow carries frame i + 1 onto frame i: X̂, D̂. Two forms:

    plain      L = M · |D_i − D̂_{i+1}|, the paper's: the same surface has the same disparity in both frames
    residual   L = M · |(D_i − D̂_{i+1}) − (D*_i − D̂*_{i+1})|: it changes as much as the supervision D* says

With a moving camera the disparity of a surface does change, and only the second form lets it. M is how
surely the flow found the same surface: exp(−σ ‖X_i − X̂_{i+1}‖²), RGB in [0, 1], times the flow's own
visibility.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ...choices import TemporalForm

SIGMA = 50.0  # the paper's is not public; re-implementations use 50 or 1000


def warp(maps: Tensor, flow: Tensor) -> Tensor:
    """Carries frame i + 1 onto frame i: samples ``maps`` where the pixels of frame i went; differentiable.

    Args:
        maps: (N, C, H, W) of frame i + 1.
        flow: (N, H, W, 2), pixels (x, y), from frame i to i + 1.

    Returns:
        (N, C, H, W), bilinear; the border is repeated outside.
    """
    height, width = flow.shape[1:3]
    x = torch.arange(width, device=flow.device, dtype=flow.dtype)
    y = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None]
    # -1 and 1 are the centres of the outermost pixels
    grid = torch.stack(
        (2 * (flow[..., 0] + x) / max(width - 1, 1) - 1, 2 * (flow[..., 1] + y) / max(height - 1, 1) - 1), -1
    )
    return functional.grid_sample(maps, grid, "bilinear", padding_mode="border", align_corners=True)


def visibility(first: Tensor, carried: Tensor, sigma: float = SIGMA) -> Tensor:
    """The soft mask exp(−σ ‖X_i − X̂_{i+1}‖²).

    Args:
        first: (N, 3, H, W), frame i in [0, 1].
        carried: (N, 3, H, W), frame i + 1 carried onto it.
        sigma: How fast a difference of colour makes a pixel doubtful.

    Returns:
        (N, H, W) in [0, 1].
    """
    return torch.exp(-sigma * ((first - carried) ** 2).sum(1))


def temporal_loss(first: Tensor, carried: Tensor, mask: Tensor, change: Tensor | None = None) -> Tensor:
    """L_TC, the mean over the visible pixels of each pair, batch mean.

    Args:
        first: (N, H, W), D_i.
        carried: (N, H, W), D̂_{i+1}.
        mask: (N, H, W) in [0, 1], M.
        change: (N, H, W), the supervision's own D*_i − D̂*_{i+1}; None: the plain form, no change.
    """
    difference = first - carried
    if change is not None:
        difference = difference - change
    # a pair that shares little of the picture says little: its few pixels do not stand for all
    visible = mask.sum((1, 2)).clamp(min=0.05 * mask[0].numel())
    return ((mask * difference.abs()).sum((1, 2)) / visible).mean()


def pair_loss(
    disparity: Tensor,
    targets: Tensor,
    frames: Tensor,
    flow: Tensor,
    seen: Tensor,
    form: TemporalForm,
    sigma: float,
) -> Tensor:
    """`temporal_loss` of pairs of neighbours, with mask and change made from what is given.

    Args:
        disparity: (N, 2, H, W), D_i and D_{i+1}.
        targets: (N, 2, H, W), the supervision's, on the same scale.
        frames: (N, 2, 3, H, W) in [0, 1].
        flow: (N, H, W, 2), pixels (x, y), from frame i to i + 1.
        seen: (N, H, W) in [0, 1], how surely the flow found the same surface.
        form: Plain or residual.
        sigma: As in `visibility`.
    """
    change = None
    with torch.no_grad():
        mask = seen * visibility(frames[:, 0], warp(frames[:, 1], flow), sigma)
        if form == "residual":
            change = targets[:, 0] - warp(targets[:, 1:], flow)[:, 0]
    return temporal_loss(disparity[:, 0], warp(disparity[:, 1:], flow)[:, 0], mask, change)
