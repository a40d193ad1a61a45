# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operators on a clip's depth or mesh share: what they need, where files go, how they fail."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from ..result.manifest import ResultError
from ..scene import compositor
from ..scene.active import active_clip, result_of
from ..scene.mesh import find_mesh


class OnClip:
    """Needs a clip."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Says so if there is none."""
        if active_clip(context) is None:
            cls.poll_message_set("Choose a clip first")  # type: ignore[attr-defined]
            return False
        return True


class OnDepth(OnClip):
    """Needs a clip with depth."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Says what is missing."""
        if not super().poll(context):
            return False
        clip = active_clip(context)
        if not clip.vdepth.manifest:
            cls.poll_message_set(f"{clip.name} has no depth yet: estimate it first")  # type: ignore[attr-defined]
            return False
        return True


class OnMesh(OnClip):
    """Needs a clip's mesh."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        """Says what is missing."""
        if not super().poll(context):
            return False
        if find_mesh(active_clip(context)) is None:
            cls.poll_message_set("Build the clip's mesh first")  # type: ignore[attr-defined]
            return False
        return True


def follow_in_compositor(scene: Any, clip: Any) -> None:
    """Brings the clip's nodes in the compositor, if it has any, up to date with what the scene now renders.

    Raises:
        ResultError: the clip's depth is gone.
    """
    if compositor.find_node(scene, clip) is not None:
        compositor.set_up(scene, clip, result_of(clip), scene.vdepth.compositor)


def beside_blend(name: str) -> str:
    """Where a file of that name is offered to go: beside the .blend, or at home before there is one."""
    folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
    return str(folder / name)


def write_text(filepath: str, text: str) -> Path:
    """Writes a file that the user chose, and returns its path.

    Raises:
        ResultError: it cannot be written.
    """
    path = Path(bpy.path.abspath(filepath))
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ResultError(f"{path} cannot be written: {error.strerror}.") from error
    return path


def reported(execute: Callable[[Any, Any], set[str]]) -> Callable[[Any, Any], set[str]]:
    """An operator's ``execute`` that reports a `ResultError` and is cancelled by it."""

    @functools.wraps(execute)
    def wrapped(self: Any, context: Any) -> set[str]:
        try:
            return execute(self, context)
        except ResultError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}

    return wrapped
