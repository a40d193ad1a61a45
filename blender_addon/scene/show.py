# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures in an Image Editor: one that is open, or a new window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from ..result.manifest import Result
from .image import load_film, load_sequence, set_image_user


def load_picture(path: Path, name: str) -> Any:
    """The image data-block of a picture file, by its name: made once, read anew each time.

    It is packed: the file lies in this session's own folder, and the .blend may be saved.

    Args:
        path: The file.
        name: Of the data-block.
    """
    image = bpy.data.images.get(name)
    if image is None:
        image = bpy.data.images.load(str(path))
        image.name = name
    elif image.packed_file:
        image.unpack(method="REMOVE")
    image.filepath = str(path)
    image.reload()
    image.pack()
    return image


def show_soon(image: Any) -> None:
    """As `show_image`, once the operator that asks is over: a modal one must not open windows itself.

    Args:
        image: The image data-block.
    """
    name = image.name

    def show() -> None:
        image, window = bpy.data.images.get(name), bpy.context.window_manager.windows[0]
        if image is not None:
            with bpy.context.temp_override(window=window, screen=window.screen):
                show_image(bpy.context, image)

    if not bpy.app.background:
        bpy.app.timers.register(show, first_interval=0.1)


def show_image(context: Any, image: Any, play: Callable[[Any], None] | None = None) -> None:
    """Shows a picture, fitted; does nothing without a window.

    Args:
        context: Blender's.
        image: The image data-block.
        play: Sets the editor's image user, where the image is a sequence: without a frame it has no size.
    """
    if bpy.app.background or context.window is None:
        return
    windows = [context.window, *context.window_manager.windows]
    open_ones = ((w, area) for w in windows for area in w.screen.areas if area.type == "IMAGE_EDITOR")
    window, area = next(open_ones, (None, None))
    if area is None:
        bpy.ops.wm.window_new()
        window = context.window_manager.windows[-1]
        area = max(window.screen.areas, key=lambda a: a.width * a.height)
        area.type = "IMAGE_EDITOR"
    space = area.spaces.active
    space.image = image
    if play is not None:
        play(space.image_user)
    region = next(region for region in area.regions if region.type == "WINDOW")
    with context.temp_override(window=window, area=area, region=region):
        bpy.ops.image.view_all(fit_view=True)


def show_depth(context: Any, clip: Any, result: Result) -> Any:
    """Shows the depth beside its plate at the scene's frame: the job's preview, or without it the values.

    Blender shows values as they are, and of most depth half is beyond white.

    Args:
        context: Blender's.
        clip: The clip.
        result: Its depth.

    Raises:
        ResultError: its files are gone.
    """
    film = result.manifest.with_name("preview.mp4")
    if not film.is_file():
        image = load_sequence(result, "disparity" if "disparity" in result.sequences else "depth")
        show_image(context, image, lambda user: set_image_user(user, clip, result))
        return image
    image = load_film(film)

    def play(user: Any) -> None:
        set_image_user(user, clip, result)
        user.frame_offset = 0  # a film has no numbers

    show_image(context, image, play)
    return image
