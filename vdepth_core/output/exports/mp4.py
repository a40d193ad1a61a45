"""A grey film for tools that take depth as video: lossless 10-bit H.265, or H.264 where that is missing."""

from __future__ import annotations

import logging
from pathlib import Path

import av
import numpy as np

from ...errors import ResourceError
from ...files import atomic_path
from ...progress import Progress
from ..conventions import Converter
from ..naming import safe_name
from ..sequence import DepthSequence
from .scaling import Scaling, converter_of, fit_scaling, is_sky, write_sidecar

_LOG = logging.getLogger(__name__)
_TICKS = 8  # a nominal frame, as in the preview
_ENCODERS = (  # in order of preference; all keep every code
    (
        "libx265",
        "gray10le",
        {"x265-params": "lossless=1:log-level=none:pools=none:frame-threads=1", "preset": "fast"},
    ),
    ("libx264", "gray10le", {"qp": "0", "preset": "fast", "threads": "1"}),
)


class Mp4:
    """``<clip>_<convention>.mp4`` (10-bit grey, codes 0 to 1023) and ``<clip>_<convention>.json``."""

    name = "mp4"

    def export(self, sequence: DepthSequence, out: Path, convention: str, progress: Progress) -> list[Path]:
        """Writes the sequence; see `types.Exporter`.

        Raises:
            InputError: a frame is missing or damaged.
            ResourceError: the disk is full or not writable, or PyAV has no 10-bit encoder.
        """
        converter = converter_of(sequence, convention)
        progress.stage("measure", len(sequence))
        scaling = fit_scaling(sequence, converter, 1 << 10, progress, "measure")
        progress.stage("export", len(sequence))
        stem = f"{safe_name(sequence.manifest.clip.name)}_{convention}"
        path = out / f"{stem}.mp4"
        with atomic_path(path) as temporary:
            film = av.open(str(temporary), "w", format="mp4", options={"fflags": "+bitexact"})
            try:
                codec = self._encode(film, sequence, converter, scaling, progress)
            finally:
                film.close()
        words = f"{stem}.mp4, {codec}, lossless 10-bit grey, full range"
        return [path, write_sidecar(out / f"{stem}.json", sequence, converter, scaling, words)]

    def _encode(
        self,
        film: av.container.OutputContainer,
        sequence: DepthSequence,
        converter: Converter,
        scaling: Scaling,
        progress: Progress,
    ) -> str:
        tick = 1 / (sequence.rate * _TICKS)
        stream, codec = _stream(film, sequence, tick)
        times, last = sequence.times, -1
        for index, z in enumerate(sequence):
            with progress.step("export"):
                codes = scaling.encode(converter.convert(z), is_sky(z))
                height, width = stream.height, stream.width
                codes = np.pad(codes, ((0, height - codes.shape[0]), (0, width - codes.shape[1])), "edge")
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(codes, "<u2"), format="gray10le")
                time = times[index] - times[0] if times else index / sequence.rate
                last = max(last + 1, round(time / tick))
                frame.pts, frame.time_base = last, tick
                for packet in stream.encode(frame):
                    film.mux(packet)
        for packet in stream.encode(None):
            film.mux(packet)
        return codec


def _stream(film, sequence, tick):  # type: ignore[no-untyped-def]
    for codec, pixels, options in _ENCODERS:
        try:
            stream = film.add_stream(codec, rate=sequence.rate, options=options)
        except (av.codec.codec.UnknownCodecError, OSError):
            _LOG.info("no %s encoder in this PyAV", codec)
            continue
        # Encoders of grey take any size, but players want even ones: the last row and column are repeated.
        stream.width = sequence.shape[2] + sequence.shape[2] % 2
        stream.height = sequence.shape[1] + sequence.shape[1] % 2
        stream.pix_fmt = pixels
        stream.codec_context.color_range = 2  # full
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = tick
        stream.time_base = tick
        if codec == "libx265":
            stream.codec_context.codec_tag = "hvc1"
        return stream, codec
    raise ResourceError(
        "This PyAV has no 10-bit H.265 or H.264 encoder.", "Install PyAV's own wheel, or use png16."
    )
