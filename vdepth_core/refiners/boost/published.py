"""Boosting one picture as published: one estimate after the other, each merged at 1024 x 1024.

Miangoleh, Dille, Mai, Paris, Aksoy: Boosting Monocular Depth Estimation Models to High-Resolution via
Content-Adaptive Multi-Resolution Merging, CVPR 2021.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Literal

import numpy as np

from .blending import fit_line, is_flat, resized_map, soft_mask, spread
from .image_plan import ImagePlan, resized_picture

if TYPE_CHECKING:
    from ...protocols import Merge
    from .estimates import Estimate

Output = Literal["input", "working"]
MERGE_SIZE = (1024, 1024)  # whatever the aspect


def boost_planned(
    rgb: np.ndarray,
    plan: ImagePlan,
    estimate: Estimate,
    merge: Merge,
    output: Output = "input",
    view: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> np.ndarray:
    """Boosts the depth of one picture by the published algorithm.

    Args:
        rgb: (H, W, 3), uint8, or floating point where 1 is white.
        plan: From `plan_image`, or of its like.
        estimate: The model.
        merge: Puts the detail of one map into another.
        output: Of which picture's size the result is. A picture that is not boosted, or not locally, has
            no working picture.
        view: Stands around each of the looks at the picture, `looks` of them in all.

    Returns:
        (height, width) float32, in the terms of ``estimate``; about 0..1.
    """
    size = (rgb.shape[0], rgb.shape[1])
    source = rgb / 255 if rgb.dtype == np.uint8 else rgb.astype(np.float64, copy=False)
    with view():
        if not plan.boosts:
            return np.asarray(estimate(source, plan.base), np.float32)
        whole = double_estimate(source, estimate, merge, plan.base, plan.whole)
    del source  # of an 8K picture 0.8 GB, as is the working picture
    scaled = plan.scaled(size[0] / plan.size[0]) if output == "input" else plan
    base = resized_map(whole, scaled.size)
    result = base.copy()
    picture = resized_picture(rgb, plan.size, scaled.size) if plan.patches else rgb
    for patch in scaled.patches:
        at = patch.rows_and_columns
        with view():
            high = double_estimate(picture[at], estimate, merge, plan.base, 2 * plan.base)
            detail = _fitted(merge, resized_map(base[at], MERGE_SIZE), high)
        if detail is not None:
            crop = result[at]  # a view; rounding may have cut it at the border
            crop += (resized_map(detail, crop.shape) - crop) * soft_mask(crop.shape)
    return result if output == "working" else resized_map(result, size)


def looks(plan: ImagePlan) -> int:
    """How often `boost_planned` looks at a picture: at the whole, and at each patch.

    Args:
        plan: Of the picture.
    """
    return 1 + len(plan.patches) * plan.boosts


def double_estimate(rgb: np.ndarray, estimate: Estimate, merge: Merge, low: int, high: int) -> np.ndarray:
    """An estimate with the layout of one size and the detail of another.

    Args:
        rgb: (H, W, 3) float64 where 1 is white.
        estimate: The model.
        merge: Puts the detail of one map into another.
        low, high: Sizes in pixels.

    Returns:
        (1024, 1024) float32, 0..1; of a flat map zeros.
    """
    soft, sharp = (resized_map(estimate(rgb, size), MERGE_SIZE) for size in (low, high))
    return spread(soft if is_flat(soft) or is_flat(sharp) else _merged(merge, soft, sharp))


def _merged(merge: Merge, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    import torch

    maps = (torch.from_numpy(np.asarray(values, np.float32))[None, None] for values in (low, high))
    merged = merge(*maps)
    return merged[0, 0].float().cpu().numpy()


def _fitted(merge: Merge, low: np.ndarray, high: np.ndarray) -> np.ndarray | None:
    """The detail of ``high`` in the terms of ``low``; None where it has none."""
    if is_flat(high):
        return None
    merged = _merged(merge, low, high)
    line = fit_line(merged, low)
    if line is None:
        return None
    scale, shift = line
    return np.asarray(scale * merged.astype(np.float64) + shift, np.float32)
