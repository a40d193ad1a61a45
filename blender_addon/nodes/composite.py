# SPDX-License-Identifier: GPL-3.0-or-later
"""The composite in a clip's node group: the render over the plate, by depth, behind which the sky lies."""

from __future__ import annotations

from typing import Any

from .. import compat
from .builder import Builder

TINY = 1e-6  # keeps divisors above 0
NO_DEPTH = 1e9  # depth files write 1e10 where there is none
BANDS = 3  # the column right of the sequences, their size and their channels, where the formulas begin


def sky_share(build: Builder, z: Any, mask: Any | None) -> Any:
    """Share of sky: what has no depth, and the channels of a mask where there is one."""
    empty = build.math("Empty", "GREATER_THAN", z, NO_DEPTH)
    return empty if mask is None else build.math("Sky", "MAXIMUM", empty, mask[0])


def beyond_sky(build: Builder, z: Any, sky: Any) -> Any:
    """Depth with the sky behind everything: no object lies behind it, wherever the estimate has it."""
    ground = build.math("Ground", "MAXIMUM", build.math("No Sky", "SUBTRACT", 1.0, sky), 1 / NO_DEPTH)
    return build.math("Behind", "DIVIDE", z, ground)


def composite_nodes(build: Builder, plate: Any, z: Any, sky: Any, given: Any) -> Any:
    """The render over the plate, hidden where the plate is nearer.

    The render's depth is that of one sample a pixel and says nothing of the edge's coverage, so it is grown
    by a pixel and the edge left to the render's alpha. What the plate hides is blurred within the render
    only: else the blur would eat the render's own edges.
    """
    build.new_band(BANDS)
    nearness = build.math("1 / Render z", "DIVIDE", 1.0, given["Render Depth"])
    grow = build.node("Grown", "CompositorNodeDilateErode", nearness, rows=6)
    compat.set_up_grow(grow)
    build.link(nearness, grow.inputs[0])
    there = build.math("Is There", "GREATER_THAN", grow.outputs[0], 1 / NO_DEPTH)
    before = build.math("z / Render z", "MULTIPLY_ADD", z, grow.outputs[0], given["Depth Offset"])
    softness = build.math("Edge", "MAXIMUM", given["Edge Softness"], TINY)
    before = build.math("Before", "DIVIDE", build.math("Gap", "SUBTRACT", before, 1.0), softness, clamp=True)
    shown = build.math("Shown", "MULTIPLY", before, there)
    blurred, around = (_blurred(build, name, v, given) for name, v in (("Soft", shown), ("Around", there)))
    soft = build.math("Within", "DIVIDE", blurred, build.math("Some", "MAXIMUM", around, TINY), clamp=True)
    hides = build.math("Hides", "MULTIPLY", given["Holdout"], given["Plate"])
    seen = build.math("Seen", "MAXIMUM", soft, build.math("Free", "SUBTRACT", 1.0, hides))

    split = build.node("Render Alpha", "CompositorNodeSeparateColor", given["Render"])
    build.link(given["Render"], split.inputs[0])
    hiding = build.math("Hiding", "SUBTRACT", split.outputs["Alpha"], given["Lit"], clamp=True)
    cover = build.math("Cover", "MULTIPLY", hiding, seen)
    cut = build.math("Cut", "MULTIPLY", sky, build.math("Sky Cut", "SUBTRACT", 1.0, given["Sky"]))
    plate_share = build.math("Plate", "MULTIPLY", given["Plate"], build.math("Uncut", "SUBTRACT", 1.0, cut))
    left = build.math("Left", "MULTIPLY", build.math("Open", "SUBTRACT", 1.0, cover), plate_share)
    shaded = build.mix("Shaded Plate", "MULTIPLY", 1.0, plate, given["Shadows"])
    render = build.mix("Seen Render", "MULTIPLY", 1.0, given["Render"], seen)
    over = build.mix("Over", "ADD", 1.0, build.mix("Left Plate", "MULTIPLY", 1.0, shaded, left), render)
    parts = build.node("Over Channels", "CompositorNodeSeparateColor", over)
    build.link(over, parts.inputs[0])
    whole = build.node("Composite", "CompositorNodeCombineColor", over)
    for source, socket in zip(parts.outputs[:3], whole.inputs[:3], strict=True):
        build.link(source, socket)
    build.link(build.math("Alpha", "ADD", cover, left), whole.inputs["Alpha"])
    return whole.outputs[0]


def _blurred(build: Builder, name: str, mask: Any, given: Any) -> Any:
    node = build.node(f"{name} Blur", "CompositorNodeBlur", mask, rows=6)
    pixel = compat.set_up_blur(node)
    build.link(mask, node.inputs["Image"])
    build.link(build.math(f"{name} Radius", "MULTIPLY", given["Edge Blur"], pixel), node.inputs["Size"])
    split = build.node(f"{name} Mask", "CompositorNodeSeparateColor", node.outputs[0])
    build.link(node.outputs[0], split.inputs[0])
    return split.outputs[0]
