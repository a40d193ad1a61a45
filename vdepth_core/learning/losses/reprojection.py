"""One error a pixel out of several sources: the mean, or Monodepth2's minimum with its auto-mask.

The minimum forgives a source that does not show what the target does (it is hidden or outside there); the
auto-mask lets the *unwarped* sources compete, so that a pixel which does not change teaches nothing: a
standing camera, or something that moves along with it. Monodepth2's authors cite a patent (US 11991342) on
the method, so each is a switch of its own: neither the minimum nor the auto-mask is ever applied unasked.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from .resampling import area

NOISE = 1e-5  # Monodepth2: standard deviation of what breaks ties between unwarped sources
_TINY = 1e-12

Order = Literal["still first", "in pairs"]


def noisy(errors: Tensor, generator: torch.Generator, size: float = NOISE) -> Tensor:
    """Errors with Gaussian noise, drawn where the generator lives: the same on every device.

    Args:
        errors: Of any shape.
        generator: Decides the noise.
        size: Its standard deviation.
    """
    drawn = torch.randn(errors.shape, generator=generator, device=generator.device, dtype=errors.dtype)
    return errors + size * drawn.to(errors.device)


def reduce_sources(
    warped: Tensor,
    still: Tensor | None = None,
    *,
    minimum: bool,
    order: Order = "still first",
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """One error a pixel.

    Args:
        warped: (B, S, H, W), errors of the sources as the target camera would see them.
        still: (B, S, H, W), errors of the sources as they are, which turns the auto-mask on; None: off.
        minimum: Over the sources; False: their mean (Monodepth2's ``avg_reprojection``), of the still ones
            too, and only those two means compete.
        order: Who wins a tie: the first still source (Monodepth2, FeatDepth), or the first of [warped 0,
            still 0, warped 1, …] (PackNet). It decides gradients only.
        generator: Of Monodepth2's noise on ``still``; None: no noise.

    Returns:
        (B, 1, H, W) errors, and (B, 1, H, W) bool: a warped source won, the pixel teaches something.

    Raises:
        ValueError: ``still`` has another shape than ``warped``.
    """
    if still is not None and still.shape != warped.shape:
        raise ValueError(f"warped sources {tuple(warped.shape)}, still ones {tuple(still.shape)}")
    if not minimum:
        warped = warped.mean(1, keepdim=True)
        still = None if still is None else still.mean(1, keepdim=True)
    if generator is not None and still is not None:
        still = noisy(still, generator)
    moved, unmoved = ([] if maps is None else maps.split(1, 1) for maps in (warped, still))
    if order == "still first" or not unmoved:
        entries = [(one, False) for one in unmoved] + [(one, True) for one in moved]
    else:
        pairs = zip(moved, unmoved, strict=True)
        entries = [entry for one, other in pairs for entry in ((one, True), (other, False))]
    (error, first), *others = entries
    teaches = torch.full_like(error, first, dtype=torch.bool)
    for other, explains in others:  # the first of equal ones stays
        less = other < error
        error = torch.where(less, other, error)
        teaches = teaches | less if explains else teaches & ~less
    return error, teaches


def weighted_mean(errors: Tensor, confidence: Tensor | None = None) -> Tensor:
    """The mean over all elements, by what each pixel counts.

    Args:
        errors: (B, C, H, W).
        confidence: (B, 1, h, w) >= 0, averaged to the size of the errors where it is larger; None: all count
            the same. Where nothing counts the mean is 0.
    """
    if confidence is None:
        return errors.mean()
    weight = area(confidence, errors.shape[-2:])
    total = weight.sum().clamp(min=_TINY) * errors.shape[1]
    return (weight * errors).sum() / total
