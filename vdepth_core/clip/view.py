"""One shot as a method sees it: frames decoded ahead in a thread, never more than a handful in memory."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator
from contextlib import closing

from ..budget import MB, at_most
from ..errors import InputError
from ..types import Frame, Shot
from .base import Clip

_AHEAD = 4  # frames; decoding is faster than inference, so a few are enough to never wait
_AHEAD_BYTES = 128 * MB


def decode_ahead(clip: Clip, first: int, last: int | None, exposure: float) -> Generator[Frame]:
    """Yields clip frames [first, last), decoded ahead in a thread; closing the generator stops and joins it.

    Args:
        clip: Opened; nobody else reads it meanwhile.
        first, last: Frames of the clip; last None: to its end.
        exposure: Gain on linear light, for clips that are brought to light.

    Raises:
        InputError: a frame cannot be read.
    """
    frame_bytes = 3 * clip.info.width * clip.info.height
    # Of what is decoded and not asked for yet, the frame in the decoder's hands included: 8K is 100 MB each.
    room = threading.Semaphore(at_most(_AHEAD, frame_bytes, _AHEAD_BYTES))
    ahead: queue.SimpleQueue[Frame | BaseException | None] = queue.SimpleQueue()
    stopped = threading.Event()

    def decode() -> None:
        try:
            with closing(clip.read(first, last, exposure=exposure)) as frames:
                while room.acquire() and not stopped.is_set():
                    frame = next(frames, None)
                    ahead.put(frame)
                    if frame is None:
                        return
                    del frame  # nobody's but the consumer's
        except BaseException as error:  # whatever it is, the consumer must see it
            ahead.put(error)

    def taken() -> Frame | None:
        item = ahead.get()
        room.release()
        if isinstance(item, BaseException):
            raise item
        return item

    thread = threading.Thread(target=decode, name="vdepth-decode", daemon=True)
    thread.start()
    try:
        yield from iter(taken, None)
    finally:
        stopped.set()
        room.release()
        thread.join()


class ClipReader:
    """Reads shot after shot with one decoder that runs ahead across the cuts.

    Opening and seeking costs tens of milliseconds, and in a damaged file every start is a decode from its
    first frame. One consumer at a time; use as a context manager.
    """

    def __init__(self, clip: Clip) -> None:
        self.clip = clip
        self._frames: Generator[Frame] | None = None
        self._next, self._exposure = 0, 1.0

    def __enter__(self) -> ClipReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, first: int, last: int, exposure: float) -> Generator[Frame]:
        """Yields clip frames [first, last), going on where the last call stopped if that is ``first``.

        Args:
            first, last: Frames of the clip.
            exposure: As of `decode_ahead`.
        """
        if self._frames is None or (self._next, self._exposure) != (first, exposure):
            self.close()
            self._frames = decode_ahead(self.clip, first, None, exposure)
            self._next, self._exposure = first, exposure
        while self._next < last and (frame := next(self._frames, None)) is not None:
            self._next += 1
            yield frame
            del frame  # the next one comes while the consumer may be through with this one

    def close(self) -> None:
        """Closes the decoder."""
        if self._frames is not None:
            self._frames.close()
        self._frames = None


class ShotView:
    """The frames of ``shot``; implements `vdepth_core.protocols.ShotFrames`.

    ``source`` is the clip, or a `ClipReader` on it when shot after shot is read in order.
    """

    def __init__(self, source: Clip | ClipReader, shot: Shot) -> None:
        self.clip = source.clip if isinstance(source, ClipReader) else source
        self._reader = source if isinstance(source, ClipReader) else None
        self.shot, self.info = shot, self.clip.info

    def __len__(self) -> int:
        return len(self.shot)

    def frames(self, start: int = 0, stop: int | None = None) -> Generator[Frame]:
        """Yields frames [start, stop) of the shot, 0-based within it; see `decode_ahead`.

        Args:
            start, stop: Frames of the shot; stop None: to its end.

        Raises:
            InputError: a frame cannot be read, or is no longer there.
        """
        stop = len(self) if stop is None else min(stop, len(self))
        if start >= stop:
            return
        first, last = self.shot.start + start, self.shot.start + stop
        if self._reader is not None:
            source = self._reader.read(first, last, self.shot.exposure)
        else:
            source = decode_ahead(self.clip, first, last, self.shot.exposure)
        expected = first
        with closing(source):
            for frame in source:
                expected += 1
                yield frame
                del frame
        if expected < last:
            raise InputError(
                f"Frame {expected} of {self.info.path} can no longer be decoded.",
                "The file changed since it was scanned; start the job again with --overwrite.",
            )
