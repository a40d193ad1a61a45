"""From decoded frames to network input: the size rule and the resampling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import WeightsError
from ..protocols import PreparingModel
from ..types import ModelSpec
from .device import kind_of

if TYPE_CHECKING:
    from torch import Tensor

LONGEST = 4  # the longer side is at most this many times the shorter one's target: strips stay affordable
SMALLEST = 2  # and no side is below this many multiples
LARGEST_INPUT, LARGEST_MULTIPLE = 4096, 1024  # pixels; what a folder may ask for
_KEYS = -0.75  # OpenCV's sharpness of bicubic interpolation
_WIDE, _WIDE_TARGET = 1.78, 1.777  # 16:9 as published: from where on, and to what, the area is kept
_SHARP = Fraction(3, 4)  # of a picture's size is what video is sharp to: more lines, and depth gets worse
_AVERAGE_FROM = 2.0  # how many times larger a picture is when it is averaged first


def check_input(spec: ModelSpec, path: Path) -> None:
    """Refuses a model whose folder asks for input no machine could run.

    Args:
        spec: Of the model.
        path: Its folder, for messages.

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
    multiple. A model of one fixed size gets just that, and the aspect is not kept. Video Depth Anything's
    rule keeps the area of pictures wider than 16:9 by a smaller target. A model may say that small
    pictures are not to be enlarged to its native size: three quarters of their own shorter side, rounded
    down to a multiple, are the target then.

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
    target = _native_target(width, height, pixel_aspect, spec) if size is None else size
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
    if spec.native_side == "shorter of 16:9":
        short, long = _wide_size(float(width * pixel_aspect), float(height), target, step)
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
            source = cv2.resize(picture, (2 * width, 2 * height), interpolation=cv2.INTER_AREA)
        else:
            source = picture
        cv2.resize(source, (width, height), dst=target, interpolation=cv2.INTER_CUBIC)
    return torch.from_numpy(out).permute(0, 3, 1, 2).float().div_(255)


def prepare(model: object, rgb: Tensor, size: tuple[int, int]) -> Tensor:
    """What ``model`` makes of decoded pictures: its own `prepare`, or `resample` to where it runs.

    Args:
        model: A `PreparingModel`, or any model.
        rgb: (T, H, W, 3) or (T, 3, H, W) uint8.
        size: (height, width) of the result.

    Returns:
        (T, 3, height, width) in [0, 1], on the model's device.
    """
    if isinstance(model, PreparingModel):
        return model.prepare(rgb, size)
    return resample(rgb, size, str(getattr(model, "device", "cpu")))


def resample(rgb: Tensor, size: tuple[int, int], device: str) -> Tensor:
    """`frames_to_tensor` on any device: an accelerator gets the bytes and scales them itself.

    Args:
        rgb: (T, H, W, 3) or (T, 3, H, W) uint8.
        size: (height, width) of the result.
        device: As torch spells it.
    """
    if rgb.shape[-1] != 3:
        rgb = rgb.permute(0, 2, 3, 1)
    if kind_of(device) == "cpu":
        return frames_to_tensor(list(rgb.cpu().numpy()), size)
    return resample_by_matrices(rgb.to(device).permute(0, 3, 1, 2), size)


def resample_by_matrices(rgb: Tensor, size: tuple[int, int]) -> Tensor:
    """`frames_to_tensor` as one matrix an axis, for devices that multiply them in no time.

    It differs from the CPU's answer by about a step of 255 at most: that one rounds after either step.

    Args:
        rgb: (T, 3, H, W) uint8; the answer is on its device.
        size: (height, width) of the result.
    """
    pictures, device = rgb.float(), str(rgb.device)
    before = tuple(pictures.shape[2:])
    if before != size:
        average = min(before[0] / size[0], before[1] / size[1]) > _AVERAGE_FROM
        down, across = (_weights(*sides, average, device) for sides in zip(before, size, strict=True))
        pictures = down @ (pictures @ across.T)
    return pictures.clamp_(0, 255).div_(255)


