"""DPX headers whose film and television parts are the picture: what FFmpeg writes."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vdepth_core.clip import open_clip

WIDTH, HEIGHT = 96, 64


def write(folder: Path, pictures: list[np.ndarray]) -> list[Path]:
    files = []
    for number, rgb in enumerate(pictures, 1001):
        codec = av.CodecContext.create("dpx", "w")
        codec.width, codec.height, codec.pix_fmt, codec.time_base = WIDTH, HEIGHT, "gbrp10be", Fraction(1, 24)
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="gbrp10be")
        frame.pts = 0
        (packet,) = codec.encode(frame)
        files.append(folder / f"scan.{number}.dpx")
        files[-1].write_bytes(bytes(packet))
    return files


def bcd(value: int) -> int:
    return value // 10 << 4 | value % 10


@pytest.mark.parametrize("level", [0, 16, 64, 128, 255])
def test_pixels_are_no_time(tmp_path: Path, level: int) -> None:
    write(tmp_path, [np.full((HEIGHT, WIDTH, 3), level, np.uint8)] * 3)
    clip = open_clip(tmp_path)
    assert (clip.info.rate, clip.info.timecode) == (24, None)
    assert not any("time code" in note for note in clip.info.notes)
    assert [frame.timecode for frame in clip.read()] == [None] * 3


def test_nor_are_those_after_a_white_frame(tmp_path: Path) -> None:
    """Whose pixels say that there is no time code."""
    write(tmp_path, [np.full((HEIGHT, WIDTH, 3), level, np.uint8) for level in (255, 16, 17)])
    assert [frame.timecode for frame in open_clip(tmp_path).read()] == [None] * 3


@pytest.mark.parametrize("seed", range(5))
def test_nor_is_noise(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    write(tmp_path, [rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(2)])
    clip = open_clip(tmp_path)
    assert (clip.info.rate, clip.info.timecode) == (24, None)
    assert [frame.timecode for frame in clip.read()] == [None] * 2


def test_what_was_written_over_the_picture_counts(tmp_path: Path) -> None:
    for t, path in enumerate(write(tmp_path, [np.full((HEIGHT, WIDTH, 3), 90, np.uint8)] * 3)):
        data = bytearray(path.read_bytes())
        struct.pack_into(">I", data, 1920, 0x10 << 24 | 0x20 << 16 | bcd(30) << 8 | bcd(12 + t))
        struct.pack_into(">f", data, 1724, 25.0)
        struct.pack_into(">f", data, 1940, 25.0)
        path.write_bytes(data)
    clip = open_clip(tmp_path)
    assert (clip.info.rate, clip.info.timecode) == (25, "10:20:30:12")
    assert [frame.timecode for frame in clip.read()] == [f"10:20:30:{12 + t}" for t in range(3)]
