"""Arrays of maps in .npy and .npz files, read frame by frame; what the header promises is checked first.

A compressed archive of a few megabytes may hold gigabytes, so members are never unpacked whole: frames of a
(T, H, W) array follow each other in the stream, and reading on from where one is costs one frame.
"""

from __future__ import annotations

import json
import math
import threading
import weakref
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from ..errors import InputError
from ..files import require_file
from ..types import Quantity

_HINT = "Save it again."
_WHOLE = 1 << 30  # bytes; what must be read in one piece may be as large as this
_PIXELS = 1 << 28  # of one map
_FACTS = 1 << 20  # bytes of a text
_BROKEN = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError,
           OverflowError, SyntaxError, TypeError, TokenError)  # fmt: skip


class Arrays:
    """A (T, H, W) array in a file; (H, W) counts as one map. ``arrays[i]`` reads one map.

    Attributes:
        shape: As stored.
        count: Number of maps.

    Raises:
        InputError: the array is no depth maps, or its file ends early.
        ValueError: the file is no array of numbers.
    """

    def __init__(self, path: Path, stream: Any, member: str, size: int) -> None:
        self.path = path
        self._member, self._stream, self._lock = member, stream, threading.Lock()
        weakref.finalize(self, stream.close)
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0), (3, 0)):
            raise ValueError(f"version {version} of the format is not known")
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        try:
            self.shape, self._fortran, self._dtype = read(stream)
        except MemoryError as error:  # the parser's, for what is nested too deep: there is memory enough
            raise ValueError("its header is no header") from error
        self._begin = stream.tell()
        if self._dtype.kind not in "fiu":
            raise InputError(f"{path} holds {self._dtype} values, no depth.", "Save it as float32.")
        if len(self.shape) not in (2, 3):
            raise InputError(f"{path} has shape {self.shape}, not (T, H, W).", "Give one map a frame.")
        self._bytes = math.prod(self.shape[-2:]) * self._dtype.itemsize
        self.count = self.shape[0] if len(self.shape) == 3 else 1
        if self.count * self._bytes != size - self._begin:
            raise ValueError(f"it should hold {self.count * self._bytes} bytes, not {size - self._begin}")
        if not 0 < math.prod(self.shape[-2:]) <= _PIXELS:
            raise ValueError(f"{self.shape[-1]} x {self.shape[-2]} pixels are no depth map")

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> np.ndarray:
        """Reads map ``index`` as (H, W).

        Raises:
            InputError: the file is damaged there.
        """
        if self._fortran and self.count > 1:
            return np.asarray(self.whole()[index])
        return self._read(index * self._bytes, self._bytes, self.shape[-2:])

    def whole(self) -> np.ndarray:
        """Reads everything.

        Raises:
            InputError: the file is damaged, or larger than can be read in one piece.
        """
        total = self.count * self._bytes
        if total > _WHOLE:
            raise InputError(
                f"{self.path} holds {total / 1e9:.1f} GB in an order that cannot be read frame by frame.",
                "Save it as (T, H, W), C order.",
            )
        return self._read(0, total, self.shape)

    def _read(self, offset: int, count: int, shape: tuple[int, ...]) -> np.ndarray:
        try:
            with self._lock:
                self._stream.seek(self._begin + offset)
                data = self._stream.read(count)
            if len(data) != count:
                raise EOFError(f"{self._member} ends early")
        except _BROKEN as error:
            raise InputError(f"{self.path} is damaged: {_words(error)}.", _HINT) from error
        values = np.frombuffer(data, self._dtype)
        return values.reshape(shape[::-1]).T if self._fortran else values.reshape(shape)


def open_arrays(
    path: Path, names: Sequence[tuple[str, Quantity]], wanted: Quantity | None = None
) -> tuple[Arrays, Quantity | None]:
    """Opens the array of maps in a ``.npy`` or ``.npz`` file.

    Args:
        path: The file.
        names: Members of an archive to look for, and what they hold; otherwise its only (T, H, W) is taken.
        wanted: What is looked for first.

    Raises:
        InputError: the file is damaged, or does not say which array is meant.
    """
    require_file(path)
    try:
        if path.suffix.lower() == ".npy":
            return Arrays(path, path.open("rb"), path.name, path.stat().st_size), None
        archive = zipfile.ZipFile(path)
        entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
        for name, quantity in sorted(names, key=lambda entry: entry[1] != wanted):
            if name in entries:
                return _member(path, archive, entries[name]), _told(path, archive, quantity)
        pictures = {}
        for name, entry in entries.items():
            if entry.filename.endswith(".npy"):
                try:
                    pictures[name] = _member(path, archive, entry)
                except (InputError, ValueError):
                    continue  # intrinsics, times, texts
    except InputError:
        raise
    except _BROKEN as error:
        raise InputError(f"{path} is damaged or no NumPy file: {_words(error)}.", _HINT) from error
    if len(pictures) == 1:
        return next(iter(pictures.values())), None
    raise InputError(
        f"{path} does not say which of its arrays to read ({', '.join(pictures) or 'none is a picture'}).",
        "Name one depth or disparity.",
    )


def _told(path: Path, archive: zipfile.ZipFile, quantity: Quantity) -> Quantity:
    """What an array holds; our own exports keep every convention under one name, and say which it is."""
    entry = archive.NameToInfo.get("facts.npy")
    if entry is None or entry.file_size > _FACTS:
        return quantity
    with archive.open(entry) as stream:
        try:
            facts = json.loads(str(np.lib.format.read_array(stream, allow_pickle=False)))
        except ValueError:  # another writer's
            return quantity
    convention = facts.get("convention", "z") if isinstance(facts, dict) else "z"
    if convention == "ray":
        raise InputError(
            f"{path} holds distances along the rays of its pixels, not planar depth.",
            "Export it with --convention z.",
        )
    return "disparity" if convention in ("inverse-z", "white-near") else quantity


def _member(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Arrays:
    return Arrays(path, archive.open(entry), entry.filename, entry.file_size)


def _words(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")[:200] or type(error).__name__
