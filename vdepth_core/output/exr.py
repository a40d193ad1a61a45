"""EXR files: single part, scanlines, written whole or not at all, and checked without decoding.

Written with the official OpenEXR module, the pixels of PXR24 by `pxr24`; both release the interpreter while
they compress: a pool of threads scales.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..clip.smpte import TimeCode
from ..errors import InputError, UsageError
from ..files import Place, atomic_path
from .exr_header import header_bytes, read_header
from .finish import all_finite
from .pxr24 import write_pxr24

COMPRESSIONS = ("zip", "zips", "pxr24")
"""ZIP (16 lines) and ZIPS (1 line) keep every bit, PXR24 rounds FLOAT to 24 bits; DWA and B44 lose more."""

_DEFLATE = 1  # of 9
_INT32 = range(-(2**31), 2**31)


def write_exr(
    path: Path,
    channels: Mapping[str, np.ndarray],
    attributes: Mapping[str, Any],
    compression: str = "zip",
    place: Place = atomic_path,
    origin: tuple[int, int] = (0, 0),
) -> None:
    """Writes one EXR file atomically; the same arguments give the same bytes, with the same libraries on the
    same kind of processor.

    Args:
        path: The file; its folder exists.
        channels: Name -> (H, W) float32 (FLOAT) or float16 (HALF), all of one size and finite.
        attributes: Name -> str, int (32 bits), float (stored as float32), Fraction (rational) or `TimeCode`.
        compression: One of `COMPRESSIONS`.
        place: How the file gets to its place.
        origin: Left upper corner of the display window, which is also the data window.

    Raises:
        UsageError: no such compression.
        ValueError: shapes or types do not fit, or a value is not finite.
        ResourceError: the folder cannot be written or the disk is full.
    """
    OpenEXR = _openexr()
    if compression not in COMPRESSIONS:
        raise UsageError(f"Unknown EXR compression {compression}.", f"Use one of {', '.join(COMPRESSIONS)}.")
    header = {name: _encoded(name, value) for name, value in attributes.items()}
    header["compression"] = getattr(OpenEXR, f"{compression.upper()}_COMPRESSION")
    header["type"] = OpenEXR.scanlineimage
    pixels = _checked(channels)
    rows, columns = next(iter(pixels.values())).shape
    corners = np.array([origin, (origin[0] + columns - 1, origin[1] + rows - 1)], np.int32)
    by_us = compression == "pxr24"
    if origin != (0, 0) and not by_us:
        header["dataWindow"] = header["displayWindow"] = tuple(corners)
    with place(path) as temporary:
        try:
            with OpenEXR.File(header, {n: p[:1] for n, p in pixels.items()} if by_us else pixels) as file:
                file.write(str(temporary))
            if by_us:  # what was written of the first line is the header, but for its windows
                head = header_bytes(temporary, corners)
                write_pxr24(temporary, head, origin[1], pixels)
        except RuntimeError as error:  # what OpenEXR makes of a failed write; the errno is only in its text
            raise OSError(_errno(str(error)), str(error)) from error


def read_exr(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Reads all channels and the attributes vdepth writes.

    Args:
        path: A single-part scanline file.

    Returns:
        Channels, name -> (H, W) float32 or float16, and attributes as in `write_exr`.

    Raises:
        InputError: the file is missing, cut short or damaged.
    """
    import OpenEXR

    hint = "vdepth verify names all damaged files; run the command that made them again (vdepth estimate, …)."
    try:
        header = read_header(path)
    except OSError as error:
        raise InputError(f"Cannot read {path}: {os.strerror(error.errno or 0)}.", hint) from error
    except ValueError as error:
        raise InputError(f"{path} is not an EXR file of a depth sequence, or is damaged.", hint) from error
    if not header.complete:
        raise InputError(f"{path} is cut short or damaged.", hint)
    try:
        with OpenEXR.File(str(path), separate_channels=True) as file:
            channels = {name: channel.pixels for name, channel in file.channels().items()}
    except (RuntimeError, ValueError) as error:
        raise InputError(f"The pixels of {path} are damaged.", hint) from error
    return channels, header.attributes


def exr_matches(path: Path, attributes: Mapping[str, Any], size: tuple[int, int]) -> bool:
    """Whether ``path`` is there, complete to its last byte, of ``size`` and carries
    ``attributes``.

    Reads the header only, so it costs well under a millisecond.

    Args:
        path: Anything, or nothing.
        attributes: Name -> value; others in the file do not matter.
        size: (width, height).
    """
    try:
        header = read_header(path)
    except (OSError, ValueError):
        return False
    if not header.complete or (header.width, header.height) != size:
        return False
    return all(
        name in header.attributes and _same(header.attributes[name], value)
        for name, value in attributes.items()
    )


@lru_cache(maxsize=1)
def _openexr() -> Any:
    """The OpenEXR module, set to deflate fast.

    Level 1 takes a third less time than OpenEXR's own choice, 4, for files 4 % larger. Its
    Python interface has no word for it; the C function is part of OpenEXR's own interface, and where a build
    hides it files are smaller and take longer.
    """
    import OpenEXR

    with suppress(OSError, AttributeError):
        ctypes.CDLL(OpenEXR.__file__).exr_set_default_zip_compression_level(_DEFLATE)
    return OpenEXR


def _checked(channels: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    if not channels:
        raise ValueError("an EXR file needs at least one channel")
    shape = next(iter(channels.values())).shape
    checked: dict[str, np.ndarray] = {}
    finite: set[int] = set()  # depth files hold one array twice: look at it once
    for name, pixels in channels.items():
        if pixels.dtype not in (np.float32, np.float16) or pixels.ndim != 2 or pixels.shape != shape:
            raise ValueError(
                f"channel {name} is {pixels.dtype} {pixels.shape}, not float (H, W) like the others"
            )
        if not pixels.size:
            raise ValueError(f"channel {name} is empty")
        if id(pixels) not in finite and not all_finite(pixels):
            raise ValueError(f"channel {name} holds values that are not finite")
        finite.add(id(pixels))
        checked[name] = np.ascontiguousarray(pixels)
    return checked


def _encoded(name: str, value: object) -> object:
    import OpenEXR

    if isinstance(value, TimeCode):
        flags = (value.drop_frame, False, value.field, False, False, False)
        parts = (value.hours, value.minutes, value.seconds, value.frame)
        return OpenEXR.TimeCode(*parts, *flags, *[0] * 8)
    if isinstance(value, bool) or not isinstance(value, str | int | float | Fraction):
        raise ValueError(f"attribute {name} of type {type(value).__name__} has no EXR type")
    if isinstance(value, int) and value not in _INT32:
        raise ValueError(f"attribute {name} = {value} does not fit 32 bits")
    if isinstance(value, float) and not np.isfinite(np.float32(value)):
        raise ValueError(f"attribute {name} is not finite")
    return value


def _same(found: object, wanted: object) -> bool:
    if isinstance(wanted, float):
        return isinstance(found, float) and np.float32(found) == np.float32(wanted)
    return type(found) is type(wanted) and found == wanted


def _errno(text: str) -> int:
    for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES):
        if os.strerror(code) in text:
            return code
    return errno.EIO
