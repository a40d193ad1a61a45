"""Accuracy of depth against ground truth, one clip at a time, under a named alignment protocol.

Protocols (print the id next to every figure):
    ``clip-lstsq``   one scale and shift for the whole clip, least squares in disparity: the video standard
    ``first-frame``  the same, fitted on the first frame with truth only: shows drift
    ``per-frame``    a scale and shift per frame: single-image quality, blind to flicker
    ``median``       depth of each frame scaled to the truth's median
    ``eigen``        the same as the self-supervised driving benchmark fixes it: Garg's crop, 0.001 to 80 m
    ``none``         nothing: metric predictions

Frames stream: memory does not depend on the clip's length. Other crops are the caller's: set truth outside
to 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import get_args

import cv2
import numpy as np

from ..choices import Protocol
from ..errors import InputError, UsageError
from ..types import Quantity
from .eigen import depth_at, garg_crop, refuse_other_range

Frames = Iterable[np.ndarray] | Callable[[], Iterable[np.ndarray]]

DISPARITY_FLOOR = 1e-3  # the standard's clip of the prediction, before and after alignment
_FAR = 1e30  # stands for an infinite depth: interpolating infinity would give NaN
_ERRORS = ("abs_rel", "sq_rel", "rmse", "rmse_log", "delta1", "delta2", "delta3")
_AS_DEPTH = ("median", "none")  # protocols that compare depth as it is
_ABSENT = object()


@dataclass(frozen=True)
class Accuracy:
    """Errors of one clip: per frame over its valid pixels, then the mean over frames.

    Attributes:
        protocol: The alignment the figures were measured under.
        abs_rel: mean |d - g| / g; sq_rel: mean (d - g)² / g, metres.
        rmse: Root mean square of d - g, metres; rmse_log: of ln d - ln g.
        delta1, delta2, delta3: Share of pixels with max(d/g, g/d) below 1.25, 1.25², 1.25³.
        scale, shift: What was fitted to the clip (disparity = scale * prediction + shift); NaN where there is
            no such single pair (``per-frame``, ``median``, ``eigen``).
        frames: Frames that counted; ``frames_without_truth`` had no valid pixel.
        pixels: Valid pixels of all frames.
        floored: Those of them at which `DISPARITY_FLOOR` replaced the predicted disparity before the fit.
    """

    protocol: str
    abs_rel: float
    sq_rel: float
    rmse: float
    rmse_log: float
    delta1: float
    delta2: float
    delta3: float
    scale: float
    shift: float
    frames: int
    frames_without_truth: int
    pixels: int
    floored: int = 0


def evaluate_clip(
    pred: Frames,
    truth: Frames,
    *,
    protocol: Protocol = "clip-lstsq",
    min_depth: float = 1e-3,
    max_depth: float,
    quantity: Quantity = "disparity",
) -> Accuracy:
    """Scores the predictions of one clip against its ground truth.

    Disparity is clipped to at least 1e-3 and resized bilinearly to the truth; depth is turned into disparity
    first, whose unit then means nothing to a fit, so nothing of it is clipped. Aligned disparity is clipped
    to at least 1e-3, depth to [min_depth, max_depth]; truth counts where min_depth < g < max_depth. ``eigen``
    differs: see its module.

    Args:
        pred: Frames (h, w) in ``quantity``, or a function that starts them; ``clip-lstsq`` reads them twice.
        truth: Frames (H, W) of planar depth in metres (0, NaN and infinity: not valid), or a function.
        protocol: The alignment, see the module's docstring.
        min_depth: Nearest valid depth, metres.
        max_depth: Farthest valid depth, metres (KITTI 80, Sintel 70, ScanNet, Bonn and NYUv2 10).
        quantity: What the predictions are.

    Raises:
        InputError: a prediction is missing or not finite, a depth prediction is 0 or less where there is
            truth, there are more predictions than truth, or there is no valid truth at all.
        UsageError: unknown protocol, an empty depth range or not the protocol's own, or a generator where
            two passes are needed.
    """
    if protocol not in get_args(Protocol):
        raise UsageError(
            f"There is no evaluation protocol {protocol!r}.", f"Use one of {', '.join(get_args(Protocol))}."
        )
    if not 0 < min_depth < max_depth < np.inf:
        raise UsageError(
            f"The depth range {min_depth} to {max_depth} m is empty or has no end.",
            "Give 0 < min_depth < max_depth, in metres.",
        )
    if protocol == "eigen":
        refuse_other_range(min_depth, max_depth)

    def pairs() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        return _pairs(pred, truth, quantity, protocol, min_depth, max_depth)

    fit = _Line()
    if protocol == "clip-lstsq":
        _refuse_generator(pred, "prediction")
        _refuse_generator(truth, "truth")
        for p, g in pairs():
            fit.add(p, 1 / g)

    sums, frames, empty, pixels, floored = np.zeros(len(_ERRORS)), 0, 0, 0, 0
    for p, g in pairs():
        if not g.size:
            empty += 1
            continue
        if protocol == "per-frame" or (protocol == "first-frame" and not frames):
            fit = _Line()
            fit.add(p, 1 / g)
        if protocol in ("median", "eigen"):
            depth = p * (np.median(g) / max(np.median(p), 1e-12))
        elif protocol == "none":
            depth = p
        else:
            scale, shift = fit.solve()
            depth = 1 / np.maximum(scale * p + shift, DISPARITY_FLOOR)
        sums += _errors(np.clip(depth, min_depth, max_depth), g)
        frames += 1
        pixels += g.size
        if quantity == "disparity" and protocol != "eigen":
            low = p >= 1 / DISPARITY_FLOOR if protocol in _AS_DEPTH else p <= DISPARITY_FLOOR
            floored += int(np.count_nonzero(low))
    if not frames:
        raise InputError(
            f"The ground truth has no valid pixel between {min_depth} and {max_depth} m"
            f"{' in the Garg crop' if protocol == 'eigen' else ''}.",
            "Check its unit (metres) and the maximum depth.",
        )
    single = {"none": (1.0, 0.0), "clip-lstsq": fit.solve(), "first-frame": fit.solve()}
    scale, shift = single.get(protocol, (float("nan"), float("nan")))
    mean = dict(zip(_ERRORS, (sums / frames).tolist(), strict=True))
    return Accuracy(
        protocol, **mean, scale=scale, shift=shift, frames=frames, frames_without_truth=empty, pixels=pixels,
        floored=floored,
    )  # fmt: skip


def disparity_at(p: np.ndarray, quantity: Quantity, shape: tuple[int, ...]) -> np.ndarray:
    """A prediction as disparity at the truth's size: what is resized is always disparity.

    Args:
        p: (h, w) float64 in ``quantity``; depth that is infinite, 0 or less is infinitely far.
        quantity: What it holds.
        shape: (H, W) of the truth.

    Returns:
        (H, W) float64, >= 0; predicted disparity is at least `DISPARITY_FLOOR`.
    """
    inverse = quantity == "depth"
    y = np.reciprocal(np.where(p > 0, p, np.inf)) if inverse else np.maximum(p, DISPARITY_FLOOR)
    if y.shape != shape:
        y = np.asarray(cv2.resize(y, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR))
    return y


class _Line:
    """Least-squares line through streamed points, in float64.

    Centred moments are merged block by block (Chan, Golub, LeVeque 1983, eq. 2.1): raw sums lose all digits
    when the prediction varies little around a large value.
    """

    def __init__(self) -> None:
        self._count, self._mean_x, self._mean_y, self._xx, self._xy = 0, 0.0, 0.0, 0.0, 0.0

    def add(self, x: np.ndarray, y: np.ndarray) -> None:
        """Takes points x, y (n,)."""
        if not x.size:
            return
        mean_x, mean_y = float(x.mean()), float(y.mean())
        dx, dy = x - mean_x, y - mean_y
        total = self._count + x.size
        step_x, step_y = mean_x - self._mean_x, mean_y - self._mean_y
        weight = self._count * x.size / total
        self._xx += float(dx @ dx) + weight * step_x * step_x
        self._xy += float(dx @ dy) + weight * step_x * step_y
        self._mean_x += step_x * x.size / total
        self._mean_y += step_y * x.size / total
        self._count = total

    def solve(self) -> tuple[float, float]:
        """Scale and shift with y ≈ scale * x + shift; a constant x gives scale 0."""
        rounding = self._count * (np.finfo(float).eps * self._mean_x) ** 2
        scale = self._xy / self._xx if self._xx > rounding else 0.0
        return scale, self._mean_y - scale * self._mean_x


def _errors(d: np.ndarray, g: np.ndarray) -> np.ndarray:
    """The `_ERRORS` of one frame's valid depths d, g (n,)."""
    difference, ratio = d - g, d / g
    worst = np.maximum(ratio, 1 / ratio)
    return np.array(
        [
            np.mean(np.abs(difference) / g),
            np.mean(difference**2 / g),
            np.sqrt(np.mean(difference**2)),
            np.sqrt(np.mean(np.log(ratio) ** 2)),
            np.mean(worst < 1.25),
            np.mean(worst < 1.25**2),
            np.mean(worst < 1.25**3),
        ]
    )


