"""The preview: the plate beside its colour-mapped disparity, as float EXRs open black in viewers.

A film, or of a single image a picture.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import av
import cv2
import numpy as np

from ..errors import ResourceError
from ..files import Place, atomic_path, write_bytes, write_error

_LOG = logging.getLogger(__name__)
_PANEL = (640, 720)  # largest width and height of one of the two pictures
_STILL_PANEL = (1920, 1920)  # and of a still's, which is looked at closely
_SMALLEST = 16
_SKY = -1.0  # normalised disparity below which it is sky
_ENCODERS = (  # name, options, clock ticks a nominal frame: constant rates are exact, others rounded to ticks
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
_FINEST = {"mpeg4": 65535}  # what the standard's 16-bit clock can hold


class PreviewWriter:
    """Writes the preview frame by frame, in order; use as a context manager.

    H.264 in yuv420p, one encoder thread and no dates in the container, so the same frames give the same
    bytes. The file appears under its name when it is whole. Presentation times follow the clip's own,
    variable rates included.
    """

    def __init__(
        self,
        path: Path,
        rate: Fraction,
        size: tuple[int, int],
        pixel_aspect: Fraction = Fraction(1),
        place: Place = atomic_path,
    ) -> None:
        """Opens the film.

        Args:
            path: The file, ``.mp4``.
            rate: Nominal frames per second.
            size: (width, height) of the plate.
            pixel_aspect: Width of a plate's pixel over its height; the preview has square ones.
            place: How the film gets to its place.

        Raises:
            ResourceError: the folder cannot be written.
        """
        self.size = _panel(size, pixel_aspect)
        self._path, self._draft = path, place(path)
        self._last = -1
        try:
            self._film = av.open(
                str(self._draft.temporary), "w", format="mp4", options={"fflags": "+bitexact"}
            )
        except OSError as error:  # av.FFmpegError is one
            self._draft.discard()
            raise write_error(path, error) from error
        self._stream, self._tick = _stream(self._film, rate, self.size)

    def __enter__(self) -> PreviewWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()

    def write(self, rgb: np.ndarray, d: np.ndarray, time: Fraction) -> None:
        """Appends one frame.

        Args:
            rgb: (H, W, 3) uint8 plate.
            d: (H, W) normalised disparity in [0, 1], 1 = near.
            time: Presentation time in seconds since the first frame of the film.

        Raises:
            ResourceError: the disk is full.
        """
        frame = av.VideoFrame.from_ndarray(beside(rgb, d, self.size), format="rgb24")
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


def write_picture(
    path: Path,
    rgb: np.ndarray,
    d: np.ndarray,
    pixel_aspect: Fraction = Fraction(1),
    place: Place = atomic_path,
) -> None:
    """Writes the preview of a still.

    Args:
        path: The file, ``.png``.
        rgb: (H, W, 3) uint8 plate.
        d: (H, W) normalised disparity in [0, 1], 1 = near.
        pixel_aspect: Width of a plate's pixel over its height; the preview has square ones.
        place: How the picture gets to its place.

    Raises:
        ResourceError: the disk is full or not writable.
    """
    picture = beside(rgb, d, _panel((rgb.shape[1], rgb.shape[0]), pixel_aspect, _STILL_PANEL))
    _, data = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))
    write_bytes(path, data.tobytes(), place)


def join_films(parts: Iterable[tuple[Path, Fraction]], path: Path, place: Place = atomic_path) -> None:
    """Puts the films of shots, as `PreviewWriter` made them, one behind the other without decoding them.

    Args:
        parts: Each film and the second at which it begins, in order.
        path: The film to write.
        place: How it gets to its place.

    Raises:
        ResourceError: the disk is full or not writable.
    """
    draft, last = place(path), -1
    try:
        with av.open(str(draft.temporary), "w", format="mp4", options={"fflags": "+bitexact"}) as film:
            stream: av.VideoStream | None = None
            for part, begin in parts:
                with av.open(str(part)) as segment:
                    source = segment.streams.video[0]
                    if stream is None:
                        stream = film.add_stream_from_template(source)
                        stream.time_base = source.time_base
                    assert source.time_base is not None
                    shift = max(round(begin / source.time_base), last + 1)
                    for packet in segment.demux(source):
                        if packet.pts is None or packet.dts is None:  # the end
                            continue
                        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                        last = max(last, packet.pts)
                        packet.stream = stream
                        film.mux(packet)
        draft.commit()
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        draft.discard()


def colour_map(d: np.ndarray) -> np.ndarray:
    """Turbo colours (H, W, 3) uint8 RGB of normalised disparity (H, W) in [0, 1]: red near, blue far.

    Args:
        d: What lies outside is clipped, but far below 0 is the sky and black.
    """
    grey = np.clip(d * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)
    colours = np.asarray(cv2.cvtColor(cv2.applyColorMap(grey, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB))
    colours[d < _SKY] = 0
    return colours


def beside(rgb: np.ndarray, d: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Plate and coloured disparity, each of ``size`` (width, height), side by side: (height, 2 width, 3).

    Args:
        rgb: (H, W, 3) uint8.
        d: Normalised disparity (h, w) in [0, 1].
        size: Of each.
    """
    shrinks = size[0] <= rgb.shape[1] and size[1] <= rgb.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    small = cv2.resize(d, size, interpolation=how)
    return np.asarray(cv2.hconcat([cv2.resize(rgb, size, interpolation=how), colour_map(small)]))


def _panel(
    size: tuple[int, int], pixel_aspect: Fraction, largest: tuple[int, int] = _PANEL
) -> tuple[int, int]:
    width, height = float(size[0] * pixel_aspect), float(size[1])
    scale = min(1.0, largest[0] / width, largest[1] / height)
    return max(_SMALLEST, round(width * scale / 2) * 2), max(_SMALLEST, round(height * scale / 2) * 2)


def _add_stream(film: av.container.OutputContainer, codec: str, **more: Any) -> av.VideoStream:
    return cast(av.VideoStream, film.add_stream(codec, **more))


def _stream(
    film: av.container.OutputContainer, rate: Fraction, size: tuple[int, int]
) -> tuple[av.VideoStream, Fraction]:
    """The video stream by the first encoder there is, and its clock tick in seconds."""
    for codec, options, ticks in _ENCODERS:
        try:
            stream = _add_stream(film, codec, rate=rate, options=options)
        except (av.codec.codec.UnknownCodecError, OSError):
            _LOG.info("no %s encoder in this PyAV", codec)
            continue
        tick = (1 / (rate * ticks)).limit_denominator(_FINEST.get(codec, 2**31 - 1))
        stream.width, stream.height = 2 * size[0], size[1]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = tick
        stream.time_base = tick
        return stream, tick
    raise ResourceError("This PyAV has neither an H.264 nor an MPEG-4 encoder.", "Install PyAV's own wheel.")
