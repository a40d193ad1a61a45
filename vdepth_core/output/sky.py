"""Where the sky is: told by depth, by its colours over the whole shot, and as it reaches the picture's top.

What is surely sky (the far end of the model's depth, smooth, hanging together with the top) says for all
frames of a shot which colours its sky has; what is near says which it has not. If those colours are no sky's,
as a ceiling's are not, the shot has none. A frame's mask is what has these colours, is not near and hangs
together with the top, pixel by pixel of the plate. No frame has a threshold of its own, so the mask is as
steady as depth and plate are.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .upsample import smoothstep

FAR = 0.1  # normalised disparity below which a smooth thing at the top is sky
NEAR = (0.2, 0.4)  # from where on a thing is not, whatever its colour
SMOOTH = 0.02  # mean gradient of luma a pixel: clouds have less, hills more
SHARE = 0.004  # of the shot must be surely sky
# Measured: skies of eight clips are 1.8 to 5 times as bright as the ground, indoor far ends .5 to 1.1 times.
BRIGHTER, DIM = 1.3, 0.25  # than the ground; luma from which on it is day
BLUE = 0.06  # above red, from where on it need only be brighter at all
WARM, GREEN = 0.03, 0.08  # red above blue, green above their mean: walls, leaves
# Air scatters green more than red and less than blue: less than both is paint under a lamp's light.
PURPLE = 0.02
UNSEEN = 2e-3  # of the tallest bin: colours that neither sky nor ground had are no sky's
SURE = (0.3, 0.7)  # probability of a colour, from no sky to sky
_BINS, _LEVELS = 32, 3  # of the table, for each of Y, Cr and Cb; bits of a level within a bin
_GAP = np.ones((5, 5), np.uint8)  # pixels of the map: sky between leaves hangs together with the rest
_BESIDE = np.ones((3, 3), np.uint8)
_ROWS = 128  # of the plate at a time
_LUMA = np.array((0.299, 0.587, 0.114), np.float32) / 255  # BT.601


@dataclass(frozen=True, eq=False)
class Sky:
    """What is known of a shot's sky.

    Attributes:
        colours: (32, 32, 32) float32 in [0, 1]: how surely a colour, Y, Cr and Cb in bins, is the sky's;
            None: the shot has no sky.
    """

    colours: np.ndarray | None

    def mask(self, rgb: np.ndarray, d: np.ndarray) -> np.ndarray:
        """How surely each pixel is sky, (H, W) float32 in [0, 1].

        Args:
            rgb: (H, W, 3) uint8, the plate.
            d: (h, w) normalised disparity in [0, 1], 0 is far.
        """
        height, width = rgb.shape[:2]
        mask = np.zeros((height, width), np.float32)
        if self.colours is None:
            return mask
        small = _at_size(rgb, d.shape)
        likely = self._likely(small) * (1 - smoothstep(d.astype(np.float32), *NEAR))
        inside = _hanging((likely > 0.5).astype(np.uint8), _GAP)
        if not inside.any():
            return mask
        beside = cv2.GaussianBlur(cv2.dilate(inside, _BESIDE).astype(np.float32), (5, 5), 0)
        allowed = cv2.resize(beside, (width, height), interpolation=cv2.INTER_LINEAR)
        for top in range(0, height, _ROWS):
            stop, above = min(top + _ROWS, height), max(top - 1, 0)
            if not allowed[top:stop].any():
                continue
            # Without its grain, which would sparkle in the mask.
            plate = cv2.GaussianBlur(rgb[above : stop + 1], (3, 3), 0)[top - above : stop - above]
            mask[top:stop] = smoothstep(self._likely(plate), *SURE) * smoothstep(allowed[top:stop], 0.05, 0.5)
        return mask

    def _likely(self, rgb: np.ndarray) -> np.ndarray:
        assert self.colours is not None
        return np.asarray(self.colours[_bins(rgb)])


class SkySearch:
    """Looks for a shot's sky in some of its frames; memory does not depend on their number."""

    def __init__(self) -> None:
        self._sky, self._ground = (np.zeros((_BINS,) * 3) for _ in range(2))
        self._colour, self._pixels = np.zeros(3), 0
        self._light: list[float] = []

    def add(self, rgb: np.ndarray, d: np.ndarray) -> None:
        """Takes one frame.

        Args:
            rgb: (H, W, 3) uint8, the plate at any size.
            d: (h, w) normalised disparity in [0, 1], 0 is far.
        """
        small = _at_size(rgb, d.shape)
        luma = small @ _LUMA
        slope = np.hypot(cv2.Sobel(luma, -1, 1, 0), cv2.Sobel(luma, -1, 0, 1)) / 8
        smooth = cv2.blur(slope, (5, 5)) < SMOOTH
        sky = _hanging(((d < FAR) & smooth).astype(np.uint8)) > 0
        ground = (d > NEAR[0]) & ~sky
        for table, which in ((self._sky, sky), (self._ground, ground)):
            if which.any():
                np.add.at(table, _bins(small[None, which]), 1)
        self._colour += small[sky].sum(0, np.float64)
        self._pixels += sky.size
        if ground.any():
            self._light.append(float(np.median(luma[ground])))

    def found(self) -> Sky:
        """The shot's sky, as far as it was seen."""
        count = float(self._sky.sum())
        if not count or count < SHARE * self._pixels:
            return Sky(None)
        red, green, blue = self._colour / count / 255
        luma = float(self._colour @ _LUMA) / count
        ground = float(np.median(self._light or [0.0]))
        bright = luma > max(DIM, ground * (1 if blue - red > BLUE else BRIGHTER))
        painted = min(red, blue) - green > PURPLE or green - (red + blue) / 2 > GREEN
        if not bright or red - blue > WARM or painted:
            return Sky(None)
        sky, other = (_spread(table) / max(table.sum(), 1.0) for table in (self._sky, self._ground))
        return Sky((sky / (sky + other + UNSEEN * sky.max())).astype(np.float32))


def _at_size(rgb: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.asarray(cv2.resize(rgb, (shape[1], shape[0]), interpolation=cv2.INTER_AREA))


def _bins(rgb: np.ndarray) -> tuple[np.ndarray, ...]:
    """Place of each pixel's colour in the table."""
    colours = np.asarray(cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2YCrCb), np.uint8)
    return tuple(cv2.split(colours >> _LEVELS))


def _hanging(which: np.ndarray, gap: np.ndarray | None = None) -> np.ndarray:
    """The parts of (h, w) uint8 that hang together with its top, across gaps of that size."""
    wide = which if gap is None else cv2.dilate(which, gap)
    count, labels = cv2.connectedComponents(wide)
    top = np.zeros(count, np.uint8)
    top[np.unique(labels[:3])] = 1
    top[0] = 0
    return np.asarray(top[labels] & which)


def _spread(table: np.ndarray) -> np.ndarray:
    """Blurred by a bin along each axis: what was seen once was seen nearby."""
    for axis in range(3):
        rows = np.moveaxis(table, axis, 0)
        rows = cv2.GaussianBlur(rows.reshape(_BINS, -1), (1, 7), 1.0).reshape(rows.shape)
        table = np.moveaxis(rows, 0, axis)
    return table
