# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps what the panels show up to date, so that drawing looks neither at the disk nor at all objects."""

from __future__ import annotations

import contextlib
from typing import Any

import bpy

from ..core_process.models import MODELS
from ..preferences import FINDER
from ..result.watch import WATCH
from ..scene import ours
from .redraw import redraw

TICK_S = 0.5


def _tick() -> float:
    if FINDER.core is not None:
        MODELS.request(FINDER.core.path)  # once an interpreter, in the background
    if WATCH.tick():
        redraw()
    return TICK_S


@bpy.app.handlers.persistent
def _changed(*_: Any) -> None:
    ours.look()


@bpy.app.handlers.persistent
def _undone(*_: Any) -> None:
    ours.forget()
    ours.look()


@bpy.app.handlers.persistent
def _loaded(*_: Any) -> None:
    WATCH.forget()
    _undone()


_HANDLERS = (
    ("depsgraph_update_post", _changed),
    ("undo_post", _undone),
    ("redo_post", _undone),
    ("load_post", _loaded),
)
CLASSES: tuple[type, ...] = ()


def register() -> None:
    """Begins to watch; without a window nobody draws, and files are looked at when they are asked for."""
    for name, ours_too in _HANDLERS:
        getattr(bpy.app.handlers, name).append(ours_too)
    if not bpy.app.background:
        WATCH.live = True
        bpy.app.timers.register(_tick, first_interval=TICK_S, persistent=True)


def unregister() -> None:
    """Leaves no timer and no handler behind."""
    WATCH.live = False
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    for name, ours_too in _HANDLERS:
        with contextlib.suppress(ValueError):
            getattr(bpy.app.handlers, name).remove(ours_too)
