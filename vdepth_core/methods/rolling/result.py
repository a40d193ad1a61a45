"""What `rolling` did to a shot, kept beside its store: it outlives the files it was computed from."""

from __future__ import annotations

import json
import zlib
from dataclasses import asdict
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
