# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh under lights of the scene: new light added to its footage, its footage as a matte surface, or a
catcher of shadows.
"""

from __future__ import annotations

from typing import Any

import bpy

from ..nodes import light
from ..nodes.footage import emissions_of, make_matte
from ..result.manifest import ResultError
from . import film, light_rig
from .camera import unit_of
from .light_rig import OWN_KEY
from .mesh import get_input, has_input, set_input

STATE_KEY = "vdepth_relight"
"""Custom property of the mesh while it is lit: what it was before."""
ADD, MATTE, CATCHER = "ADD", "DIFFUSE", "CATCHER"
"""What light falls on: the plate, to which it adds; a surface of its colours; what only takes shadows."""
COMPOSITED_KEY = "vdepth_composited"
"""Custom property of a scene whose composite has the plate of meshes in it."""
_SHARES = {ADD: 0.4, MATTE: 1.0, CATCHER: 1.0}  # of the lights: the plate has one of its own in `ADD`
_WORLD = {ADD: 0.0, MATTE: 0.05, CATCHER: 0.05}  # shadows keep a trace of detail, where the plate gives none
_MODIFIER = "Video Depth Light"
_SHOWN = {"Footage": "footage", "Clean Footage": "clean"}  # sockets with a picture, and their names while lit


def catch_shadows(scene: Any, mesh: Any) -> None:
    """Has a mesh take the shadows of the scene's own lights, unless it is lit already.

    Raises:
        ResultError: the mesh's material shows no footage.
    """
    if not is_lit(mesh):
        _begin(scene, mesh, CATCHER, dim_world=False)
        mesh[STATE_KEY]["unlit"] = True


def set_up(scene: Any, mesh: Any, distance: float, mode: str, *, dim_world: bool, sphere: bool) -> None:
    """Lights a mesh; called again it starts from the mesh as it was.

    Args:
        scene: Where the lights go.
        mesh: What they shine on.
        distance: Median depth of the mesh at this frame, in its own space.
        mode: `ADD`, `MATTE` or `CATCHER`.
        dim_world: Without the light of the scene's world.
        sphere: With a ball that casts a shadow.

    Raises:
        ResultError: the mesh's material shows no footage.
    """
    _begin(scene, mesh, mode, dim_world=dim_world)
    light_rig.build(scene, mesh, distance, unit_of(mesh), share=_SHARES[mode], sphere=sphere)


def undo(scene: Any, mesh: Any) -> None:
    """Takes the lights away and gives the mesh and the scene back what they had."""
    light_rig.remove(scene, mesh)
    if STATE_KEY not in mesh:
        return
    state = mesh[STATE_KEY]
    for socket, name in _SHOWN.items():
        if name in state:
            set_input(mesh, socket, state[name])
    _smooth_normals(mesh, smooth=False)
    mesh.is_shadow_catcher = False
    render_light_alone(scene, mesh, alone=False)
    linked = mesh.light_linking.receiver_collection
    if linked is not None and linked.get(OWN_KEY) == mesh:
        mesh.light_linking.receiver_collection = state.get("receivers")
        bpy.data.collections.remove(linked)
    film.release(scene, state.get("film", ""))
    if state["dimmed"] and scene.world is not None and scene.world.get(OWN_KEY):
        scene.world = state.get("world")
    del mesh[STATE_KEY]


def is_lit(mesh: Any) -> bool:
    """Whether a mesh is set up for relighting."""
    return mesh is not None and STATE_KEY in mesh and "unlit" not in mesh[STATE_KEY]


def is_picture(mesh: Any) -> bool:
    """Whether a lit mesh is what renders show in place of the plate."""
    return is_lit(mesh) and not mesh.is_shadow_catcher and not mesh.hide_render


def only_catches(mesh: Any) -> bool:
    """Whether a mesh takes shadows by `catch_shadows` alone."""
    return mesh is not None and STATE_KEY in mesh and not is_lit(mesh)


def light_clean_plate(mesh: Any) -> None:
    """Lights a clean plate that was put behind a lit mesh as the mesh is lit."""
    clean = get_input(mesh, "Clean Footage")
    if is_lit(mesh) and clean is not None:
        mesh[STATE_KEY]["clean"] = clean
        leader = get_input(mesh, "Footage")
        adds = light.find_group(leader) is not None
        set_input(mesh, "Clean Footage", lit := _lit(clean, adds=adds))
        if adds:
            light.follow(lit, leader)


def added_light(mesh: Any) -> Any | None:
    """The shader node whose inputs say how light is added to the plate, where a mesh is lit so."""
    return light.find_group(get_input(mesh, "Footage")) if is_picture(mesh) else None


def shows_plate(mesh: Any) -> bool:
    """Whether all that a mesh shows is the footage, in materials of ours."""
    return not is_lit(mesh) and not mesh.is_shadow_catcher and bool(_footage(mesh))


def render_light_alone(scene: Any, mesh: Any, *, alone: bool) -> None:
    """Has renders show the added light, if any, without the plate, to be put over it; viewports show both.

    Renders that are not composited show both too, and so do scenes without a composite.
    """
    modifier = _alone_modifier(mesh)
    if alone and shows_plate(mesh):
        for material in _footage(mesh):
            light.leave_plate_out(material)
    if alone and modifier is None:
        modifier = mesh.modifiers.new(_MODIFIER, "NODES")
        modifier.show_expanded, modifier.node_group = False, light.alone_tree()
        driver = modifier.driver_add("show_render").driver
        driver.type = "MIN"
        for path in ("render.use_compositing", f'["{COMPOSITED_KEY}"]'):
            variable = driver.variables.new()
            variable.type, target = "CONTEXT_PROP", variable.targets[0]
            target.context_property, target.data_path = "ACTIVE_SCENE", path
            target.use_fallback_value, target.fallback_value = True, 0.0
    elif modifier is not None and not alone:
        modifier.driver_remove("show_render")
        mesh.modifiers.remove(modifier)
    if any(renders_light_alone(each) for each in scene.objects):
        scene[COMPOSITED_KEY] = True
    elif COMPOSITED_KEY in scene:
        del scene[COMPOSITED_KEY]


def renders_light_alone(mesh: Any) -> bool:
    """Whether renders show a mesh's added light without the plate."""
    return _alone_modifier(mesh) is not None


