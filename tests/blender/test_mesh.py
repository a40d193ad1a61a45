"""The mesh: exact unprojection, what is cut, frames, points, and that building again keeps values."""

from pathlib import Path

import numpy as np
import pytest
from depth_job import geometry, make_job, use_job

DEMO = Path(__file__).parents[2] / "vdepth_core" / "demo" / "clip.mp4"
CAMERA = {"fx": 9.0, "fy": 8.0, "cx": 2.75, "cy": 3.1}
HEIGHT, WIDTH = 5, 7
STEADY = {"Stride": 1, "Fill": False, "Tear": 1e9}


def some_depth(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(seed).uniform(1, 5, (height, width)).astype(np.float32)


def unprojected(z: np.ndarray, stride: int = 1) -> np.ndarray:
    """The formula, in the order of Blender's grids: by columns from the left, each from the bottom up."""
    height, width = z.shape
    xs = [min(x, width - 1) for x in range(0, width - 1 + stride, stride)]
    ys = [height - 1 - min(y, height - 1) for y in range(0, height - 1 + stride, stride)]
    x, y = (grid.T for grid in np.meshgrid(xs, ys))
    depth = z[y, x].astype(np.float64)
    across = (x + 0.5 - CAMERA["cx"]) / CAMERA["fx"] * depth
    down = (y + 0.5 - CAMERA["cy"]) / CAMERA["fy"] * depth
    return np.stack([across, -down, -depth], -1).reshape(-1, 3)


def pixels(points: np.ndarray) -> list[tuple[int, int]]:
    """Column and row from the top of the pixel a point lies on."""
    u = points[:, 0] / -points[:, 2] * CAMERA["fx"] + CAMERA["cx"] - 0.5
    v = points[:, 1] / points[:, 2] * CAMERA["fy"] + CAMERA["cy"] - 0.5
    return [(int(x), int(y)) for x, y in zip(np.rint(u), np.rint(v), strict=True)]


@pytest.fixture
def build(blender, tmp_path):
    """Builds the mesh of depth files by their numbers, with sockets set."""
    from blender_addon.scene.mesh import build_mesh, set_input

    def make(depths, **sockets):
        clip, result = use_job(blender, make_job(tmp_path, depths, CAMERA))
        obj = build_mesh(blender.context, clip, result)
        for name, value in {**STEADY, **sockets}.items():
            set_input(obj, name.replace("_", " "), value)
        return obj

    return make


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_vertices_lie_on_the_rays_of_their_pixels_centres(blender, build, stride):
    z = some_depth()
    points, faces = geometry(blender, build({1: z}, Stride=stride))
    expected = unprojected(z, stride)
    np.testing.assert_allclose(points, expected, rtol=1e-6, atol=1e-6)
    columns, rows = -(-(WIDTH - 1) // stride), -(-(HEIGHT - 1) // stride)
    assert len(faces) == columns * rows


def test_the_surface_faces_the_camera(blender, build):
    shown = build({1: np.full((3, 3), 2.0)}).evaluated_get(blender.context.evaluated_depsgraph_get())
    assert all(polygon.normal.z == pytest.approx(1) for polygon in shown.data.polygons)


def test_uv_map_names_the_same_pixels(blender, build):
    shown = build({1: some_depth()}).evaluated_get(blender.context.evaluated_depsgraph_get())
    mesh = shown.data
    uv, corners = np.empty(2 * len(mesh.loops), np.float32), np.empty(len(mesh.loops), np.int32)
    mesh.uv_layers["UVMap"].data.foreach_get("uv", uv)
    mesh.loops.foreach_get("vertex_index", corners)
    points = np.array([vertex.co for vertex in mesh.vertices])
    expected = [((x + 0.5) / WIDTH, 1 - (y + 0.5) / HEIGHT) for x, y in pixels(points[corners])]
    np.testing.assert_allclose(uv.reshape(-1, 2), expected, rtol=1e-6)


def test_scale_and_shift_act_on_disparity(blender, build):
    z = some_depth()
    points, _ = geometry(blender, build({1: z}, Scale=3.0, Shift=0.25))
    np.testing.assert_allclose(points, unprojected(3 * z / (1 + 0.25 * z)), rtol=2e-6, atol=1e-6)


def test_a_jump_cuts_the_faces_with_an_edge_over_it_and_no_others(blender, build):
    z, tear = some_depth(3, 9, 12), 0.5
    points, faces = geometry(blender, build({1: z}, Tear=tear))

    def whole(a, b):
        return abs(z[a] - z[b]) <= tear * min(z[a], z[b])

    expected = set()
    for y in range(8):
        for x in range(11):
            ring = [(y, x), (y, x + 1), (y + 1, x + 1), (y + 1, x)]
            if all(whole(a, b) for a, b in zip(ring, ring[1:] + ring[:1], strict=True)):
                expected.add(frozenset((column, row) for row, column in ring))
    place = pixels(points)
    assert {frozenset(place[corner] for corner in face) for face in faces} == expected
    assert 0 < len(expected) < 8 * 11
    assert set(place) == set().union(*expected)  # nothing is left loose


def test_what_has_no_depth_or_lies_outside_near_and_far_goes(blender, build):
    z = np.full((6, 8), 2.0, np.float32)
    z[0, 0], z[0, 7], z[5, 0], z[5, 7], z[3, 3] = 1e10, 0.0, np.nan, -1.0, np.inf
    obj = build({1: z})
    points, faces = geometry(blender, obj)
    gone = {(0, 0), (7, 0), (0, 5), (7, 5), (3, 3)}
    assert set(pixels(points)) == {(x, y) for x in range(8) for y in range(6)} - gone
    assert len(faces) == 5 * 7 - 8

    from blender_addon.scene.mesh import set_input

    set_input(obj, "Scale", 2.0)  # Near and Far are in scene units
    for near, far, kept in ((4.5, 10.0, 0), (0.0, 3.5, 0), (3.5, 4.5, 48 - 5)):
        set_input(obj, "Near", near)
        set_input(obj, "Far", far)
        assert len(geometry(blender, obj)[0]) == kept


def test_smoothing_keeps_planes_and_tears(blender, build):
    disparity = 0.2 + 0.01 * np.arange(16)[None] + 0.005 * np.arange(12)[:, None]
    z = (1 / disparity).astype(np.float32)
    z[:, 8:] *= 3
    points, _ = geometry(blender, build({1: z}, Smooth=2, Tear=0.5))
    for (x, y), depth in zip(pixels(points), -points[:, 2], strict=True):
        edge = min(x, y, 15 - x, 11 - y, abs(x - 7.5) - 0.5) < 2
        assert depth == pytest.approx(z[y, x], rel=0.1 if edge else 1e-5)


def test_every_frame_shows_its_file_and_the_ends_hold(blender, build):
    from blender_addon.scene.mesh import get_input, set_input

    obj = build({number: np.full((3, 4), float(number), np.float32) for number in (7, 8, 9)})
    assert get_input(obj, "Frame Offset") == 6  # the movie's first frame, at scene frame 1, has number 7

    def depth(frame):
        blender.context.scene.frame_set(frame)
        points, _ = geometry(blender, obj)
        return set(-points[:, 2])

    assert [depth(frame) for frame in (1, 2, 3, -5, 40)] == [{7}, {8}, {9}, {7}, {9}]
    set_input(obj, "Frame Offset", 7)
    assert depth(1) == {8}


def test_parts_of_a_frame_show_the_nearest_frames_file(blender, build):
    obj = build({number: np.full((3, 4), float(number), np.float32) for number in (1, 2, 3)})
    found = []
    for frame, part in ((1, 0.75), (2, 0.25), (2, 0.75)):
        blender.context.scene.frame_set(frame, subframe=part)
        found.append(float(-geometry(blender, obj)[0][0, 2]))
    assert found == [2, 2, 3]


def test_a_missing_frame_is_empty_and_does_not_collapse(blender, build, tmp_path):
    obj = build({number: np.full((3, 4), 2.0, np.float32) for number in (1, 2, 3)})
    (tmp_path / "plate_depth.0002.exr").unlink()
    blender.context.scene.frame_set(2)
    assert len(geometry(blender, obj)[0]) == 0
    blender.context.scene.frame_set(3)
    assert len(geometry(blender, obj)[0]) == 12


def test_fill_has_no_holes_and_lies_behind(blender, build):
    from blender_addon.scene.mesh import set_input

    z = np.full((90, 160), 6.0, np.float32)
    z[30:60, 60:80] = 2.0
    obj = build({1: z}, Tear=0.1)
    front, _ = geometry(blender, obj)
    set_input(obj, "Fill", True)
    both, _ = geometry(blender, obj)
    shown = {tuple(point) for point in front.tolist()}
    fill = np.array([point for point in both.tolist() if tuple(point) not in shown])
    # Behind the object, which is narrower than what grows in, there is background only.
    assert np.all(fill[:, 2] < -6.0)
    assert np.all(fill[:, 2] > -6.2)
    # It reaches past the plate on all sides.
    left, right = fill[:, 0].min() / -fill[0, 2], fill[:, 0].max() / -fill[0, 2]
    assert left < -CAMERA["cx"] / CAMERA["fx"]
    assert right > (160 - CAMERA["cx"]) / CAMERA["fx"]


def test_fill_leaves_the_sky_open(blender, build):
    from blender_addon.scene.mesh import set_input

    z = np.full((90, 160), 1e10, np.float32)
    z[30:60, 60:80] = 2.0
    obj = build({1: z}, Tear=0.1)
    front, _ = geometry(blender, obj)
    set_input(obj, "Fill", True)
    assert len(geometry(blender, obj)[0]) == len(front) == 30 * 20


def test_points_are_the_vertices(blender, build):
    z = some_depth()
    z[0, 0] = 1e10
    obj = build({1: z}, Points=True, Point_Radius=0.5)
    instances = blender.context.evaluated_depsgraph_get().object_instances
    clouds = [i.object.data for i in instances if i.object.type == "POINTCLOUD"]
    assert [len(cloud.points) for cloud in clouds] == [HEIGHT * WIDTH - 1]
    radius, place = (clouds[0].attributes[name].data for name in ("radius", "position"))
    for one, at in zip(radius, place, strict=True):
        assert one.value == pytest.approx(0.5 * -at.vector.z / CAMERA["fx"], rel=1e-5)
    assert "UVMap" in clouds[0].attributes
    assert obj.type == "MESH"


def test_keyframed_scale_is_played(blender, build):
    from blender_addon import compat
    from blender_addon.scene.mesh import identifier_of, modifier_of, set_input

    obj = build({number: np.full((3, 3), 2.0, np.float32) for number in (1, 2, 3)})
    path = compat.modifier_input_path(modifier_of(obj), identifier_of(obj, "Scale"))
    for frame, scale in ((1, 1.0), (3, 5.0)):
        set_input(obj, "Scale", scale)
        obj.keyframe_insert(path, frame=frame)
    depths = []
    for frame in (1, 3):
        blender.context.scene.frame_set(frame)
        depths.append(float(-geometry(blender, obj)[0][0, 2]))
    assert depths == [2.0, 10.0]


def test_building_again_keeps_values_and_takes_the_new_result(blender, build, tmp_path):
    from blender_addon.scene.mesh import get_input, modifier_of, set_input

    obj = build({1: some_depth()}, Scale=2.5)
    set_input(obj, "fx", 20.0)  # by hand
    data = blender.data
    blender.ops.vdepth.build_mesh()
    counts = [len(kind) for kind in (data.objects, data.node_groups, data.materials, data.images)]
    make_job(tmp_path, {number: some_depth(1, 6, 8) for number in (1, 2)}, {**CAMERA, "fx": 11.0, "fy": 12.0})
    assert blender.ops.vdepth.build_mesh() == {"FINISHED"}
    assert [len(kind) for kind in (data.objects, data.node_groups, data.materials, data.images)] == counts
    assert list(obj.modifiers) == [modifier_of(obj)]
    found = {name: get_input(obj, name) for name in ("Scale", "fx", "fy", "Width", "Height", "Last")}
    assert found == {"Scale": 2.5, "fx": 20.0, "fy": 12.0, "Width": 8, "Height": 6, "Last": 2}
    assert len(geometry(blender, obj)[0]) == 6 * 8


def test_saved_and_opened_again_it_is_the_same(blender, build, tmp_path):
    from blender_addon.scene.mesh import find_mesh, set_input

    points, _ = geometry(blender, build({1: some_depth(), 2: some_depth(1)}, Scale=2.0))
    blender.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    blender.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
    blender.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    obj = find_mesh(blender.context.scene.vdepth.clip)
    np.testing.assert_array_equal(geometry(blender, obj)[0], points)
    set_input(obj, "Scale", 1.0)
    blender.context.scene.frame_set(2)
    np.testing.assert_allclose(geometry(blender, obj)[0], unprojected(some_depth(1)), rtol=1e-6, atol=1e-6)


def test_renders_use_their_own_stride(blender, build):
    obj = build({1: some_depth(0, 9, 9)}, Stride=4, Render_Stride=1)
    assert len(geometry(blender, obj)[0]) == 9
    from blender_addon.scene.bake import bake_frame

    assert len(bake_frame(blender.context, obj, full=True).data.vertices) == 81
    assert len(geometry(blender, obj)[0]) == 9


def test_the_mesh_moves_with_the_scenes_camera(blender, build):
    camera = blender.data.objects.new("camera", blender.data.cameras.new("camera"))
    blender.context.scene.collection.objects.link(camera)
    blender.context.scene.camera = camera
    camera.location, camera.rotation_euler = (1, 2, 3), (1, 0, 0.5)
    obj = build({1: some_depth()})
    blender.context.view_layer.update()
    assert obj.matrix_world == camera.matrix_world
    blender.context.scene.vdepth.mesh.parent_to_camera = False
    blender.ops.vdepth.build_mesh()
    assert obj.parent is None


@pytest.mark.parametrize(("movie", "offset", "expected"), [(True, 0, 4), (True, 5, 9), (False, 2, 6)])
def test_footage_shows_the_clips_own_frame(blender, tmp_path, movie, offset, expected):
    """At scene frame 14 a clip that starts at 11 shows its fourth frame, moved by the offset."""
    from blender_addon.scene.footage import footage_material

    path = DEMO
    if not movie:
        for number in range(1, 9):
            image = blender.data.images.new("frame", 4, 4)
            image.filepath_raw, image.file_format = str(tmp_path / f"frame_{number:03d}.png"), "PNG"
            image.save()
        path = tmp_path / "frame_001.png"
    clip = blender.data.movieclips.load(str(path))
    clip.frame_start, clip.frame_offset = 11, offset
    texture = next(n for n in footage_material(clip).node_tree.nodes if n.type == "TEX_IMAGE")
    user = texture.image_user
    assert 14 - user.frame_start + 1 + user.frame_offset == expected  # as Blender counts
    assert user.frame_duration == (48 if movie else 8)
    assert texture.image.source == clip.source


def test_without_depth_files_nothing_is_built(blender, tmp_path):
    clip, _ = use_job(blender, make_job(tmp_path, {1: some_depth()}, CAMERA))
    (tmp_path / "plate_depth.0001.exr").unlink()
    with pytest.raises(RuntimeError, match="All depth files are gone"):
        blender.ops.vdepth.build_mesh()
    assert not [obj for obj in blender.data.objects if obj.type == "MESH"]
    clip.vdepth.manifest = ""
    with pytest.raises(RuntimeError, match="has no depth yet: estimate it first"):
        blender.ops.vdepth.build_mesh()


def test_the_panel_draws_sockets_that_exist(blender, build):
    from types import SimpleNamespace
    from unittest.mock import MagicMock

    from blender_addon.panels.mesh import GROUPS, MeshPanel

    build({1: some_depth()})
    layout = MagicMock()
    panel = SimpleNamespace(layout=layout)
    MeshPanel.draw(panel, blender.context)
    labels = [call.kwargs.get("text") for call in layout.column().row().prop.call_args_list]
    assert labels == [name for group in GROUPS for name in group]
    for call in layout.column().row().prop.call_args_list:
        owner, path = call.args
        assert owner.path_resolve(path) is not None


def test_operators_say_what_is_missing(blender):
    with pytest.raises(RuntimeError, match="Choose a clip first"):
        blender.ops.vdepth.build_mesh()
