"""The header of a single-part scanline EXR file, without touching its pixels.

The official module decodes every pixel to tell that a file is cut short, and reports damage on stderr; a
resuming job asks this of thousands of files. Layout: OpenEXR file format,
https://openexr.com/en/latest/OpenEXRFileLayout.html.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..clip.smpte import unpack

_MAGIC = 20000630
_SCANLINE_LONG_NAMES = (2, 2 | 0x400)  # version 2, single-part scanline; the flag allows names over 31 bytes
_LINES = {
    0: 1,
    1: 1,
    2: 1,
    3: 16,
    4: 32,
    5: 16,
}  # compression -> scanlines a chunk: none rle zips zip piz pxr24


@dataclass(frozen=True)
class ExrHeader:
    """What the head of an EXR file says.

    Attributes:
        width, height: Size of the data window in pixels.
        channels: Channel name -> ``half``, ``float`` or ``uint``.
        attributes: Header attributes of the types vdepth writes (str, int, float, Fraction, TimeCode).
        complete: Whether the file holds every chunk its offset table promises, to its last byte.
    """

    width: int
    height: int
    channels: dict[str, str]
    attributes: dict[str, Any]
    complete: bool


def read_header(path: Path) -> ExrHeader:
    """Reads the header of ``path`` and checks the offset table against the file's size.

    Args:
        path: The file.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no single-part scanline EXR, or its header is damaged.
    """
    with path.open("rb") as file:
        head = file.read(64 * 1024)
        size = file.seek(0, 2)
        try:
            raw, end = _attributes(head)
            x0, y0, x1, y1 = struct.unpack("<4i", raw["dataWindow"][1])
            lines = _LINES[raw["compression"][1][0]]
            chunks = -(-(y1 - y0 + 1) // lines)
            file.seek(end)
            table = file.read(8 * chunks)
            complete = len(table) == 8 * chunks
            if complete:
                offsets = struct.unpack(f"<{chunks}Q", table)
                complete = offsets[0] == end + 8 * chunks and all(a < b for a, b in pairwise(offsets))
                file.seek(offsets[-1] if complete else 0)
                leader = file.read(8)
                complete = complete and len(leader) == 8
                complete = complete and offsets[-1] + 8 + struct.unpack("<ii", leader)[1] == size
            channels = _channels(raw["channels"][1])
            attributes = {
                name: _DECODERS[kind](data) for name, (kind, data) in raw.items() if kind in _DECODERS
            }
        except (struct.error, KeyError, IndexError, UnicodeDecodeError, ZeroDivisionError) as error:
            raise ValueError(f"damaged EXR header: {path.name}") from error
    attributes.pop("type", None)
    attributes.pop("screenWindowWidth", None)
    return ExrHeader(x1 - x0 + 1, y1 - y0 + 1, channels, attributes, complete)


def header_bytes(path: Path, window: np.ndarray) -> bytes:
    """The header of ``path``, up to the table of chunks, with another data and display window.

    Args:
        path: A single-part scanline EXR file.
        window: (2, 2) int32, the first and the last pixel, x then y.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such file.
    """
    head = path.read_bytes()
    attributes, _ = _attributes(head)
    corners = window.astype("<i4").tobytes()
    parts = [head[:8]]
    for name, (kind, data) in attributes.items():
        value = corners if name in ("dataWindow", "displayWindow") else data
        parts.append(b"%b\0%b\0%b%b" % (name.encode(), kind.encode(), struct.pack("<i", len(value)), value))
    return b"".join([*parts, b"\0"])


def _attributes(head: bytes) -> tuple[dict[str, tuple[str, bytes]], int]:
    magic, version = struct.unpack_from("<ii", head)
    if magic != _MAGIC or version not in _SCANLINE_LONG_NAMES:
        raise ValueError("not a single-part scanline EXR")
    found: dict[str, tuple[str, bytes]] = {}
    at = 8
    while head[at]:
        name, at = _text(head, at)
        kind, at = _text(head, at)
        (length,) = struct.unpack_from("<i", head, at)
        if length < 0 or at + 4 + length >= len(head):
            raise ValueError("damaged EXR header")
        found[name] = (kind, head[at + 4 : at + 4 + length])
        at += 4 + length
    return found, at + 1


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.find(b"\0", at)
    if end < 0:
        raise ValueError("damaged EXR header")
    return data[at:end].decode(), end + 1


def _channels(data: bytes) -> dict[str, str]:
    found, at = {}, 0
    while data[at]:
        name, at = _text(data, at)
        found[name] = ("uint", "half", "float")[struct.unpack_from("<i", data, at)[0]]
        at += 16
    return found


_DECODERS: dict[str, Callable[[bytes], Any]] = {
    "string": lambda data: data.decode(),
    "int": lambda data: struct.unpack("<i", data)[0],
    "float": lambda data: struct.unpack("<f", data)[0],
    "rational": lambda data: Fraction(*struct.unpack("<iI", data)),
    "timecode": lambda data: unpack(struct.unpack_from("<I", data)[0]),
}