def _footage(mesh: Any) -> list[Any]:
    """The materials that show a mesh's footage unlit."""
    names = [name for name in ("Footage", "Clean Footage") if has_input(mesh, name)]
    materials = [get_input(mesh, name) for name in names]
    return [m for m in materials if m is not None and m.node_tree and light.can_leave_plate_out(m)]


def _alone_modifier(mesh: Any) -> Any | None:
    trees = ((m, m.node_group) for m in mesh.modifiers if m.type == "NODES")
    return next((modifier for modifier, tree in trees if tree and light.VERSION_KEY in tree), None)


def _begin(scene: Any, mesh: Any, mode: str, *, dim_world: bool) -> None:
    """Makes the mesh what light falls on, and remembers what it was."""
    footage = get_input(mesh, "Footage") if STATE_KEY not in mesh else mesh[STATE_KEY]["footage"]
    lit = _lit(footage, adds=mode == ADD)
    undo(scene, mesh)
    owner = f"relight {mesh.name}"
    mesh[STATE_KEY] = {"footage": footage, "film": owner, "dimmed": dim_world, "world": scene.world}
    set_input(mesh, "Footage", lit)
    if has_input(mesh, "Clean Footage"):
        light_clean_plate(mesh)
    _smooth_normals(mesh, smooth=mode != CATCHER)
    mesh.is_shadow_catcher = mode == CATCHER
    if mode == CATCHER:
        film.need(scene, owner)
    if mode == ADD:
        _shine_on_others(mesh)
    if dim_world:
        scene.world = light_rig.dark_world(_WORLD[mode])


def _smooth_normals(mesh: Any, *, smooth: bool) -> None:
    if has_input(mesh, "Lit"):  # not in the tree of an older version
        set_input(mesh, "Lit", smooth)


def _lit(footage: Any, *, adds: bool) -> Any:
    """The footage's material with its emission replaced; made once a material and kind."""
    if footage is None or footage.node_tree is None:
        raise ResultError("The mesh has no footage material: build it again.")
    for material in bpy.data.materials:
        if material.get(OWN_KEY) == footage and (light.find_group(material) is not None) == adds:
            return material
    if not emissions_of(footage):
        raise ResultError(
            f"The material {footage.name} has no Emission node to replace: build the mesh again."
        )
    material = footage.copy()
    for key in list(material.keys()):
        del material[key]  # else it would be taken for the clip's footage
    material.name, material[OWN_KEY] = f"{footage.name} {'Lit' if adds else 'Matte'}", footage
    (light.make_lit if adds else make_matte)(material)
    return material


def _shine_on_others(mesh: Any) -> None:
    """Has the plate's glow light all but the mesh itself, whose own light the plate holds already."""
    linking = mesh.light_linking
    if linking.receiver_collection is not None:
        mesh[STATE_KEY]["receivers"] = linking.receiver_collection
    others = bpy.data.collections.new(f"{mesh.name} Lights All But Itself")
    others[OWN_KEY] = mesh
    others.objects.link(mesh)
    others.collection_objects[0].light_linking.link_state = "EXCLUDE"
    linking.receiver_collection = others
