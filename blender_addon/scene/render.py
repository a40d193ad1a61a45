# SPDX-License-Identifier: GPL-3.0-or-later
"""What the compositor needs of the scene's render: its passes, its film, and shadows on the plate."""

from __future__ import annotations

from typing import Any

from ..nodes.light import PASS
from . import film, relight
from .view import RIG_KEY

FILM_OWNER = "compositor"


def shares(scene: Any, mesh: Any) -> tuple[bool, bool]:
    """Whether the plate lies behind the scene's render, and whether its surfaces hide what is behind them.

    A new view or a stereo pair does not see what the plate shows; a mesh lit anew is the picture itself and
    hides things by its own surface.
    """
    if scene.render.use_multiview or (scene.camera is not None and RIG_KEY in scene.camera):
        return False, False
    return True, not relight.is_picture(mesh)


def prepare(scene: Any, mesh: Any, *, plate: bool, catch_shadows: bool) -> None:
    """Turns on what the compositor's nodes read, for the view layer that `layer_of` names.

    Args:
        scene: Whose render it is.
        mesh: The clip's mesh, if there is one.
        plate: Whether the plate lies behind the render.
        catch_shadows: Whether the mesh takes shadows, where it was not lit by the user.

    Raises:
        ResultError: the mesh's material shows no footage.
    """
    layer = layer_of(scene)
    layer.use_pass_z = True
    cycles = scene.render.engine == "CYCLES"
    if mesh is not None and catch_shadows and plate and cycles:
        relight.catch_shadows(scene, mesh)
    else:
        leave_shadows(scene, mesh)
    alone = (
        mesh is not None and plate and (relight.added_light(mesh) is not None or relight.shows_plate(mesh))
    )
    if mesh is not None:
        relight.render_light_alone(scene, mesh, alone=alone)
    if alone and PASS not in layer.aovs:
        own = layer.aovs.add()
        own.name, own.type = PASS, "VALUE"
    if cycles and _catches(scene):
        layer.cycles.use_pass_shadow_catcher = True
    if plate:
        film.need(scene, FILM_OWNER)
    else:
        film.release(scene, FILM_OWNER)


def restore(mesh: Any, scene: Any) -> None:
    """Makes a clip's mesh what it was before `prepare`."""
    leave_shadows(scene, mesh)
    if mesh is not None:
        relight.render_light_alone(scene, mesh, alone=False)


def release(scene: Any) -> None:
    """Takes back what `prepare` did to the scene; the passes stay, which change no picture."""
    film.release(scene, FILM_OWNER)


def leave_shadows(scene: Any, mesh: Any) -> None:
    """Makes the mesh what it was, if it takes shadows for the compositor only."""
    if relight.only_catches(mesh):
        relight.undo(scene, mesh)


def layer_of(scene: Any) -> Any:
    """The view layer that is composited: the first that is rendered."""
    return next((layer for layer in scene.view_layers if layer.use), scene.view_layers[0])


def shadows(scene: Any, node: Any) -> Any | None:
    """The pass of a Render Layers node that holds shadows on the plate, if the render makes one."""
    if scene.render.engine != "CYCLES" or not layer_of(scene).cycles.use_pass_shadow_catcher:
        return None
    return node.outputs.get("Shadow Catcher")


def lit_share(mesh: Any, node: Any) -> Any | None:
    """The pass of a Render Layers node that says where the render shows the mesh, and no plate on it."""
    alone = mesh is not None and relight.renders_light_alone(mesh)
    return node.outputs.get(PASS) if alone else None


def _catches(scene: Any) -> bool:
    return any(obj.is_shadow_catcher for obj in scene.objects if obj.type != "LIGHT")  # theirs is on as made
