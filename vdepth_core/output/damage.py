"""Tells a damaged file of ours from one that somebody changed."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import av

from ..files import said_by_oiio

_EXR = b"\x76\x2f\x31\x01"
_MOST_VALUES = 1 << 30  # in an EXR: 4 GB
_HTML, _HTML_END = b"<!", b"</html>"


def damaged(path: Path, sizes: Collection[int]) -> bool:
    """Whether a file that no longer holds what vdepth wrote there is that file with bytes spoiled or lost.

    It then begins as ours did, and no program can read it to its end; a film may also be told by its length
    to the byte, as a spoiled block still plays. An empty file is nobody's work either. What can still be
    read is: somebody painted into a frame, or put his own in its place.

    Args:
        path: A plain file.
        sizes: How long vdepth wrote it, in bytes.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(12)
        if not size:
            return True
        match path.suffix:
            case ".exr":
                return _EXR.startswith(head[:4]) and not _readable_exr(path)
            case ".mp4":
                return head[4:8] == b"ftyp" and (size in sizes or not _readable_film(path))
            case ".json":
                return head.startswith(b"{") and not _readable_json(path)
            case ".html":
                return head.startswith(_HTML) and not path.read_bytes().rstrip().endswith(_HTML_END)
    except OSError:
        pass  # what cannot be read is left alone
    return False


def _readable_exr(path: Path) -> bool:
    import OpenImageIO as oiio  # the official module prints what it finds on stdout, where events are read

    image, part = oiio.ImageInput.open(str(path)), 0
    whole = image is not None
    while image is not None and whole and image.seek_subimage(part, 0):
        spec = image.spec()
        if spec.width * spec.height * spec.nchannels > _MOST_VALUES:
            break  # larger than what we write: somebody's
        whole = image.read_image(part, 0, 0, spec.nchannels, "float") is not None
        part += 1
    for asked in filter(None, (image, oiio)):
        said_by_oiio(asked)
    return whole


def _readable_film(path: Path) -> bool:
    try:
        with av.open(str(path)) as film:
            return bool(film.streams.video)
    except (av.FFmpegError, ValueError):
        return False


def _readable_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return False
    return True
