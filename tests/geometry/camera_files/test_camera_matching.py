"""Frames of the file and frames of the clip: numbers, names, time stamps, sizes, and what is missing."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from vdepth_core.errors import InputError
from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.geometry.camera_files.colmap import shift_line
from vdepth_core.geometry.camera_files.formats import read_camera
from vdepth_core.geometry.camera_files.nerfstudio import shift_entry
from vdepth_core.geometry.camera_files.plate import Plate
from vdepth_core.types import ClipInfo

LENS = Intrinsics.default(640, 360)


def plate(count, first=0, movie=True, rate=25, **changes):
    return Plate(range(first, first + count), Fraction(rate), 640, 360, Fraction(1), LENS, movie, **changes)


def poses(count):
    """Frame k is k units along x."""
    stack = np.stack([np.eye(4)] * count)
    stack[:, 0, 3] = np.arange(count)
    return stack


def own(folder, count, **more):
    file = folder / "path.json"
    file.write_text(json.dumps({"poses": poses(count).tolist(), **more}))
    return file


def nuke(folder, numbers):
    frames = [{"frame": number, "matrix": np.eye(4).tolist()} for number in numbers]
    file = folder / "nuke.json"
    file.write_text(
        json.dumps(
            {"format": "nuke camera", "resolution": [640, 360], "focal": 1, "haperture": 1, "frames": frames}
        )
    )
    return file


def tum(folder, stamps):
    file = folder / "path.txt"
    file.write_text("\n".join(f"{stamp} {place} 0 0 0 0 0 1" for place, stamp in enumerate(stamps)))
    return file


def places(read):
    """Number to which pose it got."""
    return dict(zip(read.path.numbers, read.path.poses[:, 0, 3].tolist(), strict=True))


def test_our_numbers_are_the_clips(tmp_path):
    read = read_camera(
        own(tmp_path, 3, numbers=[1, 2, 3], width=640, height=360, fx=9, fy=9, cx=0, cy=0), plate(4)
    )
    assert places(read) == {1: 0, 2: 1, 3: 2}
    assert read.notes == ("path.json has no pose of 1 of the clip's 4 frames: 0.",)


def test_poses_without_numbers_need_one_a_frame(tmp_path):
    read = read_camera(own(tmp_path, 3), plate(3, 1001, movie=False))
    assert places(read) == {1001: 0, 1002: 1, 1003: 2}
    with pytest.raises(InputError, match="3 poses without frame numbers, and the clip 4 frames"):
        read_camera(own(tmp_path, 3), plate(4))


@pytest.mark.parametrize(
    ("numbers", "clip", "found", "note"),
    [
        ((1, 2, 3), plate(3), (0, 1, 2), "Frame 1 of nuke.json is the movie's first"),
        ((2, 3), plate(3), (1, 2), "Frame 1 of nuke.json is the movie's first"),
        ((0, 1, 2), plate(3), (0, 1, 2), None),
        ((1001, 1002, 1003), plate(3), (0, 1, 2), "Frame 1001 of nuke.json is the clip"),
        ((1001, 1002, 1003), plate(3, 1001, movie=False), (1001, 1002, 1003), None),
        ((1, 2, 3), plate(3, 1001, movie=False), (1001, 1002, 1003), "Frame 1 of nuke.json is the clip"),
        ((1003, 1002), plate(3, 1001, movie=False), (1002, 1003), "1 of the clip's 3 frames: 1001"),
        ((1000, 1001, 1003, 1007), plate(5, 1001, movie=False), (1001, 1003), "2 poses of nuke.json"),
    ],
)  # fmt: skip
def test_numbers_of_other_programs(tmp_path, numbers, clip, found, note):
    read = read_camera(nuke(tmp_path, numbers), clip)
    assert read.path.numbers == found
    assert any(note in said for said in read.notes) if note else read.notes == ()


def test_a_camera_of_another_clip_is_refused(tmp_path):
    with pytest.raises(
        InputError, match="not of this clip: its frames run from 7 to 8, the clip's from 1001 to 1005"
    ):
        read_camera(nuke(tmp_path, (7, 8)), plate(5, 1001, movie=False))
    with pytest.raises(InputError, match="two poses of frame 1002"):
        read_camera(nuke(tmp_path, (1002, 1002)), plate(5, 1001, movie=False))


def test_missing_frames_are_told_as_ranges(tmp_path):
    read = read_camera(nuke(tmp_path, (0, 3, 4, 9)), plate(10))
    assert read.notes == ("nuke.json has no pose of 6 of the clip's 10 frames: 1-2, 5-8.",)


def test_a_lens_for_another_size_is_scaled(tmp_path):
    lens = {"fx": 1000, "fy": 1000, "cx": 640, "cy": 360}
    read = read_camera(own(tmp_path, 2, width=1280, height=720, **lens), plate(2))
    assert read.path.lens(0) == Intrinsics(500, 500, 320, 180)
    assert "scaled to the clip's 640x360" in read.notes[0]
    with pytest.raises(InputError, match="not of one shape"):
        read_camera(own(tmp_path, 2, width=1280, height=1024, **lens), plate(2))
    with pytest.raises(InputError, match="1280x0"):
        read_camera(own(tmp_path, 2, width=1280, height=0, **lens), plate(2))


def test_pictures_by_name(tmp_path):
    (tmp_path / "cameras.txt").write_text("1 SIMPLE_PINHOLE 640 360 500 320 180\n")
    names = ["frame_0001.png", "frame_0003.png"]
    lines = [f"{place} 1 0 0 0 {-place} 0 0 1 {name}\n" for place, name in enumerate(names)]
    (tmp_path / "images.txt").write_text("\n".join(lines))
    assert places(read_camera(tmp_path, plate(3))) == {0: 0, 2: 1}
    assert places(read_camera(tmp_path, plate(3, 1, movie=False))) == {1: 0, 3: 1}
    taken = plate(
        3, 1, movie=False, names={"frame_0001.png": 2, "frame_0003.png": 3}
    )  # --every-file numbers anew
    assert places(read_camera(tmp_path, taken)) == {2: 0, 3: 1}


@pytest.mark.parametrize(
    ("stamps", "found", "said"),
    [
        ((0, 0.04, 0.08, 0.12), {0: 0, 1: 1, 2: 2, 3: 3}, "seconds since the clip's first frame, at 25"),
        ((0.04, 0.12), {1: 0, 3: 1}, "seconds since the clip's first frame"),
        ((0.02, 0.06), {1: 0.5}, None),  # halfway; the frame at 0 has one half a frame away
        ((100.0, 100.04, 100.12), {0: 0, 1: 1, 3: 2}, "first time stamp, 100, is taken for the clip's first"),
        ((100, 104, 108, 112), {0: 0, 1: 1, 2: 2, 3: 3}, "as many poses as frames"),
        ((0, 2, 3), {0: 0, 2: 1, 3: 2}, "count frames from 0"),
    ],
)
def test_time_stamps(tmp_path, stamps, found, said):
    read = read_camera(tum(tmp_path, stamps), plate(4))
    got = places(read)
    assert all(got[number] == pytest.approx(place) for number, place in found.items())
    assert said is None or (got.keys() == found.keys() and any(said in note for note in read.notes))


def test_time_stamps_that_are_frame_numbers(tmp_path):
    read = read_camera(tum(tmp_path, (1002, 1003)), plate(5, 1001, movie=False))
    assert places(read) == {1002: 0, 1003: 1}
    assert "are frame numbers" in read.notes[0]


def test_time_stamps_meet_the_names_of_pictures(tmp_path):
    names = {f"1305031102.{part}.png": 1 + place for place, part in enumerate(("175304", "211214", "243211"))}
    clip = plate(3, 1, movie=False, rate=30, names=names)
    read = read_camera(tum(tmp_path, [1305031102.17 + k / 100 for k in range(9)]), clip)
    assert places(read) == pytest.approx({1: 0.5304, 2: 4.1214, 3: 7.3211}, abs=1e-3)
    assert "in the names of the clip's pictures" in read.notes[0]


def test_time_stamps_of_another_time_are_refused(tmp_path):
    clip = plate(1, 1, movie=False, names={"1305031102.175304.png": 1})
    with pytest.raises(InputError, match=r"No time stamp from 1e\+09 to"):
        read_camera(tum(tmp_path, (1e9 + 0.5, 1e9 + 1)), clip)


def test_a_variable_rate_has_its_own_times(tmp_path):
    clip = plate(3, times=(Fraction(0), Fraction(1, 2), Fraction(5, 8)))
    assert places(read_camera(tum(tmp_path, (0, 0.5, 0.625)), clip)) == {0: 0, 1: 1, 2: 2}


def test_the_plate_of_a_clip():
    info = ClipInfo(Path("a.png"), "sequence", "a", 640, 360, Fraction(1), Fraction(24), first_number=7)
    clip = Plate.of(info, 2, LENS, (Path("x/a.0007.png"), Path("x/a.0008.png")))
    assert (clip.numbers, clip.movie, clip.name(8)) == (range(7, 9), False, "a.0008.png")
    movie = Plate.of(ClipInfo(Path("a.mp4"), "movie", "a", 640, 360, Fraction(1), Fraction(24)), 2, LENS)
    assert (movie.numbers, movie.name(0), movie.time(1)) == (range(2), "frame_0001.png", Fraction(1, 24))


def model(folder, names, marker=""):
    (folder / "cameras.txt").write_text("1 SIMPLE_PINHOLE 640 360 500 320 180\n")
    lines = [f"{place} 1 0 0 0 {-place} 0 0 1 {name}\n\n" for place, name in enumerate(names)]
    (folder / "images.txt").write_text(marker + "".join(lines))
    return folder


@pytest.mark.parametrize(
    ("names", "count", "found", "note"),
    [
        (["clip.1001.png", "clip.1003.png"], 8, (0, 2), "1001 is the clip's first"),
        (["a.1001.png", "a.1003.png"], 8, (0, 2), "1001 is the clip's first"),
        (["clip.0001.png", "clip.0003.png"], 8, (0, 2), "is the movie's first"),
        (["clip.1001.png", "clip.1003.png"], 1500, (0, 2), "two ways: they are taken as those"),
        (["a.1001.png", "a.1003.png"], 1500, (1000, 1002), "they are taken as the clip's own"),
        (["a.0900.png", "a.1003.png"], 1500, (899, 1002), "is the movie's first"),
    ],
)  # fmt: skip
def test_a_movies_exported_pictures_are_numbered_as_its_files(tmp_path, names, count, found, note):
    read = read_camera(model(tmp_path, names), plate(count, stem="clip", shift=1001))
    assert read.path.numbers == found
    assert any(note in said for said in read.notes)


@pytest.mark.parametrize("way", ["colmap", "nerfstudio"])
def test_what_an_export_says_of_its_numbers_is_certain(tmp_path, way):
    names = ["clip.1001.png", "clip.1003.png"]
    file = model(tmp_path, names, f"{shift_line(1001)}\n")
    if way == "nerfstudio":
        file = tmp_path / "transforms.json"
        frames = [{"file_path": f"images/{name}", "transform_matrix": np.eye(4).tolist()} for name in names]
        lens = {"fl_x": 500, "w": 640, "h": 360}
        file.write_text(json.dumps({**lens, **shift_entry(1001), "frames": frames}))
    for clip in (plate(1500), plate(8), plate(8, stem="other", shift=5)):
        read = read_camera(file, clip)
        assert read.path.numbers == (0, 2)
        assert not any("taken as" in said for said in read.notes)
