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
    u, v = (
        [end, *(place + 0.5 for place in at), other] for end, at, other in ((0, xs, width), (height, ys, 0))
    )
    x, y = (grid.T for grid in np.meshgrid([xs[0], *xs, xs[-1]], [ys[0], *ys, ys[-1]]))
    u, v = (grid.T for grid in np.meshgrid(u, v))
    depth = z[y, x].astype(np.float64)
    across = (u - CAMERA["cx"]) / CAMERA["fx"] * depth
    down = (v - CAMERA["cy"]) / CAMERA["fy"] * depth
    return np.stack([across, -down, -depth], -1).reshape(-1, 3)


def projected(points: np.ndarray) -> np.ndarray:
    """Where the plate's camera sees points, (N, 2), in pixels from the upper left corner."""
    u = points[:, 0] / -points[:, 2] * CAMERA["fx"] + CAMERA["cx"]
    v = points[:, 1] / points[:, 2] * CAMERA["fy"] + CAMERA["cy"]
    return np.stack([u, v], -1)


def samples(points: np.ndarray) -> dict[tuple[int, int], float]:
    """Depth of the points on pixels' centres by the pixels' columns and rows."""
    at = projected(points)
    centre = (np.abs(at % 1 - 0.5) < 1e-3).all(-1)
    places = np.floor(at[centre]).astype(int).tolist()
    return {(x, y): float(z) for (x, y), z in zip(places, -points[centre, 2], strict=True)}


