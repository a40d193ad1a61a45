"""The on-disk prediction store of one shot: raw and final maps at inference size, luma for the flow.

Plain files with windowed reads and writes, so memory never depends on the clip's length and no page stays
mapped. Every frame has a checksum in an index beside the data; a frame counts as done only if its bytes
still match, so a job killed (or a machine that lost power) between two writes resumes without trusting half
a frame.
"""

from __future__ import annotations

import json
import os
import threading
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np

from .errors import InputError
from .files import NOFOLLOW

_FORMAT = 1


class FrameArray:
    """A file of ``count`` equally shaped frames with a checksum each.

    Thread-safe. Values survive the process; frames never written read as an error, not as zeros.
    """

    def __init__(self, path: Path, count: int, shape: tuple[int, ...], dtype: str) -> None:
        self.path, self.count, self.shape, self.dtype = path, count, shape, np.dtype(dtype)
        self._bytes = int(np.prod(shape)) * self.dtype.itemsize
        self._lock = threading.Lock()
        mode = os.O_RDWR | os.O_CREAT | NOFOLLOW | getattr(os, "O_BINARY", 0)
        self._data = os.fdopen(os.open(path, mode, 0o666), "r+b", buffering=0)
        self._index = os.fdopen(
            os.open(path.with_suffix(path.suffix + ".crc"), mode, 0o666), "r+b", buffering=0
        )
        index = np.frombuffer(self._index.read(4 * count), "<u4")
        self._crc = np.zeros(count, "<u4")
        self._crc[: len(index)] = index
        self._checked = np.zeros(count, bool)

    def __enter__(self) -> FrameArray:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, start: int, frames: np.ndarray) -> None:
        """Writes frames (n, *shape) at [start, start + n); data first, checksums after.

        Raises:
            ValueError: shape or range does not fit.
            OSError: the disk is full or gone; nothing of this call counts as done.
        """
        frames = np.ascontiguousarray(frames, self.dtype)
        if frames.shape[1:] != self.shape or not 0 <= start <= start + len(frames) <= self.count:
            raise ValueError(
                f"frames {frames.shape} at {start} do not fit {self.count} frames of {self.shape}"
            )
        crc = np.array([zlib.crc32(frame) or 1 for frame in frames], "<u4")
        with self._lock:
            self._data.seek(start * self._bytes)
            _write_all(self._data, memoryview(frames.tobytes()))
            self._index.seek(4 * start)
            _write_all(self._index, memoryview(crc.tobytes()))
            self._crc[start : start + len(frames)] = crc
            self._checked[start : start + len(frames)] = True

    def read(self, start: int, stop: int | None = None) -> np.ndarray:
        """Reads frames [start, stop) as (n, *shape); ``stop`` None means one frame, with its leading axis.

        Raises:
            KeyError: a frame of the range was never written, or its bytes are damaged.
        """
        stop = start + 1 if stop is None else stop
        for index in range(start, stop):
            if not self.done(index):
                raise KeyError(f"frame {index} of {self.path.name} is not there yet")
        return self._read(start, stop)

    def done(self, index: int) -> bool:
        """Whether frame ``index`` is written and its bytes match their checksum (checked once a process)."""
        if not 0 <= index < self.count:
            raise IndexError(f"frame {index} outside 0..{self.count - 1}")
        if not self._crc[index]:
            return False
        if not self._checked[index]:
            data = self._read(index, index + 1)
            if len(data) != 1 or (zlib.crc32(data[0]) or 1) != self._crc[index]:
                self._crc[index] = 0
                return False
            self._checked[index] = True
        return True

    def missing(self) -> list[int]:
        """Indices of the frames not done yet, in order."""
        return [index for index in range(self.count) if not self.done(index)]

    def close(self) -> None:
        """Closes the files; further reads and writes fail."""
        self._data.close()
        self._index.close()

    def _read(self, start: int, stop: int) -> np.ndarray:
        with self._lock:
            self._data.seek(start * self._bytes)
            buffer = bytearray((stop - start) * self._bytes)
            view, filled = memoryview(buffer), 0
            while filled < len(buffer):
                got = self._data.readinto(view[filled:])
                if not got:
                    break
                filled += got
        whole = filled // self._bytes if self._bytes else 0
        return np.frombuffer(buffer, self.dtype, whole * self._bytes // self.dtype.itemsize).reshape(
            -1, *self.shape
        )


class DepthStore:
    """Predictions of one shot: ``raw``, ``final`` (float32) and ``luma`` (uint8), each (count, h, w).

    ``raw`` is what the model said, in its own quantity. ``final`` is what the method made of it: disparity
    (for a model of quantity depth, 1/z), or affine-invariant depth, which has no reciprocal, as it is.
    ``luma`` is the plate at inference size, for optical flow. ``fov`` (count,) is the horizontal field of
    view in degrees where the model estimates it.
    """

    def __init__(self, folder: Path, count: int, height: int, width: int) -> None:
        """Opens or creates the store in ``folder``.

        Raises:
            InputError: the folder holds a store of another size.
        """
        self.folder, self.count, self.height, self.width = folder, count, height, width
        folder.mkdir(parents=True, exist_ok=True)
        facts = {"format": _FORMAT, "count": count, "height": height, "width": width}
        path = folder / "store.json"
        if path.exists():
            if json.loads(path.read_text()) != facts:
                raise InputError(
                    f"The prediction store {folder} belongs to another job.",
                    "Delete it or use --overwrite.",
                )
        else:
            temporary = path.with_suffix(".tmp")
            temporary.write_text(json.dumps(facts))
            os.replace(temporary, path)
        shape = (height, width)
        self.raw = FrameArray(folder / "raw.f32", count, shape, "<f4")
        self.final = FrameArray(folder / "final.f32", count, shape, "<f4")
        self.luma = FrameArray(folder / "luma.u8", count, shape, "u1")
        self.fov = FrameArray(folder / "fov.f32", count, (), "<f4")

    def __enter__(self) -> DepthStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes all files of the store."""
        for array in (self.raw, self.final, self.luma, self.fov):
            array.close()


def remove_store(folder: Path) -> None:
    """Removes a store with what methods keep in it: arrays, known by the checksums beside them, and JSON.

    Anything else is somebody else's and stays, and so does the folder then. Links are not followed.

    Raises:
        OSError: something cannot be removed.
    """
    for path in sorted(folder.iterdir()):
        if path.is_symlink():
            continue
        if path.is_dir():
            remove_store(path)
        elif path.suffix in (".crc", ".json", ".tmp") or path.with_suffix(f"{path.suffix}.crc").exists():
            path.unlink()
    with suppress(OSError):  # it is not empty
        folder.rmdir()


def _write_all(file: object, view: memoryview) -> None:
    while view:
        view = view[file.write(view) :]  # type: ignore[attr-defined]
