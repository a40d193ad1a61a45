"""The compositor set-up: what its outputs hold, and that it leaves the user's nodes alone."""

import json
import math
import struct
from array import array
from pathlib import Path

import pytest

pytest.importorskip("bpy")

WIDTH, HEIGHT = 16, 8
FIRST, COUNT = 101, 3
SKY = 1e10
NEAR, FAR = 1.0, 5.0


def f32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def pixels(bpy, path, channels=1):
    """Values of a float EXR, pixel by pixel from the bottom left; the first channels of each."""
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    values = array("f", bytes(16 * image.size[0] * image.size[1]))
    image.pixels.foreach_get(values)
    bpy.data.images.remove(image)
    return [tuple(values[i : i + channels]) for i in range(0, len(values), 4)]


def channels_of(path):
    """How many channels an EXR of one part holds."""
    data = path.read_bytes()
    at = data.index(b"channels\0chlist\0") + len(b"channels\0chlist\0")
    size = struct.unpack("<i", data[at : at + 4])[0]
    names, rest = 0, data[at + 4 : at + 4 + size]
    while rest[0]:
        names, rest = names + 1, rest[rest.index(b"\0") + 17 :]
    return names


def tree_of(scene):
    from blender_addon import compat

    return compat.compositor_tree(scene)


def node_of(bpy):
    from blender_addon.scene import compositor

    scene = bpy.context.scene
    return compositor.find_node(scene, scene.vdepth.clip)


def render(bpy, folder, frame, *names):
    """Renders a frame and gives the values of the group's outputs, by name."""
    from blender_addon import compat

    scene, node = bpy.context.scene, node_of(bpy)
    tree = tree_of(scene)
    writer = tree.nodes.new("CompositorNodeOutputFile")
    kinds = {"VALUE": "NodeSocketFloat", "RGBA": "NodeSocketColor"}
    compat.set_up_file_output(
        writer, str(folder), {f"{name}_####": kinds[node.outputs[name].type] for name in names}
    )
    for name, socket in zip(names, writer.inputs, strict=False):
        tree.links.new(node.outputs[name], socket)
    scene.frame_set(frame)
    bpy.ops.render.render()
    tree.nodes.remove(writer)
    return {
        name: pixels(bpy, folder / f"{name}_{frame:04d}.exr", 1 if node.outputs[name].type == "VALUE" else 3)
        for name in names
    }


def write_exr(bpy, path, values):
    """A float EXR of RGB values, pixel by pixel from the bottom left."""
    image = bpy.data.images.new("made", WIDTH, HEIGHT, float_buffer=True)
    image.colorspace_settings.name = "Non-Color"
    image.pixels.foreach_set(array("f", [v for rgb in values for v in (*rgb, 1.0)]))
    image.file_format = "OPEN_EXR"
    image.filepath_raw = str(path)
    image.save()
    bpy.data.images.remove(image)


def made_depth(number):
    """A ramp that begins anew each frame, and sky in the last column."""
    ramp = [f32(0.5 + 0.25 * x + 0.1 * (number - FIRST)) for x in range(WIDTH - 1)]
    return [*ramp, SKY] * HEIGHT


def made_normal(y):
    """Unit normals that turn from the right to the left, upwards in the upper rows."""
    row = []
    for x in range(WIDTH):
        turn = math.pi * x / (WIDTH - 1)
        up = 0.6 if y >= HEIGHT // 2 else 0.0
        row.append((math.cos(turn) * math.sqrt(1 - up * up), up, math.sin(turn) * math.sqrt(1 - up * up)))
    return row


PLATE = [(0.1 + 0.05 * x, 0.5, 0.9 - 0.05 * x) for x in range(WIDTH)] * HEIGHT


@pytest.fixture
def made(blender, tmp_path):
    """A small image sequence as the clip, with depth and normals whose values are known."""
    bpy = blender
    folder = tmp_path / "job"
    folder.mkdir()
    for number in range(FIRST, FIRST + COUNT):
        write_exr(bpy, tmp_path / f"plate.{number:04d}.exr", PLATE)
        write_exr(bpy, folder / f"plate_depth.{number:04d}.exr", [(z, z, z) for z in made_depth(number)])
        normals = [normal for y in range(HEIGHT) for normal in made_normal(y)]
        write_exr(bpy, folder / f"plate_normal.{number:04d}.exr", normals)
    write_manifest(folder, sequences=("depth", "normal"))
    return use(bpy, tmp_path / f"plate.{FIRST:04d}.exr", folder)


