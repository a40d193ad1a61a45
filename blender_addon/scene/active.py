# SPDX-License-Identifier: GPL-3.0-or-later
"""Which clip the user works on, and the result it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ..compat import orientation_of
from ..result.manifest import Result, ResultError, read_result
from ..result.paths import file_number


def active_clip(context: Any) -> Any:
    """The movie clip of the Clip Editor, else the one chosen in the panel, else the scene's, else None."""
    space = getattr(context, "space_data", None)
    if space is not None and space.type == "CLIP_EDITOR" and space.clip:
        return space.clip
    return context.scene.vdepth.clip or context.scene.active_clip


def result_of(clip: Any) -> Result:
    """The clip's finished depth.

    Raises:
        ResultError: there is none, or it is gone from disk.
    """
    if clip is None:
        raise ResultError("No clip is chosen: choose one in the Video Depth tab.")
    if not clip.vdepth.manifest:
        raise ResultError(f"{clip.name} has no depth yet: press Estimate Video Depth.")
    found = read_result(bpy.path.abspath(clip.vdepth.manifest))
    check_lies_over(clip, found)
    return found


def check_lies_over(clip: Any, found: Result) -> None:
    """Whether the depth is of the picture as Blender shows it.

    Raises:
        ResultError: it is not.
    """
    how = orientation_of(clip.source == "MOVIE")
    if not found.lies_as(how, tuple(clip.size)):
        raise ResultError(
            f"That depth is of {clip.name} turned otherwise than this Blender shows it: estimate here, or by "
            f"vdepth estimate --orientation {how}."
        )


def number_offset(clip: Any, result: Result) -> int:
    """What to add to a scene frame to get the number of a depth file.

    A sequence keeps its numbers, and Blender counts it from the file it was opened by, which need not be the
    first on disk.
    """
    if _numbered(clip):
        return clip_offset(clip)
    return result.number_offset(clip.frame_start, clip.frame_offset)


def clip_offset(clip: Any) -> int:
    """What to add to a scene frame to get the clip's own number: a file's, or from 0 in a movie."""
    first = file_number(clip.filepath) if _numbered(clip) else 0
    return first - int(clip.frame_start) + int(clip.frame_offset)


def _numbered(clip: Any) -> bool:
    return clip.source == "SEQUENCE" and any(letter.isdigit() for letter in Path(clip.filepath).stem)
