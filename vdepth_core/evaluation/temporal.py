"""Temporal consistency along optical flow: rTC, aTC and OPW.

Li et al., "Enforcing Temporal Consistency in Video Depth Estimation", ICCV-W 2021; OPW: Wang et al., "Less is
More: Consistent Video Depth Estimation with Masked Frames Modeling", ACM MM 2022.

For each pair of frames, depth and picture of frame i + 1 are warped onto frame i by the flow; a pixel counts
(M) where the warped picture agrees with frame i, for OPW the more the better it agrees. All reward a constant
video (rTC 1, aTC 0, OPW 0): print accuracy beside them, and say under which alignment the depths were made
positive and put on one scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import cv2
import numpy as np

from ..errors import InputError, UsageError
from .undefined import UndefinedMeasure

RTC_THRESHOLDS = (1.01, 1.05, 1.1, 1.25)
OPW_SIGMA = 50.0  # weight exp(−σ ‖X − X̂‖²), Wang 2022
_SAMPLED = 64  # pixels of the shorter side that tell the clip's spread of depth
MAX_DIFFERENCE = 0.1  # the paper's δ is not public; Euclidean RGB distance of about 15/255 in each channel

Flow = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""flow(frame i, frame i + 1), both (H, W, 3) as given -> (H, W, 2) float, pixels (x, y) from i to i + 1."""


@dataclass(frozen=True)
class Consistency:
    """Temporal consistency of a clip, mean over its pairs.

    Attributes:
        rtc: Threshold -> share of visible pixels whose ratio max(D/D̂, D̂/D) is below it; higher is better.
        atc: mean |D - D̂| / D over visible pixels; lower is better.
        opw: Σ w |D - D̂| / Σ w, w = exp(−50 ‖X − X̂‖²), in units of the clip's mean absolute deviation of D
            from its median (one for the clip, never per frame: that would hide flicker); lower is better.
        pairs: Pairs that counted; ``pairs_without_match`` had no visible pixel.
        visible: Mean share of visible pixels in the pairs that counted.
    """

    rtc: dict[float, float]
    atc: float
    opw: float
    pairs: int
    pairs_without_match: int
    visible: float


