"""Relight set-up: it can be repeated and taken back, touches only what is its own, and lights the mesh."""

import array
from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")
CLIP = Path(__file__).parents[2] / "vdepth_core" / "demo" / "clip.mp4"


@pytest.fixture
def shown(blender, demo_job):
    """The demo clip's mesh under a camera, with a light, a world and a sphere of the user's own."""
    from blender_addon.scene.active import result_of
    from blender_addon.scene.mesh import build_mesh

    scene = bpy.context.scene
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    mine = bpy.data.objects.new("Video Depth Key", bpy.data.lights.new("Mine", "POINT"))
    for obj in (camera, mine):
        scene.collection.objects.link(obj)
    scene.camera, scene.world = camera, bpy.data.worlds.new("Mine")
    clip = bpy.data.movieclips.load(str(CLIP))
    clip.vdepth.manifest = str(demo_job / "manifest.json")
    scene.vdepth.clip = clip
    scene.vdepth.relight.mode = "DIFFUSE"
    return clip, build_mesh(bpy.context, clip, result_of(clip)), mine


def everything() -> list[str]:
    kinds = ("objects", "lights", "meshes", "worlds", "collections", "materials")
    return sorted(f"{kind} {item.name}" for kind in kinds for item in getattr(bpy.data, kind))


def test_twice_is_once_and_undone_is_undone(shown):
    from blender_addon.scene.light_rig import COLLECTION
    from blender_addon.scene.mesh import get_input

    _, mesh, mine = shown
    scene = bpy.context.scene
    before, footage = set(everything()), get_input(mesh, "Footage")
    scene.vdepth.relight.sphere = True
    assert bpy.ops.vdepth.setup_relight() == {"FINISHED"}
    once = everything()
    assert bpy.ops.vdepth.setup_relight() == {"FINISHED"}
    assert everything() == once
    lights = bpy.data.collections[COLLECTION].objects
    assert sorted(obj.type for obj in lights) == ["LIGHT", "LIGHT", "MESH"]
    matte = get_input(mesh, "Footage")
    assert matte != footage
    assert {n.type for n in matte.node_tree.nodes} >= {"BSDF_PRINCIPLED", "TEX_IMAGE"}
    assert any(n.type == "EMISSION" for n in footage.node_tree.nodes)
    assert scene.world.name != "Mine"
    assert bpy.ops.vdepth.unset_relight() == {"FINISHED"}
    assert get_input(mesh, "Footage") == footage
    assert scene.world.name == "Mine"
    left = set(everything()) - before
    assert all(name.endswith(("Matte", "Video Depth World", "Video Depth Grey")) for name in left)
    assert mine.name in scene.objects


def test_mesh_built_again_keeps_its_light(shown):
    from blender_addon.scene.active import result_of
    from blender_addon.scene.mesh import build_mesh, get_input

    clip, mesh, _ = shown
    bpy.ops.vdepth.setup_relight()
    matte = get_input(mesh, "Footage")
    assert build_mesh(bpy.context, clip, result_of(clip)) == mesh
    assert get_input(mesh, "Footage") == matte


def test_shadow_catcher_comes_and_goes(shown):
    _, mesh, _ = shown
    scene = bpy.context.scene
    scene.vdepth.relight.mode = "CATCHER"
    scene.render.engine = "CYCLES"
    assert bpy.ops.vdepth.setup_relight() == {"FINISHED"}
    assert mesh.is_shadow_catcher
    assert scene.render.film_transparent
    scene.vdepth.relight.mode = "DIFFUSE"
    bpy.ops.vdepth.setup_relight()
    assert not mesh.is_shadow_catcher
    assert not scene.render.film_transparent


def render(folder, name: str) -> list[float]:
    """Red of a small Cycles render, rows from the bottom."""
    scene = bpy.context.scene
    scene.render.engine, scene.cycles.samples, scene.cycles.device = "CYCLES", 4, "CPU"
    scene.render.resolution_x, scene.render.resolution_y = 64, 36
    scene.view_settings.view_transform = "Standard"
    scene.render.filepath = str(folder / name)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(folder / name))
    pixels = array.array("f", [0]) * len(image.pixels)
    image.pixels.foreach_get(pixels)
    return list(pixels[0::4])


def test_light_falls_on_the_mesh(shown, tmp_path):
    from blender_addon.scene.active import result_of
    from blender_addon.scene.camera import fit_lens
    from blender_addon.scene.mesh import set_input

    clip, mesh, mine = shown
    mine.hide_render = True
    fit_lens(bpy.context.scene.camera, result_of(clip).shots[0].camera, 640, 360)
    set_input(mesh, "Render Stride", 8)
    bpy.ops.vdepth.setup_relight()
    lit = render(tmp_path, "lit.png")
    for light in bpy.data.collections["Video Depth Lights"].objects:
        light.hide_render = True
    dark = render(tmp_path, "dark.png")
    assert 0.1 < sum(lit) / len(lit) < 0.8
    assert sum(dark) / len(dark) < 0.5 * sum(lit) / len(lit)


def test_a_scaled_camera_changes_nothing_but_the_size(shown):
    found = []
    for scale in (1, 3):
        bpy.context.scene.camera.scale = (scale,) * 3
        bpy.ops.vdepth.setup_relight()
        lights = sorted(bpy.data.collections["Video Depth Lights"].objects, key=lambda obj: obj.data.size)
        found.append([[*obj.location, obj.data.size, obj.data.energy**0.5, *obj.scale] for obj in lights])
    for small, large in zip(*found, strict=True):
        assert large[:5] == pytest.approx([3 * value for value in small[:5]], rel=1e-4)
        assert large[5:] == pytest.approx([1, 1, 1])
