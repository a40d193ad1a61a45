"""What `rolling` did to a shot, kept beside its store: it outlives the files it was computed from."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from ...store import DepthStore
from ...types import ShotAlignment
from ..spill import load_json, save_json
from .plan import SnippetPlan

_NAME = "alignment.json"


def save_result(
    store: DepthStore,
    plan: SnippetPlan,
    scale: np.ndarray,
    shift: np.ndarray,
    spread: np.ndarray,
    notes: tuple[str, ...],
) -> ShotAlignment:
    """Keeps how a shot was aligned, and how many snippets cover each frame.

    Args:
        store: The shot's.
        plan: Which frames make a snippet.
        scale, shift: Of the frames (N,).
        spread: Of the snippets at each frame (N,).
        notes: Sentences for the report.
    """
    coverage = [float(len(slots)) for slots in plan.covering()]
    curves = {"coverage": tuple(coverage), "spread": tuple(spread.tolist())}
    alignment = ShotAlignment(tuple(scale.tolist()), tuple(shift.tolist()), curves, notes)
    save_json(store.folder / _NAME, asdict(alignment))
    return alignment


def load_result(store: DepthStore) -> ShotAlignment | None:
    """What `save_result` kept, bit for bit; None where there is nothing yet.

    Args:
        store: Of the shot.
    """
    facts = load_json(store.folder / _NAME)
    return None if facts is None else ShotAlignment.of(facts)
