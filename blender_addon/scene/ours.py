# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects that the add-on built, told by their custom properties, without a look at every object each time.

Panels ask at every redraw. Which objects are ours changes only when objects come or go: then, before the next
redraw, all are looked at once.
"""

from __future__ import annotations

from typing import Any

import bpy

PREFIX = "vdepth_"
"""Of all custom properties that tell what an object is."""
_names: list[tuple[str, str | None]] = []
_count = -1


def carrying(key: str, owner: Any) -> list[Any]:
    """Objects whose custom property is a data-block.

    Args:
        key: Name of the property, which begins with `PREFIX`.
        owner: The data-block.
    """
    if owner is None:
        return []
    found = _known() if len(bpy.data.objects) == _count else None
    if found is None:
        look()
        found = _known() or []
    return [obj for obj in found if obj.get(key) == owner]


def look(*_: Any) -> None:
    """Looks at all objects, if there are others than before; a handler, so that drawing never has to."""
    global _count
    if len(bpy.data.objects) == _count and _known() is not None:
        return
    _names[:] = [
        (obj.name, obj.library and obj.library.filepath)
        for obj in bpy.data.objects
        if any(key.startswith(PREFIX) for key in obj.keys())  # noqa: SIM118
    ]
    _count = len(bpy.data.objects)


def forget(*_: Any) -> None:
    """Looks at all objects when it is asked next: another file, or an undo."""
    global _count
    _count = -1


def _known() -> list[Any] | None:
    """The objects of last time; None where one was renamed, or has gone."""
    objects = [bpy.data.objects.get(name if name[1] else name[0]) for name in _names]
    return objects if all(objects) else None
