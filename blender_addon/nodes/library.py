# SPDX-License-Identifier: GPL-3.0-or-later
"""Node groups a studio can append without the add-on: made by the builders that the add-on itself uses."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import bpy

from ..result.manifest import Camera, Result, Shot
from .builder import Builder
from .composite import beyond_sky, composite_nodes, sky_share
from .compositor import Input, Placing, fog_nodes, group_inputs, relit_nodes
from .light import light_group
from .mesh import mesh_tree

PREFIX = "Video Depth"
_PICTURE = Input("Image", (0.8, 0.8, 0.8, 1.0), "The plate", "NodeSocketColor")
_DEPTH = Input("Depth", 10.0, "Planar depth of the plate, in scene units")
_NORMAL = Input("Normal", (0.0, 0.0, 1.0, 1.0), "Normals: x right, y up, z to the camera", "NodeSocketColor")
_COMBINE = (
    *("Render", "Render Depth", "Shadows", "Lit"),
    *("Plate", "Sky", "Holdout", "Edge Softness", "Edge Blur", "Depth Offset"),
)
_FOG = ("Fog Colour", "Fog Density")
_RELIGHT = ("Light Direction", "Light Strength", "Ambient")


def build_all() -> list[Any]:
    """All groups of the library, named, described and free of clips."""
    unproject, added = mesh_tree(), light_group()
    unproject.name = f"{PREFIX}: Unproject"
    added.name = f"{PREFIX}: Add Light"
    described = {
        unproject: "Depth sequence to a surface in the camera's space: a Geometry Nodes modifier",
        _group("Depth Combine", (_PICTURE, _DEPTH), _COMBINE, _combined): (
            "A render over the plate, hidden by what is nearer in it"
        ),
        _group("Fog", (_PICTURE, _DEPTH), _FOG, _fogged): "The plate fading to a colour with distance",
        _group("Relight", (_PICTURE, _NORMAL), _RELIGHT, _relit): "The plate under a light, by its normals",
        added: "Material: the plate times 1 + what the scene's lights give it",
    }
    for tree, words in described.items():
        tree.asset_mark()
        tree.asset_data.description, tree.asset_data.author = words, "vdepth"
        tree.asset_data.license = "GPL-3.0-or-later"
    return list(described)


def _group(
    name: str, pictures: tuple[Input, ...], names: tuple[str, ...], build: Callable[[Builder, Any], Any]
) -> Any:
    """A compositor group: pictures, the named inputs of the add-on's group with its defaults, one output."""
    tree = bpy.data.node_groups.new(f"{PREFIX}: {name}", "CompositorNodeTree")
    known = {wish.name: wish for wish in group_inputs(_ANY, Placing(), **_ALL)}
    for wish in (*pictures, *(known[name] for name in names)):
        socket = tree.interface.new_socket(wish.name, in_out="INPUT", socket_type=wish.kind)
        socket.description, socket.default_value = wish.description, wish.default
        if wish.kind == "NodeSocketFloat":
            socket.min_value = wish.least
    tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    builder = Builder(tree, "library")
    given = builder.node("Group Input", "NodeGroupInput", rows=10).outputs
    made = build(builder, given)
    output = builder.node("Group Output", "NodeGroupOutput", made)
    builder.link(made, output.inputs["Image"])
    return tree


def _combined(build: Builder, given: Any) -> Any:
    sky = sky_share(build, given["Depth"], None)
    behind = beyond_sky(build, given["Depth"], sky)
    return composite_nodes(build, given["Image"], behind, sky, given)


def _fogged(build: Builder, given: Any) -> Any:
    return fog_nodes(build, given["Image"], given["Depth"], given)


def _relit(build: Builder, given: Any) -> Any:
    split = build.node("Normal Channels", "CompositorNodeSeparateColor", given["Normal"])
    build.link(given["Normal"], split.inputs[0])
    return relit_nodes(build, given["Image"], split.outputs, given)


_ALL = {"plate": True, "sky": True, "holdout": True, "fog": True, "defocus": False}
_ANY = Result(
    Path("manifest.json"), "", 1920, 1080, Fraction(24), 0, 1, 1,
    (Shot(range(1, 2), 1.0, 100.0, Camera(1920.0, 1920.0, 960.0, 540.0, "given")),),
    {"depth": "", "normal": ""}, "", "", "",
)  # fmt: skip
"""A result whose defaults suit any clip."""
