"""A clip's depth codes as a film: an exporter of films is a row of what it encodes, how and into what."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from ...errors import ResourceError
from ...files import atomic_path
from ...progress import Progress
from ..conventions import Converter
from ..naming import safe_name
from ..sequence import DepthSequence
from .options import DepthOptions
from .scaling import Scaling, converter_of, fit_scaling, is_sky, write_sidecar

_LOG = logging.getLogger(__name__)
_TICKS = 8  # a nominal frame, as in the preview


@dataclass(frozen=True)
class Encoder:
    """One way to encode: FFmpeg's encoder, its pixel format and options.

    ``tags`` are attributes of the codec context: how players and editors should read the numbers.
    """

    codec: str
    pixels: str
    options: Mapping[str, str]
    tags: Mapping[str, int | str] = field(default_factory=dict)


class Film(ABC):
    """A film, and beside it how to get values back.

    Attributes:
        ending: Of the files' names, before the suffix.
        levels: Number of codes.
        encoders: The first that this PyAV has is taken.
        words: What is in the film.
    """

    name: str
    ending = ""
    levels: int
    encoders: tuple[Encoder, ...]
    words: str
    Options = DepthOptions

    def __init__(self, options: DepthOptions) -> None:
        self.options = options

    @abstractmethod
    def picture(self, codes: np.ndarray) -> av.VideoFrame:
        """Codes (H, W) uint16, both sides even -> a frame of the encoders' pixel format.

        Args:
            codes: What `Scaling.encode` gave.
        """

    def export(self, sequence: DepthSequence, out: Path, progress: Progress) -> list[Path]:
        """Writes the sequence; see `Exporter.export`.

        Raises:
            InputError: a frame is missing or damaged.
            ResourceError: the disk is full or not writable, or PyAV has none of the encoders.
        """
        convention = self.options.convention
        converter = converter_of(sequence, convention)
        progress.stage("measure", len(sequence))
        scaling = fit_scaling(sequence, converter, self.levels, progress, "measure")
        progress.stage("export", len(sequence))
        stem = f"{safe_name(sequence.manifest.clip.name)}_{convention}{self.ending}"
        path = out / f"{stem}.mp4"
        codec = self._write(path, sequence, converter, scaling, progress)
        words = f"{path.name}, {codec}, {self.words}"
        return [path, write_sidecar(out / f"{stem}.json", sequence, converter, scaling, words)]

    def _write(
        self,
        path: Path,
        sequence: DepthSequence,
        converter: Converter,
        scaling: Scaling,
        progress: Progress,
    ) -> str:
        """A film of the whole sequence, frames at their times; returns the encoder's name."""
        with atomic_path(path) as temporary:
            film = av.open(str(temporary), "w", format="mp4", options={"fflags": "+bitexact"})
            try:
                tick = 1 / (sequence.rate * _TICKS)
                stream, codec = _stream(film, sequence, tick, self.encoders)
                times, last = sequence.times, -1
                for index, z in enumerate(sequence):
                    with progress.step("export"):
                        codes = scaling.encode(converter.convert(z), is_sky(z))
                        height, width = stream.height, stream.width
                        beside = ((0, height - codes.shape[0]), (0, width - codes.shape[1]))
                        codes = np.pad(codes, beside, "edge")
                        frame = self.picture(codes)
                        time = times[index] - times[0] if times else index / sequence.rate
                        last = max(last + 1, round(time / tick))
                        frame.pts, frame.time_base = last, tick
                        for packet in stream.encode(frame):
                            film.mux(packet)
                for packet in stream.encode(None):
                    film.mux(packet)
            finally:
                film.close()
        return codec


def _stream(
    film: av.container.OutputContainer, sequence: DepthSequence, tick: Fraction, encoders: tuple[Encoder, ...]
) -> tuple[Any, str]:
    for encoder in encoders:
        try:
            stream: Any = film.add_stream(encoder.codec, rate=sequence.rate, options=dict(encoder.options))
        except (av.codec.codec.UnknownCodecError, OSError):
            _LOG.info("no %s encoder in this PyAV", encoder.codec)
            continue
        # Encoders of grey take any size, but players want even ones: the last row and column are repeated.
        stream.width = sequence.shape[2] + sequence.shape[2] % 2
        stream.height = sequence.shape[1] + sequence.shape[1] % 2
        stream.pix_fmt = encoder.pixels
        stream.codec_context.thread_count = 1  # the same bytes on every machine
        stream.codec_context.time_base = tick
        stream.time_base = tick
        for name, value in encoder.tags.items():
            setattr(stream.codec_context, name, value)
        return stream, encoder.codec
    raise ResourceError(
        "This PyAV has no 10-bit H.265 or H.264 encoder.", "Install PyAV's own wheel, or use png16."
    )
