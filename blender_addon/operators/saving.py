# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches the saving of .blend files, so that depth is found again from the new place."""

from __future__ import annotations

import contextlib
from typing import Any

import bpy

from ..scene import links


@bpy.app.handlers.persistent
def _before(file: Any = "", *_: Any) -> None:
    links.before_save(str(file or ""))


@bpy.app.handlers.persistent
def _after(file: Any = "", *_: Any) -> None:
    links.after_save(str(file or ""))


_HANDLERS = (("save_pre", _before), ("save_post", _after), ("save_post_fail", _after))
CLASSES: tuple[type, ...] = ()


def register() -> None:
    """Begins to watch."""
    for name, ours in _HANDLERS:
        getattr(bpy.app.handlers, name).append(ours)


def unregister() -> None:
    """Leaves no handler behind."""
    for name, ours in _HANDLERS:
        with contextlib.suppress(ValueError):
            getattr(bpy.app.handlers, name).remove(ours)
