# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene set to the clip: lens, size, rate, range and the clip behind the camera's view."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ..result.manifest import Camera, Result
from .active import number_offset
from .camera import NEAR, fit_lens, has_lens, new_camera
from .mesh import find_mesh, get_input

CAMERA = "Video Depth Camera"
SIZE_KEY, RANGE_KEY = "vdepth_size", "vdepth_range"
"""Custom properties of a scene: what its size and its range were last matched to."""
LARGEST_ASPECT = 200.0
"""Blender's limit for either side of a pixel's aspect, whose least is 1."""


def scene_camera(context: Any) -> Any:
    """The scene's camera; a new one that looks along y, if it has none."""
    camera = context.scene.camera
    if camera is None:
        camera = context.scene.camera = new_camera(context, CAMERA)
        camera.rotation_euler = (1.5707963267948966, 0.0, 0.0)
    return camera


def intrinsics_of(scene: Any, clip: Any, result: Result) -> Camera:
    """The clip's intrinsics: its mesh's, as the user may have set them there, else the result's."""
    mesh = find_mesh(clip)
    if mesh is None:
        return result.shot_at(scene.frame_current + number_offset(clip, result)).camera
    return lens_of(mesh)


def lens_of(mesh: Any) -> Camera:
    """The intrinsics a mesh has."""
    fx, fy, cx, cy = (get_input(mesh, name) for name in ("fx", "fy", "cx", "cy"))
    return Camera(fx, fy, cx, cy, "given")


def foreign(scene: Any, lens: Camera, width: int, height: int) -> str:
    """How the scene's camera and renders differ from a clip's, in words; empty if they do not."""
    camera, render = scene.camera, scene.render
    if camera is None or camera.type != "CAMERA":
        return "The scene has no camera"
    if not has_lens(camera, lens, width, height):
        return f"{camera.name} has another lens than the clip"
    if abs(render.resolution_x * height / (render.resolution_y * width) - 1) > NEAR:
        return "Renders have another shape than the clip"
    return ""


def match_resolution(scene: Any, result: Result, camera: Camera) -> None:
    """Render size and pixel aspect of the plate."""
    render = scene.render
    render.resolution_x, render.resolution_y = result.width, result.height
    render.resolution_percentage = 100
    aspect = camera.fy / camera.fx  # pixels this many times wider than high
    aspect = 1.0 if abs(aspect - 1) < 1e-4 else min(max(aspect, 1 / LARGEST_ASPECT), LARGEST_ASPECT)
    render.pixel_aspect_x, render.pixel_aspect_y = max(aspect, 1.0), max(1 / aspect, 1.0)


def match_rate(scene: Any, rate: Fraction) -> None:
    """Frame rate, exact: 24000/1001 is 24 over a base of 1.001."""
    fps = max(round(rate), 1)
    scene.render.fps, scene.render.fps_base = fps, float(fps / rate)


def match_range(scene: Any, clip: Any, result: Result) -> None:
    """Start and end at the frames that have depth, as far as Blender lets a range begin."""
    offset = number_offset(clip, result)
    scene.frame_start, scene.frame_end = result.first_number - offset, result.last_number - offset


def show_background(camera: Any, clip: Any) -> None:
    """The clip behind the camera's view; once, however often it is asked for."""
    camera.data.show_background_images = True
    for background in camera.data.background_images:
        if background.source == "MOVIE_CLIP" and background.clip == clip:
            background.show_background_image = True
            return
    background = camera.data.background_images.new()
    background.source, background.clip = "MOVIE_CLIP", clip
    background.alpha, background.frame_method = 1.0, "STRETCH"


def match(context: Any, clip: Any, result: Result, settings: Any, *, again: bool = False) -> Any:
    """Sets what the settings ask for; returns the camera.

    Args:
        context: Blender's.
        clip: The clip.
        result: Its depth.
        settings: The toggles.
        again: Whether size and range stay as the user made them, if they were matched to this depth before.
    """
    scene, camera = context.scene, scene_camera(context)
    intrinsics = intrinsics_of(scene, clip, result)
    offset = number_offset(clip, result)
    size = f"{result.width} {result.height} {intrinsics.fy / intrinsics.fx:.6g}"
    frames = f"{result.first_number - offset} {result.last_number - offset}"
    if settings.match_lens:
        fit_lens(camera, intrinsics, result.width, result.height)
    if settings.match_resolution and not (again and scene.get(SIZE_KEY) == size):
        match_resolution(scene, result, intrinsics)
        scene[SIZE_KEY] = size
    if settings.match_rate:
        match_rate(scene, result.rate)
    if settings.match_range and not (again and scene.get(RANGE_KEY) == frames):
        match_range(scene, clip, result)
        scene[RANGE_KEY] = frames
    if settings.match_background:
        show_background(camera, clip)
    return camera
