# SPDX-License-Identifier: GPL-3.0-or-later
"""Every difference between Blender 4.2 and 5.2 that the add-on meets, and nowhere else."""

from __future__ import annotations

from typing import Any

import bpy

VERSION: tuple[int, int] = bpy.app.version[:2]


def orientation_of(movie: bool) -> str:
    """How much Blender does of what a file asks to make its picture upright, in the core's words.

    Since 4.4 a movie is turned, but never mirrored; an image's EXIF is not looked at.
    """
    return "turned" if movie and VERSION >= (4, 4) else "stored"


def set_modifier_input(modifier: Any, identifier: str, value: Any) -> None:
    """Sets a geometry-nodes modifier's input by its socket identifier (``Socket_2``), updates the object."""
    if VERSION >= (5, 2):
        getattr(modifier.properties.inputs, identifier).value = value
    else:
        modifier[identifier] = value
    modifier.id_data.update_tag()


def get_modifier_input(modifier: Any, identifier: str) -> Any:
    """A geometry-nodes modifier's input by its socket identifier."""
    if VERSION >= (5, 2):
        return getattr(modifier.properties.inputs, identifier).value
    return modifier[identifier]


def eevee_id() -> str:
    """Name of the EEVEE render engine."""
    return "BLENDER_EEVEE" if VERSION >= (5, 0) else "BLENDER_EEVEE_NEXT"


def shader_tree(owner: Any) -> Any:
    """The nodes of a material or a world, which before 5.0 have none until asked for."""
    if owner.node_tree is None:
        owner.use_nodes = True
    return owner.node_tree


def compositor_tree(scene: Any) -> Any | None:
    """The scene's compositor, if it has one in use."""
    if VERSION >= (5, 0):
        return scene.compositing_node_group
    return scene.node_tree if scene.use_nodes else None


def ensure_compositor_tree(scene: Any) -> Any:
    """The scene's compositor, made or switched on if need be; `release_compositor_tree` undoes that."""
    if tree := compositor_tree(scene):
        return tree
    if VERSION >= (5, 0):
        scene.compositing_node_group = tree = bpy.data.node_groups.new("Compositor", "CompositorNodeTree")
    else:
        fresh = scene.node_tree is None
        scene.use_nodes = True
        tree = scene.node_tree
        if fresh:  # Blender fills a new tree with Render Layers and an output
            tree.nodes.clear()
    tree["vdepth_nodes_before"] = len(tree.nodes)
    return tree


def release_compositor_tree(scene: Any) -> None:
    """Undoes `ensure_compositor_tree` if the compositor holds as many nodes as it held then."""
    tree = compositor_tree(scene)
    if tree is None or tree.get("vdepth_nodes_before") != len(tree.nodes):
        return
    del tree["vdepth_nodes_before"]
    if VERSION >= (5, 0):
        scene.compositing_node_group = None
        if tree.users == 0:
            bpy.data.node_groups.remove(tree)
    else:
        scene.use_nodes = False


def use_compositor_in_background(scene: Any) -> None:
    """Blender 5.2 composites on the GPU by default, which background runs may not have."""
    if VERSION >= (5, 2) and bpy.app.background:
        scene.render.compositor_device = "CPU"


def is_input(item: Any) -> bool:
    """Whether an item of a node group's interface is an input socket."""
    return bool(item.item_type == "SOCKET" and item.in_out == "INPUT")


def is_output(item: Any) -> bool:
    """Whether an item of a node group's interface is an output socket."""
    return bool(item.item_type == "SOCKET" and item.in_out == "OUTPUT")


def output_node_id() -> str:
    """The node whose first input is what the compositor renders."""
    return "NodeGroupOutput" if VERSION >= (5, 0) else "CompositorNodeComposite"


def ensure_output_socket(tree: Any) -> None:
    """From 5.0 the compositor is a group: it renders the first output of its interface."""
    if VERSION >= (5, 0) and not any(is_output(item) for item in tree.interface.items_tree):
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")


def math_node_id() -> str:
    """The compositor's maths node."""
    return "ShaderNodeMath" if VERSION >= (5, 0) else "CompositorNodeMath"


def separate_xyz_id() -> str:
    """The compositor's node that splits a vector."""
    return "ShaderNodeSeparateXYZ" if VERSION >= (5, 0) else "CompositorNodeSeparateXYZ"


def mix_node_id() -> str:
    """The compositor's node that mixes colours."""
    return "ShaderNodeMix" if VERSION >= (5, 0) else "CompositorNodeMixRGB"


