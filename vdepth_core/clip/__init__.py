"""Clips: open and read movies and image sequences by presentation time, find their shots, know their numbers
and times.
"""

from __future__ import annotations

from .base import Clip
from .facts import ClipScan
from .fingerprint import Fingerprint, fingerprint
from .opening import open_clip
from .timing import Timecode, cfr_numbers, cfr_span, parse_range
from .view import ClipReader, ShotView

__all__ = [
    "Clip",
    "ClipReader",
    "ClipScan",
    "Fingerprint",
    "ShotView",
    "Timecode",
    "cfr_numbers",
    "cfr_span",
    "fingerprint",
    "open_clip",
    "parse_range",
]
