"""A grey film for programs that take depth as video: lossless 10-bit H.265, or H.264 where that is missing.

Editors do not open lossless grey; see `mp4_edit`.
"""

from __future__ import annotations

import av
import numpy as np

from .film import Encoder, Film

_FULL = 2  # AVCOL_RANGE_JPEG


class Mp4(Film):
    """``<clip>_<convention>.mp4`` (10-bit grey, codes 0 to 1023) and ``<clip>_<convention>.json``."""

    name = "mp4"
    levels = 1 << 10
    words = "lossless 10-bit grey, full range"
    encoders = (  # all keep every code
        Encoder(
            "libx265",
            "gray10le",
            {"x265-params": "lossless=1:log-level=none:pools=none:frame-threads=1", "preset": "fast"},
            {"color_range": _FULL, "codec_tag": "hvc1"},
        ),
        Encoder("libx264", "gray10le", {"qp": "0", "preset": "fast", "threads": "1"}, {"color_range": _FULL}),
    )

    def picture(self, codes: np.ndarray) -> av.VideoFrame:
        """Grey; see `Film.picture`."""
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(codes, "<u2"), format="gray10le")
