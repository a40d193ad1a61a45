"""Every format: exact cameras, axes, rotations, round trips, and what is no camera."""

import contextlib
import json
import math
import random
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vdepth_core.errors import InputError, ResourceError, UsageError
from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.geometry.camera_files import blender
from vdepth_core.geometry.camera_files.formats import check_writable, read_camera, write_camera
from vdepth_core.geometry.camera_files.plate import Plate
from vdepth_core.geometry.camera_files.rotations import between, quaternion_of, rotation_of, turned_about
from vdepth_core.geometry.camera_path import CameraPath, inverse_pose

LENS = Intrinsics(1500.5, 1499.25, 965.125, 531.75)
angles = st.floats(-360, 360)


def plate(count=3, first=1001, **changes):
    parts = {
        "numbers": range(first, first + count),
        "rate": Fraction(24),
        "width": 1920,
        "height": 1080,
        "pixel_aspect": Fraction(1),
        "lens": LENS,
    }
    return Plate(**(parts | changes))


def turned(x, y, z, move=(0, 0, 0)):
    pose = np.eye(4)
    pose[:3, :3] = turned_about(1, y) @ turned_about(0, x) @ turned_about(2, z)
    pose[:3, 3] = move
    return pose


def camera_path(poses, lenses=(LENS,), unit="metres"):
    return CameraPath(tuple(range(1001, 1001 + len(poses))), np.stack(poses), lenses, 1920, 1080, unit)


def pixel(path, number, point):
    """Where a point of the world is seen, by the path."""
    lens = path.lens(number)
    x, y, z, _ = inverse_pose(path.pose(number)) @ (*point, 1)
    assert z > 0
    return lens.fx * x / z + lens.cx, lens.fy * y / z + lens.cy


@given(angles, angles, angles)
def test_quaternions_and_rotations_are_inverse(x, y, z):
    rotation = turned(x, y, z)[:3, :3]
    quaternion = quaternion_of(rotation)
    assert quaternion[0] >= 0
    assert np.abs(rotation_of(quaternion) - rotation).max() < 1e-14
    assert np.abs(rotation_of(quaternion * -3) - rotation).max() < 1e-14


def test_half_turns_have_quaternions():
    for axis in range(3):
        rotation = turned_about(axis, 180)
        assert np.abs(rotation_of(quaternion_of(rotation)) - rotation).max() < 1e-15


@given(angles, st.floats(-170, 170), st.floats(0, 1))
def test_between_turns_evenly(start, turn, share):
    first, last = turned(0, start, 0), turned(0, start + turn, 0, (1, 2, 3))
    wanted = turned(0, start + share * turn, 0, (share, 2 * share, 3 * share))
    assert np.abs(between(first, last, share) - wanted).max() < 1e-9


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(angles, angles, angles, *[st.floats(-1e3, 1e3)] * 3), min_size=1, max_size=4))
@pytest.mark.parametrize("name", ["path.json", "path.txt", "path.tum", "model"])
def test_round_trips(tmp_path_factory, name, motions):
    path = camera_path([turned(*motion[:3], motion[3:]) for motion in motions])
    file = tmp_path_factory.mktemp("camera") / name
    clip = plate(len(motions))
    write_camera(path, file, clip)
    back = read_camera(file, clip)
    assert (back.path.numbers, back.path.unit) == (path.numbers, path.unit)
    assert back.path.lens(1001) == LENS
    if name == "path.json":
        assert np.array_equal(back.path.poses, path.poses)
        assert back.notes == ()
    scale = 1 + np.abs(path.poses).max()
    assert np.abs(back.path.poses - path.poses).max() < 1e-14 * scale


@pytest.mark.parametrize("name", ["path.json", "model"])
def test_a_lens_a_frame_and_gaps_survive(tmp_path, name):
    lenses = (LENS, Intrinsics(1600, 1600, 960, 540))
    path = CameraPath((1001, 1003), np.stack([turned(1, 2, 3), turned(4, 5, 6)]), lenses, 1920, 1080, "scene")
    write_camera(path, tmp_path / name, plate())
    back = read_camera(tmp_path / name, plate())
    assert back.path.numbers == (1001, 1003)
    assert back.path.intrinsics == lenses
    assert any("1 of the clip's 3 frames: 1002" in note for note in back.notes)


