"""What a movie's container says about its pictures before one is decoded: which stream, rate, aspect, number
of frames, length, timecode.
"""

from __future__ import annotations

import contextlib
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from ..errors import InputError
from .headers import is_aspect
from .quicktime import lacks_index, timecode_track
from .timing import Timecode, nominal_rate

HINT = "Check that the copy or download was complete, or convert it to another format first."
_UNKNOWN = "Convert it to a format FFmpeg reads (ProRes, DNxHR, H.264), or to an image sequence."


def choose_stream(container: av.container.InputContainer, path: Path) -> Any:
    """The stream of moving pictures.

    Args:
        container: The opened movie.
        path: Its file, for messages.

    Raises:
        InputError: there is none, or nobody can decode it.
    """
    streams = list(container.streams.video)
    if not streams:
        kind = "holds only sound" if container.streams.audio else "holds no pictures"
        raise InputError(
            f"{path} {kind}, there is no picture to estimate depth for.", "Give a movie or images."
        )
    hidden = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    streams = [stream for stream in streams if not stream.disposition & hidden]
    if not streams:
        raise InputError(f"{path} is a sound file; its only picture is the cover.", "Give a movie or images.")
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    if stream.codec_context is None:
        name = _codec_name(path)
        if name == "encv":
            raise InputError(
                f"The pictures of {path} are encrypted (copy protection).",
                "Use a copy that is not protected.",
            )
        raise InputError(
            f"The pictures of {path} use the codec {name}, which FFmpeg does not know.", _UNKNOWN
        )
    return stream


def picture_rate(stream: Any) -> Fraction:
    """Nominal frames per second.

    Args:
        stream: A video stream of PyAV.
    """
    # The guessed rate is the regular one behind variable timestamps; the average is misleading there.
    for rate in (stream.guessed_rate, stream.average_rate):
        if rate and 0 < rate <= 1000:
            return nominal_rate(rate)
    return Fraction(24)


def pixel_aspect(stream: Any) -> Fraction:
    """Width of a stored pixel over its height; 1 where the file says none that can be.

    Args:
        stream: A video stream of PyAV.
    """
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or Fraction(1)
    return aspect if is_aspect(aspect) else Fraction(1)


def start_timecode(container: Any, stream: Any, path: Path, rate: Fraction) -> str | None:
    """Timecode of the first picture shown, counting every frame; None where the container has none.

    Args:
        container: The open file; tags count in any case, as Matroska keeps them upper case.
        stream: Its picture stream.
        path: The file, for what FFmpeg does not tell of QuickTime's timecode tracks.
        rate: Nominal frames per second of the pictures.
    """
    sources = [stream.metadata, container.metadata, *(other.metadata for other in container.streams)]
    for metadata in sources:
        for key, text in metadata.items():
            if key.casefold() != "timecode":
                continue
            with contextlib.suppress(ValueError):
                return str(_shown(Timecode.parse(text), container, path, rate))
    return None


def _shown(code: Timecode, container: Any, path: Path, rate: Fraction) -> Timecode:
    """The code of the track's first sample, brought to the first picture an edit list shows."""
    track = None
    if "mov" in container.format.name:
        with contextlib.suppress(OSError):
            track = timecode_track(path)
    if track is None:
        return code
    code = code.advance(track.hidden, track.rate)
    return code.count_every_frame(track.base, rate)


def declared_frames(container: Any, stream: Any) -> int | None:
    """Frames the container says it shows: those that an edit list hides do not count; None when silent.

    Args:
        container: The opened movie.
        stream: A video stream of it.
    """
    if not stream.frames:
        return None
    if "mov" in container.format.name and len(stream.index_entries):
        shown = sum(not entry.is_discard for entry in stream.index_entries)
        return min(shown, int(stream.frames))
    return int(stream.frames)


def declared_end(stream: Any) -> Fraction | None:
    """Seconds on the stream's own clock at which its last picture ends, as far as the container says so.

    Some containers count a duration from the clock's zero and others from the first packet, which may lie
    later (a recording's pre-roll, a stream cut from a longer one): the earlier of the two is what is sure.

    Args:
        stream: A video stream of PyAV.
    """
    start: Fraction = (stream.start_time or 0) * (stream.time_base or Fraction(0))
    if stream.duration and stream.time_base:
        length: Fraction = stream.duration * stream.time_base
        return min(length, start + length)
    for key, text in stream.metadata.items():
        if key.casefold() == "duration":  # Matroska, hh:mm:ss.fraction
            with contextlib.suppress(ValueError):
                hours, minutes, seconds = text.split(":")
                length = int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
                return min(length, start + length)
    return None


def open_failure(path: Path, error: Exception) -> str:
    """Why a file did not open, as the end of a sentence.

    Args:
        path: The file.
        error: What opening it raised.
    """
    if not isinstance(error, av.FFmpegError):
        return str(error)
    with contextlib.suppress(OSError):
        if lacks_index(path):
            return "its index (moov atom) is missing, so the recording or the copy was cut short"
    if isinstance(error, av.error.InvalidDataError):
        return "it is no movie format that FFmpeg reads, or it is damaged"
    return str(error.strerror or error).lower()


def _codec_name(path: Path) -> str:
    """What the container calls a codec that FFmpeg cannot decode: only FFmpeg's log says it."""
    from .decode import open_movie

    level = av.logging.get_level()
    av.logging.set_level(av.logging.VERBOSE)
    try:
        with av.logging.Capture() as messages, open_movie(path):
            text = "\n".join(message for _, _, message in messages)
    finally:
        av.logging.set_level(level)
    for pattern in (r"AVCodecID (\S+?)\.?\n", r"Video: (?!none)(\w+)", r"Video: none \((.{4}) / 0x"):
        found = re.search(pattern, text)
        if found and found[1].isprintable():
            return found[1].strip()
    return "of its own"
