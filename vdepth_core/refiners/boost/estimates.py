"""What boosting asks of a model: an estimate of any picture, at any size."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from ...methods.frames import to_disparity
from ...protocols import DepthModel
from ...types import ModelSpec
from .blending import resized_map, spread

Estimate = Callable[[np.ndarray, int], np.ndarray]
"""Pictures (H, W, 3) float64 where 1 is white, and a size in pixels -> maps (H, W) float32, 0..1.

A flat map is all 0. They mean what `methods.frames.to_disparity` makes of the model's numbers: inverse
depth, or affine-invariant depth.
"""

MOST = 1568  # pixels a side, beyond which the published script never goes
_CELL = 32


def training_size(spec: ModelSpec) -> int:
    """The size a network was trained at as boosting counts it: a multiple of 32 pixels.

    Args:
        spec: The model's.
    """
    return max(round(spec.native_size / _CELL), 1) * _CELL


def input_size(picture: tuple[int, int], size: int, multiple: int) -> tuple[int, int]:
    """The published size rule: the aspect is kept, both sides are at most ``size``.

    Args:
        picture: Its (height, width).
        size: In pixels.
        multiple: Both sides are multiples of it, and at least one.

    Returns:
        (height, width) of the network's input.
    """
    scale = min(size / picture[0], size / picture[1])
    height, width = (_rounded(scale * side, size, multiple) for side in picture)
    return height, width


def _rounded(value: float, most: int, multiple: int) -> int:
    cells = round(value / multiple)
    if cells * multiple > most:
        cells = int(value / multiple)
    return max(cells, 1) * multiple


def estimates_of(model: DepthModel, most: int = MOST) -> Estimate:
    """Makes a per-frame model the `Estimate` of the published algorithm.

    Args:
        model: Sees one frame at a time; one of a fixed input size gets that, whatever is asked.
        most: The largest size it is given, in pixels; larger ones are taken as this.
    """
    import torch

    spec = model.spec

    def estimate(rgb: np.ndarray, size: int) -> np.ndarray:
        shape = (rgb.shape[0], rgb.shape[1])
        height, width = spec.fixed_size or input_size(shape, min(size, most), spec.multiple)
        seen = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32)
        frame = torch.from_numpy(seen).permute(2, 0, 1)[None]
        raw = to_disparity(model.predict(frame)[0].float().cpu().numpy(), spec)
        return spread(resized_map(raw, shape))

    return estimate