def test_tum_keeps_a_gap_a_gap(tmp_path):
    path = CameraPath((1001, 1003), np.stack([np.eye(4)] * 2), (LENS,), 1920, 1080, "metres")
    write_camera(path, tmp_path / "path.tum", plate())
    assert read_camera(tmp_path / "path.tum", plate()).path.numbers == (1001, 1003)


# Blender: looks along -z with y up. The camera stands at (1, 2, 3), turned by 90 degrees about x: it looks
# along +y with z up. A point 10 ahead, 2 to the right and 1 up is at (3, 12, 4).
BLENDER = {
    "format": "blender camera",
    "numbering": "clip",
    "resolution": [1920, 1080],
    "sensor_width": 36,
    "frames": [
        {"frame": 1001, "lens": 50, "matrix_world": [[1, 0, 0, 1], [0, 0, -1, 2], [0, 1, 0, 3], [0, 0, 0, 1]]}
    ],
}


def read_json(tmp_path, data, clip=None):
    file = tmp_path / "camera.json"
    file.write_text(json.dumps(data))
    return read_camera(file, clip or plate(1))


def test_blenders_camera_sees_a_point_where_blender_does(tmp_path):
    read = read_json(tmp_path, BLENDER)
    focal = 50 / 36 * 1920
    assert pixel(read.path, 1001, (3, 12, 4)) == pytest.approx((960 + focal * 0.2, 540 - focal * 0.1))
    assert read.path.unit == "scene"
    assert read.notes == ()


def seen_by_blender(values, x, y, z):
    """Blender's own way, camera.c: a view plane at distance 1, shifted, cut into pixels; z is negative."""
    (width, height), (wide, high) = values["resolution"], values["pixel_aspect"]
    fit, squeeze = values["sensor_fit"], high / wide
    if fit == "AUTO":
        fit = "HORIZONTAL" if wide * width >= high * height else "VERTICAL"
        sensor = values["sensor_width"]
    else:
        sensor = values["sensor_width"] if fit == "HORIZONTAL" else values["sensor_height"]
    side = width if fit == "HORIZONTAL" else squeeze * height
    left = -width / 2 + values["shift_x"] * side
    bottom = -squeeze * height / 2 + values["shift_y"] * side
    size = sensor / values["lens"] / side
    right = (x / -z - left * size) / size
    up = (y / -z - bottom * size) / size / squeeze
    return right, height - up


@given(
    st.fixed_dictionaries(
        {
            "sensor_fit": st.sampled_from(["AUTO", "HORIZONTAL", "VERTICAL"]),
            "resolution": st.sampled_from([(1920, 1080), (1080, 1920), (720, 576), (64, 64)]),
            "pixel_aspect": st.sampled_from([(1.0, 1.0), (1.4, 1.0), (1.0, 2.0)]),
            "sensor_width": st.floats(5, 60),
            "sensor_height": st.floats(5, 60),
            "lens": st.floats(5, 300),
            "shift_x": st.floats(-2, 2),
            "shift_y": st.floats(-2, 2),
        }
    ),
    st.floats(-1, 1),
    st.floats(-1, 1),
)
def test_blenders_lens_for_every_fit(values, x, y):
    lens = blender.intrinsics(values)
    mine = lens.fx * x / 3 + lens.cx, lens.fy * -y / 3 + lens.cy
    assert mine == pytest.approx(seen_by_blender(values, x, y, -3), abs=1e-6)


def test_a_zoom_of_blender_is_a_lens_a_frame(tmp_path):
    frames = [{**BLENDER["frames"][0], "frame": 1001 + k, "lens": 36 + k} for k in range(3)]
    read = read_json(tmp_path, {**BLENDER, "frames": frames}, plate())
    assert [lens.fx for lens in read.path.intrinsics] == pytest.approx(
        [1920 * (36 + k) / 36 for k in range(3)]
    )


def test_nukes_camera_sees_a_point_where_nuke_does(tmp_path):
    frame = {"frame": 1001, "matrix": np.diag([1, 1, 1, 1]).tolist(), "focal": 24.576, "haperture": 24.576}
    data = {"format": "nuke camera", "resolution": [1920, 1080], "frames": [frame]}
    assert pixel(read_json(tmp_path, data).path, 1001, (1, 1, -10)) == pytest.approx((960 + 192, 540 - 192))
    with pytest.raises(InputError, match="win_translate"):
        read_json(tmp_path, {**data, "win_translate": [0.1, 0]})


