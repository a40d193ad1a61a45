"""The node groups of the library, appended by a Blender that does not know the add-on.

VDEPTH_NODE_LIBRARY  a .blend that another Blender built, to append from instead
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
from depth_job import geometry, write_depth  # noqa: E402

ROOT = Path(__file__).parents[2]
NAMES = {"Unproject", "Depth Combine", "Fog", "Relight", "Add Light"}
PLATE = (0.2, 0.4, 0.6)


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Path:
    """The .blend, built in a Blender of its own."""
    if given := os.environ.get("VDEPTH_NODE_LIBRARY"):
        return Path(given)
    out = tmp_path_factory.mktemp("library")
    script = ROOT / "blender_addon" / "build_library.py"
    subprocess.run([sys.executable, str(script), "--", str(out)], check=True, capture_output=True)
    return out / "video_depth_nodes.blend"


@pytest.fixture
def groups(library):
    """The groups in an empty file, by their names behind the colon."""
    bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    with bpy.data.libraries.load(str(library), assets_only=True) as (there, here):
        here.node_groups = list(there.node_groups)
    return {group.name.partition(": ")[2]: group for group in bpy.data.node_groups if ": " in group.name}


def test_all_are_assets_of_one_catalogue(library, groups):
    assert groups.keys() == NAMES
    assert len({group.asset_data.catalog_id for group in groups.values()}) == 1
    assert all(group.asset_data.description for group in groups.values())
    catalogues = library.with_name("blender_assets.cats.txt").read_text()
    assert f"{groups['Fog'].asset_data.catalog_id}:Video Depth:Video Depth" in catalogues
    assert not bpy.data.movieclips
    assert not bpy.data.images


def test_unproject_makes_a_true_surface(groups, tmp_path):
    height, width, f, z = 12, 16, 20.0, 3.0
    write_depth(tmp_path / "a.0001.exr", np.full((height, width), z, np.float32))
    image = bpy.data.images.load(str(tmp_path / "a.0001.exr"))
    image.source, image.colorspace_settings.name = "SEQUENCE", "Non-Color"
    obj = bpy.data.objects.new("surface", bpy.data.meshes.new("surface"))
    bpy.context.scene.collection.objects.link(obj)
    modifier = obj.modifiers.new("Unproject", "NODES")
    modifier.node_group = tree = groups["Unproject"]
    values = {"Depth Image": image, "Stride": 1, "Fill": False, "Width": width, "Height": height,
              "fx": f, "fy": f, "cx": width / 2, "cy": height / 2}  # fmt: skip
    for item in tree.interface.items_tree:
        if item.item_type == "SOCKET" and item.in_out == "INPUT" and item.name in values:
            modifier[item.identifier] = values[item.name]
    obj.update_tag()
    bpy.context.scene.frame_set(1)
    points, faces = geometry(bpy, obj)
    assert len(faces)
    np.testing.assert_allclose(points[:, 2], -z, rtol=1e-5)
    np.testing.assert_allclose(abs(points[:, 0]).max(), z * width / 2 / f, rtol=0.1)
    # Every vertex lies on the ray of a pixel.
    u = points[:, 0] / -points[:, 2] * f + width / 2
    assert u.min() > -1
    assert u.max() < width + 1


def composite(group, folder, **values) -> np.ndarray:
    """The middle pixel of a group's picture, in a scene whose compositor is the group alone."""
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y = 32, 24
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.view_settings.view_transform = "Raw"
    if bpy.app.version >= (5, 0):
        scene.compositing_node_group = tree = bpy.data.node_groups.new("C", "CompositorNodeTree")
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        output = tree.nodes.new("NodeGroupOutput")
    else:
        scene.use_nodes = True
        tree = scene.node_tree
        tree.nodes.clear()
        output = tree.nodes.new("CompositorNodeComposite")
    node = tree.nodes.new("CompositorNodeGroup")
    node.node_tree = group
    for name, value in values.items():
        socket = node.inputs[name.replace("_", " ")]
        if isinstance(value, tuple) and len(value) == 4:  # a picture as large as the render
            image = bpy.data.images.new(name, 32, 24, alpha=True, float_buffer=True)
            image.pixels.foreach_set(np.tile(np.float32(value), 32 * 24))
            image.pack()
            shown = tree.nodes.new("CompositorNodeImage")
            shown.image = image
            image.colorspace_settings.name = "Non-Color"
            tree.links.new(shown.outputs[0], socket)
        else:
            socket.default_value = value
    tree.links.new(node.outputs["Image"], output.inputs[0])
    if hasattr(scene.render.image_settings, "media_type"):
        scene.render.image_settings.media_type = "IMAGE"
    scene.render.image_settings.file_format, scene.render.image_settings.color_depth = "OPEN_EXR", "32"
    if bpy.app.version >= (5, 2):
        scene.render.compositor_device = "CPU"
    scene.render.filepath = str(folder / "out.exr")
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(folder / "out.exr"))
    image.colorspace_settings.name = "Non-Color"
    return np.array(image.pixels[:]).reshape(24, 32, 4)[12, 16, :3]


def test_fog_takes_its_share(groups, tmp_path):
    found = composite(
        groups["Fog"],
        tmp_path,
        Image=(*PLATE, 1.0),
        Depth=10.0,
        Fog_Colour=(1.0, 1.0, 1.0, 1.0),
        Fog_Density=0.1,
    )
    share = 1 - np.exp(-1.0)
    np.testing.assert_allclose(found, (1 - share) * np.array(PLATE) + share, atol=2e-3)


@pytest.mark.parametrize(("depth", "expected"), [(2.0, (0.9, 0.0, 0.0)), (8.0, PLATE)])
def test_a_render_is_hidden_by_what_is_nearer(groups, tmp_path, depth, expected):
    found = composite(
        groups["Depth Combine"], tmp_path,
        Image=(*PLATE, 1.0), Depth=5.0, Render=(0.9, 0.0, 0.0, 1.0), Render_Depth=depth,
    )  # fmt: skip
    np.testing.assert_allclose(found, expected, atol=5e-3)


def test_relight_is_lambert(groups, tmp_path):
    found = composite(
        groups["Relight"], tmp_path, Image=(*PLATE, 1.0), Normal=(0.0, 0.0, 1.0, 1.0),
        Light_Direction=(0.0, 1.0, 1.0), Light_Strength=1.0, Ambient=0.25,
    )  # fmt: skip
    np.testing.assert_allclose(found, np.array(PLATE) * (0.25 + np.sqrt(0.5)), atol=3e-3)
