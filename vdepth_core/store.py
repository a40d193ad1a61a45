"""The on-disk prediction store of one shot: raw and final maps at inference size, luma for the flow.

Plain files with windowed reads and writes, so memory never depends on the clip's length and no page stays
mapped. Every frame has a checksum in an index beside the data; a frame counts as done only if its bytes
still match, so a job killed (or a machine that lost power) between two writes resumes without trusting half
a frame. The store says what it was made of, so that predictions of other pictures are never taken for these.
"""

from __future__ import annotations

import json
import os
import threading
import zlib
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import ResourceError
from .files import NOFOLLOW, write_bytes, write_error

_FORMAT = 2
_FACTS, _REFINED, _REFINED_FILE = "facts.json", "refined", "refined.f32"
_OF_REFINER = f"{_REFINED}."  # names of all that goes with its maps
_OPEN = os.O_RDWR | os.O_CREAT | NOFOLLOW | getattr(os, "O_BINARY", 0)


class FrameArray:
    """A file of ``count`` equally shaped frames with a checksum each.

    Thread-safe. Values survive the process; frames never written read as an error, not as zeros.
    """

    def __init__(self, path: Path, count: int, shape: tuple[int, ...], dtype: str) -> None:
        self.path, self.count, self.shape, self.dtype = path, count, shape, np.dtype(dtype)
        self._bytes = int(np.prod(shape)) * self.dtype.itemsize
        self._lock = threading.RLock()
        with ExitStack() as opened:
            self._data, self._index = (
                opened.enter_context(os.fdopen(os.open(file, _OPEN, 0o666), "r+b", buffering=0))
                for file in (path, path.with_suffix(path.suffix + ".crc"))
            )
            opened.pop_all()
        found = self._index.read(4 * count)
        index = np.frombuffer(found[: len(found) // 4 * 4], "<u4")  # a torn entry says nothing
        self._index.truncate(index.nbytes)
        self._crc = np.zeros(count, "<u4")
        self._crc[: len(index)] = index
        self._checked = np.zeros(count, bool)

    def __enter__(self) -> FrameArray:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, start: int, frames: np.ndarray) -> None:
        """Writes frames (n, *shape) at [start, start + n); data first, checksums after.

        Args:
            start: From 0.
            frames: Converted to the array's dtype.

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
        """Reads frames [start, stop) as (n, *shape).

        Args:
            start, stop: From 0; stop None: the one frame, with its leading axis.

        Raises:
            KeyError: a frame of the range was never written, or its bytes are damaged.
        """
        stop = start + 1 if stop is None else stop
        for index in range(start, stop):
            if not self.done(index):
                raise KeyError(f"frame {index} of {self.path.name} is not there yet")
        return self._read(start, stop)

    def take(self, other: FrameArray) -> None:
        """Copies the frames that another array of this shape has and this one lacks.

        Args:
            other: Of as many frames.
        """
        for index in range(self.count):
            if not self.done(index) and other.done(index):
                self.write(index, other.read(index))

    def done(self, index: int) -> bool:
        """Whether frame ``index`` is written and its bytes match their checksum (checked once a process).

        Args:
            index: From 0.
        """
        if not 0 <= index < self.count:
            raise IndexError(f"frame {index} outside 0..{self.count - 1}")
        with self._lock:
            if not self._crc[index]:
                return False
            if not self._checked[index]:
                data = self._read(index, index + 1)
                if len(data) != 1 or (zlib.crc32(data[0]) or 1) != self._crc[index]:
                    self._crc[index] = 0
                    return False
                self._checked[index] = True
            return True

    def drop(self, indices: Iterable[int]) -> None:
        """Forgets frames, on the disk too when this returns: they count as never written.

        Args:
            indices: From 0.
        """
        with self._lock:
            self._crc[list(indices)] = 0
            self._index.seek(0)
            _write_all(self._index, memoryview(self._crc.tobytes()))
            os.fsync(self._index.fileno())

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


class _Origin(BaseModel):
    """``store.json``: what the predictions are of."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: int = _FORMAT
    count: int
    height: int
    width: int
    shot: str = ""
    frames: tuple[str, ...] = ()


class DepthStore:
    """Predictions of one shot: ``raw``, ``final`` (float32) and ``luma`` (uint8), each (count, h, w).

    ``raw`` is what the model said, in its own quantity. ``final`` is what the method made of it: disparity
    (for a model of quantity depth, 1/z), or affine-invariant depth, which has no reciprocal, as it is.
    ``luma`` is the plate at inference size, for optical flow. ``fov`` (count,) is the horizontal field of
    view in degrees where the model estimates it. ``refined`` holds what a refiner made of ``final``, in a
    size of its own; None before `open_refined`.
    """

    def __init__(
        self,
        folder: Path,
        count: int,
        height: int,
        width: int,
        *,
        shot: str = "",
        frames: Sequence[str] = (),
    ) -> None:
        """Opens or creates the store in ``folder``; what it holds of anything else is dropped.

        Args:
            folder: The store's own; made if it is not there.
            count: Frames of the shot.
            height, width: Size of the maps.
            shot: What all predictions depend on. Said otherwise than before, none is kept.
            frames: What each frame's picture holds. Where it changed, that frame counts as not predicted, and
                none as settled; a method's own files cannot tell, so with them the whole store goes.

        Raises:
            ResourceError: the folder cannot be written.
        """
        self.folder, self.count, self.height, self.width = folder, count, height, width
        self._lock = threading.Lock()
        now = _Origin(count=count, height=height, width=width, shot=shot, frames=tuple(frames))
        path = folder / "store.json"
        before = _read_origin(path)
        stale = _stale(before, now)
        try:
            if folder.exists() and (stale is None or (stale and self._has_more())):
                remove_store(folder)
            folder.mkdir(parents=True, exist_ok=True)
            with ExitStack() as opened:

                def array(name: str, shape: tuple[int, ...], dtype: str) -> FrameArray:
                    return opened.enter_context(FrameArray(folder / name, count, shape, dtype))

                self.raw = array("raw.f32", (height, width), "<f4")
                self.final = array("final.f32", (height, width), "<f4")
                self.luma = array("luma.u8", (height, width), "u1")
                self.fov = array("fov.f32", (), "<f4")
                self.refined: FrameArray | None = None
                self._beside: list[FrameArray] = []
                if stale:
                    for part in (self.raw, self.luma, self.fov):
                        part.drop(stale)
                    self.final.drop(range(count))
                    self._forget()
                if before != now:  # last: a store killed above is found as stale as before
                    write_bytes(path, now.model_dump_json().encode())
                opened.pop_all()
        except OSError as error:
            raise write_error(folder, error) from error

    def __enter__(self) -> DepthStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes all files of the store."""
        for array in (self.raw, self.final, self.luma, self.fov, self.refined, *self._beside):
            if array is not None:
                array.close()

    @property
    def result(self) -> FrameArray:
        """The maps to finish: refined ones where there are any."""
        return self.final if self.refined is None else self.refined

    def open_refined(self, refiner: str, height: int, width: int) -> FrameArray:
        """Opens or creates ``refined`` for a refiner, identified with its options; another one's is dropped.

        Args:
            refiner: Name and options, as text.
            height, width: Of its maps, in pixels.

        Raises:
            OSError: the folder cannot be written.
        """
        made_by = [refiner, height, width]
        if self.load(_REFINED) != made_by:
            self._drop_refined()
            with self._lock:
                kept = {
                    name: value for name, value in self._facts().items() if not name.startswith(_OF_REFINER)
                }
                write_bytes(self.folder / _FACTS, json.dumps(kept | {_REFINED: made_by}).encode())
        self.refined = FrameArray(self.folder / _REFINED_FILE, self.count, (height, width), "<f4")
        return self.refined

    def open_beside(self, name: str, shape: tuple[int, ...]) -> FrameArray:
        """Opens or creates an array (count, *shape) float32 of the refiner's own, dropped with its maps.

        Facts of its own, `save` keeps under names that begin with ``refined.``; they are dropped too.

        Args:
            name: Of its own.
            shape: Of a frame.

        Raises:
            OSError: the folder cannot be written.
        """
        self._beside.append(FrameArray(self.folder / f"{_OF_REFINER}{name}.f32", self.count, shape, "<f4"))
        return self._beside[-1]

    def save(self, name: str, value: Any) -> None:
        """Keeps a JSON value beside the maps: what is known of the shot that is no map.

        Args:
            name: What it is called in the shot's JSON file.
            value: Anything JSON holds.

        Raises:
            ResourceError: the disk is full.
        """
        with self._lock:
            facts = self._facts() | {name: value}
            write_bytes(self.folder / _FACTS, json.dumps(facts).encode())

    def load(self, name: str) -> Any:
        """What `save` kept, floats bit for bit; None where it is missing or damaged.

        Args:
            name: As of `save`.
        """
        with self._lock:
            return self._facts().get(name)

    def _facts(self) -> dict[str, Any]:
        return read_facts(self.folder)

    def _forget(self) -> None:
        """Drops what was said of the shot as a whole."""
        (self.folder / _FACTS).unlink(missing_ok=True)
        self._drop_refined()

    def _drop_refined(self) -> None:
        for path in self.folder.glob(f"{_OF_REFINER}*"):
            path.unlink(missing_ok=True)

    def _has_more(self) -> bool:
        """Whether a method keeps files of its own beside the store's."""
        ours = {"store.json", _FACTS}
        for name in ("raw.f32", "final.f32", "luma.u8", "fov.f32"):
            ours |= {name, f"{name}.crc"}
        names = [path.name for path in self.folder.iterdir() if not path.name.startswith(_OF_REFINER)]
        return any(name not in ours for name in names)


def read_facts(folder: Path) -> dict[str, Any]:
    """What `DepthStore.save` kept in a folder, by name, without opening its store.

    Args:
        folder: Of the store, which need not be there.
    """
    try:
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}


def has_predictions(folder: Path) -> bool:
    """Whether any frame of the store in ``folder`` was predicted: something would be lost with it.

    Args:
        folder: Of the store, or above it.

    Raises:
        ResourceError: the folder cannot be read.
    """
    for path in folder.rglob("*.crc"):
        try:
            if any(path.read_bytes()):
                return True
        except OSError as error:
            raise ResourceError(f"{path} cannot be read ({error.strerror}).", "Check the folder.") from error
    return False


def _read_origin(path: Path) -> _Origin | None:
    try:
        return _Origin.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None


def _stale(before: _Origin | None, now: _Origin) -> list[int] | None:
    """Indices of the frames that are not what the store holds; None: nothing in it can be trusted."""
    if before is None or before.model_copy(update={"frames": now.frames}) != now:
        return None
    if len(before.frames) != len(now.frames):
        return None
    pairs = zip(before.frames, now.frames, strict=True)
    return [index for index, (old, new) in enumerate(pairs) if old != new]


def remove_store(folder: Path) -> None:
    """Removes a store with what methods keep in it: arrays, known by the checksums beside them, and JSON.

    Anything else is somebody else's and stays, and so does the folder then. Links are not followed.

    Args:
        folder: Of the store.

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