def test_chan_turns_about_z_then_x_then_y(tmp_path):
    file = tmp_path / "camera.chan"
    fov = math.degrees(2 * math.atan(540 / 1500))
    file.write_text(f"1001 1 2 3 0 90 0 {fov}\n1002\t0\t0\t0\t90\t0\t90\t{fov}\n")
    path = read_camera(file, plate(2)).path
    # turned by 90 degrees about y, -z becomes -x: a point 10 that way, 2 up
    assert pixel(path, 1001, (1 - 10, 2 + 2, 3)) == pytest.approx((960, 540 - 300))
    # about z first, the camera's right (x) becomes y, which about x becomes z; -z becomes y
    assert pixel(path, 1002, (0, 10, 1)) == pytest.approx((960 + 150, 540))


def test_chan_without_a_lens_takes_the_clips(tmp_path):
    file = tmp_path / "camera.chan"
    file.write_text("1001 0 0 0 0 0 0\n")
    read = read_camera(file, plate(1))
    assert read.path.intrinsics == (LENS,)
    assert "does not say what the lens is" in read.notes[0]


def colmap(folder, cameras="1 PINHOLE 1920 1080 1500.5 1499.25 965.125 531.75", images=None):
    folder.mkdir(exist_ok=True)
    (folder / "cameras.txt").write_text(f"# cameras\n{cameras}\n")
    lines = images or ["1 1 0 0 0 0 0 5 1 shot.1001.png", "10 20 -1 30 40 7"]
    (folder / "images.txt").write_text("\n".join(["# images", *lines, ""]))
    return folder


def test_colmap_goes_from_world_to_camera(tmp_path):
    half = math.sqrt(0.5)
    images = [
        f"1 {half} 0 {half} 0 1 2 3 1 shot.1001.png",
        "",
        "2 1 0 0 0 0 0 5 1 sub/shot.1002.png",
        "1 2 -1",
    ]
    path = read_camera(colmap(tmp_path / "m", images=images), plate()).path
    # turned by 90 degrees about y, a point (x, y, z) of the world is at (z, y, -x) + (1, 2, 3)
    assert pixel(path, 1001, (-7, 0, 0)) == pytest.approx((1500.5 / 10 + LENS.cx, 1499.25 * 0.2 + LENS.cy))
    assert path.pose(1002)[:3, 3].tolist() == [0, 0, -5]
    assert path.unit == "arbitrary"


@pytest.mark.parametrize("inside", ["", "sparse/0", "0", "images.txt"])
def test_colmap_is_found_by_folder_workspace_and_file(tmp_path, inside):
    folder = tmp_path / "work" / (inside if inside != "images.txt" else "")
    folder.parent.mkdir(parents=True, exist_ok=True)
    colmap(folder)
    given_as = folder / inside if inside == "images.txt" else tmp_path / "work"
    assert read_camera(given_as, plate(1)).path.numbers == (1001,)


@pytest.mark.parametrize(
    ("camera", "said"),
    [
        ("1 SIMPLE_PINHOLE 1920 1080 1500 960 540", None),
        ("1 SIMPLE_RADIAL 1920 1080 1500 960 540 0", None),
        ("1 SIMPLE_RADIAL 1920 1080 1500 960 540 0.01", "off by 5.9 pixels"),  # .01 r² of r = 1101 / 1500
        ("1 RADIAL 1920 1080 1500 960 540 0.01 -0.0186", None),  # they cancel out in the corner: r² = .539
        ("1 OPENCV 1920 1080 1500 1500 960 540 0 0 0.001 0", "off by "),
    ],
)
def test_colmaps_lenses(tmp_path, camera, said):
    read = read_camera(colmap(tmp_path / "m", camera), plate(1))
    assert read.path.lens(1001) == Intrinsics(1500, 1500, 960, 540)
    assert said in read.notes[0] if said else read.notes == ()


