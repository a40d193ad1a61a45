"""Integer formats: one linear code for the whole clip, written down beside it so that values come back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ...files import write_bytes
from ...progress import Progress
from ..conventions import MEANINGS, Converter
from ..sequence import DepthSequence


@dataclass(frozen=True)
class Scaling:
    """value = lo + (code − 1) · (hi − lo) / (levels − 2) for codes from 1; code 0 means no depth (sky).

    Attributes:
        lo, hi: Smallest and largest value of the clip.
        levels: Number of codes: 65536 for 16 bits.
    """

    lo: float
    hi: float
    levels: int

    def encode(self, values: np.ndarray, sky: np.ndarray) -> np.ndarray:
        """Values (H, W) -> codes (H, W) uint16; 0 where ``sky``.

        Args:
            values: Of the convention; beyond ``lo`` and ``hi`` they are clipped.
            sky: (H, W) bool.
        """
        step = (self.levels - 2) / (self.hi - self.lo)
        codes = np.rint((values.astype(np.float64) - self.lo) * step) + 1
        return np.where(sky, 0, np.clip(codes, 1, self.levels - 1)).astype(np.uint16)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Codes (H, W) -> values (H, W) float32; NaN for code 0.

        Args:
            codes: What `encode` gave.
        """
        step = (self.hi - self.lo) / (self.levels - 2)
        return np.where(codes == 0, np.nan, self.lo + (codes.astype(np.float64) - 1) * step).astype(
            np.float32
        )


def converter_of(sequence: DepthSequence, convention: str) -> Converter:
    """The conversion of one sequence.

    Args:
        sequence: The finished one.
        convention: One of `CONVENTIONS`.
    """
    return Converter(convention, sequence.intrinsics, *sequence.near_far)


def fit_scaling(
    sequence: DepthSequence, converter: Converter, levels: int, progress: Progress, stage: str
) -> Scaling:
    """Measures the value range of the whole clip in a pass over its frames; ``white-near`` is 0..1 without
    looking.

    Args:
        sequence: What is exported.
        converter: From depth to the convention.
        levels: Steps of the integer format.
        progress: Told of each frame; may cancel.
        stage: What the pass is called.

    Raises:
        InputError: a frame is missing or damaged.
    """
    if converter.convention == "white-near":
        return Scaling(0.0, 1.0, levels)
    lo, hi = np.inf, -np.inf
    for z in sequence:
        with progress.step(stage):
            values = converter.convert(z)[~is_sky(z)]
            if values.size:
                lo, hi = min(lo, float(values.min())), max(hi, float(values.max()))
    if not lo < hi:
        lo = 0.0 if not np.isfinite(lo) else lo
        hi = lo + max(1.0, abs(lo))
    return Scaling(lo, hi, levels)


def is_sky(z: np.ndarray) -> np.ndarray:
    """Where planar z (H, W) stands for no depth.

    Args:
        z: As the sequence's files have it.
    """
    return z >= 5e9


def write_sidecar(
    path: Path, sequence: DepthSequence, converter: Converter, scaling: Scaling, files: str
) -> Path:
    """Writes down how to get values back, as JSON.

    Args:
        path: The JSON file.
        sequence: What was exported.
        converter: From depth to the convention.
        scaling: From the convention to integers.
        files: In words, the files it stands beside.

    Raises:
        ResourceError: the disk is full or not writable.
    """
    facts = {
        "files": files,
        "convention": converter.convention,
        "meaning": MEANINGS[converter.convention],
        "space": sequence.manifest.model.space,
        "formula": "value = lo + (code - 1) * (hi - lo) / (levels - 2); code 0: no depth",
        **asdict(scaling),
        "near": converter.near,
        "far": converter.far,
        "rate": sequence.manifest.clip.rate,
        "first_number": sequence.numbers.start,
        "frames": len(sequence),
        "license": sequence.manifest.model.license,
        "model": sequence.manifest.model.name,
    }
    write_bytes(path, f"{json.dumps(facts, indent=1)}\n".encode())
    return path
