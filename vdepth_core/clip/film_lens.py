"""What a movie's container says about the lens: Apple's and Android's tags, GoPro's settings, DJI's captions.

FFmpeg hands on a movie's tags, but not those of a track, where Apple tells the focal length, nor GoPro's box
(GPMF, github.com/gopro/gpmf-parser): `quicktime` reads them.
"""

from __future__ import annotations

import contextlib
import math
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import av

from ..types import LensFacts
from .lens import FILM, FISHEYE, Raster, named, settled
from .quicktime import track_tags, user_box

_APPLE = "com.apple.quicktime."
_EQUIVALENTS = ("camera.focal_length.35mm_equivalent", "focallengthin35mmformat", "focallengthin35mmfilm")
_MAKES = ("com.apple.quicktime.make", "com.android.manufacturer", "make")
_MODELS = ("com.apple.quicktime.model", "com.android.model", "model")
_LENSES = ("com.apple.quicktime.camera.lens_model", "lensmodel", "lens_model")
_CAPTION = re.compile(r"\[focal_len ?: ?(\d+(?:\.\d+)?)\]")  # DJI: tenths of a millimetre on 35-mm film
_CAPTION_BYTES = 4096


def lens_of_movie(path: Path, container: Any, stream: Any, raster: Raster) -> LensFacts:
    """The lens of a movie.

    Args:
        path: Its file.
        container: Opened by PyAV.
        stream: Its picture stream.
        raster: The upright picture.
    """
    tags = {
        key.casefold(): text for part in (container.metadata, stream.metadata) for key, text in part.items()
    }
    box = b""
    if "mov" in container.format.name:
        with contextlib.suppress(OSError, struct.error):
            tags |= {key.casefold(): text for key, text in track_tags(path).items()}
            box = user_box(path, b"GPMF")
    camera = named(*(_first(tags, keys) for keys in (_MAKES, _MODELS, _LENSES)))
    indexed = "mov" in container.format.name  # where to find a caption without reading the pictures
    told = [_equivalent(tags, raster), _dji(path, indexed, raster)]
    if box:
        settings = dict(_gpmf(box))
        camera = camera or named("GoPro", settings.get("MINF", b"").decode("latin-1").removeprefix("GoPro"))
        told.append(_gopro(settings, raster))
    facts = settled(raster, camera, *(one for one in told if one is not None))
    if facts.error == FISHEYE:
        note = "The lens bends lines, which depth takes for straight; straighten the clip for more."
        facts = replace(facts, note=note)
    return facts


def _first(tags: Mapping[str, str], keys: tuple[str, ...]) -> str:
    return next((tags[key] for key in keys if tags.get(key)), "")


def _equivalent(tags: Mapping[str, str], raster: Raster) -> tuple[float, float, str] | None:
    for key in _EQUIVALENTS:
        text = tags.get(_APPLE + key) or tags.get(key)
        with contextlib.suppress(ValueError):
            if text and math.isfinite(millimetres := float(text)):
                source = f"the movie's tags, {millimetres:g} mm as of a 35-mm camera"
                return raster.of_equivalent(millimetres), FILM, source
    return None


def _dji(path: Path, indexed: bool, raster: Raster) -> tuple[float, float, str] | None:
    """From the captions a DJI drone writes, in the movie or in a file beside it."""
    text = ""
    for beside in (path.with_suffix(".SRT"), path.with_suffix(".srt")):
        with contextlib.suppress(OSError), beside.open("rb") as file:
            text = file.read(_CAPTION_BYTES).decode("utf-8", "replace")
    if not text and indexed:
        text = _first_caption(path)
    found = _CAPTION.search(text)
    if found is None:
        return None
    millimetres = float(found[1]) / 10
    return raster.of_equivalent(millimetres), FILM, f"DJI's captions, {millimetres:g} mm as of a 35-mm camera"


def _first_caption(path: Path) -> str:
    """The movie's first caption, if it has any."""
    from .decode import open_movie

    with contextlib.suppress(av.FFmpegError, OSError), open_movie(path) as container:
        if not container.streams.subtitles:
            return ""
        for packet in container.demux(container.streams.subtitles[0]):
            if text := bytes(packet)[:_CAPTION_BYTES].decode("utf-8", "replace"):
                return text
    return ""


def _gpmf(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Keys and values, those nested in another (type 0) too; big-endian, each padded to four bytes."""
    at = 0
    while at + 8 <= len(data):
        key, kind, size, count = struct.unpack_from(">4scBH", data, at)
        body = data[at + 8 : at + 8 + size * count]
        if key == b"\0\0\0\0":
            return
        if kind == b"\0":
            yield from _gpmf(body)
        else:
            yield key.decode("latin-1"), body
        at += 8 + (size * count + 3) // 4 * 4


def _gopro(settings: Mapping[str, bytes], raster: Raster) -> tuple[float, float, str] | None:
    """From ZFOV, the angle from corner to corner; only the linear mode (VFOV "L") draws lines straight."""
    body = settings.get("ZFOV", b"")
    if len(body) < 4:
        return None
    degrees = struct.unpack_from(">f", body)[0]
    if not 5 < degrees < 179:
        return None
    half, mode = math.radians(degrees) / 2, settings.get("VFOV", b"")[:1].decode("latin-1")
    # else about as long per angle everywhere: what a pinhole would have to be in the picture's middle
    straight = mode == "L"
    focal = raster.diagonal / 2 / (math.tan(half) if straight else half)
    source = f"GoPro's settings, {degrees:.0f} degrees from corner to corner, mode {mode or 'unknown'}"
    return focal / float(raster.aspect), FILM if straight else FISHEYE, source
