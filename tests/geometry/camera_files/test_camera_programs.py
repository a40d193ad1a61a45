"""Camera files against what others make of them: usd-core, pycolmap, and the formats' own words."""

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from test_camera_formats import LENS, camera_path, pixel, plate, turned

from vdepth_core.errors import InputError
from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.geometry.camera_files.formats import read_camera, read_lens, write_camera
from vdepth_core.geometry.camera_files.rotations import FLIP, angles_zxy, turned_about
from vdepth_core.geometry.camera_path import CameraPath, inverse_pose

EXACT = 1e-5
POSES = [
    turned(3, -20, 5, (1, 2, 3)),
    turned(-60, 170, 40, (-4, 0.5, 12)),
    turned(80, 10, -7, (100, -3, 0.01)),
]
CENTRED = Intrinsics(1500.5, 1500.5, 960, 540)


def points_before(path):
    """A point before each camera and where our path sees it: (number, world (3,), pixel (2,))."""
    for k, number in enumerate(path.numbers):
        world = path.pose(number) @ (0.4 - 0.3 * k, 0.2 * k - 0.1, 2.5 + k, 1)
        yield number, world[:3], np.array(pixel(path, number, world[:3]))


# USD, by usd-core -----------------------------------------------------------------------------------------


def projected_by_usd(file, number, world, width, height):
    """By usd-core's own frustum: its window is [-1, 1], y up."""
    from pxr import Gf, Usd, UsdGeom

    stage = Usd.Stage.Open(str(file))
    (prim,) = [one for one in stage.Traverse() if one.IsA(UsdGeom.Camera)]
    frustum = UsdGeom.Camera(prim).GetCamera(number).frustum
    seen = (frustum.ComputeViewMatrix() * frustum.ComputeProjectionMatrix()).Transform(
        Gf.Vec3d(*map(float, world))
    )
    return np.array(((seen[0] + 1) / 2 * width, (1 - seen[1]) / 2 * height))


@pytest.mark.parametrize("name", ["camera.usda", "camera.usd"])
def test_what_we_write_usd_core_sees_as_we_do(tmp_path, name):
    pytest.importorskip("pxr")
    lenses = (LENS, Intrinsics(1600, 1600, 960, 540), Intrinsics(900, 910, 970, 500))
    path = CameraPath((1001, 1002, 1003), np.stack(POSES), lenses, 1920, 1080, "scene")
    write_camera(path, tmp_path / name, plate())
    for number, world, seen in points_before(path):
        theirs = projected_by_usd(tmp_path / name, number, world, 1920, 1080)
        assert theirs == pytest.approx(seen, rel=EXACT)
    back = read_camera(tmp_path / name, plate())
    assert (back.path.numbers, back.path.unit, back.notes) == (path.numbers, "scene", ())
    assert np.abs(back.path.poses - path.poses).max() < 1e-9
    for one, other in zip(back.path.intrinsics, lenses, strict=True):
        assert (one.fx, one.fy, one.cx, one.cy) == pytest.approx(
            (other.fx, other.fy, other.cx, other.cy), rel=EXACT
        )


def stage_of(file, upon="/Rig/Head/Cam"):
    from pxr import Usd, UsdGeom

    stage = Usd.Stage.CreateNew(str(file))
    return stage, UsdGeom.Camera.Define(stage, upon)


@pytest.mark.parametrize("ending", ["usda", "usdc", "usdz"])
def test_a_camera_on_a_moving_rig_in_centimetres(tmp_path, ending):
    pytest.importorskip("pxr")
    from pxr import Gf, UsdGeom, UsdUtils

    stage, camera = stage_of(tmp_path / ("rig.usdc" if ending == "usdz" else f"rig.{ending}"))
    UsdGeom.SetStageMetersPerUnit(stage, 0.01)
    stage.SetStartTimeCode(1001)
    stage.SetEndTimeCode(1003)
    rig = UsdGeom.Xform.Define(stage, "/Rig")
    rig.AddScaleOp().Set(Gf.Vec3f(2, 2, 2))
    moved = rig.AddTranslateOp()
    turned_by = UsdGeom.Xform.Define(stage, "/Rig/Head").AddRotateYOp()
    camera.CreateFocalLengthAttr(35)
    camera.CreateHorizontalApertureAttr(24)
    camera.CreateVerticalApertureAttr(13.5)
    camera.CreateHorizontalApertureOffsetAttr(1.2)
    camera.CreateVerticalApertureOffsetAttr(-0.5)
    for time in (1001, 1003):
        moved.Set(Gf.Vec3d(100 * (time - 1001), 50, 0), time)
        turned_by.Set(10.0 * (time - 1001), time)
    stage.GetRootLayer().Save()
    file = tmp_path / f"rig.{ending}"
    if ending == "usdz":
        assert UsdUtils.CreateNewUsdzPackage(str(tmp_path / "rig.usdc"), str(file))
    path = read_camera(file, plate()).path
    assert path.unit == "metres"
    assert path.pose(1002)[:3, 3] == pytest.approx((2, 1, 0))  # 2 x 1 m, 2 x .5 m
    for number, world, seen in points_before(path):
        assert projected_by_usd(file, number, 100 * world, 1920, 1080) == pytest.approx(seen, rel=EXACT)