def write_manifest(folder, sequences, near=NEAR, far=FAR):
    lens = {"fx": 20.0, "fy": 20.0, "cx": WIDTH / 2, "cy": HEIGHT / 2, "source": "given"}
    manifest = {
        "clip": {"path": "plate.####.exr", "width": WIDTH, "height": HEIGHT, "rate": "24/1"},
        "frames": {"first": 0, "start_number": FIRST, "count": COUNT},
        "shots": [{"start_number": FIRST, "count": COUNT, "near": near, "far": far, "camera": lens}],
        "sequences": {kind: f"plate_{kind}.####.exr" for kind in sequences},
        "model": {"name": "made", "space": "affine_invariant"},
        "method": "framewise",
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))


def use(bpy, path, folder):
    """The clip loaded, chosen and bound to the job's result, and the render set to its size."""
    clip = bpy.data.movieclips.load(str(path))
    clip.vdepth.manifest = str(folder / "manifest.json")
    scene = bpy.context.scene
    scene.vdepth.clip = clip
    scene.render.resolution_x, scene.render.resolution_y = clip.size
    scene.render.resolution_percentage = 100
    scene.render.engine, scene.cycles.samples = "CYCLES", 1
    return bpy


def counts(bpy):
    trees = [tree_of(bpy.context.scene), *bpy.data.node_groups]
    return [(len(tree.nodes), len(tree.links)) for tree in trees if tree], len(bpy.data.images)


def values_of(node):
    return {s.name: s.default_value if s.type == "VALUE" else tuple(s.default_value) for s in node.inputs}


def test_depth_passes_through_exactly(blender, demo_job, tmp_path):
    bpy = use(blender, Path(__file__).parents[2] / "vdepth_core/demo/clip.mp4", demo_job)
    clip = bpy.context.scene.vdepth.clip
    clip.frame_start, clip.frame_offset = 31, 3
    bpy.ops.vdepth.setup_compositor()
    for frame, number in ((33, 6), (36, 9)):
        got = render(bpy, tmp_path, frame, "Depth", "Disparity", "Normal")
        assert got["Depth"] == pixels(bpy, demo_job / f"clip_depth.{number:04d}.exr")
        assert got["Disparity"] == pixels(bpy, demo_job / f"clip_disparity.{number:04d}.exr")
        assert got["Normal"] == pixels(bpy, demo_job / f"clip_normal.{number:04d}.exr", 3)


