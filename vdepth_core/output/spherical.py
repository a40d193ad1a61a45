"""Marks an MP4 as VR180: two eyes side by side, each on the front half of a sphere.

Google's Spherical Video V2 (github.com/google/spatial-media, docs/spherical-video-v2-rfc.md): the boxes
``st3d`` and ``sv3d`` in the sample entry of the video. FFmpeg can write them, but PyAV 18 has no way to tell
it what they say.
"""

from __future__ import annotations

import struct
from os import SEEK_END
from pathlib import Path
from typing import BinaryIO

from ..files import write_error

_LEFT_RIGHT = 2  # stereo mode
_QUARTER = 1 << 30  # of the whole turn, as a fraction of 2^32, that is missing at either side
_SOURCE = b"vdepth\0"
_WAY = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")
_FIXED = {b"stsd": 8}  # bytes of a box before the boxes in it, where there are any


def mark_vr180(path: Path) -> None:
    """Puts the boxes into a film, at whose end its index stands, as `MovieWriter` leaves it.

    Args:
        path: The MP4, with one video stream; changed in place.

    Raises:
        ValueError: it is no such film.
        ResourceError: it cannot be written.
    """
    try:
        with path.open("rb+") as film:
            start = _last_box(film, _WAY[0])
            film.seek(start)
            index = _marked(film.read(), _WAY)
            film.seek(start)
            film.write(index)
    except OSError as error:
        raise write_error(path, error) from error


def _last_box(film: BinaryIO, wanted: bytes) -> int:
    """Where the last box begins, which is of that kind."""
    length, place = film.seek(0, SEEK_END), 0
    while place < length:
        film.seek(place)
        size, kind, large = struct.unpack(">I4sQ", film.read(16).ljust(16, b"\0"))
        size = large if size == 1 else size  # one of more than 4 GB
        if kind == wanted and place + size == length:
            return place
        place += max(size, 8)
    raise ValueError("the film does not end with its index")


def _marked(box: bytes, way: tuple[bytes, ...]) -> bytes:
    """A box with what is new in the first one at the end of the way."""
    place = 8 + _FIXED.get(way[0], 0)
    if len(way) == 1:  # the sample entry
        (size,) = struct.unpack_from(">I", box, place)
        whole = place + size
        new = _box(b"st3d", bytes(4), bytes([_LEFT_RIGHT])) + _sphere()
        entry = struct.pack(">I", size + len(new)) + box[place + 4 : whole] + new
        return _resized(box[:place] + entry + box[whole:])
    while place + 8 <= len(box):
        size, kind = struct.unpack_from(">I4s", box, place)
        if kind == way[1]:
            inner = _marked(box[place : place + size], way[1:])
            return _resized(box[:place] + inner + box[place + size :])
        place += max(size, 8)
    raise ValueError(f"the film's index has no {way[1].decode()}")


def _sphere() -> bytes:
    head = _box(b"svhd", bytes(4), _SOURCE)
    ahead = _box(b"prhd", bytes(4), bytes(12))  # yaw, pitch and roll are 0
    bounds = struct.pack(">4I", 0, 0, _QUARTER, _QUARTER)  # top, bottom, left, right
    return _box(b"sv3d", head, _box(b"proj", ahead, _box(b"equi", bytes(4), bounds)))


def _box(kind: bytes, *parts: bytes) -> bytes:
    return _resized(bytes(4) + kind + b"".join(parts))


def _resized(box: bytes) -> bytes:
    return struct.pack(">I", len(box)) + box[4:]