def test_a_camera_that_stands_still_holds_for_all_frames_and_its_width_counts(tmp_path):
    pytest.importorskip("pxr")
    stage, camera = stage_of(tmp_path / "c.usda")
    camera.CreateFocalLengthAttr(50)  # USD's default aperture is 20.955 x 15.2908
    stage.GetRootLayer().Save()
    read = read_camera(tmp_path / "c.usda", plate())
    assert read.path.numbers == (1001, 1002, 1003)
    assert read.path.lens(1002).fx == pytest.approx(50 / 20.955 * 1920)
    assert read.path.lens(1002).fy == read.path.lens(1002).fx
    assert "its width counts" in read.notes[0]
    assert read.path.unit == "scene"


@pytest.mark.parametrize("case", ["none", "two", "flat", "junk", "nothing"])
def test_faults_of_usd_are_named(tmp_path, case):
    pytest.importorskip("pxr")
    from pxr import UsdGeom

    file = tmp_path / "c.usda"
    if case in {"junk", "nothing"}:
        if case == "junk":
            file.write_text("no stage")
        said = "cannot open it" if case == "junk" else "cannot open it|does not exist"
    else:
        stage, camera = stage_of(file)
        if case == "none":
            stage.RemovePrim("/Rig")
        elif case == "two":
            UsdGeom.Camera.Define(stage, "/Other")
        else:
            camera.CreateProjectionAttr(UsdGeom.Tokens.orthographic)
        stage.GetRootLayer().Save()
        said = {"none": "has no camera", "two": "2 cameras: /Rig/Head/Cam, /Other", "flat": "no perspective"}[
            case
        ]
    with pytest.raises(InputError, match=said):
        read_camera(file, plate())


# Nerfstudio, by its documentation (Data conventions) -------------------------------------------------------


def nerfstudio(poses, **changes):
    frames = [
        {"file_path": f"images/shot.{1001 + k}.png", "transform_matrix": (pose @ FLIP).tolist()}
        for k, pose in enumerate(poses)
    ]
    head = {"camera_model": "OPENCV", "fl_x": 1500.5, "fl_y": 1499.25, "cx": 965.125, "cy": 531.75}
    return {**head, "w": 1920, "h": 1080, "k1": 0, "k2": 0, "p1": 0, "p2": 0, "frames": frames} | changes


def seen_by_nerfstudio(data, frame, world):
    """Its ray generation turned around: camera along -z, y up, pixels from the upper left corner."""
    matrix = np.array(frame["transform_matrix"])
    x, y, z = matrix[:3, :3].T @ (world - matrix[:3, 3])
    return np.array((data["fl_x"] * x / -z + data["cx"], data["cy"] - data["fl_y"] * y / -z))


def test_nerfstudio_sees_a_point_where_it_does(tmp_path):
    data = nerfstudio(POSES)
    (tmp_path / "transforms.json").write_text(json.dumps(data))
    read = read_camera(tmp_path / "transforms.json", plate())
    assert read.path.numbers == (1001, 1002, 1003)
    assert read.notes == ()
    assert read.path.intrinsics == (LENS,)
    for (_, world, seen), frame in zip(points_before(read.path), data["frames"], strict=True):
        assert seen_by_nerfstudio(data, frame, world) == pytest.approx(seen, rel=EXACT)


def test_nerf_data_sets_have_an_angle_and_names_without_endings(tmp_path):
    frames = [{"file_path": f"./train/r_{k}", "transform_matrix": FLIP.tolist()} for k in range(1001, 1004)]
    (tmp_path / "transforms.json").write_text(
        json.dumps({"camera_angle_x": 0.6911112070083618, "frames": frames})
    )
    path = read_camera(tmp_path / "transforms.json", plate(pixel_aspect=Fraction(2))).path
    assert path.numbers == (1001, 1002, 1003)
    fx = 960 / math.tan(0.6911112070083618 / 2)
    assert (path.lens(1001).fx, path.lens(1001).fy) == pytest.approx((fx, 2 * fx))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"camera_model": "OPENCV_FISHEYE"}, "OPENCV_FISHEYE is not read"),
        ({"k1": 0.3}, "frame 1 of 3: the lens .* bends lines"),
        ({"h": 0}, "a picture of 1920x0"),
        ({"fl_x": "x"}, "fl_x is no number"),
        ({"w": 1000}, "not of one shape"),
        ({"frames": [{"transform_matrix": [[1]]}]}, "the pose is not the 16 numbers"),
        ({"frames": [{"transform_matrix": FLIP.tolist(), "file_path": 3}]}, "file_path is no text"),
    ],
)
def test_faults_of_nerfstudio_are_named(tmp_path, changes, said):
    (tmp_path / "transforms.json").write_text(json.dumps(nerfstudio(POSES, **changes)))
    with pytest.raises(InputError, match=said):
        read_camera(tmp_path / "transforms.json", plate())