def test_outputs_equal_their_formulas(made, tmp_path):
    bpy = made
    bpy.context.scene.vdepth.clip.vdepth.scale = 2.0
    bpy.ops.vdepth.setup_compositor()
    node = node_of(bpy)
    assert values_of(node)["Scale"] == 2.0
    assert (values_of(node)["Near"], values_of(node)["Far"]) == (2 * NEAR, 2 * FAR)
    node.inputs["Mask Distance"].default_value = 4.0
    node.inputs["Mask Softness"].default_value = 2.0
    node.inputs["Fog Density"].default_value = 0.25
    node.inputs["Fog Colour"].default_value = (0.2, 0.4, 1.0, 1.0)
    node.inputs["Light Direction"].default_value = (3.0, 0.0, 4.0)
    node.inputs["Light Strength"].default_value = 1.5
    node.inputs["Ambient"].default_value = 0.125
    got = render(bpy, tmp_path, 2, "Image", "Depth", "Normalised", "Near Mask", "Far Mask", "Fog", "Relit")
    assert not node.outputs.get("Disparity"), "the result has none"
    for i, raw in enumerate(made_depth(FIRST + 1)):
        z = 2 * raw
        far = min(max((z - 4) / 2 + 0.5, 0), 1)
        clear = math.exp(-0.25 * z)
        normal = made_normal(i // WIDTH)[i % WIDTH]
        light = 0.125 + 1.5 * max(0.0, 0.6 * normal[0] + 0.8 * normal[2])
        assert got["Depth"][i] == (f32(z),)
        assert got["Image"][i] == pytest.approx(PLATE[i], abs=1e-6)
        assert got["Normalised"][i][0] == pytest.approx(min(max((z - 2) / 8, 0), 1), abs=1e-6)
        assert got["Far Mask"][i][0] == pytest.approx(far, abs=1e-6)
        assert got["Near Mask"][i][0] == pytest.approx(1 - far, abs=1e-6)
        fog = [clear * p + (1 - clear) * c for p, c in zip(PLATE[i], (0.2, 0.4, 1.0), strict=True)]
        assert got["Fog"][i] == pytest.approx(fog, abs=1e-5)
        assert got["Relit"][i] == pytest.approx([light * p for p in PLATE[i]], abs=1e-5)


def test_hard_mask_and_equal_near_and_far_stay_finite(made, tmp_path):
    bpy = made
    bpy.ops.vdepth.setup_compositor()
    node = node_of(bpy)
    node.inputs["Mask Distance"].default_value = 2.1
    for name, value in (("Mask Softness", 0.0), ("Near", 2.1), ("Far", 2.1)):
        node.inputs[name].default_value = value
    got = render(bpy, tmp_path, 1, "Normalised", "Far Mask")
    step = [(float(z > 2.1),) for z in made_depth(FIRST)]
    assert got["Far Mask"] == step
    assert got["Normalised"] == step


def test_defocus_blurs_away_from_the_focus(made, tmp_path):
    bpy = made
    bpy.ops.vdepth.setup_compositor()
    node = node_of(bpy)
    node.inputs["F-Stop"].default_value = 1e6
    assert render(bpy, tmp_path, 1, "Defocus")["Defocus"] == render(bpy, tmp_path, 1, "Image")["Image"]
    node.inputs["F-Stop"].default_value = 0.05
    node.inputs["Focus Distance"].default_value = 0.5
    blurred = render(bpy, tmp_path, 1, "Defocus")["Defocus"]
    assert all(0 < value < 1 for pixel in blurred for value in pixel)
    assert max(abs(b[0] - p[0]) for b, p in zip(blurred, PLATE, strict=True)) > 0.01


def users_tree(bpy):
    """A compositor as a user may have it: a blur of a colour on the way to the output."""
    from blender_addon import compat

    scene = bpy.context.scene
    tree = compat.ensure_compositor_tree(scene)
    del tree["vdepth_nodes_before"]
    compat.ensure_output_socket(tree)
    source, blur = tree.nodes.new("CompositorNodeRGB"), tree.nodes.new("CompositorNodeBlur")
    output = tree.nodes.new(compat.output_node_id())
    tree.links.new(source.outputs[0], blur.inputs[0])
    tree.links.new(blur.outputs[0], output.inputs[0])
    return tree


def described(tree):
    nodes = sorted((n.name, n.bl_idname, tuple(n.location), n.parent) for n in tree.nodes)
    links = sorted(
        (x.from_node.name, x.from_socket.name, x.to_node.name, x.to_socket.name) for x in tree.links
    )
    return nodes, links


def test_setting_up_again_changes_nothing_of_the_user(made):
    bpy = made
    tree = users_tree(bpy)
    before = described(tree)
    bpy.ops.vdepth.setup_compositor()
    node = node_of(bpy)
    once = counts(bpy)
    mine = tree.nodes.new("CompositorNodeBlur")
    mine.name = "Mine"
    tree.links.new(node.outputs["Fog"], mine.inputs[0])
    node.inputs["Fog Density"].default_value = 0.5
    node.inputs["Focus Distance"].keyframe_insert("default_value", frame=1)
    write_manifest(Path(bpy.context.scene.vdepth.clip.vdepth.manifest).parent, ("depth", "normal"), far=9.0)
    for _ in range(2):
        bpy.ops.vdepth.setup_compositor()
    assert values_of(node)["Fog Density"] == 0.5, "set by the user"
    assert values_of(node)["Far"] == 9.0, "follows the result"
    assert [link.from_socket.name for link in mine.inputs[0].links] == ["Fog"]
    assert tree.animation_data.action, "keyframes stay"
    tree.nodes.remove(mine)
    assert counts(bpy) == once
    bpy.ops.vdepth.remove_compositor()
    assert described(tree) == before
    assert tree_of(bpy.context.scene) == tree


def test_remove_restores_an_empty_scene(made):
    bpy = made
    assert tree_of(bpy.context.scene) is None
    bpy.ops.vdepth.setup_compositor()
    node = node_of(bpy)
    targets = {link.to_node.bl_idname: link.from_socket.name for s in node.outputs for link in s.links}
    from blender_addon import compat

    assert targets[compat.output_node_id()] == "Composite"
    assert targets["CompositorNodeViewer"] == "Normalised"
    bpy.ops.vdepth.remove_compositor()
    assert tree_of(bpy.context.scene) is None
    assert not bpy.data.node_groups
    assert not [image for image in bpy.data.images if image.source == "SEQUENCE"]
    assert not bpy.ops.vdepth.remove_compositor.poll()


def test_each_clip_has_its_own_group(made):
    bpy = made
    scene, first = bpy.context.scene, bpy.context.scene.vdepth.clip
    bpy.ops.vdepth.setup_compositor()
    second = bpy.data.movieclips.load(first.filepath)
    second.name = "other.mov"
    second.vdepth.manifest = first.vdepth.manifest
    scene.vdepth.clip = second
    bpy.ops.vdepth.setup_compositor()
    first.name = "renamed"
    before = counts(bpy)
    for clip, name in ((first, "Video Depth"), (second, "Video Depth other")):
        scene.vdepth.clip = clip
        bpy.ops.vdepth.setup_compositor()
        assert node_of(bpy).node_tree.name == name
    assert counts(bpy) == before
    scene.vdepth.clip = first
    bpy.ops.vdepth.remove_compositor()
    scene.vdepth.clip = second
    assert node_of(bpy).node_tree.name == "Video Depth other"
    assert [node for node in tree_of(scene).nodes if node.bl_idname == "CompositorNodeViewer"], "shared"
    bpy.ops.vdepth.remove_compositor()
    assert tree_of(scene) is None


def test_examples_can_be_left_out(made):
    bpy = made
    bpy.ops.vdepth.setup_compositor()
    options = bpy.context.scene.vdepth.compositor
    options.fog = options.defocus = options.file_output = False
    bpy.ops.vdepth.setup_compositor()
    node = node_of(bpy)
    assert "Fog" not in node.outputs
    assert not {"Fog Density", "Focus Distance", "F-Stop"} & set(values_of(node))
    kinds = {n.bl_idname for tree in (tree_of(bpy.context.scene), node.node_tree) for n in tree.nodes}
    assert not kinds & {"CompositorNodeOutputFile", "CompositorNodeDefocus"}
    options.fog = True
    bpy.ops.vdepth.setup_compositor()
    assert "Fog" in node.outputs


def test_saved_file_goes_on_working(made, tmp_path):
    bpy = made
    file = tmp_path / "scene.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(file))
    bpy.context.scene.vdepth.compositor.file_output = True
    bpy.ops.vdepth.setup_compositor()
    node_of(bpy).inputs["Near"].default_value = 0.75
    before = counts(bpy)
    bpy.ops.wm.save_as_mainfile(filepath=str(file))
    bpy.ops.wm.open_mainfile(filepath=str(file))
    bpy.ops.vdepth.setup_compositor()
    assert values_of(node_of(bpy))["Near"] == 0.75
    assert counts(bpy) == before
    bpy.context.scene.frame_set(3)
    bpy.ops.render.render()
    written = pixels(bpy, tmp_path / "comp/plate.0101/depth_0003.exr")
    assert channels_of(tmp_path / "comp/plate.0101/depth_0003.exr") == 1
    assert written == [(f32(z),) for z in made_depth(FIRST + 2)]


def test_what_cannot_be_set_up_is_said(made):
    bpy = made
    clip = bpy.context.scene.vdepth.clip
    folder = Path(clip.vdepth.manifest).parent
    write_manifest(folder, ("layers",))
    with pytest.raises(RuntimeError, match="job has layered files only"):
        bpy.ops.vdepth.setup_compositor()
    (folder / "manifest.json").unlink()
    with pytest.raises(RuntimeError, match="is gone: relink"):
        bpy.ops.vdepth.setup_compositor()
    assert tree_of(bpy.context.scene) is None
    clip.vdepth.manifest = ""
    assert not bpy.ops.vdepth.setup_compositor.poll()


def test_view_transform(blender):
    view = blender.context.scene.view_settings
    view.view_transform = "AgX"
    view.look = "AgX - Punchy"
    blender.ops.vdepth.set_view_transform()
    assert (view.view_transform, view.look) == ("Standard", "None")
    assert not blender.ops.vdepth.set_view_transform.poll()


class Layout:
    """Records what a panel draws, and refuses what a real layout would."""

    def __init__(self, bpy, drawn):
        object.__setattr__(self, "known", (bpy.types.UILayout.bl_rna, drawn))

    def __setattr__(self, name, value):
        assert name in self.known[0].properties

    def __getattr__(self, name):
        rna, drawn = self.known
        function = rna.functions[name]

        def call(*args, **keywords):
            assert set(keywords) <= set(function.parameters.keys())
            drawn.append(keywords.get("text"))
            return self

        return call


def test_panel_shows_the_groups_inputs(made):
    from types import SimpleNamespace

    from blender_addon.panels.compositor import CompositorPanel

    def drawn():
        found = []
        CompositorPanel.draw(SimpleNamespace(layout=Layout(made, found)), made.context)
        return [text for text in found if text]

    assert drawn() == ["Set Up Compositor"]
    made.ops.vdepth.setup_compositor()
    node = node_of(made)
    inputs = [name for name in values_of(node) if name not in {"Render", "Render Depth", "Shadows", "Lit"}]
    assert drawn() == ["Update Compositor", *inputs]
    made.context.scene.render.resolution_x = 1920
    assert f"The plate is {WIDTH} × {HEIGHT}, the render not" in drawn()
