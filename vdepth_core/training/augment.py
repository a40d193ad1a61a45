"""Turns frames of a clip into a training sample: a random crop, and what cameras and codecs do to it."""

from __future__ import annotations

import cv2
import numpy as np


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
    rows, columns = disparity.shape
    aspect = width / height * float(np.exp(rng.normal(0, 0.06)))
    tall = min(rows, columns / aspect) * rng.uniform(0.65, 1.0)
    h, w = max(8, int(tall)), min(columns, max(8, int(tall * aspect)))
    y, x = int(rng.integers(0, rows - h + 1)), int(rng.integers(0, columns - w + 1))
    shrink = cv2.INTER_AREA if h > height else cv2.INTER_LINEAR
    picture = cv2.resize(rgb[y : y + h, x : x + w], (width, height), interpolation=shrink)
    truth = cv2.resize(disparity[y : y + h, x : x + w], (width, height), interpolation=cv2.INTER_NEAREST)
    if rng.uniform() < 0.5:
        picture, truth = picture[:, ::-1], truth[:, ::-1]
    return np.ascontiguousarray(picture), np.ascontiguousarray(truth)


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
