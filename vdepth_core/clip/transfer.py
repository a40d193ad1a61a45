"""Transfer characteristics: FFmpeg's words for them, what people call them, how a signal becomes light."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

import cv2
import numpy as np

from ..errors import UsageError

PQ_WHITE = 203.0  # cd/m2 of diffuse white in PQ, ITU-R BT.2408
HLG_WHITE = 0.265  # linear level of diffuse white in HLG (75 % signal), ITU-R BT.2408

# ITU-T H.273, table 3, in FFmpeg's words.
TRANSFERS = {
    1: "bt709", 4: "gamma22", 5: "gamma28", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100",
    10: "log316", 11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12",
    16: "smpte2084", 17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
LOG = frozenset({"log100", "log316"})
_CALLED = {
    "pq": "smpte2084", "st2084": "smpte2084", "hdr10": "smpte2084", "hlg": "arib-std-b67",
    "srgb": "iec61966-2-1", "rec709": "bt709", "bt1886": "bt709", "rec2020": "bt2020-10",
    "bt2020": "bt2020-10", "lin": "linear", "log": "log100", "kodaklog": "cineon",
}  # fmt: skip
_CURVES = frozenset({"smpte2084", "arib-std-b67", "linear", "cineon", *LOG})


def transfer_named(word: str) -> str:
    """FFmpeg's word for the transfer a user means (``pq``, ``HLG``, ``sRGB``, ``bt709`` …).

    Args:
        word: As the user wrote it, in any case and with any punctuation.

    Raises:
        UsageError: nobody knows the word; the hint says which words there are.
    """
    plain = _plain(word)
    known = {_plain(name): name for name in (*TRANSFERS.values(), "cineon")} | _CALLED
    if plain in known:
        return known[plain]
    near = get_close_matches(plain, known, 1, 0.5)
    meant = f"Did you mean {near[0]}? " if near else ""
    raise UsageError(
        f"There is no transfer called '{word}'.",
        f"{meant}Known are pq, hlg, linear, srgb, log, cineon and FFmpeg's {', '.join(TRANSFERS.values())}; "
        "camera logs such as logc3 or slog3 are given with --colorspace.",
    )


def _plain(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.casefold())


def to_light(signal: np.ndarray, transfer: str) -> np.ndarray:
    """Linear light of a signal in [0, 1], diffuse white at 1.

    HLG is taken as scene light (its system gamma is for the display, and the exposure is ours).

    Args:
        signal: Of any shape; overshoots beyond [0, 1] are allowed.
        transfer: FFmpeg's word, or ``cineon``.

    Raises:
        KeyError: ``transfer`` is not PQ, HLG, linear, logarithmic or Cineon.
    """
    light: np.ndarray
    if transfer == "smpte2084":  # BT.2100, table 4: PQ EOTF
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        power = np.clip(signal, 0, 1) ** (1 / m2)
        light = 10000 / PQ_WHITE * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
        return light
    if transfer == "arib-std-b67":  # BT.2100, table 5: HLG inverse OETF
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        x = np.clip(signal, 0, 2)
        light = np.where(x <= 0.5, x**2 / 3, (np.exp((x - c) / a) + b) / 12) / HLG_WHITE
        return light
    if transfer == "linear":
        return signal
    if transfer in LOG:  # H.273, table 3: 100:1 and 316:1, everything darker is black
        decades = 2.0 if transfer == "log100" else 2.5
        return np.where(signal > 0, 10.0 ** (decades * (np.minimum(signal, 2) - 1)), 0)
    if transfer == "cineon":
        # Kodak, "Conversion of 10-bit Log Film Data", 1995: 0.002 density a code, gamma 0.6, white at 685
        # and black at 95.
        black = 10.0 ** ((95 - 685) * 0.002 / 0.6)
        light = (10.0 ** ((np.clip(signal, 0, 2) * 1023 - 685) * 0.002 / 0.6) - black) / (1 - black)
        return light
    raise KeyError(transfer)


@dataclass(frozen=True, eq=False)
class Curve:
    """Light from a signal by its transfer characteristic and primaries; a `vdepth_core.clip.colour.Light`.

    Attributes:
        transfer: One that `to_light` knows.
        matrix: From the signal's primaries to Rec. 709's; None where they are the same.
    """

    transfer: str
    matrix: np.ndarray | None = None

    @staticmethod
    def knows(transfer: str) -> bool:
        """Whether a picture of this transfer must be brought to light before a network sees it.

        Args:
            transfer: FFmpeg's word.
        """
        return transfer in _CURVES

    @property
    def perceptual(self) -> bool:
        """Whether equal steps of the signal look equal, so that pictures compare as they are."""
        return self.transfer != "linear"

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Linear Rec. 709 light (H, W, 3) float32 of full-range RGB codes or of floats in [0, 1]."""
        if pixels.dtype.kind == "f":
            if self.transfer == "linear":  # half floats without other primaries stay so: their table is exact
                light = pixels
            else:
                light = to_light(pixels.astype(np.float32), self.transfer).astype(np.float32)
        else:
            light = _table(self.transfer, 8 * pixels.dtype.itemsize)[pixels]
        if self.matrix is None:
            return light
        finite = np.nan_to_num(light.astype(np.float32, copy=False), nan=0.0, posinf=65504.0, neginf=0.0)
        return cv2.transform(finite, self.matrix)


@lru_cache(maxsize=8)
def _table(transfer: str, bits: int) -> np.ndarray:
    return to_light(np.arange(1 << bits) / ((1 << bits) - 1), transfer).astype(np.float32)
