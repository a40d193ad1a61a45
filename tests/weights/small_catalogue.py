"""A catalogue of small made-up models in place of the real one, and checkpoints for it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from vdepth_core.weights import catalogue as module

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2, dtype=torch.float16)}
FREE = {
    "title": "A Model",
    "family": "made-up",
    "quantity": "disparity",
    "space": "affine_invariant",
    "license": "MIT",
    "license_url": "https://example.org/mit",
    "commercial": True,
    "size": 2000,
}


def use(patch: pytest.MonkeyPatch, folder: Path, entries: dict[str, dict[str, Any]]) -> Path:
    """Makes ``entries`` (over `FREE`) the catalogue; returns the weights folder, which ``folder`` holds."""
    path = write(folder / "catalogue.toml", entries)
    patch.setattr(module, "CATALOGUE", path)
    module.catalogue.cache_clear()
    patch.setenv("VDEPTH_WEIGHTS", str(folder / "weights"))
    return folder / "weights"


def write(path: Path, entries: dict[str, dict[str, Any]]) -> Path:
    """Writes a catalogue file."""
    lines = []
    for name, fields in entries.items():
        lines.append(f"[{name}]")
        lines += [
            f"{key} = {_value(value)}" for key, value in {**FREE, **fields}.items() if value is not None
        ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value)


def checkpoint(path: Path, state: Any = None, legacy: bool = False) -> bytes:
    """Saves a PyTorch checkpoint; returns its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(STATE if state is None else state, path, _use_new_zipfile_serialization=not legacy)
    return path.read_bytes()


@pytest.fixture
def fresh_catalogue():
    """Forgets the made-up catalogue after the test."""
    yield
    module.catalogue.cache_clear()
