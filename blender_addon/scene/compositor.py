# SPDX-License-Identifier: GPL-3.0-or-later
"""A clip's depth in the scene's compositor: one group, and one frame around what is ours.

A clip has one group, found by its pointer to the clip. The first is called Video Depth, others carry the
clip's name too. Nodes and links of the user are never changed.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import bpy

from .. import compat
from ..nodes.builder import TAG, Builder
from ..nodes.compositor import OUTPUTS, Input, build_group, group_inputs
from ..result.manifest import Result, ResultError
from .image import load_sequence, set_image_user

NAME = "Video Depth"
SHARED = "vdepth"
"""Owner of the nodes that all clips of a scene share."""


def find_group(clip: Any) -> Any | None:
    """The clip's node group, if it was set up."""
    groups = (group for group in bpy.data.node_groups if group.bl_idname == "CompositorNodeTree")
    return next((group for group in groups if clip and group.get("vdepth_clip") == clip), None)


def find_node(scene: Any, clip: Any) -> Any | None:
    """The clip's group in the scene's compositor."""
    tree, group = compat.compositor_tree(scene), find_group(clip)
    return Builder(tree, group["vdepth_owner"]).find(NAME) if tree and group else None


def set_up(scene: Any, clip: Any, result: Result, *, fog: bool, defocus: bool, file_output: bool) -> Any:
    """Builds the clip's nodes, or brings them up to date; what the user set on our sockets stays.

    Returns:
        The group's node in the scene's compositor.

    Raises:
        ResultError: the result has no depth sequence of its own.
    """
    if "depth" not in result.sequences:
        raise ResultError(f"{result.manifest.parent.name} has layered files only: estimate without Layered.")
    tree = compat.ensure_compositor_tree(scene)
    group = find_group(clip) or _new_group(clip)
    build = Builder(tree, group["vdepth_owner"])
    frame = build.find("Frame")
    if frame is None:
        where = _free_place(tree)
        frame = build.node("Frame", "NodeFrame", rows=0)
        frame.label, frame.location = group.name, where
    build.node("Frame", "NodeFrame", rows=0)
    build.frame = frame
    node = build.node(NAME, "CompositorNodeGroup", rows=8)
    node.node_tree, node.label, node.width = group, group.name, 220
    _set_inputs(group, node, group_inputs(result, clip.vdepth.scale, fog, defocus))
    build_group(group, clip, result, partial(_show, clip, result), fog=fog, defocus=defocus)
    if file_output:
        _file_output(build, node, clip, result)
    build.prune()
    _output(tree, node, frame)
    compat.use_compositor_in_background(scene)
    return node


def remove(scene: Any, clip: Any) -> None:
    """Takes the clip's nodes out of the compositor, and its group and images if nothing else uses them."""
    tree, group = compat.compositor_tree(scene), find_group(clip)
    if group is None:
        return
    if tree:
        Builder(tree, group["vdepth_owner"]).prune()
        if not any(node.get(TAG, "").endswith(f":{NAME}") for node in tree.nodes):
            Builder(tree, SHARED).prune()
        compat.release_compositor_tree(scene)
    if group.users == 0:
        images = [
            node.image for node in group.nodes if node.bl_idname == "CompositorNodeImage" and node.image
        ]
        bpy.data.node_groups.remove(group)
        for image in images:
            if image.users == 0:
                bpy.data.images.remove(image)


def _show(clip: Any, result: Result, node: Any, kind: str) -> None:
    node.image = load_sequence(result, kind)
    set_image_user(node, clip, result)


def _new_group(clip: Any) -> Any:
    first = not any("vdepth_clip" in group for group in bpy.data.node_groups)
    group = bpy.data.node_groups.new(
        NAME if first else f"{NAME} {Path(clip.name).stem}", "CompositorNodeTree"
    )
    group["vdepth_clip"] = clip
    group["vdepth_owner"] = uuid4().hex[:8]  # its nodes carry this, whatever is renamed
    return group


def _free_place(tree: Any) -> tuple[float, float]:
    """Left-aligned with the user's nodes and below them."""
    nodes = [node for node in tree.nodes if node.parent is None]
    if not nodes:
        return 0.0, 0.0
    return min(node.location.x for node in nodes), min(node.location.y for node in nodes) - 600


def _set_inputs(group: Any, node: Any, inputs: list[Input]) -> None:
    """Brings the group's inputs up to date; a socket still at its old default follows to the new one."""
    wanted = {wish.name: wish for wish in inputs}
    present = {item.name: item for item in group.interface.items_tree if compat.is_input(item)}
    for name in set(group.get("vdepth_inputs", "").split("\n")) & set(present) - set(wanted):
        group.interface.remove(present.pop(name))
    group["vdepth_inputs"] = "\n".join(wanted)
    for name, wish in wanted.items():
        item = present.get(name) or group.interface.new_socket(name, in_out="INPUT", socket_type=wish.kind)
        item.description = wish.description
        if wish.kind != "NodeSocketColor":
            item.subtype = wish.subtype
        if wish.kind == "NodeSocketFloat":
            item.min_value = 0.0
        untouched = _plain(node.inputs[name].default_value) == _plain(item.default_value)
        item.default_value = wish.default
        if untouched:
            node.inputs[name].default_value = wish.default


def _plain(value: Any) -> Any:
    return value if isinstance(value, float) else tuple(value)


def _file_output(build: Builder, node: Any, clip: Any, result: Result) -> None:
    """Float EXRs of depth and picture; where they go and what they hold is the user's once they exist."""
    output = build.find("File Output")
    if output is None:
        folder = (
            f"//comp/{Path(clip.name).stem}/" if bpy.data.filepath else str(result.manifest.parent / "comp")
        )
        output = build.node("File Output", "CompositorNodeOutputFile", node.outputs["Depth"])
        output.location.x += 60
        slots = {name.lower() + "_####": OUTPUTS[name] for name in ("Depth", "Image")}
        compat.set_up_file_output(output, folder, slots)
        build.link(node.outputs["Depth"], output.inputs[0])
        build.link(node.outputs["Image"], output.inputs[1])
    build.node("File Output", "CompositorNodeOutputFile")


def _output(tree: Any, node: Any, frame: Any) -> None:
    """Shows the group where the tree has no output: the picture is rendered, the depth is viewed."""
    kind = compat.output_node_id()
    outputs = [other for other in tree.nodes if other.bl_idname == kind]
    if any(other.inputs[0].is_linked for other in outputs if other.inputs):
        return
    build = Builder(tree, SHARED, frame)
    compat.ensure_output_socket(tree)
    output = outputs[0] if outputs else build.node("Output", kind)
    build.link(node.outputs["Image"], output.inputs[0])
    if any(other.bl_idname == "CompositorNodeViewer" for other in tree.nodes):
        return
    viewer = build.node("Viewer", "CompositorNodeViewer")
    build.link(node.outputs["Normalised"], viewer.inputs[0])
    for place, made in enumerate((output, viewer)):
        if made.get(TAG):
            made.location = (280, -240 - 140 * place)
