"""From linear light to the picture a display shows, because networks were trained on photographs.

One gain a shot, then a highlight shoulder, then the sRGB curve. The shoulder is the operator L / (1 + L) of
Reinhard et al. 2002 (eq. 3) applied only above a knee, so that mid-tones keep the values a photograph has and
bright lights, however far they reach, stay distinct.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

KNEE = 0.5  # linear; display value 188. Below it the transform is the plain sRGB curve.
KEY = 0.12  # where the exposure puts the log-average of a shot: the median of ordinary display-referred clips
_STRIP = 1 << 17  # pixels
_BRIGHTEST = 1e30  # no light is; not an overflow in any sum of three
REC709_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


def srgb_encode(linear: np.ndarray) -> np.ndarray:
    """sRGB curve (IEC 61966-2-1) of linear values in [0, 1].

    Args:
        linear: Of any shape; what lies outside [0, 1] should be brought there first.
    """
    low = 12.92 * linear
    return np.where(linear <= 0.0031308, low, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


def srgb_decode(encoded: np.ndarray) -> np.ndarray:
    """Scene-linear light, float32, of sRGB values in [0, 1].

    Args:
        encoded: Of any shape.
    """
    values = np.asarray(encoded, np.float32)
    high = ((values + np.float32(0.055)) / np.float32(1.055)) ** np.float32(2.4)
    return np.where(values <= 0.04045, values / np.float32(12.92), high)


def shoulder(linear: np.ndarray) -> np.ndarray:
    """Maps [0, inf) to [0, 1): identity up to `KNEE`, Reinhard 2002 (eq. 3) above, smooth in slope.

    Args:
        linear: Light >= 0, diffuse white at 1, of any shape.
    """
    over = np.maximum(linear - KNEE, 0) / (1 - KNEE)
    return np.where(linear <= KNEE, linear, KNEE + (1 - KNEE) * over / (1 + over))


def linear_to_display(linear: np.ndarray, exposure: float = 1.0) -> np.ndarray:
    """Display picture of scene-linear Rec. 709 values.

    Args:
        linear: Any shape, float16 or float32; negative and NaN become black, infinite becomes white.
        exposure: Gain before the curve, one a shot.

    Returns:
        The same shape, uint8 sRGB.
    """
    # 16 bits of a float (half: all; single: exponent and 8 bits of mantissa) have 65536 values: the whole
    # transform is one table, which is many times faster than evaluating it.
    shown: np.ndarray
    if linear.dtype == np.float16:
        shown = _half_table(float(exposure))[linear.view(np.uint16)]
        return shown
    positive = np.fmax(linear.astype(np.float32, copy=False), np.float32(1e-30))  # not a number: black
    shown = _single_table(float(exposure))[positive.view(np.uint32) >> 15]
    return shown


def show(pixels: np.ndarray, light: Callable[[np.ndarray], np.ndarray], exposure: float) -> np.ndarray:
    """Display picture (H, W, 3) uint8 of numbers that ``light`` brings to linear Rec. 709.

    Some rows at a time: what is needed in between is ten times the picture, and faster in the cache.

    Args:
        pixels: Code values (H, W, 3) as decoded.
        light: Brings rows of them to linear Rec. 709 light.
        exposure: Gain on the linear light.
    """
    out = np.empty(pixels.shape, np.uint8)
    step = max(1, _STRIP // pixels.shape[1])
    for row in range(0, len(pixels), step):
        out[row : row + step] = linear_to_display(light(pixels[row : row + step]), exposure)
    return out


@lru_cache(maxsize=16)
def _half_table(exposure: float) -> np.ndarray:
    return _display(np.arange(65536, dtype=np.uint16).view(np.float16), exposure)


@lru_cache(maxsize=16)
def _single_table(exposure: float) -> np.ndarray:
    middles = (np.arange(65536, dtype=np.uint32) << 15) + (1 << 14)
    middles[0xFF00] = 0x7F800000  # infinity itself; everything above is not a number
    return _display(middles.view(np.float32), exposure)


def _display(linear: np.ndarray, exposure: float) -> np.ndarray:
    known = np.where(np.isnan(linear), 0, linear).astype(np.float64)
    return np.round(255 * srgb_encode(shoulder(np.clip(known, 0, 1e30) * exposure))).astype(np.uint8)


def log_picture(linear: np.ndarray) -> np.ndarray:
    """An 8-bit picture in which equal ratios of light are equal steps, for comparing frames at any exposure.

    Args:
        linear: (H, W, 3) float; 2**-12 and less, and what is not a number, is 0; 2**12 and more is 255.
    """
    stops = np.log2(np.fmax(linear, 2.0**-12), dtype=np.float32)
    codes: np.ndarray = np.clip((stops + 12) * (255 / 24), 0, 255).astype(np.uint8)
    return codes


class ExposureMeter:
    """Finds one exposure for a shot from a running histogram of log luminance; memory does not grow with the
    shot.

    The mean of log2 luminance between the 5th and 95th percentile of all lit pixels is put at `KEY` (the
    log-average key of Reinhard et al. 2002, eq. 1, made robust against lamps and mattes).
    """

    _BINS, _LOW, _PER_STOP = 640, -20.0, 16.0

    def __init__(self) -> None:
        self._histogram = np.zeros(self._BINS, np.int64)

    def add(self, histogram: np.ndarray) -> None:
        """Adds one frame's `measure`.

        Args:
            histogram: What `measure` gave.
        """
        self._histogram += histogram

    @classmethod
    def measure(cls, linear: np.ndarray) -> np.ndarray:
        """Histogram of one frame (H, W, 3) of linear light: (640,) counts, 1/16 stop a bin; black, and
        pixels that are not finite, do not count.

        Args:
            linear: Rec. 709, diffuse white at 1.
        """
        pixels = linear.reshape(-1, 3).astype(np.float32, copy=False)
        pixels = pixels[(np.abs(pixels) < _BRIGHTEST).all(1)]
        light = pixels @ REC709_LUMA
        light = light[light > 2.0**cls._LOW]
        bins = ((np.log2(light) - cls._LOW) * cls._PER_STOP).astype(np.int64)
        return np.bincount(np.minimum(bins, cls._BINS - 1), minlength=cls._BINS)

    def exposure(self) -> float:
        """The gain for everything added so far; 1 when nothing was lit."""
        total = int(self._histogram.sum())
        if not total:
            return 1.0
        below = np.cumsum(self._histogram)
        inside = np.clip(below, 0.05 * total, 0.95 * total)
        weight = np.diff(inside, prepend=0.05 * total)
        stops = self._LOW + (np.arange(self._BINS) + 0.5) / self._PER_STOP
        return float(f"{KEY / 2.0 ** float((weight * stops).sum() / weight.sum()):.6g}")
