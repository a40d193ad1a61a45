# SPDX-License-Identifier: GPL-3.0-or-later
"""What the core does in the background beside an estimate, as several panels draw it."""

from __future__ import annotations

from typing import Any

from ..operators.environment_task import STATE

_SHOWN_LINES = 3


def draw_task(column: Any) -> None:
    """What is being done, the last it said, and the way to stop it; there must be something."""
    column.label(text=STATE.title, icon="TIME")
    for line in list(STATE.lines)[-_SHOWN_LINES:]:
        column.label(text=line, icon="BLANK1")
    column.operator("vdepth.cancel_task", icon="X")
