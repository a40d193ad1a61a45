"""Options of `temporal`."""

from __future__ import annotations

from ...options import Options
from ..options import Batch, Stabilize


class TemporalOptions(Options):
    """Options of `temporal`.

    ``stabilize``: ``off`` leaves the predictions alone, ``align`` solves scale and shift, ``filter`` also
    smooths; left open, it filters.
    """

    stabilize: Stabilize = None
    batch: Batch = None
