# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of a clip's sky: one choice for its mesh, its lights and its compositor."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..nodes.plate import CUT
from ..result.manifest import Result
from .camera import unit_of
from .depth_file import read_sky
from .image import load_sequence
from .mesh import get_input, has_input, modifier_of, set_derived, set_input

CHOICES = ("DOME", "DROP", "KEEP")
"""In the order of the mesh's socket Sky."""
FAR_END = 0.8
"""Of the range that a model without units was mapped to: what is farther counts as sky without a mask."""
NEVER = 1e9
_BEYOND = 5.0  # times the farthest depth: the dome's radius


def drops(clip: Any) -> bool:
    """Whether the sky is to be cut out of renders."""
    return bool(clip.vdepth.sky == "DROP")


def has_mask(result: Result) -> bool:
    """Whether the core wrote a mask; else the far end of the depth counts as sky."""
    return "sky" in result.sequences


def is_masked(mesh: Any) -> bool:
    """Whether a mesh's sky is told by a mask."""
    try:
        return get_input(mesh, "Sky Mask") is not None
    except KeyError:  # a tree of an older version
        return True


def has_dome(mesh: Any) -> bool:
    """Whether a mesh's sky lies on a dome."""
    return has_input(mesh, "Sky") and CHOICES[get_input(mesh, "Sky")] == "DOME"


def taken_out(mesh: Any, result: Result, number: int, z: np.ndarray) -> np.ndarray:
    """Where a mesh's surface leaves a frame's sky out, (height, width) bool: it is cut, or on the dome.

    Args:
        mesh: The clip's.
        result: Its depth.
        number: Of the frame's files.
        z: (height, width) depth in the file.

    Raises:
        ResultError: the mask's file is gone or no picture.
    """
    if not has_input(mesh, "Sky") or CHOICES[get_input(mesh, "Sky")] == "KEEP":
        return np.zeros(z.shape, bool)
    far: np.ndarray = z > get_input(mesh, "Sky From")
    return far | (read_sky(result, number) > CUT) if has_mask(result) else far


def apply(scene: Any, clip: Any, mesh: Any, result: Result) -> None:
    """Gives a mesh the clip's choice and what says where the sky is.

    Raises:
        ResultError: the mask's files are gone.
    """
    names = {item.name for item in modifier_of(mesh).node_group.interface.items_tree}
    if "Sky Mask" not in names:
        return  # a tree of an older version
    set_input(mesh, "Sky", CHOICES.index(clip.vdepth.sky))
    masked = has_mask(result)
    set_input(mesh, "Sky Mask", load_sequence(result, "sky") if masked else None)
    far = max(shot.far for shot in result.shots)
    relative = result.space == "affine_invariant" and not masked
    scale, shift = get_input(mesh, "Scale"), get_input(mesh, "Shift")
    behind = 1 + shift * far
    farthest = scale * far / behind if behind > 0 else scale * far
    set_derived(mesh, {"Sky From": FAR_END * far if relative else NEVER, "Sky Distance": _BEYOND * farthest})
    if clip.vdepth.sky == "DOME" and scene.camera is not None and scene.camera.type == "CAMERA":
        data = scene.camera.data
        data.clip_end = max(data.clip_end, 1.2 * get_input(mesh, "Sky Distance") * unit_of(mesh))
