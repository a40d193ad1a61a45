# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the user points at becomes a movie clip: a clip, a camera's background, an image or a file."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import bpy

from ..compat import orientation_of
from ..core_process.request import Request, exact_rate
from ..preferences import preferences
from ..result.manifest import ResultError
from ..result.paths import (
    choose_folder,
    clip_stem,
    file_number,
    manifest_owner,
    same_name,
    same_path,
    sequence_stem,
)
from ..result.watch import WATCH, Seen
from .active import active_clip

_NOTHING = {
    "CLIP": "No clip is chosen: open one here or in the Clip Editor.",
    "CAMERA": "The scene's camera has no background clip: add one, or choose another source.",
    "IMAGE": "No image is chosen: choose a movie or an image sequence.",
    "FILE": "No file is chosen: choose a movie, or one image of a sequence.",
}


def current_clip(context: Any) -> Any:
    """The clip the settings point at if it is loaded already, else None; changes nothing, for panels."""
    settings = context.scene.vdepth
    if settings.source == "CLIP":
        return active_clip(context)
    chosen = _chosen(context)
    if chosen is None or isinstance(chosen, bpy.types.MovieClip):
        return chosen
    path = chosen if isinstance(chosen, str) else chosen.filepath
    return _loaded(absolute(path), same_name) if path else None


def resolve_clip(context: Any) -> Any:
    """The clip the settings point at, loaded if need be, and certain to be readable.

    Raises:
        ResultError: there is none, or Blender cannot read it.
    """
    settings = context.scene.vdepth
    chosen = active_clip(context) if settings.source == "CLIP" else _chosen(context)
    if chosen is None:
        raise ResultError(_NOTHING[settings.source])
    if isinstance(chosen, bpy.types.Image):
        chosen = _image_path(chosen)
    if isinstance(chosen, str):
        path = absolute(chosen)
        if not os.path.isfile(path):
            raise ResultError(f"{path} does not exist: choose another file.")
        chosen = clip_of_file(path)
    check_clip(chosen)
    return chosen


def clip_of_file(path: str) -> Any:
    """The movie clip of a file, loaded if need be.

    Raises:
        RuntimeError: Blender cannot read it.
    """
    return _loaded(path) or bpy.data.movieclips.load(path)


def check_clip(clip: Any) -> None:
    """Raises ResultError unless Blender can read the clip; a damaged file loads without a word."""
    if not clip.is_editable:
        raise ResultError(f"{clip.name} is linked from another .blend: make it local first.")
    if not os.path.exists(absolute(clip.filepath)):
        raise ResultError(
            f"{absolute(clip.filepath)} is gone: set the path of {clip.name} in the Clip Editor."
        )
    if clip.frame_duration < 1 or not all(clip.size) or (clip.source == "MOVIE" and clip.fps <= 0):
        raise ResultError(f"{clip.name} holds no pictures that Blender can read: choose another file.")


def make_request(context: Any, clip: Any, *, overwrite: bool = False) -> Request:
    """What to ask the core for, from the settings.

    Raises:
        ResultError: the settings contradict each other or the clip.
    """
    settings, scene = context.scene.vdepth, context.scene
    if settings.near >= settings.far:
        raise ResultError(f"Near ({settings.near:g}) must be less than Far ({settings.far:g}).")
    movie = clip.source == "MOVIE"
    first, last = _range(clip, scene, settings)
    fps = clip.fps if movie else scene.render.fps / scene.render.fps_base
    rate = exact_rate(fps) if fps > 0 else Fraction(24)
    return Request(
        clip=absolute(clip.filepath),
        folder=output_folder(clip, template(settings)),
        movie=movie,
        duration=clip.frame_duration,
        first=first,
        last=last,
        number=0 if movie else file_number(clip.filepath),
        rate=rate,
        orientation=orientation_of(movie),
        preset=settings.preset,
        method="" if settings.method == "PRESET" else settings.method,
        model=settings.model,
        size=settings.size,
        near=settings.near,
        far=settings.far,
        fov=field_of_view(clip, settings),
        normals=settings.normals,
        sky=settings.sky,
        boost=settings.boost,
        non_commercial=settings.non_commercial,
        overwrite=overwrite,
    )


def field_of_view(clip: Any, settings: Any) -> float | None:
    """Horizontal field of view in degrees; None leaves it to the model.

    The lens of a clip nobody touched is a default, so it counts only if it was solved or the user says so.
    """
    if settings.lens == "FOV":
        return math.degrees(settings.fov)
    solved = clip.tracking.reconstruction.is_valid
    if settings.lens == "CLIP" or (settings.lens == "AUTO" and solved):
        lens = clip.tracking.camera
        return math.degrees(2 * math.atan(clip.size[0] / 2 / lens.focal_length_pixels))
    return None


