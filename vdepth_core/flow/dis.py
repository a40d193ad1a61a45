"""Dense optical flow by OpenCV's DIS (Kroeger et al., "Fast Optical Flow using Dense Inverse Search", 2016).

Flow is computed on luma reduced to a fixed longest side: disparity flicker is a low-frequency thing, and the
time of the flow is what a stabilised frame costs most.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

from .visibility import forward_backward

Preset = Literal["ultrafast", "fast", "medium"]
_PRESETS: dict[str, int] = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
MIN_SIDE = 24  # DIS needs a few 8 px patches; smaller pictures get zero flow
# Where the shorter side is below the first, OpenCV chooses its pyramid by the width alone; from the second on
# that is a level lower than a patch, and the process dies of it.
_LOW, _WIDE = 32, 80


def working_size(height: int, width: int, longest: int) -> tuple[int, int]:
    """The (height, width) at which flow of a picture is computed: aspect kept, never enlarged.

    Args:
        height, width: Of the picture, in pixels.
        longest: The most its longer side may have.
    """
    ratio = min(1.0, longest / max(height, width))
    return max(1, round(height * ratio)), max(1, round(width * ratio))


def reduce(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Area-averages an image (H, W) down to ``size`` (h, w); the same array if it has that size.

    Args:
        image: Of a dtype that OpenCV resizes.
        size: Not larger than the image.
    """
    if image.shape[:2] == size:
        return image
    return np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA))


class DisFlow:
    """A DIS estimator, one a thread (it keeps buffers). The number of threads does not change results.

    ``finest``: the pyramid's level at which it ends, None: the preset's own. Flow is enlarged from there.
    """

    def __init__(self, preset: Preset = "fast", finest: int | None = None) -> None:
        self._dis = cv2.DISOpticalFlow.create(_PRESETS[preset])
        if finest is not None:
            self._dis.setFinestScale(finest)

    def flow(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Where each pixel of ``a`` is in ``b``, both (h, w) uint8: p lies at p + flow.

        Args:
            a, b: Luma of equal size.

        Returns:
            (h, w, 2) float32, x then y, in pixels. Zero for pictures smaller than `MIN_SIDE`.

        Raises:
            ValueError: the sizes differ.
        """
        if a.shape != b.shape or a.ndim != 2:
            raise ValueError(f"flow needs two (h, w) images of equal size, not {a.shape} and {b.shape}")
        if min(a.shape) < MIN_SIDE:
            return np.zeros((*a.shape, 2), np.float32)
        if a.shape[0] < _LOW and a.shape[1] >= _WIDE:  # laid on its side it is safe
            return np.ascontiguousarray(self.flow(a.T, b.T).transpose(1, 0, 2)[..., ::-1])
        a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
        return np.asarray(self._dis.calc(a, b, None))  # type: ignore[call-overload]

    def motion(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Flow from ``a`` to ``b``, and how surely a pixel of ``a`` is seen in ``b`` (`forward_backward`).

        Args:
            a, b: RGB (h, w, 3) uint8 of equal size.

        Returns:
            (h, w, 2) float32 in pixels, and (h, w) float32 in [0, 1].
        """
        one, other = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (a, b))
        forward = self.flow(one, other)
        return forward, forward_backward(forward, self.flow(other, one))
