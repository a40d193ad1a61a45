"""Many pictures compared with one, fast: the same numbers as `photometric.photometric_error`.

SSIM needs means and variances of both pictures. Those of the picture that all are compared with are computed
once; its own gradient is not wanted in training, so that of the others can be written down: three sums over
3x3 pixels forward and three back, instead of what autograd keeps of every step. Sums over 3x3 are four
additions, which a CPU does several times faster than it averages windows.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .photometric import CHARBONNIER, SSIM_C1, SSIM_C2, SSIM_WEIGHT, Difference, photometric_error


class Compared:
    """A picture that others are compared with."""

    def __init__(self, picture: Tensor, ssim: float = SSIM_WEIGHT, kind: Difference = "l1") -> None:
        """Computes what all comparisons share.

        Args:
            picture: (B, 3, H, W) in [0, 1], at least 2x2.
            ssim: Weight of the structure; 0 leaves it out.
            kind: Of the difference.
        """
        self._picture, self._ssim, self._kind = picture, ssim, kind
        self._slow = ssim == 0 or picture.requires_grad
        if not self._slow:
            self._mean = window_mean(picture)
            self._variance = window_mean(picture * picture) - self._mean * self._mean

    def error(self, other: Tensor) -> Tensor:
        """As `photometric_error` of the picture and another; differentiable.

        Args:
            other: (B, 3, H, W).

        Returns:
            (B, 1, H, W).
        """
        if self._slow:
            return photometric_error(self._picture, other, self._ssim, self._kind)
        error: Tensor = _Error.apply(  # type: ignore[no-untyped-call]
            other, self._picture, self._mean, self._variance, self._ssim, self._kind == "l1"
        )
        return error


def window_mean(maps: Tensor) -> Tensor:
    """The mean over 3x3 pixels, with one reflected pixel around the border; no gradient of its own.

    Args:
        maps: (B, C, H, W), at least 2x2.
    """
    across = maps.clone()
    across[..., 1:] += maps[..., :-1]
    across[..., :-1] += maps[..., 1:]
    across[..., 0] += maps[..., 1]
    across[..., -1] += maps[..., -2]
    whole = across.clone()
    whole[..., 1:, :] += across[..., :-1, :]
    whole[..., :-1, :] += across[..., 1:, :]
    whole[..., 0, :] += across[..., 1, :]
    whole[..., -1, :] += across[..., -2, :]
    return whole.mul_(1 / 9)


def window_gradient(gradient: Tensor) -> Tensor:
    """The gradient of `window_mean` by its input: every pixel gets from all windows it is in.

    Args:
        gradient: (B, C, H, W), by the means.
    """
    down = gradient.clone()
    down[..., 1:, :] += gradient[..., :-1, :]
    down[..., :-1, :] += gradient[..., 1:, :]
    down[..., 1, :] += gradient[..., 0, :]  # the reflected row
    down[..., -2, :] += gradient[..., -1, :]
    whole = down.clone()
    whole[..., 1:] += down[..., :-1]
    whole[..., :-1] += down[..., 1:]
    whole[..., 1] += down[..., 0]
    whole[..., -2] += down[..., -1]
    return whole.mul_(1 / 9)


class _Error(torch.autograd.Function):
    """ssim · mean_c clamp((1 − n / d) / 2, 0, 1) + (1 − ssim) · difference, by the second picture."""

    @staticmethod
    def forward(
        ctx: Any, other: Tensor, picture: Tensor, mean: Tensor, variance: Tensor, ssim: float, plain: bool
    ) -> Tensor:
        own = window_mean(other)
        both = mean * own
        brightness = (2 * both).add_(SSIM_C1)
        structure = (window_mean(picture * other) - both).mul_(2).add_(SSIM_C2)
        own_square = own * own
        brightness_most = torch.addcmul(own_square, mean, mean).add_(SSIM_C1)
        structure_most = (window_mean(other * other) - own_square).add_(variance).add_(SSIM_C2)
        most = brightness_most * structure_most
        alike = brightness * structure / most
        apart = ((1 - alike) / 2).clamp_(0, 1)
        gap = other - picture
        size = gap.abs() if plain else (gap * gap).add_(CHARBONNIER).sqrt_()
        if ctx.needs_input_grad[0]:
            # by the mean of the other picture, of its product with the first, and of its square
            inside = (alike <= 1) & (alike >= -1)
            scale = inside.to(other) * (-0.5 * ssim / other.shape[1])
            by_product = (2 * scale) * brightness / most
            by_square = -scale * alike / structure_most
            by_mean = (2 * scale) * (structure - brightness) * mean / most
            by_mean -= (2 * scale) * alike * own * (1 / brightness_most - 1 / structure_most)
            by_gap = gap.sign() if plain else gap / size
            ctx.save_for_backward(other, picture, by_mean, by_product, by_square, by_gap)
            ctx.rest = (1 - ssim) / other.shape[1]
        return ssim * apart.mean(1, keepdim=True) + (1 - ssim) * size.mean(1, keepdim=True)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        other, picture, by_mean, by_product, by_square, by_gap = ctx.saved_tensors
        whole = window_gradient(gradient * by_mean)
        whole.addcmul_(picture, window_gradient(gradient * by_product))
        whole.addcmul_(other, window_gradient(gradient * by_square), value=2)
        whole.addcmul_(by_gap, gradient.expand_as(by_gap), value=ctx.rest)
        return whole, None, None, None, None, None