def consistency(
    depth: Iterable[np.ndarray],
    frames: Iterable[np.ndarray],
    flow: Flow,
    *,
    thresholds: Sequence[float] = RTC_THRESHOLDS,
    max_difference: float = MAX_DIFFERENCE,
) -> Consistency:
    """Measures rTC, aTC and OPW in one pass that holds two frames.

    Args:
        depth: (H, W) positive depth or disparity a frame, on one scale for the whole clip (align per clip,
            never per frame).
        frames: (H, W, 3) RGB a frame, uint8 or float in [0, 1].
        flow: Optical flow between two of these frames.
        thresholds: Ratios above 1.
        max_difference: δ: a pixel counts where ‖X - X̂‖ is below it, RGB in [0, 1].

    Raises:
        InputError: sizes that differ, a missing frame, values that are not positive and finite.
        UndefinedMeasure: fewer than two frames, or no visible pixel in any pair.
        UsageError: a threshold is not above 1.
    """
    if not thresholds or min(thresholds) <= 1:
        raise UsageError(f"rTC thresholds {tuple(thresholds)} must be above 1.", "Use for example 1.05.")
    shares, relative, visible_sum, weighted = np.zeros(len(thresholds)), 0.0, 0.0, 0.0
    samples: list[np.ndarray] = []
    pairs, unmatched = 0, 0
    previous: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    for index, (d, x) in enumerate(zip_longest(depth, frames)):
        current = _check(d, x, index, previous)
        step = max(1, min(current[0].shape) // _SAMPLED)
        samples.append(current[0][::step, ::step].ravel())
        if previous is not None:
            d0, original0, x0 = previous
            d1, original1, x1 = current
            field = np.asarray(flow(original0, original1))
            if field.shape != (*d0.shape, 2):
                raise InputError(
                    f"The flow from frame {index - 1} has shape {field.shape}.",
                    f"It must be {(*d0.shape, 2)}.",
                )
            warped_d, warped_x, inside = _warp(d1, x1, field)
            difference = ((x0 - warped_x) ** 2).sum(axis=2)
            visible = inside & (np.sqrt(difference) < max_difference)
            if visible.any():
                a, b = d0[visible].astype(np.float64), warped_d[visible].astype(np.float64)
                ratio = np.maximum(a / b, b / a)
                shares += [np.mean(ratio < threshold) for threshold in thresholds]
                relative += float(np.mean(np.abs(a - b) / a))
                visible_sum += float(np.mean(visible))
                weight = np.exp(-OPW_SIGMA * difference) * inside
                weighted += float((weight * np.abs(d0 - warped_d)).sum() / weight.sum())
                pairs += 1
            else:
                unmatched += 1
        previous = current
    if not pairs:
        reason = "no two frames of it share a visible pixel" if unmatched else "it has no two frames"
        raise UndefinedMeasure(
            f"Temporal consistency of the clip is undefined: {reason}.",
            "Give a longer shot without cuts, or a larger max_difference.",
        )
    rtc_values = {float(t): float(s / pairs) for t, s in zip(thresholds, shares, strict=True)}
    every = np.concatenate(samples).astype(np.float64)
    spread = float(np.abs(every - np.median(every)).mean())
    opw = weighted / pairs / max(spread, 1e-12)
    return Consistency(rtc_values, relative / pairs, opw, pairs, unmatched, visible_sum / pairs)


def rtc(
    depth: Iterable[np.ndarray],
    frames: Iterable[np.ndarray],
    flow: Flow,
    *,
    thresholds: Sequence[float] = RTC_THRESHOLDS,
    max_difference: float = MAX_DIFFERENCE,
) -> dict[float, float]:
    """rTC for each threshold; arguments and errors as in `consistency`, which gives both in one pass."""
    return consistency(depth, frames, flow, thresholds=thresholds, max_difference=max_difference).rtc


def atc(
    depth: Iterable[np.ndarray],
    frames: Iterable[np.ndarray],
    flow: Flow,
    *,
    max_difference: float = MAX_DIFFERENCE,
) -> float:
    """aTC, the mean relative change along the flow; arguments and errors as in `consistency`."""
    return consistency(depth, frames, flow, max_difference=max_difference).atc


def _check(
    d: np.ndarray | None,
    x: np.ndarray | None,
    index: int,
    previous: tuple[np.ndarray, np.ndarray, np.ndarray] | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Depth (H, W) float32, the frame as given, and the frame (H, W, 3) float32 in [0, 1]."""
    if d is None or x is None:
        raise InputError(
            f"Frame {index} has no {'depth' if d is None else 'picture'}.", "Give as many depths as pictures."
        )
    d, x = np.asarray(d, np.float32), np.asarray(x)
    if d.ndim != 2 or x.shape != (*d.shape, 3) or (previous is not None and d.shape != previous[0].shape):
        raise InputError(
            f"Frame {index} has depth {d.shape} and picture {x.shape}.",
            "Resize to one (H, W) and (H, W, 3) for the whole clip.",
        )
    if not (np.isfinite(d).all() and (d > 0).all()):
        raise InputError(
            f"The depth of frame {index} is not positive everywhere.",
            "Align it to the truth per clip and clip it first, as the accuracy protocol does.",
        )
    rgb = x.astype(np.float32) / 255 if x.dtype == np.uint8 else x.astype(np.float32)
    return d, x, rgb


def _warp(depth: np.ndarray, rgb: np.ndarray, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples depth (H, W) and rgb (H, W, 3) at x + flow(x), bilinearly; and where that lies inside."""
    height, width = depth.shape
    to_x = flow[..., 0].astype(np.float32) + np.arange(width, dtype=np.float32)
    to_y = flow[..., 1].astype(np.float32) + np.arange(height, dtype=np.float32)[:, None]
    with np.errstate(invalid="ignore"):
        inside = (to_x >= 0) & (to_x <= width - 1) & (to_y >= 0) & (to_y <= height - 1)
    to_x, to_y = np.where(inside, to_x, 0), np.where(inside, to_y, 0)
    warped_d = cv2.remap(depth, to_x, to_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    warped_x = cv2.remap(rgb, to_x, to_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return warped_d, warped_x, inside
