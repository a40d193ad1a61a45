"""Gradient blending (Perez et al., Poisson Image Editing, SIGGRAPH 2003): the baseline.

Inside the map the gradients are those of ``high``, at its border stand the values of ``low``. What ``high``
gets wrong in the large stays in: that is what `transfer` is better at.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


class Poisson:
    """Gradients of ``high``, border of ``low``; a `Merge`, solved exactly by sine transforms."""

    name = "poisson"

    def __init__(self, device: str = "cpu") -> None:
        """It has no weights, and works wherever the maps are.

        Args:
            device: Not looked at.
        """

    def __call__(self, low: Tensor, high: Tensor) -> Tensor:
        """Gives ``low`` the gradients of ``high``, scaled to fit it.

        Args:
            low: (N, 1, H, W) float32.
            high: (N, 1, H, W) float32, in any scale and shift; one that grows where ``low`` falls is left
                out.

        Returns:
            (N, 1, H, W) float32 in the terms of ``low``.
        """
        scaled = _scale(low, high) * high
        # The Laplacian of the answer is that of `scaled`: their difference is harmonic, and what it is at the
        # border decides it.
        return scaled + _harmonic(low - scaled).to(low.dtype)


def _scale(low: Tensor, high: Tensor) -> Tensor:
    """(N, 1, 1, 1) least-squares slope of ``low`` over ``high``; 0 where there is none, or a falling one."""
    x, y = (maps - maps.mean((2, 3), keepdim=True) for maps in (high, low))
    square = (x * x).sum((2, 3), keepdim=True)
    slope = (x * y).sum((2, 3), keepdim=True) / square.clamp(min=torch.finfo(x.dtype).tiny)
    return slope.clamp(min=0)


def _harmonic(maps: Tensor) -> Tensor:
    """The maps that have the values of ``maps`` at the border and a Laplacian of 0 inside."""
    if min(maps.shape[-2:]) < 3:
        return maps  # all border
    whole = maps.float() if maps.device.type == "mps" else maps.double()
    height, width = (side - 2 for side in maps.shape[-2:])
    right = whole.new_zeros((*maps.shape[:2], height, width))
    right[..., 0, :] += whole[..., 0, 1:-1]
    right[..., -1, :] += whole[..., -1, 1:-1]
    right[..., 0] += whole[..., 1:-1, 0]
    right[..., -1] += whole[..., 1:-1, -1]
    right = _sines(_sines(right).mT)  # transposed
    rows, columns = (_eigenvalues(count, right) for count in (height, width))
    right /= columns[:, None] + rows
    right = _sines(_sines(right).mT) * (4 / ((height + 1) * (width + 1)))
    whole = whole.clone() if whole is maps else whole
    whole[..., 1:-1, 1:-1] = right
    return whole


def _eigenvalues(count: int, like: Tensor) -> Tensor:
    """Of minus the second difference of ``count`` values between zeros; its eigenvectors are sines."""
    steps = torch.arange(1, count + 1, device=like.device, dtype=like.dtype)
    return 4 * torch.sin(steps * (math.pi / (2 * (count + 1)))) ** 2


def _sines(values: Tensor) -> Tensor:
    """The sine transform (DST-I) of the last axis: sum over n of values[n] sin(pi (n + 1)(k + 1) / (N + 1)).

    Applied twice it gives (N + 1) / 2 times the values.
    """
    count = values.shape[-1]
    padded = torch.nn.functional.pad(values, (1, count + 1))  # 0, values, 0, …: the odd half adds nothing new
    sums: Tensor = -torch.fft.rfft(padded).imag[..., 1 : count + 1]
    return sums
