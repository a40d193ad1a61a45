# SPDX-License-Identifier: GPL-3.0-or-later
"""The mesh without its nodes: one frame as a mesh of its own, a range as an Alembic or USD file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy

from ..result.manifest import ResultError
from .mesh import collection_of, get_input, set_input

ALEMBIC, USD = {".abc"}, {".usd", ".usda", ".usdc"}


def suffixes() -> list[str]:
    """What this Blender can write, the best first; distributions build it without."""
    options = bpy.app.build_options
    return [".abc"] * bool(options.alembic) + [".usdc", ".usd", ".usda"] * bool(options.usd)


def bake_frame(context: Any, obj: Any, *, full: bool) -> Any:
    """A new object that keeps the mesh as it is at the scene's frame, with its UV map and material.

    Args:
        full: As in renders (Render Stride) instead of as in the viewport.

    Raises:
        ResultError: there is nothing to keep.
    """
    _check(context, obj)
    with _rendered(obj, full):
        depsgraph = context.evaluated_depsgraph_get()
        shown = obj.evaluated_get(depsgraph)
        mesh = bpy.data.meshes.new_from_object(shown, preserve_all_data_layers=True, depsgraph=depsgraph)
        place = shown.matrix_world.copy()
    if not mesh.polygons:
        bpy.data.meshes.remove(mesh)
        raise ResultError(f"{obj.name} is empty at this frame: check Near, Far, Tear and the depth files.")
    frame = context.scene.frame_current
    mesh.name = f"{obj.name} {frame}"
    baked = bpy.data.objects.new(mesh.name, mesh)
    baked.matrix_world = place
    collection_of(context.scene).objects.link(baked)
    return baked


def bake_range(
    context: Any, obj: Any, path: str, *, full: bool, step: Callable[[int], None] = lambda frame: None
) -> None:
    """Writes the mesh of the scene's frame range to a file, which the suffix makes Alembic or USD.

    Args:
        full: As in renders (Render Stride) instead of as in the viewport.
        step: Called with every frame that is written.

    Raises:
        ResultError: the suffix is neither's, or the file cannot be written.
    """
    _check(context, obj)
    suffix = Path(path).suffix.lower()
    if suffix not in ALEMBIC | USD:
        raise ResultError(f"{Path(path).name} is neither Alembic nor USD: end its name in .abc or .usdc.")
    if suffix not in suffixes():
        raise ResultError(f"This Blender was built without {suffix} files: {_instead()}.")
    scene, mode = context.scene, "RENDER" if full else "VIEWPORT"
    with _alone_selected(context, obj), _reporting(step):
        try:
            if suffix in ALEMBIC:
                done = bpy.ops.wm.alembic_export(
                    filepath=path, start=scene.frame_start, end=scene.frame_end, selected=True,
                    evaluation_mode=mode, face_sets=True, as_background_job=False,
                )  # fmt: skip
            else:
                done = bpy.ops.wm.usd_export(
                    filepath=path, selected_objects_only=True, export_animation=True, evaluation_mode=mode,
                )  # fmt: skip
        except RuntimeError as error:  # what Blender's exporters report
            reason = str(error).removeprefix("Error: ").strip().rstrip(".")
            raise ResultError(f"{path} was not written ({reason}): choose another file.") from error
    if "FINISHED" not in done or not Path(path).is_file():
        raise ResultError(f"{path} was not written: choose a folder that you may write to.")


def _instead() -> str:
    """What to do where Blender lacks a format."""
    names = suffixes()[:2]
    return f"end the name in {' or '.join(names)}" if names else "use Export Depth, or blender.org's Blender"


def _check(context: Any, obj: Any) -> None:
    if get_input(obj, "Points"):
        raise ResultError(f"{obj.name} shows points, which have no faces to bake: switch Points off.")
    if obj.name not in context.view_layer.objects:
        raise ResultError(f"{obj.name} is not in this view layer: enable its collection.")


@contextmanager
def _rendered(obj: Any, full: bool) -> Iterator[None]:
    """The viewport's mesh at the stride of renders."""
    stride = get_input(obj, "Stride")
    if full:
        set_input(obj, "Stride", get_input(obj, "Render Stride"))
    try:
        yield
    finally:
        set_input(obj, "Stride", stride)


@contextmanager
def _alone_selected(context: Any, obj: Any) -> Iterator[None]:
    """Exporters write what is selected; afterwards it is as it was."""
    layer = context.view_layer
    selected = [other for other in layer.objects if other.select_get()]
    active, hidden = layer.objects.active, obj.hide_get()
    obj.hide_set(False)
    for other in selected:
        other.select_set(False)
    obj.select_set(True)
    try:
        yield
    finally:
        obj.select_set(False)
        for other in selected:
            other.select_set(True)
        layer.objects.active = active
        obj.hide_set(hidden)


@contextmanager
def _reporting(step: Callable[[int], None]) -> Iterator[None]:
    """Exporters set one frame after the other; each calls the step."""

    def changed(scene: Any, depsgraph: Any = None) -> None:
        step(scene.frame_current)

    bpy.app.handlers.frame_change_post.append(changed)
    try:
        yield
    finally:
        bpy.app.handlers.frame_change_post.remove(changed)
