"""Turns frames of a clip into a training sample: a random crop, and what cameras and codecs do to it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Place:
    """A part of a picture, and the size and side it is shown at.

    Attributes:
        y, x, rows, columns: Of the part, in pixels.
        height, width: It is resized to.
        mirrored: Whether left and right are swapped then.
    """

    y: int
    x: int
    rows: int
    columns: int
    height: int
    width: int
    mirrored: bool

    def picture(self, rgb: np.ndarray) -> np.ndarray:
        """The part of a picture.

        Args:
            rgb: (H, W, 3) uint8.

        Returns:
            (height, width, 3) uint8.
        """
        shrink = cv2.INTER_AREA if self.rows > self.height else cv2.INTER_LINEAR
        return self._cut(rgb, shrink)

    def truth(self, disparity: np.ndarray) -> np.ndarray:
        """The part of a map, whose values are picked and not mixed.

        Args:
            disparity: (H, W) float32.

        Returns:
            (height, width) float32.
        """
        return self._cut(disparity, cv2.INTER_NEAREST)

    def points(self, points: np.ndarray) -> np.ndarray:
        """Points as a map; of several in a pixel the nearest counts, which hides the others.

        Args:
            points: (N, 3): x and y in pixels of the whole picture, and disparity.

        Returns:
            (height, width) float32, not a number where no point is.
        """
        found = np.full((self.height, self.width), np.nan, np.float32)
        across = np.floor((points[:, 0] - self.x) * self.width / self.columns).astype(int)
        down = np.floor((points[:, 1] - self.y) * self.height / self.rows).astype(int)
        if self.mirrored:
            across = self.width - 1 - across
        inside = (across >= 0) & (across < self.width) & (down >= 0) & (down < self.height)
        for place in np.argsort(points[:, 2], kind="stable"):
            if inside[place]:
                found[down[place], across[place]] = points[place, 2]
        return found

    def _cut(self, pixels: np.ndarray, how: int) -> np.ndarray:
        part = pixels[self.y : self.y + self.rows, self.x : self.x + self.columns]
        resized = cv2.resize(part, (self.width, self.height), interpolation=how)
        return np.ascontiguousarray(resized[:, ::-1] if self.mirrored else resized)


def place(size: tuple[int, int], height: int, width: int, rng: np.random.Generator) -> Place:
    """A random part of a picture; the same generator gives the same.

    Args:
        size: (H, W) of the picture.
        height, width: Of the result.
        rng: Decides.
    """
    rows, columns = size
    aspect = width / height * float(np.exp(rng.normal(0, 0.06)))
    tall = min(rows, columns / aspect) * rng.uniform(0.65, 1.0)
    h, w = max(8, int(tall)), min(columns, max(8, int(tall * aspect)))
    y, x = int(rng.integers(0, rows - h + 1)), int(rng.integers(0, columns - w + 1))
    return Place(y, x, h, w, height, width, bool(rng.uniform() < 0.5))


def crop(
    rgb: np.ndarray, disparity: np.ndarray, height: int, width: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Crops, resizes and flips; the same generator gives the same crop.

    Args:
        rgb: (H, W, 3) uint8.
        disparity: (H, W) float32.
        height, width: Size of the result.
        rng: Decides.

    Returns:
        rgb (height, width, 3) uint8 and disparity (height, width) float32.
    """
    part = place((disparity.shape[0], disparity.shape[1]), height, width, rng)
    return part.picture(rgb), part.truth(disparity)


def degrade(picture: np.ndarray, rng: np.random.Generator, own: np.random.Generator) -> np.ndarray:
    """Colour, tone, softness, noise and compression, each at random.

    Args:
        picture: (H, W, 3) uint8.
        rng: Decides the camera and the codec, so that frames of one clip share them.
        own: Decides the frame's own noise and a little flicker of its exposure.

    Returns:
        (3, H, W) float32 in [0, 1].
    """
    height, width = picture.shape[:2]
    image = picture.astype(np.float32) / 255
    mean = image.mean()
    image = (image - mean) * np.float32(rng.uniform(0.75, 1.35)) + mean
    grey = image.mean(-1, keepdims=True)
    image = grey + (image - grey) * np.float32(rng.uniform(0.3, 1.6) if rng.uniform() < 0.96 else 0)
    if rng.uniform() < 0.06:  # another paint on everything: hues mean little
        image = image @ (np.eye(3) * 0.5 + 0.5 * rng.dirichlet((0.7, 0.7, 0.7), 3).T).astype(np.float32)
    image = image * np.exp(rng.normal(0, 0.05, 3)).astype(np.float32)
    image = np.clip(image + np.float32(rng.normal(0, 0.03)), 0, 1) ** np.float32(np.exp(rng.normal(0, 0.2)))
    soften = rng.uniform()
    if soften < 0.15:
        small = rng.uniform(0.5, 0.95)
        reduced = cv2.resize(image, None, fx=small, fy=small, interpolation=cv2.INTER_AREA)
        image = cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR)
    elif soften < 0.3:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.0))
    elif soften < 0.5:
        soft = cv2.GaussianBlur(image, (0, 0), 1.2)
        image = image + (image - soft) * np.float32(rng.uniform(0.2, 1.2))
    if rng.uniform() < 0.15:  # texture the renderer lacks: band-limited multiplicative grain
        cell = int(rng.choice((2, 4, 9)))
        noise = rng.normal(0, rng.uniform(0.01, 0.05), (height // cell + 2, width // cell + 2))
        grain = cv2.resize(noise.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
        image = image * (1 + grain)[..., None]
    image = image * np.float32(np.exp(own.normal(0, 0.01)))
    if rng.uniform() < 0.5:
        image = image + own.normal(0, np.exp(rng.uniform(-6.5, -3.9)), image.shape).astype(np.float32)
    image = np.clip(image, 0, 1)
    if rng.uniform() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 95))]
        data = cv2.imencode(".jpg", np.round(image * 255).astype(np.uint8), quality)[1]
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.float32) / 255
    return np.ascontiguousarray(image.transpose(2, 0, 1), np.float32)
