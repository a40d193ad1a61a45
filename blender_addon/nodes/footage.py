# SPDX-License-Identifier: GPL-3.0-or-later
"""The footage's material: unlit as it was filmed, or the colour of a matte surface."""

from __future__ import annotations

from typing import Any

from .. import compat
from .normals import shading_normal
from .plate import PROJECTED, SKY


def build_unlit(material: Any) -> None:
    """Nodes that show an image as it is, projected from the plate's camera; the caller sets the image."""
    tree = compat.shader_tree(material)
    nodes, links = tree.nodes, tree.links
    nodes.clear()
    kinds = ("Attribute", "SeparateXYZ", "CombineXYZ", "TexImage", "Emission", "OutputMaterial")
    place, split, uv, texture, emission, output = chain = [nodes.new(f"ShaderNode{kind}") for kind in kinds]
    place.attribute_name = PROJECTED
    links.new(place.outputs["Vector"], split.inputs[0])
    for axis in range(2):
        divide = nodes.new("ShaderNodeMath")
        divide.operation, divide.location = "DIVIDE", (450, 200 * axis - 300)
        links.new(split.outputs[axis], divide.inputs[0])
        links.new(split.outputs[2], divide.inputs[1])
        links.new(divide.outputs[0], uv.inputs[axis])
    texture.extension = "EXTEND"
    links.new(uv.outputs[0], texture.inputs["Vector"])
    links.new(texture.outputs["Color"], emission.inputs["Color"])
    links.new(emission.outputs[0], output.inputs["Surface"])
    nodes.active = texture  # what Solid view shows as texture
    for column, node in enumerate(chain):
        node.location = (300 * column, 0)


def emissions_of(material: Any) -> list[Any]:
    """The nodes by which a material shows its picture unlit, which lit ones can replace."""
    return [node for node in material.node_tree.nodes if node.type == "EMISSION"]


def make_matte(material: Any) -> None:
    """Replaces every emission by a matte surface of the same colour, but for the sky, which stays unlit."""
    tree = material.node_tree
    for emission in emissions_of(material):
        surface = tree.nodes.new("ShaderNodeBsdfPrincipled")
        surface.location = emission.location
        surface.inputs["Roughness"].default_value = 1.0
        surface.inputs["Specular IOR Level"].default_value = 0.0
        for link in emission.inputs["Color"].links:
            tree.links.new(link.from_socket, surface.inputs["Base Color"])
        normal = tree.nodes.new("ShaderNodeGroup")
        normal.node_tree, normal.location = shading_normal(), (surface.location.x - 200, surface.location.y)
        tree.links.new(normal.outputs[0], surface.inputs["Normal"])
        both, sky = tree.nodes.new("ShaderNodeMixShader"), tree.nodes.new("ShaderNodeAttribute")
        sky.attribute_name = SKY
        for node, below in ((both, 0), (sky, 200)):
            node.location = (emission.location.x + 250, emission.location.y - below)
        for link in list(emission.outputs[0].links):
            tree.links.new(both.outputs[0], link.to_socket)
        for place, socket in enumerate((sky.outputs["Fac"], surface.outputs[0], emission.outputs[0])):
            tree.links.new(socket, both.inputs[place])
