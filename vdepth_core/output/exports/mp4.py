"""A grey film for programs that take depth as video: lossless 10-bit H.265, or H.264 where that is missing.

Editors do not open lossless grey; see `mp4_edit`.
"""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from ...progress import Progress
from ..naming import safe_name
from ..sequence import DepthSequence
from .film import Encoder, write_film
from .scaling import converter_of, fit_scaling, write_sidecar

_FULL = 2  # AVCOL_RANGE_JPEG
_ENCODERS = (  # in order of preference; all keep every code
    Encoder(
        "libx265",
        "gray10le",
        {"x265-params": "lossless=1:log-level=none:pools=none:frame-threads=1", "preset": "fast"},
        {"color_range": _FULL, "codec_tag": "hvc1"},
    ),
    Encoder("libx264", "gray10le", {"qp": "0", "preset": "fast", "threads": "1"}, {"color_range": _FULL}),
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
        codec = write_film(path, sequence, converter, scaling, _ENCODERS, _grey, progress)
        words = f"{stem}.mp4, {codec}, lossless 10-bit grey, full range"
        return [path, write_sidecar(out / f"{stem}.json", sequence, converter, scaling, words)]


def _grey(codes: np.ndarray) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(codes, "<u2"), format="gray10le")