@pytest.mark.parametrize(
    ("cameras", "images", "said"),
    [
        ("1 SIMPLE_RADIAL 1920 1080 1500 960 540 0.2", None, r"txt, line 2: .*bends lines .* 119 pixels"),
        ("1 OPENCV_FISHEYE 1920 1080 1 1 1 1 0 0 0 0", None, "line 2: .* OPENCV_FISHEYE is not read"),
        ("1 PINHOLE 1920 1080 1500 960 540", None, "line 2: PINHOLE has 4 parameters, not 3"),
        ("1 PINHOLE 1920 0 1 1 1 1", None, "line 2: a picture of 1920x0"),
        ("1 PINHOLE 1920 1080 x 1 1 1", None, "line 2: 'x' is no number"),
        ("1 PINHOLE 1000 1080 900 900 500 540", None, "not of one shape"),
        ("2 PINHOLE 1920 1080 900 900 1 1", None, "images.txt, line 2: camera 1 is not in cameras.txt"),
        (None, ["1 1 0 0 0 0 0 5 1"], "images.txt, line 2: a picture is 10 words"),
        (None, ["1 0 0 0 0 0 0 5 1 a1.png"], "line 2: the quaternion is 0"),
        (None, ["1 1 0 0 0 0 0 5 1 a1.png", "2 1 0 0 0 0 0 5 1 a2.png"], "line 3: the line of a picture"),
        (None, ["1 1 0 0 0 0 0 5 1 one.png", ""], "picture one.png, whose name holds no frame number"),
        (None, ["1 1 0 0 0 0 0 5 1 a/1.png", "", "1 1 0 0 0 0 0 5 1 b/1.png", ""], "two poses of frame 1"),
        (None, ["# nothing"], "it holds no picture"),
    ],
)  # fmt: skip
def test_faults_of_colmap_are_named(tmp_path, cameras, images, said):
    parts = {"cameras": cameras} if cameras else {}
    with pytest.raises(InputError, match=said):
        read_camera(colmap(tmp_path / "m", images=images, **parts), plate())


def test_a_binary_model_and_other_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"holds no camera: there is no images\.txt"):
        read_camera(tmp_path, plate())
    (tmp_path / "images.bin").touch()
    with pytest.raises(InputError, match=r"is binary.*model_converter"):
        read_camera(tmp_path, plate())


def test_another_model_is_not_written_over(tmp_path):
    path = camera_path([np.eye(4)])
    write_camera(path, tmp_path / "ours", plate())
    write_camera(path, tmp_path / "ours", plate())
    colmap(tmp_path / "theirs")
    with pytest.raises(InputError, match="holds another COLMAP model"):
        write_camera(path, tmp_path / "theirs", plate())


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("c.json", '{"poses": [\n1,,', "c.json, line 2: this is not JSON"),
        ("c.json", "[1]", "there is no object in it"),
        ("c.json", "{}", "this is no camera that is known"),
        ("c.json", '{"poses": []}', "it holds no pose"),
        ("c.json", '{"poses": [[1, 2]]}', "pose 1: the pose is not the 16 numbers"),
        ("c.json", json.dumps({"poses": [np.diag([2, 2, 2, 1]).tolist()]}), "pose 1: the pose is scaled"),
        ("c.json", json.dumps({"poses": [np.diag([1, 1, -1, 1]).tolist()]}), "mirrors"),
        ("c.json", json.dumps({"poses": [np.eye(4).tolist()], "numbers": [1, 2]}), "1 poses have 2 frame"),
        ("c.json", json.dumps({"poses": [np.eye(4).tolist()], "axes": "opengl"}), "not OpenCV's"),
        ("c.json", json.dumps({"poses": [np.eye(4).tolist()], "version": 9}), "version 9.*Update"),
        ("c.json", json.dumps({"poses": [np.eye(4).tolist()], "unit": "feet"}), "unit is one of"),
        ("c.json", json.dumps({"poses": [np.eye(4).tolist()], "intrinsics": [[1, 1, 1, 1]]}), "width and"),
        ("c.json", json.dumps({**BLENDER, "sensor_fit": "SIDEWAYS"}), "frame 1 of 1: sensor_fit is one"),
        ("c.json", json.dumps({**BLENDER, "frames": [{"frame": 1.5}]}), "frame 1 of 1: the pose is not"),
        ("c.json", json.dumps({**BLENDER, "frames": []}), "it holds no frame"),
        ("c.json", '{"format": "nuke camera", "frames": [{}]}', "resolution is missing"),
        ("c.json", json.dumps({**BLENDER, "sensor_width": 1e-9}), "The lens in .* is wrong: fx is"),
        ("c.json", json.dumps({**BLENDER, "sensor_width": 10**400}), "sensor_width is no number"),
        ("c.txt", "0 0 0 0 1e308 0 0 1\n", "line 1: '1e308' is no number"),
        ("c.chan", "1001 0 0 0 0 0 0 1e-320\n", "line 1: .* degrees are no field of view"),
        ("c.chan", "1 0 0 0\n", "c.chan, line 1: 4 numbers where 7 or 8 belong"),
        ("c.chan", "# x\n1.5 0 0 0 0 0 0\n", "line 2: 1.5 is no frame number"),
        ("c.chan", "1 0 0 0 0 0 0 180\n", "line 1: 180.0 degrees are no field of view"),
        ("c.txt", "# only\n", "it holds no pose"),
        ("c.txt", "0 0 0 0 0 0 0 2\n", "line 1: the last four numbers are no unit quaternion"),
        ("c.txt", "1 0 0 0 0 0 0 1\n1 0 0 0 0 0 0 1\n", r"line 2: the time stamp 1.0 does not ascend"),
        ("c.txt", "0 0 0 nan 0 0 0 1\n", "line 1: 'nan' is no number"),
        ("c.tum", "0 0 0\n", r"line 1: 3 numbers where 8 belong. A line holds: timestamp tx"),
        ("c.abc", "", "no camera file by its name"),
    ],
)
def test_faults_are_one_sentence_with_their_place(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=said):
        read_camera(tmp_path / name, plate())


