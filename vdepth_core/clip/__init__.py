"""Clips: open and read movies and image sequences by presentation time, find their shots, know their numbers
and times.

Names load on first use, so that how a clip may be read (`options`) is known without loading a decoder.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .base import Clip
    from .facts import ClipScan
    from .fingerprints import Fingerprint, fingerprint
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

_HOME = {
    "Clip": "base",
    "ClipReader": "view",
    "ClipScan": "facts",
    "Fingerprint": "fingerprints",
    "ShotView": "view",
    "Timecode": "timing",
    "cfr_numbers": "timing",
    "cfr_span": "timing",
    "fingerprint": "fingerprints",
    "open_clip": "opening",
    "parse_range": "timing",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
