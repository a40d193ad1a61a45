"""What `rolling` did to a shot, kept beside its store: it outlives the files it was computed from."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ...files import write_bytes
from ...store import DepthStore
from ...types import ShotAlignment
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
    """What `save_result` kept, bit for bit; None where there is nothing yet.

    Args:
        store: Of the shot.
    """
    facts = load_json(store.folder / _NAME)
    return None if facts is None else _alignment(facts)


def load_json(path: Path) -> Any:
    """The value `save_json` wrote; None where it is missing or damaged.

    Args:
        path: The file, which need not be there.
    """
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        return saved["value"] if saved["crc"] == _checksum(saved["value"]) else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def save_json(path: Path, value: Any) -> None:
    """Writes a value atomically, with a checksum. Floats come back bit for bit.

    Args:
        path: The file, replaced if it is there.
        value: Anything JSON holds.
    """
    write_bytes(path, json.dumps({"crc": _checksum(value), "value": value}).encode())


def _checksum(value: Any) -> int:
    return zlib.crc32(json.dumps(value).encode())


def _alignment(facts: dict[str, Any]) -> ShotAlignment:
    curves = {name: tuple(map(float, values)) for name, values in facts["curves"].items()}
    return ShotAlignment(tuple(facts["scale"]), tuple(facts["shift"]), curves, tuple(facts["notes"]))