def mix_sockets(node: Any) -> tuple[list[Any], Any]:
    """Factor, first and second colour, and the result of a `mix_node_id` node."""
    if VERSION < (5, 0):
        return list(node.inputs[:3]), node.outputs[0]
    node.data_type = "RGBA"
    named = {socket.identifier: socket for socket in (*node.inputs, *node.outputs)}
    return [named["Factor_Float"], named["A_Color"], named["B_Color"]], named["Result_Color"]


def set_up_defocus(node: Any, limit: float) -> None:
    """Lets the Defocus node take its radius in pixels from a socket."""
    node.use_zbuffer, node.z_scale, node.blur_max = False, 1.0, limit
    if VERSION < (5, 0):
        node.use_preview, node.threshold = False, 0.0


def set_up_grow(node: Any) -> None:
    """Has the Dilate/Erode node give each pixel the greatest value of it and its neighbours."""
    if VERSION >= (5, 0):
        node.inputs["Type"].default_value = "Steps"
    else:
        node.mode, node.distance = "STEP", 1
    if VERSION >= (4, 5):
        node.inputs["Size"].default_value = 1


def set_up_blur(node: Any) -> float:
    """Lets the Blur node take its radius from a socket; returns what the socket wants for a pixel."""
    if VERSION < (5, 0):
        node.filter_type = "GAUSS"
    if VERSION >= (4, 5):
        return 1.0
    node.size_x = node.size_y = 100
    return 0.01


def set_up_fit(node: Any, *, nearest: bool) -> None:
    """Has the Scale node stretch a picture to the size of the render."""
    if VERSION >= (5, 0):
        node.inputs["Type"].default_value = "Render Size"
        node.inputs["Frame Type"].default_value = "Stretch"
        node.inputs["Interpolation"].default_value = "Nearest" if nearest else "Bilinear"
    else:
        node.space, node.frame_method = "RENDER_SIZE", "STRETCH"
        if VERSION >= (4, 5):
            node.interpolation = "NEAREST" if nearest else "BILINEAR"


def set_up_file_output(node: Any, folder: str, slots: dict[str, str]) -> None:
    """Makes a File Output node write float EXR files: file name to socket type, in order."""
    if VERSION >= (5, 0):
        node.directory, node.file_name = folder, ""
        node.format.media_type = "IMAGE"
        node.file_output_items.clear()
        for name, kind in slots.items():
            item = node.file_output_items.new("FLOAT" if kind == "NodeSocketFloat" else "RGBA", name)
            if kind == "NodeSocketFloat":
                item.override_node_format = True
                item.format.media_type = "IMAGE"
                _write_number(item.format)
    else:
        node.base_path = folder
        node.file_slots.clear()
        for name, kind in slots.items():
            node.file_slots.new(name)
            if kind == "NodeSocketFloat" and VERSION >= (4, 5):  # before, a number is one channel anyway
                node.file_slots[-1].use_node_format = False
                _write_number(node.file_slots[-1].format)
    node.format.file_format, node.format.color_depth = "OPEN_EXR", "32"


def _write_number(image_format: Any) -> None:
    """One channel, where the node's own format would write a number four times."""
    image_format.file_format, image_format.color_depth = "OPEN_EXR", "32"
    image_format.color_mode = "BW"


def modifier_input_path(modifier: Any, identifier: str) -> str:
    """Data path of a geometry-nodes modifier's input from its object, for keyframes."""
    name = bpy.utils.escape_identifier(modifier.name)
    if VERSION >= (5, 2):
        return f'modifiers["{name}"].properties.inputs.{identifier}.value'
    return f'modifiers["{name}"]["{identifier}"]'


def fcurves_of(datablock: Any) -> list[Any]:
    """F-curves of what a data-block is animated by."""
    animation = datablock.animation_data
    if animation is None or animation.action is None:
        return []
    if VERSION < (5, 0):
        return list(animation.action.fcurves)
    strips = [strip for layer in animation.action.layers for strip in layer.strips]
    bags = [strip.channelbag(animation.action_slot) for strip in strips]
    return [curve for bag in bags if bag for curve in bag.fcurves]


def draw_modifier_input(layout: Any, modifier: Any, identifier: str, text: str) -> None:
    """Draws a geometry-nodes modifier's input that is a number or a switch."""
    if VERSION >= (5, 2):
        layout.prop(getattr(modifier.properties.inputs, identifier), "value", text=text)
    else:
        layout.prop(modifier, f'["{identifier}"]', text=text)
