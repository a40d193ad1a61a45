"""What `rolling` did to a shot, kept beside its store: it outlives the files it was computed from."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..store import DepthStore
from ..types import ShotAlignment
from .snippets import SnippetPlan

_NAME = "alignment.json"


def save_result(
    store: DepthStore,
    plan: SnippetPlan,
    scale: np.ndarray,
    shift: np.ndarray,
    spread: np.ndarray,
    notes: tuple[str, ...],
) -> ShotAlignment:
    """Keeps scale, shift and spread (N,) of the frames, how many snippets cover each, and the notes."""
    coverage = [len(slots) for slots in plan.covering()]
    facts = {
        "scale": scale.tolist(),
        "shift": shift.tolist(),
        "curves": {"coverage": coverage, "spread": spread.tolist()},
        "notes": list(notes),
    }
    save_json(store.folder / _NAME, facts)
    return _alignment(facts)


def load_result(store: DepthStore) -> ShotAlignment | None:
    """What `save_result` kept, bit for bit; None where there is nothing yet."""
    facts = load_json(store.folder / _NAME)
    return None if facts is None else _alignment(facts)


def load_json(path: Path) -> Any:
    """Reads a JSON file; None where it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def save_json(path: Path, value: Any) -> None:
    """Writes a JSON file atomically. Floats come back bit for bit."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(value), encoding="utf-8")
    os.replace(temporary, path)


def _alignment(facts: dict[str, Any]) -> ShotAlignment:
    curves = {name: tuple(map(float, values)) for name, values in facts["curves"].items()}
    return ShotAlignment(tuple(facts["scale"]), tuple(facts["shift"]), curves, tuple(facts["notes"]))
