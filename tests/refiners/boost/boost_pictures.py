"""Pictures to plan: noise, forms, ramps, a dot."""

import cv2
import numpy as np


def noise(height, width, seed=0):
    """Blobs of noise on a smooth ground: textured in some parts only."""
    rng = np.random.default_rng(seed)
    ground = cv2.resize(rng.random((4, 5, 3)), (width, height), interpolation=cv2.INTER_CUBIC)
    where = cv2.resize(rng.random((6, 7)), (width, height))[..., None] > 0.6
    return np.clip(ground * 0.6 + where * rng.random((height, width, 3)) * 0.4, 0, 1)


def forms(height, width, seed=0):
    """Filled circles and rectangles on one colour, 8 bit."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), 90, np.uint8)
    for _ in range(12):
        x, y, r = (int(v) for v in rng.random(3) * (width, height, min(height, width) / 4))
        colour = tuple(int(v) for v in rng.integers(0, 256, 3))
        if r % 2:
            cv2.circle(picture, (x, y), r, colour, -1, cv2.LINE_AA)
        else:
            cv2.rectangle(picture, (x, y), (x + r, y + r // 2), colour, -1)
    return picture / 255


def ramp(height, width):
    """Smooth from black to white."""
    return np.repeat(np.linspace(0, 1, width)[None, :, None], height, 0).repeat(3, 2)


def dot(height, width):
    """A white square in a black picture."""
    picture = np.zeros((height, width, 3))
    picture[height // 3 : height // 3 + 9, width // 4 : width // 4 + 9] = 1
    return picture
