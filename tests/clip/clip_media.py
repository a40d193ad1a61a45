"""Media made on the spot: every picture carries its number as a bar code, so a wrong frame is seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

WIDTH, HEIGHT, CELL, BITS = 160, 96, 16, 10


def numbered(index: int, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    """A textured picture (96, 160, 3) uint8 whose top row says ``index`` in black and white cells."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (8, 12, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (WIDTH * 2, HEIGHT), interpolation=cv2.INTER_CUBIC)
    matrix = np.array([[1, 0, -shift], [0, 1, 0]], np.float32)
    picture = cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
    for bit in range(BITS):
        value = 235 if index >> bit & 1 else 20
        picture[:CELL, bit * CELL : (bit + 1) * CELL] = value
    return picture


def number_of(picture: np.ndarray) -> int:
    """The number in a picture made by `numbered`, at any size."""
    picture = cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    cells = picture[2 : CELL - 2].mean((0, 2)).reshape(BITS, CELL)[:, 3:-3].mean(1)
    return int(sum(1 << bit for bit, value in enumerate(cells) if value > 128))


def write_movie(
    path: Path,
    pictures: Iterable[np.ndarray],
    *,
    rate: Fraction = Fraction(25),
    pts: list[int] | None = None,
    time_base: Fraction | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    prepare: Callable | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encodes RGB pictures; ``prepare(container, stream)`` may set what else the test needs."""
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.pix_fmt = pix_fmt
        if time_base is not None:
            stream.codec_context.time_base = time_base
        for number, picture in enumerate(pictures):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
                if prepare:
                    prepare(container, stream)
            frame = av.VideoFrame.from_ndarray(
                picture, format="rgb24" if picture.dtype == np.uint8 else "rgb48le"
            )
            frame.pts = number if pts is None else pts[number]
            frame.time_base = time_base or 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
