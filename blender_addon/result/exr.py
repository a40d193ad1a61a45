# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an EXR file is whole, told from its header and its table of offsets. No bpy in here."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_MAGIC = b"\x76\x2f\x31\x01"
_LINES = {0: 1, 1: 1, 2: 1, 3: 16, 4: 32, 5: 16, 6: 32, 7: 32, 8: 32, 9: 256}  # rows a block, by compression


def is_whole(path: Path) -> bool:
    """Whether a scan-line file of one part has its header and all of its blocks.

    Pixels are not decompressed: a file cut short or never finished is found, a flipped bit is not.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) != _MAGIC:
                return False
            file.read(4)  # version
            header = _header(file)
            _, top, _, bottom = struct.unpack("<4i", header["dataWindow"])
            rows = _LINES[header["compression"][0]]
            count = -((top - bottom - 1) // rows)
            offsets = struct.unpack(f"<{count}Q", file.read(8 * count))
            file.seek(max(offsets) + 4)  # the block's own row comes first
            (size,) = struct.unpack("<i", file.read(4))
            return min(offsets) > 0 and bool(max(offsets) + 8 + size <= path.stat().st_size)
    except (OSError, KeyError, ValueError, struct.error, IndexError):
        return False


def _header(file: BinaryIO) -> dict[str, bytes]:
    values = {}
    while name := _word(file):
        _word(file)  # type
        (size,) = struct.unpack("<i", file.read(4))
        values[name] = file.read(size)
    return values


def _word(file: BinaryIO) -> str:
    """A text that ends with a zero byte."""
    text = b""
    while (byte := file.read(1)) != b"\0":
        if not byte or len(text) > 255:
            raise ValueError("no end of text")
        text += byte
    return text.decode("ascii", "replace")
