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
from ..nodes.compositor import OUTPUTS, Input, build_group, group_inputs, linked_inputs
from ..result.manifest import Result, ResultError
from . import render
from .image import load_sequence, set_image_user
from .mesh import find_mesh
from .placing import follow_mesh, placing
from .sky import drops

NAME = "Video Depth"
SHARED = "vdepth"
"""Owner of the nodes that all clips of a scene share."""
DIRECT_KEY = "vdepth_direct"
"""Custom property of the tree: the Render Layers node that was linked right to the output, and its socket."""


def find_group(clip: Any) -> Any | None:
    """The clip's node group, if it was set up."""
    groups = (group for group in bpy.data.node_groups if group.bl_idname == "CompositorNodeTree")
    return next((group for group in groups if clip and group.get("vdepth_clip") == clip), None)


def find_node(scene: Any, clip: Any) -> Any | None:
    """The clip's group in the scene's compositor."""
    tree, group = compat.compositor_tree(scene), find_group(clip)
    return Builder(tree, group["vdepth_owner"]).find(NAME) if tree and group else None


def set_up(scene: Any, clip: Any, result: Result, options: Any) -> Any:
    """Builds the clip's nodes, or brings them up to date; what the user set on our sockets stays.

    Args:
        scene: The scene, which has a camera.
        clip: The clip.
        result: Its depth.
        options: The settings of the panel Compositor.

    Returns:
        The group's node in the scene's compositor.

    Raises:
        ResultError: the result has no depth sequence of its own.
    """
    if "depth" not in result.sequences:
        raise ResultError(f"{result.manifest.parent.name} has layered files only: estimate without Layered.")
    mesh = find_mesh(clip)
    plate, holdout = render.shares(scene, mesh)
    render.prepare(scene, mesh, plate=plate, catch_shadows=options.catch_shadows)
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
    layers = _layers(tree, scene, frame)
    node = build.node(NAME, "CompositorNodeGroup", layers.outputs[0], rows=8)
    node.node_tree, node.label, node.width = group, group.name, 220
    examples = {"fog": options.fog, "defocus": options.defocus}
    lies = placing(clip, mesh)
    _set_inputs(
        group, node, group_inputs(result, lies, plate=plate, sky=not drops(clip), holdout=holdout, **examples)
    )
    follow_mesh(node, mesh)
    build_group(group, clip, result, partial(_show, clip, result), **examples)
    _chain(tree, scene, layers)
    if options.file_output:
        _file_output(build, node, clip, result)
    build.prune()
    _output(tree, frame)
    compat.use_compositor_in_background(scene)
    return node


def remove(scene: Any, clip: Any) -> None:
    """Takes the clip's nodes out of the compositor, and its group and images if nothing else uses them."""
    tree, group = compat.compositor_tree(scene), find_group(clip)
    if group is None:
        return
    if tree:
        Builder(tree, group["vdepth_owner"]).prune()
        render.restore(find_mesh(clip), scene)
        if not any(node.get(TAG, "").endswith(f":{NAME}") for node in tree.nodes):
            Builder(tree, SHARED).prune()
            _link_directly(tree)
            render.release(scene)
        else:
            layers = _layers(tree, scene, None)
            _chain(tree, scene, layers)
            _output(tree, layers.parent)
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
            item.min_value = wish.least
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


def is_shown(scene: Any, node: Any) -> bool:
    """Whether what the compositor renders comes from a node, by itself or through others."""
    reached, ahead = set(), [other for other in _outputs(compat.compositor_tree(scene)) if other.inputs]
    while ahead:
        here = ahead.pop()
        reached.add(here)
        sources = {link.from_node for socket in here.inputs for link in socket.links}
        ahead += sources - reached
    return node in reached


def _outputs(tree: Any) -> list[Any]:
    return [other for other in tree.nodes if other.bl_idname == compat.output_node_id()]


def _layers(tree: Any, scene: Any, frame: Any) -> Any:
    """The scene's render: what the user's output shows and nothing else, or a node of ours."""
    if (direct := _direct(tree)) is not None:
        return direct
    layers = Builder(tree, SHARED, frame).node("Render Layers", "CompositorNodeRLayers", rows=10)
    if layers.scene != scene:
        layers.scene = scene
    layers.layer = render.layer_of(scene).name
    return layers


def _direct(tree: Any) -> Any | None:
    """The Render Layers node that is, or was before us, linked right to the output, as Blender does."""
    for output in _outputs(tree):
        for link in output.inputs[0].links if output.inputs else ():
            if link.from_node.bl_idname == "CompositorNodeRLayers" and not link.from_node.get(TAG):
                tree[DIRECT_KEY] = [link.from_node.name, link.from_socket.identifier]
                tree.links.remove(link)
                break
    return tree.nodes.get(tree[DIRECT_KEY][0]) if DIRECT_KEY in tree else None


def _link_directly(tree: Any) -> None:
    """Gives the output back the link that `_direct` took, unless the user gave it another."""
    if DIRECT_KEY not in tree:
        return
    layers = tree.nodes.get(tree[DIRECT_KEY][0])
    sockets = {socket.identifier: socket for socket in layers.outputs} if layers is not None else {}
    source = sockets.get(tree[DIRECT_KEY][1])
    for output in _outputs(tree):
        if source is not None and output.inputs and not output.inputs[0].is_linked:
            tree.links.new(source, output.inputs[0])
    del tree[DIRECT_KEY]


def _groups(tree: Any) -> list[Any]:
    """The nodes of all clips, in the order they were made."""
    return [node for node in tree.nodes if node.get(TAG, "").endswith(f":{NAME}") and node.node_tree]


def _chain(tree: Any, scene: Any, layers: Any) -> None:
    """Feeds the first clip's group the render, each other one the composite before it, to be sorted by depth.

    What the user feeds them stays.
    """
    groups = _groups(tree)
    for place, node in enumerate(groups):
        sources = {
            "Render": layers.outputs["Image"],
            "Render Depth": layers.outputs.get("Depth"),
            "Shadows": render.shadows(scene, layers),
            "Lit": render.lit_share(find_mesh(node.node_tree.get("vdepth_clip")), layers),
        }
        if place:
            before = groups[place - 1].outputs
            sources |= {"Render": before["Composite"], "Render Depth": before["Composite Depth"], "Lit": None}
        for wish in linked_inputs():
            socket, source = node.inputs[wish.name], sources[wish.name]
            for link in socket.links:
                if link.from_node not in (layers, *groups):
                    break
                if link.from_socket != source:
                    tree.links.remove(link)
            else:
                if source is not None and not socket.is_linked:
                    tree.links.new(source, socket)


def _output(tree: Any, frame: Any) -> None:
    """Shows the last clip's group where the tree has no other output: rendered, and its depth viewed."""
    groups = _groups(tree)
    node = groups[-1]
    kind = compat.output_node_id()
    outputs = _outputs(tree)
    for link in [link for other in outputs if other.inputs for link in other.inputs[0].links]:
        if link.from_node not in groups[:-1] or link.from_socket.name != "Composite":
            return
        tree.links.remove(link)
    build = Builder(tree, SHARED, frame)
    compat.ensure_output_socket(tree)
    output = outputs[0] if outputs else build.node("Output", kind)
    build.link(node.outputs["Composite"], output.inputs[0])
    if any(other.bl_idname == "CompositorNodeViewer" for other in tree.nodes):
        return
    viewer = build.node("Viewer", "CompositorNodeViewer")
    build.link(node.outputs["Normalised"], viewer.inputs[0])
    for place, made in enumerate((output, viewer)):
        if made.get(TAG):
            made.location = (560, -240 - 140 * place)
