"""A film that players open, written frame by frame: H.264, or MPEG-4 where that is missing."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import av
import numpy as np

from ..errors import ResourceError
from ..files import Place, atomic_path, write_error

_LOG = logging.getLogger(__name__)
Encoders = tuple[tuple[str, Mapping[str, str], int], ...]
"""FFmpeg's encoder, its options, and clock ticks a nominal frame; the first that there is is taken."""
_BT709 = 1  # AVCOL_PRI_BT709, AVCOL_TRC_BT709, AVCOL_SPC_BT709
_FINEST = {"mpeg4": 65535}  # what the standard's 16-bit clock can hold
QUICK: Encoders = (  # constant rates are exact, others rounded to ticks
    # x264's macroblock tree gives other bytes from run to run on small pictures (seen with its build 165).
    # Its fastest setting shows blocks in smooth depth, but for the filter against them.
    # Without B-frames a packet's time is its picture's, so that films of shots can be put together.
    (
        "libx264",
        {
            "preset": "ultrafast",
            "crf": "20",
            "threads": "1",
            "bf": "0",
            "x264-params": "mbtree=0:no-deblock=0:deblock=0,0",
        },
        8,
    ),
    ("mpeg4", {"b": "6000000", "threads": "1"}, 1),
)
FINE: Encoders = (  # for films that are looked at for their own sake
    ("libx264", {**QUICK[0][1], "preset": "fast", "crf": "14", "x264-params": "mbtree=0"}, 8),
    ("mpeg4", {"b": "24000000", "threads": "1"}, 1),
)
"""Encoders for films that are looked at for their own sake."""


class MovieWriter:
    """Writes a film frame by frame, in order; use as a context manager.

    yuv420p, one encoder thread and no dates in the container, so the same frames give the same bytes. The
    file appears under its name when it is whole.
    """

    def __init__(
        self, path: Path, rate: Fraction, size: tuple[int, int], place: Place = atomic_path,
        encoders: Encoders = QUICK,
    ) -> None:  # fmt: skip
        """Opens the film.

        Args:
            path: The file, ``.mp4``.
            rate: Nominal frames per second.
            size: (width, height), both even.
            place: How the film gets to its place.
            encoders: To choose from. With `FINE` it is tagged as BT.709.

        Raises:
            ResourceError: the folder cannot be written.
        """
        self._path, self._draft, self._tagged = path, place(path), encoders is FINE
        self._last = -1
        try:
            self._film = av.open(
                str(self._draft.temporary), "w", format="mp4", options={"fflags": "+bitexact"}
            )
        except OSError as error:  # av.FFmpegError is one
            self._draft.discard()
            raise write_error(path, error) from error
        self._stream, self._tick = _stream(self._film, rate, size, encoders)
        if self._tagged:
            for name in ("color_primaries", "color_trc", "colorspace"):
                setattr(self._stream.codec_context, name, _BT709)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def append(self, picture: np.ndarray, time: Fraction) -> None:
        """Appends one frame.

        Args:
            picture: (height, width, 3) uint8 RGB.
            time: Presentation time in seconds since the first frame of the film.

        Raises:
            ResourceError: the disk is full.
        """
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        if self._tagged:
            frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709")
        self._last = max(self._last + 1, round(time / self._tick))
        frame.pts, frame.time_base = self._last, self._tick
        try:
            for packet in self._stream.encode(frame):
                self._film.mux(packet)
        except OSError as error:
            raise write_error(self._path, error) from error

    def close(self) -> None:
        """Finishes the film and gives it its name.

        Raises:
            ResourceError: the disk is full.
        """
        try:
            for packet in self._stream.encode(None):
                self._film.mux(packet)
            self._film.close()
            self._draft.commit()
        except OSError as error:
            raise write_error(self._path, error) from error
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Removes the unfinished film; harmless after `close`."""
        with suppress(OSError):
            self._film.close()
        self._draft.discard()


def _add_stream(film: av.container.OutputContainer, codec: str, **more: Any) -> av.VideoStream:
    return cast(av.VideoStream, film.add_stream(codec, **more))


def _stream(
    film: av.container.OutputContainer, rate: Fraction, size: tuple[int, int], encoders: Encoders
) -> tuple[av.VideoStream, Fraction]:
    """The video stream by the first encoder there is, and its clock tick in seconds."""
    for codec, options, ticks in encoders:
        try:
            stream = _add_stream(film, codec, rate=rate, options=dict(options))
        except (av.codec.codec.UnknownCodecError, OSError):
            _LOG.info("no %s encoder in this PyAV", codec)
            continue
        tick = (1 / (rate * ticks)).limit_denominator(_FINEST.get(codec, 2**31 - 1))
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = tick
        stream.time_base = tick
        return stream, tick
    raise ResourceError("This PyAV has neither an H.264 nor an MPEG-4 encoder.", "Install PyAV's own wheel.")