def output_folder(clip: Any, pattern: str) -> Path:
    """Where the depth of a clip goes: its own folder again, never another clip's.

    Raises:
        ResultError: the template is of no use.
    """
    source = absolute(clip.filepath)
    others = [other.vdepth.folder for other in bpy.data.movieclips if other != clip and other.vdepth.folder]
    taken = [os.path.normpath(absolute(folder)) for folder in others]

    def owner(folder: Path) -> bool | None:
        if clip.vdepth.folder and same_path(absolute(clip.vdepth.folder), folder):
            return True
        return False if str(folder) in taken else manifest_owner(folder, source)

    stem = clip_stem(source) if clip.source == "MOVIE" else sequence_stem(source)
    return choose_folder(_expand(pattern), stem, owner)


def template(settings: Any) -> str:
    """The output folder as the user wrote it: here, or once for all in the preferences."""
    return str(settings.folder or preferences().output)


def is_unsaved(pattern: str) -> bool:
    """Whether ``//`` leads nowhere, because the .blend was never saved."""
    return pattern.startswith("//") and not bpy.data.filepath


def unsaved_folder() -> Path:
    """Where ``//`` leads while the .blend is not saved: the user's own, and it outlives the session."""
    return Path(bpy.utils.user_resource("DATAFILES")) / "vdepth"


def seen(clip: Any) -> Seen | None:
    """What is known of the clip's files; None while nobody has looked yet."""
    manifest, folder = clip.vdepth.manifest, clip.vdepth.folder
    return WATCH.seen(absolute(manifest) if manifest else "", absolute(folder) if folder else "")


def absolute(path: str) -> str:
    """An absolute path as the system writes it."""
    return os.path.normpath(str(bpy.path.abspath(path)))


def stored(path: Path) -> str:
    """A path as the .blend keeps it: relative to it where that is possible."""
    if not bpy.data.filepath:
        return str(path)
    try:
        return str(bpy.path.relpath(str(path)))
    except ValueError:  # another drive
        return str(path)


def _expand(pattern: str) -> str:
    if is_unsaved(pattern):
        return str(unsaved_folder() / pattern.removeprefix("//").lstrip("/\\"))
    return str(bpy.path.abspath(pattern)) if pattern.strip() else ""


def _chosen(context: Any) -> Any | None:
    """A MovieClip, an Image, a path or None."""
    settings = context.scene.vdepth
    if settings.source == "FILE":
        return settings.filepath or None
    if settings.source == "IMAGE":
        return settings.image
    camera = context.scene.camera
    for background in camera.data.background_images if camera and camera.type == "CAMERA" else ():
        if background.source == "IMAGE" and background.image:
            return background.image
        clip = context.scene.active_clip if background.use_camera_clip else background.clip
        if background.source == "MOVIE_CLIP" and clip:
            return clip
    return None


def _image_path(image: Any) -> str:
    if image.source not in {"MOVIE", "SEQUENCE", "FILE"} or not image.filepath:
        raise ResultError(f"The image {image.name} is not a file: save it, or choose a movie or a sequence.")
    if image.packed_file is not None and not os.path.exists(absolute(image.filepath)):
        raise ResultError(f"The image {image.name} is packed: unpack it, so that it can be read from disk.")
    return str(image.filepath)


def _loaded(path: str, same: Callable[[str, str], bool] = same_path) -> Any | None:
    return next((clip for clip in bpy.data.movieclips if same(absolute(clip.filepath), path)), None)


def _range(clip: Any, scene: Any, settings: Any) -> tuple[int, int]:
    """First and last frame, counted from 0 in the clip."""
    if settings.range == "WHOLE":
        return 0, clip.frame_duration - 1
    custom = settings.range == "CUSTOM"
    start, end = (
        (settings.frame_start, settings.frame_end) if custom else (scene.frame_start, scene.frame_end)
    )
    shift = clip.frame_offset - clip.frame_start
    first, last = max(0, start + shift), min(clip.frame_duration - 1, end + shift)
    if first > last:
        shown = f"{-shift} to {clip.frame_duration - 1 - shift}"
        raise ResultError(
            f"No frame of {clip.name} lies between {start} and {end}: it is shown from {shown}."
        )
    return first, last
