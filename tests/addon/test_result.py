"""A finished result, read from its folder without Blender: numbers, words, damage, camera paths."""

import json
import struct
from fractions import Fraction
from pathlib import Path

import pytest

from blender_addon.result.exr import is_whole
from blender_addon.result.manifest import ResultError, read_result
from blender_addon.result.poses import parse_path, parse_poses
from blender_addon.result.problems import check, problems
from blender_addon.result.summary import summarise

CAMERA = {"fx": 320.0, "fy": 320.0, "cx": 320.0, "cy": 180.0, "source": "assumed"}


def write_exr(path: Path, *, rows: int = 4) -> None:
    """As much of an uncompressed one-row-a-block EXR as `is_whole` looks at."""
    header = struct.pack("<2i", 20000630, 2)
    box = struct.pack("<4i", 0, 0, 1, rows - 1)
    for name, kind, value in (("dataWindow", "box2i", box), ("compression", "compression", b"\0")):
        header += f"{name}\0{kind}\0".encode() + struct.pack("<i", len(value)) + value
    header += b"\0"
    start = len(header) + 8 * rows
    offsets = struct.pack(f"<{rows}Q", *(start + 16 * row for row in range(rows)))
    path.write_bytes(header + offsets + b"".join(struct.pack("<2i2f", y, 8, 1.0, 2.0) for y in range(rows)))


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """The manifest of five frames in two shots, files 1006 to 1010, and their depth."""
    for number in range(1006, 1011):
        write_exr(tmp_path / f"c_depth.{number}.exr")
    lens = CAMERA | {"fx": 400.0, "source": "motion", "detail": "2 stretches of the clip", "error": 0.04}
    facts = {
        "clip": {"path": "/c.mov", "width": 640, "height": 360, "rate": "24000/1001"},
        "frames": {"first": 5, "stop": 10, "start_number": 1006, "count": 5},
        "shots": [
            {"start_number": 1006, "count": 2, "near": 1.0, "far": 50.0},
            {"start_number": 1008, "count": 3, "near": 2.0, "far": 100.0, "camera": lens},
        ],
        "model": {"name": "m", "space": "metric", "license": "x-nc", "commercial": False},
        "method": "temporal", "camera": CAMERA, "sequences": {"depth": "c_depth.####.exr"},
        "warnings": ["It is dark."],
    }  # fmt: skip
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps(facts))
    return manifest


def test_numbers_and_shots(job):
    result = read_result(job)
    assert result.rate == Fraction(24000, 1001)
    assert (list(result.numbers), result.last_number) == ([1006, 1007, 1008, 1009, 1010], 1010)
    assert result.path("depth", 1007) == job.parent / "c_depth.1007.exr"
    assert [result.shot_at(n).camera.fx for n in (1, 1007, 1008, 9999)] == [320, 320, 400, 400]
    # Shown from scene frame 101 on, without its first 3 frames: index 5 is scene frame 103.
    assert result.number_offset(101, 3) + 103 == 1006


@pytest.mark.parametrize(
    ("shown", "turned", "lies"),  # over a picture as stored, turned, and upright
    [
        ("upright", (0, False), (True, True, True)),
        ("upright", (90, False), (False, True, True)),
        ("upright", (180, False), (False, True, True)),
        ("upright", (0, True), (False, False, True)),
        ("turned", (180, False), (False, True, False)),
        ("turned", (0, False), (True, True, False)),
        ("stored", (0, False), (True, False, False)),
    ],
)
def test_depth_of_a_picture_turned_otherwise_does_not_lie_over_it(job, shown, turned, lies):
    facts = json.loads(job.read_text())
    facts["clip"] |= {"rotation": turned[0], "mirrored": turned[1], "shown": shown}
    job.write_text(json.dumps(facts))
    result = read_result(job)
    for orientation, expected in zip(("stored", "turned", "upright"), lies, strict=True):
        assert result.lies_as(orientation, (640, 360)) == expected
        assert result.lies_as(orientation, (320, 180)) == expected  # a smaller copy of the clip
        assert not result.lies_as(orientation, (360, 640))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"clip": {}, "frames": {}, "model": {}}'])
def test_what_is_no_manifest_is_said_in_one_sentence(tmp_path, text):
    path = tmp_path / "manifest.json"
    with pytest.raises(ResultError, match=r"is gone: .*\.$"):
        read_result(path)
    path.write_text(text)
    with pytest.raises(ResultError, match=r"^manifest.json is no vdepth manifest .*: estimate again\.$"):
        read_result(path)


def test_missing_and_damaged_files_are_told_apart(job):
    result = read_result(job)
    assert check(result) == problems(result) == []
    (job.parent / "c_depth.1006.exr").unlink()
    cut = job.parent / "c_depth.1010.exr"
    cut.write_bytes(cut.read_bytes()[:-1])
    assert not is_whole(cut)
    assert problems(result) == ["1 of 5 depth files are missing, first c_depth.1006.exr."]
    assert check(result)[1] == "1 of 5 depth files are damaged, first c_depth.1010.exr."
    assert len(problems(result)) == 2  # what the last look into the files found is remembered


@pytest.mark.parametrize("data", [b"", b"no picture", struct.pack("<2i", 20000630, 2) + b"a" * 400])
def test_what_is_no_exr_is_not_whole(tmp_path, data):
    path = tmp_path / "a.exr"
    path.write_bytes(data)
    assert not is_whole(path)


def test_the_summary_says_licence_range_and_lens(job):
    known = summarise(job)
    assert known.warnings == ("It is dark.",)
    assert known.lines == [
        "5 frames in 2 shots, files 1006 to 1010",
        "m, temporal",
        "Licence x-nc, non-commercial",
        "Depth 1 to 100, metres",
        "Lens assumed, 90° wide",
    ]
    assert summarise(job) is known
    facts = json.loads(job.read_text())
    del facts["model"]["license"]
    job.write_text(json.dumps(facts) + " ")
    with pytest.raises(ResultError, match="estimate again"):
        summarise(job)


def test_camera_paths_in_both_forms():
    unit = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 5, 0, 0, 0, 1]
    line = " ".join(map(str, unit))
    assert parse_poses(f"# fx fy\n{line}  # the first\n\n{line.replace(' ', ', ')}\n") == [unit, unit]
    assert parse_poses(json.dumps({"poses": [unit]})) == [unit]
    for text in ("", "1 2 3", line.replace("5", "nan"), line[:-1] + "2", '{"poses": []}'):
        with pytest.raises(ValueError, match=r"pose 1 is not|no poses"):
            parse_poses(text)


def test_a_path_of_the_core_has_numbers_and_lenses():
    data = {
        "format": "vdepth camera path", "unit": "metres", "width": 64, "height": 36, "numbers": [3, 7],
        "intrinsics": [[80, 81, 32, 18]], "poses": [[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]] * 2,
    }  # fmt: skip
    path = parse_path(json.dumps(data))
    assert (path.numbers, path.unit, path.width, path.height) == ([3, 7], "metres", 64, 36)
    assert [(lens.fx, lens.fy, lens.cx, lens.cy) for lens in path.lenses] == [(80, 81, 32, 18)]
    assert parse_path(json.dumps({"poses": data["poses"]})).numbers == []
    for wrong in (
        {"numbers": [1]}, {"numbers": [2, 1]}, {"numbers": [1, 2.5]}, {"width": 0},
        {"intrinsics": [[0, 1, 1, 1]]},
        {"intrinsics": [[1, 1, 1, 1]] * 3}, {"intrinsics": [[1, 2]]},
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"frame numbers|lens|unpack"):
            parse_path(json.dumps(data | wrong))
