"""From decoded frames to network input: the size rule and the resampling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import WeightsError
from ..types import ModelSpec

if TYPE_CHECKING:
    from torch import Tensor

LONGEST = 4  # the longer side is at most this many times the shorter one's target: strips stay affordable
SMALLEST = 2  # and no side is below this many multiples
LARGEST_INPUT, LARGEST_MULTIPLE = 4096, 1024  # pixels; what a folder may ask for
_AVERAGE_FROM = 2.0  # how many times larger a picture is when it is averaged first


def check_input(spec: ModelSpec, path: Path) -> None:
    """Refuses a model whose folder asks for input no machine could run.

    Raises:
        WeightsError: it does.
    """
    sides = (spec.native_size, *(spec.fixed_size or ()))
    if not (min(sides) >= 1 and max(sides) <= LARGEST_INPUT and 1 <= spec.multiple <= LARGEST_MULTIPLE):
        raise WeightsError(
            f"{path} asks for pictures of {max(sides)} pixels in steps of {spec.multiple}; the most are "
            f"{LARGEST_INPUT} and {LARGEST_MULTIPLE}.",
            "Get its configurations again from their publisher.",
        )


def network_size(
    width: int, height: int, pixel_aspect: Fraction, spec: ModelSpec, size: int | None = None
) -> tuple[int, int]:
    """Size of the network input for a clip.

    Keeps the display aspect, makes both sides multiples of ``spec.multiple`` and the shorter one at least
    the target (MiDaS' rule: 1920x1080 at 384 -> 672x384); beyond an aspect of 4:1 the longer side stays at
    4 targets and the shorter one shrinks instead. Where the model's native size is that of the longer side
    (the latent diffusion models: 1920x1080 at 768 -> 768x432), both sides are rounded to the nearest
    multiple. A model of one fixed size gets just that, and the aspect is not kept.

    Args:
        width, height: Picture size in pixels.
        pixel_aspect: Width of a pixel over its height.
        spec: The model's.
        size: Target of the shorter side in pixels; None: the model's native size. A fixed size cannot be
            changed.

    Returns:
        (height, width).

    Raises:
        ValueError: a size is not positive.
    """
    target = spec.native_size if size is None else size
    if min(width, height, target) < 1 or pixel_aspect <= 0:
        raise ValueError(
            f"no network size for {width}x{height}, pixel aspect {pixel_aspect}, target {target}"
        )
    if spec.fixed_size is not None:
        return spec.fixed_size
    aspect = Fraction(width, height) * pixel_aspect
    stretch = max(aspect, 1 / aspect)
    step = spec.multiple
    least = SMALLEST * step
    if size is None and spec.native_side == "longer":
        long = max(least, _nearest(Fraction(target), step))
        short = max(least, _nearest(target / stretch, step))
        return (short, long) if aspect >= 1 else (long, short)
    shorter, longer = Fraction(target), target * stretch
    if stretch > LONGEST:
        longer = Fraction(LONGEST * target)
        shorter = longer / stretch
        short = max(least, _nearest(shorter, step))
    else:
        short = max(least, math.ceil(shorter / step) * step)
    long = max(short, _nearest(longer, step))
    return (short, long) if aspect >= 1 else (long, short)


def frames_to_tensor(rgb: Sequence[np.ndarray], size: tuple[int, int]) -> Tensor:
    """Resamples pictures for a network.

    Bicubic, as the published models' own scripts. A picture more than twice as large is first averaged
    down to twice the size: plain bicubic skips pixels there, and what falls between flickers (a 4K clip
    through tcmonodepth-small changed half as much again from frame to frame). Averaging all the way is as
    calm, but costs accuracy (AbsRel .215 against .208 on 1216-line pictures; plain bicubic .198).

    Args:
        rgb: T pictures (H, W, 3) uint8, of any sizes.
        size: (height, width) of the result.

    Returns:
        (T, 3, height, width) float32 in [0, 1].
    """
    import cv2
    import torch

    height, width = size
    out = np.empty((len(rgb), height, width, 3), np.uint8)
    for picture, target in zip(rgb, out, strict=True):
        if picture.shape[:2] == size:
            target[:] = picture
            continue
        if min(picture.shape[0] / height, picture.shape[1] / width) > _AVERAGE_FROM:
            picture = cv2.resize(picture, (2 * width, 2 * height), interpolation=cv2.INTER_AREA)
        cv2.resize(picture, (width, height), dst=target, interpolation=cv2.INTER_CUBIC)
    return torch.from_numpy(out).permute(0, 3, 1, 2).float().div_(255)


def _nearest(value: Fraction, step: int) -> int:
    return math.floor(value / step + Fraction(1, 2)) * step
