# SPDX-License-Identifier: GPL-3.0-or-later
"""What moves in the demo shot: a figurine turns, a ball rolls, and a hand-held camera passes them."""

from __future__ import annotations

import math
from typing import Any

import bmesh  # type: ignore[import-not-found]
import bpy
import materials as m  # type: ignore[import-not-found]
import props  # type: ignore[import-not-found]
from mathutils import Euler, Matrix, Vector
from shapes import group, lathe, place  # type: ignore[import-not-found]

FRAMES = 48
RATE = 24
LENS, SENSOR = 29.0, 36.0  # millimetres, sensor fitted to the width


def add_movers() -> None:
    """Adds the figurine on its turntable and the ball, animated."""
    glaze = m.plain("figurine glaze", (0.56, 0.24, 0.09), 0.28, speckle=0.1)
    hero = props.figurine(glaze, 0.125)
    hero.location = (0, 0, 0.145)
    plinth = lathe(
        "plinth",
        [(0.001, 0), (0.085, 0), (0.085, 0.022), (0.05, 0.03), (0.03, 0.045), (0.001, 0.045)],
        (0, 0, 0),
        m.plain("slate", (0.05, 0.055, 0.06), 0.5),
    )
    turntable = group("turntable", [hero, plinth], (-0.27, 1.3, 0.75))
    ball = place(_sphere(0.13), "ball", (0, 0, 0.142), m.leather(), smooth=True)
    ball.rotation_mode = "QUATERNION"
    start, stop = Vector((1.25, 2.75, 0.142)), Vector((0.22, 3.05, 0.142))
    axis = Vector((0, 0, 1)).cross(stop - start).normalized()
    for frame in range(-1, FRAMES + 3):
        t = (frame - 1) / (FRAMES - 1)
        turntable.rotation_euler = (0, 0, math.radians(-42 + 78 * t))
        turntable.keyframe_insert("rotation_euler", frame=frame)
        way = (stop - start) * (1.25 * t - 0.25 * t * t)
        ball.location = start + way
        turn = Matrix.Rotation(math.copysign(way.length, t) / 0.13, 4, axis)
        ball.rotation_quaternion = turn.to_quaternion()
        ball.keyframe_insert("location", frame=frame)
        ball.keyframe_insert("rotation_quaternion", frame=frame)
    _straight(turntable, ball)


def add_camera() -> None:
    """Adds the camera and its move; one key a frame."""
    scene = bpy.context.scene
    scene.frame_start, scene.frame_end, scene.render.fps = 1, FRAMES, RATE
    data = bpy.data.cameras.new("camera")
    data.lens, data.sensor_width, data.sensor_fit = LENS, SENSOR, "HORIZONTAL"
    data.clip_start, data.clip_end = 0.05, 200
    camera = bpy.data.objects.new("camera", data)
    scene.collection.objects.link(camera)
    scene.camera = camera
    camera.rotation_mode = "QUATERNION"
    for frame in range(-1, FRAMES + 3):
        t = (frame - 1) / (FRAMES - 1)
        s = t * t * (3 - 2 * t) * 0.35 + 0.65 * t  # an operator eases in and out, but not to a halt
        at = Vector((-0.36 + 0.6 * s, -0.42 + 0.25 * s, 1.42 + 0.03 * math.sin(2.2 * t)))
        aim = Vector((0.1 + 0.12 * s, 3.4, 0.83))
        at += 0.004 * _shake(t, 0.0)
        aim += 0.022 * _shake(t, 5.0)
        look = (aim - at).to_track_quat("-Z", "Y")
        roll = Euler((0, 0, math.radians(0.35 * math.sin(7 * t + 1)))).to_quaternion()
        camera.location, camera.rotation_quaternion = at, look @ roll
        camera.keyframe_insert("location", frame=frame)
        camera.keyframe_insert("rotation_quaternion", frame=frame)
    _straight(camera)


def _shake(t: float, phase: float) -> Vector:
    """A hand's sway: a few incommensurate waves, 1..5 Hz over two seconds."""
    waves = ((2.1, 1.0), (4.7, 0.5), (9.3, 0.22))
    return Vector(
        [sum(w * math.sin(2 * math.pi * f * t + phase + 2.4 * k + f) for f, w in waves) for k in range(3)]
    )


def _straight(*things: Any) -> None:
    """Linear interpolation: every frame has its own key, only motion blur looks between them."""
    for thing in things:
        action = thing.animation_data.action
        curves = (
            action.fcurves
            if hasattr(action, "fcurves")
            else action.layers[0].strips[0].channelbags[0].fcurves
        )
        for curve in curves:
            for point in curve.keyframe_points:
                point.interpolation = "LINEAR"


def _sphere(radius: float) -> Any:
    mesh = bmesh.new()
    bmesh.ops.create_icosphere(mesh, subdivisions=5, radius=radius)
    return mesh
