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
from .composite import BANDS, NO_DEPTH, TINY, beyond_sky, composite_nodes, sky_share

FULL_FRAME = 0.036  # metres: the sensor width f-stops are meant for


@dataclass(frozen=True)
class Placing:
    """How the files' depth z lies in the scene: at scale · z / (1 + shift · z), as the mesh has it."""

    scale: float = 1.0
    shift: float = 0.0

    def moved(self, z: float) -> float:
        """A depth of the files in the scene's units; 0 where it would lie behind the camera."""
        return self.scale * z / (1 + self.shift * z) if 1 + self.shift * z > 0 else 0.0


@dataclass(frozen=True)
class Input:
    """An input of the group."""

    name: str
    default: Any
    description: str
    kind: str = "NodeSocketFloat"
    subtype: str = "NONE"
    least: float = 0.0


OUTPUTS = {
    "Composite": "NodeSocketColor",
    "Image": "NodeSocketColor",
    "Depth": "NodeSocketFloat",
    "Composite Depth": "NodeSocketFloat",
    "Disparity": "NodeSocketFloat",
    "Sky": "NodeSocketFloat",
    "Normalised": "NodeSocketFloat",
    "Near Mask": "NodeSocketFloat",
    "Far Mask": "NodeSocketFloat",
    "Normal": "NodeSocketColor",
    "Fog": "NodeSocketColor",
    "Defocus": "NodeSocketColor",
    "Relit": "NodeSocketColor",
}


def group_inputs(
    result: Result,
    placing: Placing,
    *,
    plate: bool,
    sky: bool,
    holdout: bool,
    fog: bool,
    defocus: bool,
) -> list[Input]:
    """What can be set on the group, with values that suit this result.

    Args:
        result: The clip's depth.
        placing: How its depth lies in the scene.
        plate: Whether the scene's camera sees what the plate shows.
        sky: Whether the plate's sky is shown.
        holdout: Whether the plate's surfaces hide what the scene holds behind them.
        fog: With the inputs of the example.
        defocus: With the inputs of the example.
    """
    near = max(placing.moved(min(shot.near for shot in result.shots)), TINY)
    far = max(placing.moved(max(shot.far for shot in result.shots)), near)
    middle = 2 / (1 / near + 1 / far)  # half way in disparity, where most of a picture's detail is
    inputs = [
        *linked_inputs(),
        Input("Plate", float(plate), "Share of the plate behind the render: 0 for a view from elsewhere"),
        Input("Sky", float(sky), "Share of the plate's sky that is shown: 0 cuts it out"),
        Input("Holdout", float(holdout), "How much the plate's surfaces hide of what lies behind them"),
        Input("Edge Softness", 0.01, "Share of the depth over which the plate's surfaces begin to hide"),
        Input("Edge Blur", 2.0, "Pixels by which the edges of what the plate hides are softened"),
        Input("Depth Offset", 0.0, "Share of the depth by which the render is brought forward", least=-1.0),
        Input("Scale", placing.scale, "Scene units a unit of the depth files"),
        Input("Shift", placing.shift, "Added to the files' disparity, before Scale", least=-NO_DEPTH),
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


def linked_inputs() -> list[Input]:
    """Inputs that the scene's render is linked to."""
    return [
        Input("Render", (0.0, 0.0, 0.0, 0.0), "The scene's render on a transparent film", "NodeSocketColor"),
        Input("Render Depth", 1e10, "The render's depth; 1e10 where there is nothing"),
        Input("Shadows", (1.0, 1.0, 1.0, 1.0), "What shadows leave of the plate", "NodeSocketColor"),
        Input("Lit", 0.0, "Where the render is light to be added to the plate"),
    ]


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
    made["Image"] = image = _fitted(build, "Footage", footage.outputs["Image"], nearest=False)

    sequences = {}
    for kind in ("depth", "disparity", "normal", "sky"):
        if kind in result.sequences:
            node = build.node(f"{kind.title()} Sequence", "CompositorNodeImage", rows=6)
            show(node, kind)
            fitted = _fitted(build, kind.title(), node.outputs[0], nearest=True)
            split = build.node(f"{kind.title()} Channels", "CompositorNodeSeparateColor", fitted)
            build.link(fitted, split.inputs[0])
            sequences[kind] = split.outputs
            if kind == "normal":
                made["Normal"] = fitted

    made["Depth"] = z = _placed(build, sequences["depth"][0], given)
    if "disparity" in sequences:
        made["Disparity"] = sequences["disparity"][0]
    made["Sky"] = sky = sky_share(build, z, sequences.get("sky"))
    behind = beyond_sky(build, z, sky)
    made["Composite"] = composite_nodes(build, image, behind, sky, given)
    made["Composite Depth"] = build.math("Composite Depth", "MINIMUM", behind, given["Render Depth"])
    made["Normalised"] = _normalised(build, z, given)
    made["Near Mask"], made["Far Mask"] = _masks(build, z, given)
    if fog:
        made["Fog"] = fog_nodes(build, image, z, given)
    if defocus:
        made["Defocus"] = _defocus(build, image, z, given, result)
    if "normal" in sequences:
        made["Relit"] = relit_nodes(build, image, sequences["normal"], given)

    _set_outputs(group, made)
    output = build.node("Group Output", "NodeGroupOutput", *made.values())
    for name, socket in made.items():
        build.link(socket, output.inputs[name])
    build.prune()


def _fitted(build: Builder, name: str, picture: Any, *, nearest: bool) -> Any:
    """A picture at the size of the render, which may be a percentage of the plate's."""
    node = build.node(f"{name} Size", "CompositorNodeScale", picture, rows=6)
    compat.set_up_fit(node, nearest=nearest)
    build.link(picture, node.inputs[0])
    return node.outputs[0]


def _placed(build: Builder, z: Any, given: Any) -> Any:
    """Planar z in the scene's units; what has no depth stays far, whatever the shift."""
    build.new_band(BANDS)
    divisor = build.math("1 + Shift · z", "MULTIPLY_ADD", z, given["Shift"], 1.0)
    scaled = build.math("Scale · z", "MULTIPLY", z, given["Scale"])
    placed = build.math("Placed", "DIVIDE", scaled, build.math("Before Camera", "MAXIMUM", divisor, TINY))
    beyond = build.math("No Depth", "MULTIPLY", z, build.math("Is Far", "GREATER_THAN", z, NO_DEPTH))
    return build.math("Depth", "MAXIMUM", placed, beyond)


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


def fog_nodes(build: Builder, image: Any, z: Any, given: Any) -> Any:
    """The picture fading to a colour with depth: exp(−density · z) of it is left."""
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


def relit_nodes(build: Builder, image: Any, normal: Any, given: Any) -> Any:
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