def resample_keeping_overshoot(rgb: Tensor, size: tuple[int, int]) -> Tensor:
    """OpenCV's bicubic in float, as Depth Anything's scripts have it: no averaging, nothing cut or rounded.

    Args:
        rgb: (T, H, W, 3) or (T, 3, H, W) uint8; the answer is on its device.
        size: (height, width) of the result.

    Returns:
        (T, 3, height, width) float32, in [0, 1] but where the kernel shoots over.
    """
    import cv2
    import torch

    if rgb.shape[-1] != 3:
        rgb = rgb.permute(0, 2, 3, 1)
    if rgb.device.type != "cpu":
        pictures = rgb.permute(0, 3, 1, 2).float() / 255
        pairs = zip(pictures.shape[2:], size, strict=True)
        down, across = (_weights(*sides, False, str(rgb.device)) for sides in pairs)
        return down @ (pictures @ across.T)
    out = np.empty((len(rgb), *size, 3), np.float32)
    for picture, target in zip(rgb.numpy(), out, strict=True):
        target[:] = cv2.resize(picture / np.float32(255), size[::-1], interpolation=cv2.INTER_CUBIC)
    return torch.from_numpy(out).permute(0, 3, 1, 2)


def resample_linearly(rgb: Tensor, size: tuple[int, int]) -> Tensor:
    """OpenCV's bilinear of bytes, as ZipDepth's script has it: no averaging; on the CPU.

    Args:
        rgb: (T, H, W, 3) or (T, 3, H, W) uint8.
        size: (height, width) of the result.

    Returns:
        (T, 3, height, width) float32 in [0, 1].
    """
    import cv2
    import torch

    if rgb.shape[-1] != 3:
        rgb = rgb.permute(0, 2, 3, 1)
    out = np.empty((len(rgb), *size, 3), np.uint8)
    for picture, target in zip(rgb.cpu().numpy(), out, strict=True):
        target[:] = cv2.resize(picture, size[::-1], interpolation=cv2.INTER_LINEAR)
    return torch.from_numpy(out).permute(0, 3, 1, 2).float().div_(255)


@lru_cache(maxsize=16)
def _weights(before: int, after: int, average: bool, device: str) -> Tensor:
    """The resampling of `frames_to_tensor` along one axis, as a matrix (after, before)."""
    if average:
        return (_cubic(2 * after, after) @ _area(before, 2 * after)).float().to(device)
    return _cubic(before, after).float().to(device)


def _area(before: int, after: int) -> Tensor:
    """OpenCV's INTER_AREA: the share each new pixel has of each old one."""
    import torch

    edges = torch.arange(after + 1, dtype=torch.float64) * (before / after)
    old = torch.arange(before, dtype=torch.float64)
    overlap = torch.minimum(edges[1:, None], old + 1) - torch.maximum(edges[:-1, None], old)
    return overlap.clamp(min=0) * (after / before)


def _cubic(before: int, after: int) -> Tensor:
    """OpenCV's INTER_CUBIC: Keys' kernel with a = −0.75, the border repeated, no averaging."""
    import torch

    centre = (torch.arange(after, dtype=torch.float64) + 0.5) * (before / after) - 0.5
    left = centre.floor()
    matrix = torch.zeros(after, before, dtype=torch.float64)
    for tap in (-1, 0, 1, 2):
        x = (centre - left - tap).abs()
        near = ((_KEYS + 2) * x - (_KEYS + 3)) * x * x + 1
        far = ((_KEYS * x - 5 * _KEYS) * x + 8 * _KEYS) * x - 4 * _KEYS
        column = (left + tap).clamp(0, before - 1).long()[:, None]
        matrix.scatter_add_(1, column, torch.where(x <= 1, near, far)[:, None])
    return matrix


def _native_target(width: int, height: int, pixel_aspect: Fraction, spec: ModelSpec) -> int:
    if spec.native_least is None:
        return spec.native_size
    seen = _SHARP * min(width * pixel_aspect, Fraction(height))
    own = math.floor(seen / spec.multiple) * spec.multiple
    return min(spec.native_size, max(own, spec.native_least))


def _wide_size(width: float, height: float, target: int, step: int) -> tuple[int, int]:
    """(shorter, longer) by Video Depth Anything's published rule, in its arithmetic: ties go to even."""
    sides = sorted((width, height))
    stretch = sides[1] / sides[0]
    if stretch > _WIDE:
        target = max(1, round(int(target * _WIDE_TARGET / stretch) / step)) * step
    factor = target / sides[0]
    found = (max(step, round(side * factor / step) * step) for side in sides)
    short, long = (
        size if size >= target else math.ceil(size_wanted / step) * step
        for size, size_wanted in zip(found, (side * factor for side in sides), strict=True)
    )
    return short, max(short, long)


def _nearest(value: Fraction, step: int) -> int:
    return math.floor(value / step + Fraction(1, 2)) * step
