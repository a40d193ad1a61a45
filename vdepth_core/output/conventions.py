"""What other programs call depth, and the way back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np

from ..choices import Convention, one_of
from ..errors import UsageError
from ..geometry.camera import Intrinsics
from .finish import FAR_AWAY

CONVENTIONS: tuple[str, ...] = get_args(Convention)

MEANINGS = {
    "z": "distance to the camera plane",
    "inverse-z": "1 / z, as Nuke's ScanlineRender writes it; 0 is infinitely far",
    "ray": "distance to the camera along the ray of the pixel",
    "white-near": "inverse depth normalised over the clip, 1 is near and 0 is far",
}
_SKY = np.float32(0.5) * FAR_AWAY  # anything beyond has no depth


@dataclass(frozen=True)
class Converter:
    """Turns planar z into a convention and back; the same for every frame of a clip.

    Attributes:
        convention: One of `CONVENTIONS`.
        intrinsics: The plate's camera, for ``ray``.
        near, far: The clip's range, for ``white-near``.
    """

    convention: str
    intrinsics: Intrinsics
    near: float
    far: float

    def __post_init__(self) -> None:
        if self.convention not in CONVENTIONS:
            raise UsageError(
                f"Unknown depth convention {self.convention}.", one_of(self.convention, CONVENTIONS)
            )

    def convert(self, z: np.ndarray) -> np.ndarray:
        """Planar z (H, W) -> the convention, float32; see `sky` for pixels without depth.

        Args:
            z: In the units of the sequence; beyond half of `FAR_AWAY` there is no depth.
        """
        if self.convention == "z":
            return z.astype(np.float32)
        sky = z >= _SKY
        if self.convention == "ray":
            return np.where(sky, FAR_AWAY, z * self._stretch(z.shape)).astype(np.float32)
        q = np.reciprocal(np.maximum(z, np.float32(1e-30)), dtype=np.float32)
        if self.convention == "white-near":
            q = np.clip((q - np.float32(1 / self.far)) * np.float32(1 / self._span), 0, 1)
        return np.where(sky, np.float32(0), q)

    def invert(self, values: np.ndarray) -> np.ndarray:
        """The convention -> planar z (H, W) float32; what ``white-near`` clipped is near or far.

        Args:
            values: What `convert` gave.
        """
        if self.convention == "z":
            return values.astype(np.float32)
        if self.convention == "ray":
            return np.where(values >= _SKY, FAR_AWAY, values / self._stretch(values.shape)).astype(np.float32)
        if self.convention == "white-near":
            values = values * np.float32(self._span) + np.float32(1 / self.far)
        tiny = np.float32(1 / FAR_AWAY)
        depth: np.ndarray = np.reciprocal(np.maximum(values, tiny), dtype=np.float32)
        return depth

    @property
    def sky(self) -> float:
        """What pixels without depth become."""
        return 0.0 if self.convention in ("inverse-z", "white-near") else float(FAR_AWAY)

    @property
    def _span(self) -> float:
        return 1 / self.near - 1 / self.far

    def _stretch(self, shape: tuple[int, ...]) -> np.ndarray:
        """Length of the ray to z = 1: (H, W)."""
        lengths: np.ndarray = np.linalg.norm(self.intrinsics.rays(shape[1], shape[0]), axis=2)
        return lengths
