"""Resampling with Pillow, as training code of KITTI's time did it: smooth where pictures shrink, in bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


def lanczos(rgb: Tensor, size: tuple[int, int]) -> Tensor:
    """Pillow's Lanczos; see `PreparingModel.prepare`, but on the CPU."""
    from PIL.Image import Resampling

    return _resampled(rgb, size, Resampling.LANCZOS)


def bilinear(rgb: Tensor, size: tuple[int, int]) -> Tensor:
    """Pillow's bilinear, a triangle as wide as a new pixel; see `PreparingModel.prepare`, but on the CPU."""
    from PIL.Image import Resampling

    return _resampled(rgb, size, Resampling.BILINEAR)


def _resampled(rgb: Tensor, size: tuple[int, int], kernel: int) -> Tensor:
    """Decoded pictures at the size of a network's input, rounded to bytes on the way.

    Args:
        rgb: (T, H, W, 3) or (T, 3, H, W) uint8.
        size: (height, width) of the result.
        kernel: Pillow's number of it.

    Returns:
        (T, 3, height, width) float32 in [0, 1] on the CPU.
    """
    import torch
    from PIL import Image

    if rgb.shape[-1] != 3:
        rgb = rgb.permute(0, 2, 3, 1)
    out = np.empty((len(rgb), *size, 3), np.uint8)
    for picture, target in zip(rgb.cpu().numpy(), out, strict=True):
        target[:] = np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize(size[::-1], kernel))
    return torch.from_numpy(out).permute(0, 3, 1, 2).float().div_(255)
