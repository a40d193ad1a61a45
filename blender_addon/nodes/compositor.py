# SPDX-License-Identifier: GPL-3.0-or-later
"""The node group of a clip: footage and depth as outputs, and what compositors make of them first.

Maths in the group works on planar z in scene units. What has no depth is 1e10 there: beyond every mask, in
full fog.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .. import compat
from ..result.manifest import Result
from .builder import Builder

TINY = 1e-6  # keeps divisors above 0
BANDS = 2  # the column right of the sequences and their channels, where the formulas begin
FULL_FRAME = 0.036  # metres: the sensor width f-stops are meant for


@dataclass(frozen=True)
class Input:
    """An input of the group."""

    name: str
    default: Any
    description: str
    kind: str = "NodeSocketFloat"
    subtype: str = "NONE"


OUTPUTS = {
    "Image": "NodeSocketColor",
    "Depth": "NodeSocketFloat",
    "Disparity": "NodeSocketFloat",
    "Normalised": "NodeSocketFloat",
    "Near Mask": "NodeSocketFloat",
    "Far Mask": "NodeSocketFloat",
    "Normal": "NodeSocketColor",
    "Fog": "NodeSocketColor",
    "Defocus": "NodeSocketColor",
    "Relit": "NodeSocketColor",
}


def group_inputs(result: Result, scale: float, fog: bool, defocus: bool) -> list[Input]:
    """What can be set on the group, with values that suit this result."""
    near = max(min(shot.near for shot in result.shots) * scale, TINY)
    far = max(max(shot.far for shot in result.shots) * scale, near)
    middle = 2 / (1 / near + 1 / far)  # half way in disparity, where most of a picture's detail is
    inputs = [
        Input("Scale", scale, "Scene units a unit of the depth files"),
        Input("Near", near, "Depth at which Normalised is 0", subtype="DISTANCE"),
        Input("Far", far, "Depth at which Normalised is 1", subtype="DISTANCE"),
        Input("Mask Distance", middle, "Depth between Near and Far Mask", subtype="DISTANCE"),
        Input("Mask Softness", middle / 4, "Depth over which the masks change", subtype="DISTANCE"),
    ]
    if fog:
        inputs += [
            Input("Fog Colour", (0.6, 0.7, 0.8, 1.0), "What the picture fades to", "NodeSocketColor"),
            Input("Fog Density", 1 / far, "Share of the light that a scene unit of fog takes"),
        ]
    if defocus:
        inputs += [
            Input("Focus Distance", middle, "Depth that is sharp", subtype="DISTANCE"),
            Input("F-Stop", 1.4, "Aperture of a full-frame camera in a scene in metres; smaller blurs more"),
        ]
    if "normal" in result.sequences:
        whence = "Where the light comes from: x to the right, y up, z from the scene to the camera"
        inputs += [
            Input("Light Direction", (-0.6, 0.5, 0.6), whence, "NodeSocketVector", "DIRECTION"),
            Input("Light Strength", 1.2, "Light from the direction"),
            Input("Ambient", 0.25, "Light from everywhere"),
        ]
    return inputs


def build_group(
    group: Any, clip: Any, result: Result, show: Callable[[Any, str], None], *, fog: bool, defocus: bool
) -> None:
    """Fills the group, whose interface has the inputs of `group_inputs`; sets its outputs too.

    Args:
        show: Has an image node show a sequence of the result, by its kind, at every frame of the scene.
    """
    made: dict[str, Any] = {}
    build = Builder(group, "group")
    given = build.node("Group Input", "NodeGroupInput", rows=10).outputs
    footage = build.node("Footage", "CompositorNodeMovieClip", rows=6)
    footage.clip = clip
    made["Image"] = image = footage.outputs["Image"]

    sequences = {}
    for kind in ("depth", "disparity", "normal"):
        if kind in result.sequences:
            node = build.node(f"{kind.title()} Sequence", "CompositorNodeImage", rows=6)
            show(node, kind)
            split = build.node(f"{kind.title()} Channels", "CompositorNodeSeparateColor", node.outputs[0])
            build.link(node.outputs[0], split.inputs[0])
            sequences[kind] = split.outputs
            if kind == "normal":
                made["Normal"] = node.outputs["Image"]

    made["Depth"] = z = build.math("Depth", "MULTIPLY", sequences["depth"][0], given["Scale"])
    if "disparity" in sequences:
        made["Disparity"] = sequences["disparity"][0]
    made["Normalised"] = _normalised(build, z, given)
    made["Near Mask"], made["Far Mask"] = _masks(build, z, given)
    if fog:
        made["Fog"] = _fog(build, image, z, given)
    if defocus:
        made["Defocus"] = _defocus(build, image, z, given, result)
    if "normal" in sequences:
        made["Relit"] = _relit(build, image, sequences["normal"], given)

    _set_outputs(group, made)
    output = build.node("Group Output", "NodeGroupOutput", *made.values())
    for name, socket in made.items():
        build.link(socket, output.inputs[name])
    build.prune()


def _normalised(build: Builder, z: Any, given: Any) -> Any:
    build.new_band(BANDS)
    extent = build.math("Far − Near", "SUBTRACT", given["Far"], given["Near"])
    extent = build.math("At Least Tiny", "MAXIMUM", extent, TINY)
    return build.math(
        "Normalised", "DIVIDE", build.math("z − Near", "SUBTRACT", z, given["Near"]), extent, clamp=True
    )


def _masks(build: Builder, z: Any, given: Any) -> tuple[Any, Any]:
    build.new_band(BANDS)
    softness = build.math("Softness", "MAXIMUM", given["Mask Softness"], TINY)
    beyond = build.math("z − Distance", "SUBTRACT", z, given["Mask Distance"])
    far = build.math("Far Mask", "ADD", build.math("Ramp", "DIVIDE", beyond, softness), 0.5, clamp=True)
    return build.math("Near Mask", "SUBTRACT", 1.0, far), far


def _fog(build: Builder, image: Any, z: Any, given: Any) -> Any:
    build.new_band(BANDS)
    thickness = build.math("Density · z", "MULTIPLY", z, given["Fog Density"])
    clear = build.math("Clear", "EXPONENT", build.math("−Density · z", "MULTIPLY", thickness, -1.0))
    return build.mix(
        "Fog", "MIX", build.math("Fog Share", "SUBTRACT", 1.0, clear), image, given["Fog Colour"]
    )


def _defocus(build: Builder, image: Any, z: Any, given: Any, result: Result) -> Any:
    """A thin lens: the circle of confusion is fx · aperture · |1/z − 1/focus| pixels wide."""
    build.new_band(BANDS)
    fx = result.shots[0].camera.fx
    focus = build.math(
        "1 / Focus", "DIVIDE", 1.0, build.math("Focus", "MAXIMUM", given["Focus Distance"], TINY)
    )
    apart = build.math("Apart", "SUBTRACT", build.math("1 / z", "DIVIDE", 1.0, z), focus)
    stop = build.math("Stop", "MAXIMUM", given["F-Stop"], TINY)
    lens = build.math("Lens", "DIVIDE", fx / 2 * FULL_FRAME * fx / result.width, stop)
    radius = build.math("Radius", "MULTIPLY", build.math("|Apart|", "ABSOLUTE", apart), lens)
    node = build.node("Defocus", "CompositorNodeDefocus", image, radius, rows=7)
    compat.set_up_defocus(node, limit=max(result.width / 40, 8.0))
    build.link(image, node.inputs[0])
    build.link(radius, node.inputs[1])
    return node.outputs[0]


def _relit(build: Builder, image: Any, normal: Any, given: Any) -> Any:
    """Lambert: footage times ambient + strength · max(0, normal · light)."""
    build.new_band(BANDS)
    split = build.node("Light", compat.separate_xyz_id(), given["Light Direction"])
    build.link(given["Light Direction"], split.inputs[0])
    light = split.outputs
    dot, square = 0.0, 0.0
    for axis in range(3):
        letter = "xyz"[axis]
        dot = build.math(f"Normal · Light {letter}", "MULTIPLY_ADD", normal[axis], light[axis], dot)
        square = build.math(f"Light · Light {letter}", "MULTIPLY_ADD", light[axis], light[axis], square)
    length = build.math("Length", "MAXIMUM", build.math("Root", "SQRT", square), TINY)
    lit = build.math("Lit Side", "MAXIMUM", build.math("Cosine", "DIVIDE", dot, length), 0.0)
    shade = build.math("Shade", "MULTIPLY_ADD", lit, given["Light Strength"], given["Ambient"])
    return build.mix("Relit", "MULTIPLY", 1.0, image, shade)


def _set_outputs(group: Any, made: dict[str, Any]) -> None:
    present = {item.name for item in group.interface.items_tree if compat.is_output(item)}
    for item in list(group.interface.items_tree):
        if compat.is_output(item) and item.name in OUTPUTS and item.name not in made:
            group.interface.remove(item)
    for name, kind in OUTPUTS.items():
        if name in made and name not in present:
            group.interface.new_socket(name, in_out="OUTPUT", socket_type=kind)
