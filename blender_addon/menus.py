# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of the menu of models, which change with what the core has. No bpy in here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .core_process.models import MODELS

PRESET = "PRESET"
_shown: list[tuple[str, str, str, int]] = []  # Blender keeps pointers into it


def items(settings: Any, context: Any) -> list[tuple[str, str, str, int]]:
    """Entries of the menu; what is set is always among them, known or not."""
    rows = [(PRESET, "Preset's Choice", "What the preset takes of the installed models")]
    rows += [(model.name, model.name, model.description) for model in MODELS.known]
    if settings.model and all(settings.model != name for name, *_ in rows):
        label = (
            Path(settings.model).name if "/" in settings.model or "\\" in settings.model else settings.model
        )
        rows.append((settings.model, label, "Set by name or path"))
    _shown[:] = [(*row, number) for number, row in enumerate(rows)]
    return _shown


def get_choice(settings: Any) -> int:
    """Number of the entry of ``settings.model``."""
    return next((number for name, *_, number in items(settings, None) if name == settings.model), 0)


def set_choice(settings: Any, value: int) -> None:
    """Keeps the entry's name: names last, numbers do not."""
    name = items(settings, None)[value][0]
    settings.model = "" if name == PRESET else name
