"""A fixed library of periodic grey textures with mip levels; materials colour and mix them.

Generated once a process from a fixed seed, so a scene's seed alone decides its picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import torch
from torch import Tensor

SIDE = 256  # texels of level 0
LEVELS = 6
_HOST = torch.device("cpu")


@dataclass(frozen=True)
class Library:
    """All textures, every mip level, in one flat array.

    Attributes:
        texels: (total,) float32 in [0, 1].
        names: Texture index -> kind, for choosing.
    """

    texels: Tensor
    names: tuple[str, ...]

    def indices(self, *kinds: str) -> np.ndarray:
        """Indices of the textures of the given kinds.

        Args:
            *kinds: Names.
        """
        return np.array([i for i, name in enumerate(self.names) if name in kinds])

    def sample(self, index: Tensor, u: Tensor, v: Tensor, texels_per_pixel: Tensor) -> Tensor:
        """Bilinear, mip-mapped lookup; all arguments (N,), u and v in tiles, result (N,) in [0, 1].

        Args:
            index: Which textures.
            u, v: Any real numbers; they repeat.
            texels_per_pixel: Of the finest level; decides which one is looked up.
        """
        level = (texels_per_pixel.clamp(min=1e-6).log2() + 0.3).clamp(0, LEVELS - 1).to(torch.int32)
        side = torch.full_like(level, SIDE) >> level
        base = index.to(torch.int32) * _STRIDE + (_TOP - side * side * 4) // 3
        x, y = (u - u.floor()) * side - 0.5, (v - v.floor()) * side - 0.5
        x0, y0 = x.floor(), y.floor()
        fx, fy = x - x0, y - y0
        left, upper, mask = x0.to(torch.int32), y0.to(torch.int32), side - 1
        xa, xb = left & mask, (left + 1) & mask
        ya, yb = base + (upper & mask) * side, base + ((upper + 1) & mask) * side
        top = torch.lerp(self.texels[ya + xa], self.texels[ya + xb], fx)
        low = torch.lerp(self.texels[yb + xa], self.texels[yb + xb], fx)
        return torch.lerp(top, low, fy)


_TOP = 4 * SIDE * SIDE  # levels 0 … k − 1 hold (4 side(0)² − 4 side(k)²) / 3 texels
_STRIDE = int(sum((SIDE >> k) ** 2 for k in range(LEVELS)))


@cache
def library(device: torch.device = _HOST) -> Library:
    """The library; about a second the first time.

    Args:
        device: Where the texels are to lie.
    """
    made = _make()
    return Library(made[0].to(device), made[1])


@cache
def _make() -> tuple[Tensor, tuple[str, ...]]:
    rng = np.random.default_rng(20240)
    images: list[tuple[str, np.ndarray]] = [
        ("noise", fractal(rng, beta)) for beta in np.linspace(0.6, 3.0, 14)
    ]
    images += [("wood", _wood(rng, stretch)) for stretch in (4, 8, 16, 30)]
    for tiles in (2, 4, 8, 12):
        images += [
            ("tiles", _tiles(rng, tiles, checker=False)),
            ("checker", _tiles(rng, tiles, checker=True)),
        ]
    images += [("brick", _brick(rng, rows)) for rows in (8, 12, 16)]
    images += [("stripes", _stripes(rng, count)) for count in (4, 10, 22)]
    grids = ((3, 3), (4, 5), (6, 4), (8, 8), (2, 4))
    images += [("facade", _facade(rng, columns, rows)) for columns, rows in grids]
    for count in (12, 40, 90, 160):
        images += [("patches", _patches(rng, count)), ("spines", _spines(rng, count))]
    images += [("cells", _cells(rng, count)) for count in (30, 120, 400)]
    images += [("text", _text(rng, lines)) for lines in (6, 14)]
    images += [("leaves", np.clip(fractal(rng, beta) * 3 - 1.1, 0, 1)) for beta in (0.2, 0.8, 1.3)]
    flat = []
    for _, image in images:
        level = image.astype(np.float32)
        for _ in range(LEVELS):
            flat.append(level.ravel())
            level = np.asarray(cv2.resize(level, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    return torch.from_numpy(np.concatenate(flat)), tuple(name for name, _ in images)


def fractal(rng: np.random.Generator, beta: float) -> np.ndarray:
    """(SIDE, SIDE) periodic 1/f^beta noise in [0, 1], median 0.5.

    Args:
        rng: Decides it.
        beta: The larger, the smoother.
    """
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE), indexing="ij"))
    f[0, 0] = 1
    spectrum = np.fft.fft2(rng.normal(size=(SIDE, SIDE))) / f**beta
    spectrum[0, 0] = 0
    image = np.fft.ifft2(spectrum).real
    grey: np.ndarray = np.clip(0.5 + 0.22 * image / image.std(), 0, 1)
    return grey


def _wood(rng: np.random.Generator, stretch: int) -> np.ndarray:
    grain = cv2.resize(fractal(rng, 1.0)[: SIDE // stretch], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    planks = np.repeat(rng.uniform(-0.25, 0.25, 8), SIDE // 8)[:, None]
    image = grain.T + planks.T
    image[:, :: SIDE // 8] -= 0.35
    return np.clip(image, 0, 1)


def _tiles(rng: np.random.Generator, tiles: int, checker: bool) -> np.ndarray:
    size = SIDE // tiles
    cells = np.indices((tiles, tiles)).sum(0) % 2 * 0.7 if checker else rng.uniform(0.5, 0.75, (tiles, tiles))
    image = np.kron(cells, np.ones((size, size)))
    image = np.pad(image, ((0, SIDE - len(image)), (0, SIDE - len(image))), mode="wrap")
    if not checker:
        gap = np.arange(SIDE) % size < max(1, size // 24)
        image[gap] = image[:, gap] = 0.15
    return np.clip(image + 0.15 * (fractal(rng, 1.5) - 0.5), 0, 1)


def _brick(rng: np.random.Generator, rows: int) -> np.ndarray:
    image, height = np.full((SIDE, SIDE), 0.9), SIDE // rows
    width = height * 2
    for row in range(rows + 1):
        for column in range(-1, SIDE // width + 1):
            x = column * width + (row % 2) * height
            image[row * height + 1 : (row + 1) * height - 1, max(0, x + 1) : max(0, x + width - 1)] = (
                rng.uniform(0.2, 0.55)
            )
    return np.clip(image + 0.2 * (fractal(rng, 1.0) - 0.5), 0, 1)


def _stripes(rng: np.random.Generator, count: int) -> np.ndarray:
    edges = np.sort(rng.integers(0, SIDE, count))
    values = rng.uniform(0, 1, count + 1)
    return np.tile(values[np.searchsorted(edges, np.arange(SIDE))], (SIDE, 1))


def _facade(rng: np.random.Generator, columns: int, rows: int) -> np.ndarray:
    image = 0.75 + 0.15 * (fractal(rng, 1.2) - 0.5)
    w, h = SIDE / columns, SIDE / rows
    margin_x, margin_y = rng.uniform(0.1, 0.3), rng.uniform(0.12, 0.3)
    for r in range(rows):
        for c in range(columns):
            x0, x1 = int((c + margin_x) * w), int((c + 1 - margin_x) * w)
            y0, y1 = int((r + margin_y) * h), int((r + 1 - margin_y) * h)
            image[y0 - 2 : y1 + 2, max(0, x0 - 2) : x1 + 2] = 0.95
            image[y0:y1, x0:x1] = rng.uniform(0.0, 0.35)
            image[y0:y1, (x0 + x1) // 2] = 0.8
    return np.clip(image, 0, 1)


def _patches(rng: np.random.Generator, count: int) -> np.ndarray:
    image = np.full((SIDE, SIDE), rng.uniform(), np.float64)
    for _ in range(count):
        x, y = rng.integers(0, SIDE, 2)
        w, h = rng.integers(8, 20 + 1200 // count, 2)
        value = float(rng.uniform())
        if rng.uniform() < 0.5:
            cv2.rectangle(image, (int(x), int(y)), (int(x + w), int(y + h)), value, -1)
        else:
            cv2.ellipse(
                image, (int(x), int(y)), (int(w), int(h)), float(rng.uniform(0, 180)), 0, 360, value, -1
            )
    return np.clip(image, 0, 1)


def _spines(rng: np.random.Generator, count: int) -> np.ndarray:
    image = _stripes(rng, count)
    label = rng.uniform(0.2, 0.8)
    image[int(SIDE * 0.2) : int(SIDE * 0.3)] = 0.6 * image[:1] + 0.4 * label
    image[int(SIDE * 0.7) : int(SIDE * 0.75)] = 1 - image[:1]
    return image


def _cells(rng: np.random.Generator, count: int) -> np.ndarray:
    points = rng.uniform(0, SIDE, (count, 2))
    image = np.full((SIDE, SIDE), 255, np.uint8)
    for dx in (-SIDE, 0, SIDE):
        for dy in (-SIDE, 0, SIDE):
            for x, y in points + np.array((dx, dy)):
                if 0 <= x < SIDE and 0 <= y < SIDE:
                    image[int(y), int(x)] = 0
    distance = cv2.distanceTransform(image, cv2.DIST_L2, 3)
    grey: np.ndarray = np.clip(distance / (2 * distance.mean() + 1e-6), 0, 1)
    return grey


def _text(rng: np.random.Generator, lines: int) -> np.ndarray:
    image = np.full((SIDE, SIDE), 0.95)
    step = SIDE // (lines + 2)
    for line in range(1, lines + 1):
        x = 20
        while x < SIDE - 30 and not (line % 5 == 4 and x > 120):
            w = int(rng.integers(4, 24))
            image[line * step : line * step + step // 2, x : x + w] = rng.uniform(0, 0.3)
            x += w + int(rng.integers(3, 8))
    return image
