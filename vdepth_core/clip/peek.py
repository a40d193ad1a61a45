"""What a look at an image file's structure tells and OpenImageIO does not, or too late."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG2000 = (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")
_CINEON = {b"\x80\x2a\x5f\xd7": ">", b"\xd7\x5f\x2a\x80": "<"}  # magic number, byte order
_HEAD = 1 << 16  # bytes; a JPEG 2000 codestream's header begins well within


@dataclass(frozen=True)
class Peek:
    """What the structure says.

    Attributes:
        cut: The file ends early.
        animated: It is a PNG of several pictures (APNG).
        size: (width, height) a JPEG 2000 declares: its decoder makes room for all of it at once.
    """

    cut: bool = False
    animated: bool = False
    size: tuple[int, int] | None = None


def peek(path: Path) -> Peek:
    """Reads the few bytes that matter.

    Args:
        path: An image of any format.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(12)
        if head.startswith(_PNG):
            return _png(path)
        if head.startswith(_JPEG2000):
            return Peek(size=_jpeg2000_size(head + file.read(_HEAD)))
        if head[:4] in _CINEON:
            return Peek(cut=_cineon_lacks(head + file.read(8), path.stat().st_size))
    return Peek()


def _png(path: Path) -> Peek:
    """Goes from chunk to chunk (PNG, third edition, 5.3): length, type, data, checksum."""
    size, at, animated = path.stat().st_size, len(_PNG), False
    with path.open("rb") as file:
        while True:
            file.seek(at)
            head = file.read(8)
            if len(head) < 8:
                return Peek(cut=True, animated=animated)
            length, kind = struct.unpack(">I4s", head)
            at += 12 + length
            if at > size:
                return Peek(cut=True, animated=animated)
            if kind == b"IEND":
                return Peek(animated=animated)
            animated = animated or (kind == b"acTL" and struct.unpack(">I", file.read(4))[0] > 1)


def _jpeg2000_size(head: bytes) -> tuple[int, int] | None:
    """From the codestream's SIZ marker (ISO/IEC 15444-1, A.5.1)."""
    at = head.find(b"\xff\x4f\xff\x51")
    if at < 0 or len(head) < at + 24:
        return None
    right, bottom, left, top = struct.unpack_from(">4I", head, at + 8)
    return right - left, bottom - top


def _cineon_lacks(head: bytes, size: int) -> bool:
    """Whether the file is too short for the user data it declares, for which the decoder makes room at once
    (Cineon 4.5: magic, four lengths; all bits set means that nothing is declared).
    """
    if len(head) < 20:
        return True
    declared = int(struct.unpack_from(f"{_CINEON[head[:4]]}I", head, 16)[0])
    return declared != 0xFFFFFFFF and declared > size