# Nuke's chan, by Gf's own Euler angles ---------------------------------------------------------------------


def test_chan_that_we_write_is_read_by_others(tmp_path):
    gf = pytest.importorskip("pxr.Gf")
    write_camera(camera_path(POSES, (CENTRED,)), tmp_path / "c.chan", plate())
    for row, pose in zip(np.loadtxt(tmp_path / "c.chan"), POSES, strict=True):
        _, *move, x, y, z, fov = row
        about = [
            gf.Rotation(gf.Vec3d(*axis), angle)
            for axis, angle in zip(np.eye(3).tolist(), (x, y, z), strict=True)
        ]
        turn = about[2] * about[0] * about[1]  # z first, then x, then y
        ahead = np.array(turn.TransformDir(gf.Vec3d(0, 0, -1)))
        assert np.allclose(ahead, pose[:3, 2], atol=1e-9)
        assert move == pytest.approx(pose[:3, 3])
        assert 540 / math.tan(math.radians(fov) / 2) == pytest.approx(CENTRED.fy, rel=EXACT)
    back = read_camera(tmp_path / "c.chan", plate()).path
    assert np.abs(back.poses - np.stack(POSES)).max() < 1e-9
    assert back.lens(1001).fx == pytest.approx(CENTRED.fx, rel=EXACT)
    with pytest.raises(InputError, match=r"cannot hold the lens of frame 1001.*Write \.json"):
        write_camera(camera_path(POSES), tmp_path / "off.chan", plate())


@pytest.mark.parametrize("x", [-90, -89.999, -30, 0, 45, 90])
def test_angles_of_every_rotation(x):
    for y in (-170, 0, 30):
        for z in (-100, 0, 179):
            wanted = turned_about(1, y) @ turned_about(0, x) @ turned_about(2, z)
            a, b, c = angles_zxy(wanted)
            assert np.abs(turned_about(1, b) @ turned_about(0, a) @ turned_about(2, c) - wanted).max() < 1e-9


# COLMAP, by pycolmap, which is no part of the test extra ---------------------------------------------------


def test_pycolmap_sees_what_we_write_as_we_do_and_the_other_way(tmp_path):
    pycolmap = pytest.importorskip("pycolmap")
    path = camera_path(POSES)
    write_camera(path, tmp_path / "ours", plate())
    theirs = pycolmap.Reconstruction(str(tmp_path / "ours"))
    named = {image.name: image for image in theirs.images.values()}
    for number, world, seen in points_before(path):
        theirs_sees = named[f"frame_{number:04d}.png"].project_point(world)
        assert np.array(theirs_sees) == pytest.approx(seen, rel=EXACT)
    (tmp_path / "theirs").mkdir()
    theirs.write_text(str(tmp_path / "theirs"))
    back = read_camera(tmp_path / "theirs", plate()).path
    assert np.abs(back.poses - path.poses).max() < 1e-5
    assert back.intrinsics == path.intrinsics


# A lens alone ----------------------------------------------------------------------------------------------


def test_the_lens_of_any_camera_file(tmp_path):
    path = camera_path(POSES, (CENTRED,))
    for name in ("a.json", "a.chan", "model"):
        write_camera(path, tmp_path / name, plate())
        lens, notes = read_lens(tmp_path / name, plate(1, first=5))  # whatever frames the clip has
        assert (lens.fx, lens.fy) == pytest.approx((1500.5, 1500.5))
        assert notes == ()
    (tmp_path / "lens.json").write_text('{"fov": 90}')
    assert read_lens(tmp_path / "lens.json", plate())[0].fx == pytest.approx(960)
    write_camera(path, tmp_path / "a.tum", plate())
    with pytest.raises(InputError, match="does not say what the lens is"):
        read_lens(tmp_path / "a.tum", plate())


def test_of_a_zoom_the_middle_lens_is_taken_and_said(tmp_path):
    lenses = tuple(Intrinsics(focal, focal, 960, 540) for focal in (1000, 1200, 1500))
    write_camera(camera_path(POSES, lenses), tmp_path / "a.json", plate())
    lens, (note,) = read_lens(tmp_path / "a.json", plate())
    assert lens.fx == 1200
    assert "zooms from 1000 to 1500 pixels" in note


def test_poses_are_the_inverse_of_theirs():
    assert np.allclose(inverse_pose(POSES[0]) @ POSES[0], np.eye(4))