def _pairs(
    pred: Frames, truth: Frames, quantity: Quantity, protocol: Protocol, min_depth: float, max_depth: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields prediction and truth at each frame's valid pixels, both (n,) float64."""
    both = zip_longest(_start(pred), _start(truth), fillvalue=_ABSENT)
    for index, (p, g) in enumerate(both):
        if p is _ABSENT or p is None:
            raise InputError(
                f"The prediction of frame {index} is missing.",
                "Every frame with truth needs one; finish the estimate first.",
            )
        if g is _ABSENT:
            raise InputError(
                f"There is no ground truth for the prediction of frame {index}.",
                "Give both the same frame range.",
            )
        gt, values = np.asarray(g), np.asarray(p)
        if values.ndim != 2 or gt.ndim != 2:
            raise InputError(
                f"Frame {index} has shape {values.shape} against truth {gt.shape}.",
                "Give one (height, width) map a frame.",
            )
        with np.errstate(invalid="ignore"):
            valid = (gt > min_depth) & (gt < max_depth)
        if protocol == "eigen":
            inside = np.zeros(gt.shape, bool)
            inside[garg_crop(*gt.shape)] = True
            valid &= inside
        values = _prepare(values.astype(np.float64), index, quantity, protocol, valid)
        yield values[valid], gt[valid].astype(np.float64)


def _prepare(
    p: np.ndarray, index: int, quantity: Quantity, protocol: Protocol, valid: np.ndarray
) -> np.ndarray:
    """One prediction as depth or disparity at the truth's shape (H, W); ``valid``: where there is truth."""
    # An infinite depth is a legal sky (disparity 0); everything else not finite is a broken prediction.
    if np.isnan(p).any() or (quantity == "disparity" and np.isinf(p).any()):
        raise InputError(
            f"The prediction of frame {index} holds values that are not finite.",
            "Fill or re-estimate this frame.",
        )
    if quantity == "depth":
        _refuse_holes(p, index, valid)
    if protocol == "eigen":
        return depth_at(p, quantity, valid.shape)
    if protocol not in _AS_DEPTH:
        return disparity_at(p, quantity, valid.shape)
    if quantity == "depth" and p.shape == valid.shape:
        return np.asarray(np.minimum(p, _FAR))
    return np.asarray(1 / np.maximum(disparity_at(p, quantity, valid.shape), 1 / _FAR))


def _refuse_holes(p: np.ndarray, index: int, valid: np.ndarray) -> None:
    """Depth that is 0 or less is none; as the nearest thing of all it would decide every fit."""
    holes = p <= 0
    if not holes.any():
        return
    if holes.shape != valid.shape:
        size = (valid.shape[1], valid.shape[0])
        holes = cv2.resize(holes.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0
    count = int(np.count_nonzero(holes & valid))
    if count:
        raise InputError(
            f"The prediction of frame {index} has no depth (0 or less) at {count} pixel{'s' * (count != 1)} "
            "that have truth.",
            "Fill them, or set the truth to 0 there.",
        )


def _start(source: Frames) -> Iterator[np.ndarray]:
    return iter(source() if callable(source) else source)


def _refuse_generator(source: Frames, name: str) -> None:
    if not callable(source) and iter(source) is source:
        raise UsageError(
            f"The {name} can be read only once, but clip-lstsq reads it twice.",
            "Give a list, an array or a function that returns a fresh iterator.",
        )
