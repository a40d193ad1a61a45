"""The error of a measure that a clip gives no answer to, so that a caller can report the others."""

from __future__ import annotations

from ..errors import InputError


class UndefinedMeasure(InputError):
    """Nothing in the clip can be compared: a single frame, no overlap, no truth twice in a row."""