def test_what_cannot_be_read_or_written_is_said(tmp_path):
    with pytest.raises(InputError, match=r"Cannot read the camera file .*c\.json"):
        read_camera(tmp_path / "c.json", plate())
    (tmp_path / "d.json").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(InputError, match="is no text"):
        read_camera(tmp_path / "d.json", plate())
    with pytest.raises(UsageError, match="does not say how to write"):
        check_writable(tmp_path / "path.fbx")
    with pytest.raises(UsageError, match="does not say how to write"):
        check_writable(Path())
    with pytest.raises(UsageError, match=r"folder .*none does not exist"):
        check_writable(tmp_path / "none" / "path.json")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        check_writable(tmp_path / "folder.json")
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match="cannot be a folder"):
        check_writable(tmp_path / "file")
    (tmp_path / "images.txt").write_text("# theirs")
    with pytest.raises(InputError, match="another COLMAP model"):
        check_writable(tmp_path)


JUNK = [None, True, -1, 0, 1e308, 10**400, "x", [], {}, [[1]], math.nan, 5e-324, [None] * 16]
WORDS = ["nan", "1e308", "0", "x", "1e400", "1e-320", "9" * 21, "-5", "1.5", "#", "PINHOLE", "RADIAL"]


def changed(data, rng):
    """JSON with one thing in it taken out or replaced."""
    if isinstance(data, dict | list) and data and rng.random() < 0.8:
        copy = data.copy()
        key = rng.choice(list(copy)) if isinstance(copy, dict) else rng.randrange(len(copy))
        if rng.random() < 0.2:
            del copy[key]
        else:
            copy[key] = changed(copy[key], rng)
        return copy
    return rng.choice(JUNK)


@pytest.mark.parametrize(
    "name", ["path.json", "blender.json", "path.txt", "model", "path.chan", "transforms.json"]
)
def test_damaged_files_are_read_or_refused(tmp_path, name):
    rng, file = random.Random(name), tmp_path / name
    if name == "blender.json":
        file.write_text(json.dumps(BLENDER))
    elif name == "transforms.json":
        head = {"fl_x": 1500, "cx": 960, "w": 1920, "h": 1080, "k1": 0.01}
        frames = [
            {"file_path": f"{k}.png", "transform_matrix": np.eye(4).tolist()} for k in range(1001, 1004)
        ]
        file.write_text(json.dumps({**head, "frames": frames}))
    elif name == "path.chan":
        file.write_text("1001 0 0 0 0 0 0 40\n1002 1 0 0 0 0 0 40\n")
    else:
        write_camera(camera_path([np.eye(4)] * 3), file, plate())
    parts = [file / part for part in ("cameras.txt", "images.txt")] if file.is_dir() else [file]
    whole = [part.read_text() for part in parts]
    for _ in range(150):
        for part, text in zip(parts, whole, strict=True):
            if part.suffix == ".json":
                part.write_text(json.dumps(changed(json.loads(text), rng)))
                continue
            lines = [line.split(" ") for line in text.splitlines()]
            line = rng.choice(lines)
            line[rng.randrange(len(line))] = rng.choice(WORDS)
            part.write_text("\n".join(map(" ".join, lines)))
        with contextlib.suppress(InputError):
            read_camera(file, plate())