def areas(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """What of the plate each quad covers, in pixels."""
    corners = projected(points)[faces]
    following = np.roll(corners, -1, axis=1)
    return np.abs((corners[..., 0] * following[..., 1] - following[..., 0] * corners[..., 1]).sum(-1)) / 2


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
    assert len(faces) == (columns + 2) * (rows + 2)  # with half a pixel to each side


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
    expected = projected(points[corners]) / (WIDTH, HEIGHT)
    expected[:, 1] = 1 - expected[:, 1]
    np.testing.assert_allclose(uv.reshape(-1, 2), expected, rtol=1e-6, atol=1e-6)
    plate = np.array([value.vector for value in mesh.attributes["vdepth_plate"].data])
    np.testing.assert_allclose(-plate[:, 2], points[:, 2])
    np.testing.assert_allclose((plate[:, :2] / plate[:, 2:])[corners], expected, rtol=1e-6, atol=1e-6)


def test_scale_and_shift_act_on_disparity(blender, build):
    z = some_depth()
    points, _ = geometry(blender, build({1: z}, Scale=3.0, Shift=0.25))
    np.testing.assert_allclose(points, unprojected(3 * z / (1 + 0.25 * z)), rtol=2e-6, atol=1e-6)


def is_step(d: np.ndarray, tear: float) -> np.ndarray:
    """Which neighbours along the last axis are cut, by the formula; d is disparity."""
    count = d.shape[-1]
    step = np.diff(d)
    sign = np.sign(step)

    def slope(start: int, other: int) -> np.ndarray:
        return (d[..., other] - d[..., start]) / max(abs(other - start), 1)

    cut = np.zeros(step.shape, bool)
    for i in range(count - 1):
        before, after = -slope(i, max(i - 3, 0)), slope(i + 1, min(i + 4, count - 1))
        explained = np.maximum(np.maximum(before * sign[..., i], after * sign[..., i]), 0)
        cut[..., i] = np.abs(step[..., i]) - explained > tear * np.minimum(d[..., i], d[..., i + 1])
    return cut


def test_steps_are_cut_half_way_and_all_of_the_plate_is_covered_once(blender, build):
    z, tear = some_depth(3, 9, 12), 0.5
    points, faces = geometry(blender, build({1: z}, Tear=tear))
    d = np.pad(1 / z, 1, mode="edge")  # the sides have samples of their own
    across, down = is_step(d, tear), is_step(d.T, tear).T
    cells = ~(across[:-1] | across[1:] | down[:, :-1] | down[:, 1:])
    covered = areas(points, faces)
    assert covered.sum() == pytest.approx(9 * 12, rel=1e-5)
    middles = projected(points)[faces].mean(1)
    whole = {
        (int(np.rint(x)), int(np.rint(y)))
        for (x, y), size in zip(middles, covered, strict=True)
        if size > 0.9
    }
    expected = {(x, y) for y in range(1, 9) for x in range(1, 12) if cells[y, x]}
    assert whole == expected
    assert 0 < len(expected) < 8 * 11
    assert samples(points) == pytest.approx({(x, y): z[y, x] for x in range(12) for y in range(9)}, rel=1e-5)


def test_an_object_ends_at_its_side_and_the_wall_goes_up_to_it(blender, build):
    z = np.full((8, 12), 6.0, np.float32)
    z[:, :6] = 2.0
    points, _ = geometry(blender, build({1: z}, Tear=0.1))
    u = projected(points)[:, 0]
    assert set(-points[u < 5.99, 2]) == {2.0}
    assert set(-points[u > 6.01, 2]) == {6.0}
    assert set(-points[np.abs(u - 6) < 0.01, 2]) == {2.0, 6.0}


def test_a_floor_at_a_grazing_angle_stays_whole_and_an_object_on_it_does_not(blender, build):
    d = np.repeat(0.004 * (np.arange(30)[:, None] + 0.5), 40, 1)  # the next row is up to three times as near
    _, faces = geometry(blender, build({1: (1 / d).astype(np.float32)}, Tear=0.1))
    assert len(faces) == 31 * 41
    d[5:20, 10:20] = d[20, 0]
    points, faces = geometry(blender, build({1: (1 / d).astype(np.float32)}, Tear=0.1))
    covered = areas(points, faces)
    assert covered.sum() == pytest.approx(30 * 40, rel=1e-5)
    quarters = projected(points)[faces[covered < 0.3]].mean(1)
    outline = quarters[(quarters > 0.6).all(-1) & (quarters < (39.4, 29.4)).all(-1)]
    assert len(outline) >= 4 * (15 + 15 + 10 - 2)
    assert np.all((outline[:, 0] > 8) & (outline[:, 0] < 22) & (outline[:, 1] > 3) & (outline[:, 1] < 22))


def test_what_has_no_depth_or_lies_outside_near_and_far_goes(blender, build):
    z = np.full((6, 8), 2.0, np.float32)
    z[0, 0], z[0, 7], z[5, 0], z[5, 7], z[3, 3] = 1e10, 0.0, np.nan, -1.0, np.inf
    obj = build({1: z})
    points, faces = geometry(blender, obj)
    gone = {(0, 0), (7, 0), (0, 5), (7, 5), (3, 3)}
    assert samples(points).keys() == {(x, y) for x in range(8) for y in range(6)} - gone
    assert areas(points, faces).sum() == pytest.approx(6 * 8 - 5, rel=1e-5)

    from blender_addon.scene.mesh import set_input

    set_input(obj, "Scale", 2.0)  # Near and Far are in scene units
    for near, far, kept in ((4.5, 10.0, 0), (0.0, 3.5, 0), (3.5, 4.5, 48 - 5)):
        set_input(obj, "Near", near)
        set_input(obj, "Far", far)
        assert len(samples(geometry(blender, obj)[0])) == kept


def test_smoothing_keeps_planes_and_tears(blender, build):
    disparity = 0.2 + 0.01 * np.arange(16)[None] + 0.005 * np.arange(12)[:, None]
    z = (1 / disparity).astype(np.float32)
    z[:, 8:] *= 3
    points, _ = geometry(blender, build({1: z}, Smooth=2, Tear=0.5))
    for (x, y), depth in samples(points).items():
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
    assert len(samples(geometry(blender, obj)[0])) == 12


def fill_of(blender, obj) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points and faces of the fill, and where in the plate the points take their colour."""
    from blender_addon.scene.mesh import set_input

    set_input(obj, "Fill", False)
    front, faces = geometry(blender, obj)
    set_input(obj, "Fill", True)
    both, all_faces = geometry(blender, obj)
    mesh = obj.evaluated_get(blender.context.evaluated_depsgraph_get()).data
    plate = np.array([value.vector for value in mesh.attributes["vdepth_plate"].data])
    colour = plate[:, :2] / plate[:, 2:]
    if len(both) == len(front):
        return both[:0], all_faces[:0], colour[:0]
    # Which of the two comes first in the mesh is Blender's.
    first = np.array_equal(both[: len(front)], front)
    points = slice(len(front), None) if first else slice(0, len(both) - len(front))
    kept = all_faces[len(faces) :] - len(front) if first else all_faces[: len(all_faces) - len(faces)]
    return both[points], kept, colour[points]


def test_fill_is_the_wall_behind_all_of_an_object(blender, build):
    z = np.full((90, 160), 6.0, np.float32)
    z[30:60, 60:80] = 2.0
    points, faces, colour = fill_of(blender, build({1: z}, Tear=0.1))
    np.testing.assert_allclose(points[:, 2], -6.0, rtol=1e-6)  # at its own depth
    assert areas(points, faces).sum() == pytest.approx(30 * 20, rel=1e-5)
    at = projected(points)
    assert np.all((at > (59.9, 29.9)) & (at < (80.1, 60.1)))
    # No colour of the object, of which half a pixel may be mixed.
    u, v = 160 * colour[:, 0], 90 * (1 - colour[:, 1])
    assert not np.any((u > 59.7) & (u < 80.3) & (v > 29.7) & (v < 60.3))
    # Mirrored at the wall's last pixel on the nearest side, and a third of a pixel on.
    near = (np.abs(at[:, 0] - 63.5) < 0.1) & (np.abs(at[:, 1] - 45.5) < 3)
    np.testing.assert_allclose(u[near], 59.5 - 4 - 1 / 3, atol=1e-3)


def test_fill_takes_each_sides_own_depth(blender, build):
    z = np.full((60, 160), 8.0, np.float32)
    z[:, 80:] = 4.0
    z[:, 68:92] = 2.0  # wider than a blurred step, which is passed over for what is farther
    points, _, _ = fill_of(blender, build({1: z}, Tear=0.1))
    u = projected(points)[:, 0]
    assert set(np.round(-points[u < 76, 2], 5)) == {8.0}
    assert set(np.round(-points[(u > 84) & (u < 92), 2], 5)) == {4.0}


def test_fill_passes_over_what_a_step_is_blurred_to(blender, build):
    z = np.full((60, 160), 8.0, np.float32)
    z[:, 60:100] = 2.0
    z[:, [58, 101]], z[:, [59, 100]] = 3.5, 2.5
    points, _, _ = fill_of(blender, build({1: z}, Tear=0.1))
    u = projected(points)[:, 0]
    assert set(np.round(-points[(u > 60) & (u < 68), 2], 5)) == {8.0}


def test_fill_leaves_the_sky_open(blender, build):
    z = np.full((90, 160), 1e10, np.float32)
    z[30:60, 60:80] = 2.0
    obj = build({1: z}, Tear=0.1)
    assert len(samples(geometry(blender, obj)[0])) == 30 * 20
    assert len(fill_of(blender, obj)[0]) == 0


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
    assert len(geometry(blender, obj)[0]) == (6 + 2) * (8 + 2)


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
    assert len(samples(geometry(blender, obj)[0])) == 9
    from blender_addon.scene.bake import bake_frame

    baked = bake_frame(blender.context, obj, full=True).data
    assert len(samples(np.array([vertex.co for vertex in baked.vertices]))) == 81
    assert len(samples(geometry(blender, obj)[0])) == 9


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


def test_metres_are_the_scenes_metres(blender, tmp_path):
    """Depth in metres is as many scene units as the scene says; what the user gave stays."""
    from blender_addon.scene.mesh import find_mesh, get_input, set_input

    lens = {"fx": 60.0, "fy": 60.0, "cx": 32.0, "cy": 24.0}
    clip, _ = use_job(blender, make_job(tmp_path, {1: np.full((48, 64), 2.5, np.float32)}, lens))
    units = blender.context.scene.unit_settings
    for system, length, wanted in (("METRIC", 1.0, 2.5), ("METRIC", 0.01, 250.0), ("NONE", 0.01, 2.5)):
        units.system, units.scale_length = system, length
        assert blender.ops.vdepth.build_mesh() == {"FINISHED"}
        mesh = find_mesh(clip)
        set_input(mesh, "Fill", False)
        points, _ = geometry(blender, mesh)
        assert np.median(-points[:, 2]) == pytest.approx(wanted, rel=1e-5)
    set_input(mesh, "Scale", 3.0)
    units.system, units.scale_length = "METRIC", 0.01
    blender.ops.vdepth.build_mesh()
    assert get_input(mesh, "Scale") == 3.0
