"""The few facts of MP4 and QuickTime files that FFmpeg keeps to itself: whether the index is there, which
timecode belongs to the first picture an edit list shows, and the tags of a track (QuickTime File Format,
"Edit Lists", "Timecode Media" and "Metadata").
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

_SMALL = 1 << 16  # bytes; no box that is read here is larger in a sound file


@dataclass(frozen=True)
class TimecodeTrack:
    """How a file counts its timecode, seen from the first picture shown.

    Attributes:
        hidden: Frames of the timecode track that lie before the first picture shown; negative where the
            track begins later.
        base: Numbers counted a second: 25 also in a film of 50 frames that counts pairs.
        rate: Frames of the timecode track a second.
    """

    hidden: int
    base: int
    rate: Fraction


@dataclass
class _Track:
    number: int = 0
    handler: bytes = b""
    scale: int = 1
    edits: list[tuple[int, int]] = field(default_factory=list)  # duration in movie ticks, media time or -1
    timecodes: tuple[int, ...] = ()  # numbers of the timecode tracks it refers to
    entry: bytes = b""  # first sample description


def lacks_index(path: Path) -> bool:
    """Whether the file is MP4/MOV by its first box but has no ``moov`` box at top level.

    Args:
        path: Any file.
    """
    with path.open("rb") as file:
        if file.read(12)[4:8] != b"ftyp":
            return False
        return all(kind != b"moov" for kind, _, _ in _boxes(file, 0, path.stat().st_size))


def timecode_track(path: Path) -> TimecodeTrack | None:
    """The timecode track of the first picture track; None where there is none, or it says nothing usable.

    Args:
        path: An MP4 or MOV file.
    """
    with path.open("rb") as file:
        scale, tracks = _read(file, path.stat().st_size)
    video = next((track for track in tracks if track.handler == b"vide"), None)
    codes = [track for track in tracks if track.handler == b"tmcd" and len(track.entry) >= 29]
    if video is None or not codes:
        return None
    code = next((track for track in codes if track.number in video.timecodes), codes[0])
    # reserved 6, data reference 2, reserved 4, flags 4, time scale 4, frame duration 4, frames a second 1
    ticks, duration, base = struct.unpack_from(">IIB", code.entry, 24)
    if not ticks or not duration or not base or not scale or not code.scale:
        return None
    waits, _ = _start(video)
    code_waits, begins = _start(code)
    seconds = Fraction(begins, code.scale) + Fraction(waits - code_waits, scale)
    rate = Fraction(ticks, duration)
    return TimecodeTrack(round(seconds * rate), base, rate)


def track_tags(path: Path) -> dict[str, str]:
    """The tags of the picture tracks and of the movie, by key; texts and numbers only.

    Args:
        path: An MP4 or MOV file.
    """
    tags: dict[str, str] = {}
    with path.open("rb") as file:
        for kind, start, end in _boxes(file, 0, path.stat().st_size):
            if kind != b"moov":
                continue
            tags |= _tags(file, start, end)
            for inner, first, last in _boxes(file, start, end):
                if inner != b"trak":
                    continue
                track = _Track()
                _fill(file, first, last, track)
                if track.handler == b"vide":
                    tags |= _tags(file, first, last)
    return tags


def user_box(path: Path, wanted: bytes) -> bytes:
    """The content of a box in the movie's user data; empty where there is none.

    Args:
        path: An MP4 or MOV file.
        wanted: Its four characters.
    """
    with path.open("rb") as file:
        within = [(0, path.stat().st_size)]
        for kind in (b"moov", b"udta", wanted):
            within = [
                (first, last)
                for start, end in within
                for found, first, last in _boxes(file, start, end)
                if found == kind
            ]
        return _body(file, *within[0]) if within else b""


def _tags(file: BinaryIO, start: int, end: int) -> dict[str, str]:
    """Of the ``meta`` box in [start, end): key k of ``keys`` names the k-th item of ``ilst``."""
    names: list[str] = []
    tags: dict[str, str] = {}
    metas = [(first, last) for kind, first, last in _boxes(file, start, end) if kind == b"meta"]
    for first, last in metas:
        bare = _body(file, first, min(first + 8, last))[4:8] == b"hdlr"  # ISO's has version and flags
        inner = {kind: (at, to) for kind, at, to in _boxes(file, first if bare else first + 4, last)}
        if b"keys" not in inner or b"ilst" not in inner:
            continue
        begin, stop = inner[b"keys"]
        names = [
            _body(file, at, to).decode("utf-8", "replace") for _, at, to in _boxes(file, begin + 8, stop)
        ]
        for place, at, to in _boxes(file, *inner[b"ilst"]):
            index = int.from_bytes(place) - 1
            value = _body(file, at, to)
            if 0 <= index < len(names) and value[4:8] == b"data" and len(value) >= 16:
                text = _value(int.from_bytes(value[8:12]) & 0xFFFFFF, value[16:])
                if text is not None:
                    tags[names[index]] = text
    return tags


def _value(kind: int, body: bytes) -> str | None:
    """A well-known type as text: 1 UTF-8, 21 and 22 whole numbers, 23 and 24 floats; None: another."""
    if kind == 1:
        return body.decode("utf-8", "replace")
    if kind in {21, 22} and len(body) in {1, 2, 4, 8}:
        return str(int.from_bytes(body, signed=kind == 21))
    if kind in {23, 24} and len(body) == (4 if kind == 23 else 8):
        return f"{struct.unpack('>f' if kind == 23 else '>d', body)[0]:.9g}"
    return None


def _start(track: _Track) -> tuple[int, int]:
    """Movie ticks until the track shows something, and the media time it then begins at."""
    waits = 0
    for duration, begins in track.edits:
        if begins >= 0:
            return waits, begins
        waits += duration
    return waits, 0


def _read(file: BinaryIO, size: int) -> tuple[int, list[_Track]]:
    scale, tracks = 0, []
    for kind, start, end in _boxes(file, 0, size):
        if kind != b"moov":
            continue
        for inner, first, last in _boxes(file, start, end):
            if inner == b"mvhd":
                scale = _scale(_body(file, first, last))
            elif inner == b"trak":
                track = _Track()
                _fill(file, first, last, track)
                tracks.append(track)
    return scale, tracks


def _fill(file: BinaryIO, start: int, end: int, track: _Track) -> None:
    for kind, first, last in _boxes(file, start, end):
        if kind in {b"edts", b"mdia", b"minf", b"stbl", b"tref"}:
            _fill(file, first, last, track)
            continue
        body = (
            _body(file, first, last)
            if kind in {b"tkhd", b"elst", b"mdhd", b"hdlr", b"stsd", b"tmcd"}
            else b""
        )
        if kind == b"tkhd" and len(body) >= 24:
            track.number = struct.unpack_from(">I", body, 20 if body[0] else 12)[0]
        elif kind == b"mdhd":
            track.scale = _scale(body)
        elif kind == b"hdlr" and len(body) >= 12 and not track.handler:  # the media's comes first
            track.handler = body[8:12]
        elif kind == b"elst" and len(body) >= 8:
            row = struct.Struct(">QqI" if body[0] else ">IiI")
            whole = (len(body) - 8) // row.size * row.size
            track.edits = [(length, begins) for length, begins, _ in row.iter_unpack(body[8 : 8 + whole])]
        elif kind == b"stsd":
            track.entry = body[8:]
        elif kind == b"tmcd":
            track.timecodes = struct.unpack(f">{len(body) // 4}I", body[: len(body) // 4 * 4])


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the content of each box in [start, end); stops where it makes no sense."""
    while start + 8 <= end:
        file.seek(start)
        header = file.read(16)
        if len(header) < 8:
            return
        length, kind, content = int.from_bytes(header[:4]), header[4:8], start + 8
        if length == 1:
            length, content = int.from_bytes(header[8:16]), start + 16
        length = length or end - start  # 0: to the end
        if start + length < content:
            return
        yield kind, content, min(start + length, end)
        start += length


def _body(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(min(end - start, _SMALL))


def _scale(header: bytes) -> int:
    """Ticks a second of an ``mvhd`` or ``mdhd`` box."""
    offset = 20 if header[:1] == b"\1" else 12
    return int.from_bytes(header[offset : offset + 4]) if len(header) >= offset + 4 else 0
