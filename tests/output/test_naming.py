"""File names stay inside the job's folder and readable everywhere."""

from pathlib import Path

import pytest

from vdepth_core.output.naming import JobNames, frame_path, frame_pattern, safe_name


@pytest.mark.parametrize(
    "name",
    [
        *("../../etc/passwd", "..", ".", "", "a/b", "a\\b", "\0", "/", ".hidden", "C:\\x", "con", "NUL.txt"),
        *("x" * 500, "ä" * 300, " . ", "shot.####", "shot.%04d", "a\nb"),
    ],
)
def test_no_name_leaves_the_folder(name):
    out = Path("job")
    path = frame_path(out, name, "depth", 7)
    assert path.parent == out
    assert path.name.endswith("_depth.0007.exr")
    assert not path.name.startswith((".", "_depth"))
    assert len(path.name.encode()) < 255 - 40  # room for the temporary ending
    assert not set(path.name) & set('/\\:*?"<>|#%\0\n')
    assert safe_name(name).lower() not in ("con", "nul")


def test_ordinary_names_are_kept():
    assert safe_name("Shot 010_v2 (größe)") == "Shot 010_v2 (größe)"
    assert frame_path(Path("o"), "a.b", "normal", 12345).name == "a.b_normal.12345.exr"
    assert frame_pattern("a.b", "layers") == "a.b_layers.####.exr"


def test_a_long_name_is_cut_where_it_leaves_room():
    assert safe_name("x" * 120) == "x" * 120
    assert safe_name("x" * 121) == "x" * 120
    assert safe_name("ä" * 61) == "ä" * 60
    assert safe_name(" a. ") == "a"
    assert safe_name("com1.mov") == "_com1.mov"


def test_a_jobs_names_are_those_of_its_frames_and_fixed_files():
    names = JobNames("A clip", ("depth", "normal"), first=1001, stop=1004)
    there = [f"a clip_depth.{number}.exr" for number in (1000, 1001, 1003, 1004)]
    there += ["A clip_disparity.1001.exr", "A clip_normal.1002.exr", "notes.txt"]
    there += ["MANIFEST.json", "preview.mp4", "report.html"]
    frames = ["A clip_depth.1001.exr", "A clip_depth.1003.exr", "A clip_normal.1002.exr"]
    assert names.among(there) == [*frames, "manifest.json", "preview.mp4", "report.html"]
    without_end = JobNames("A clip", ("depth",), first=0)
    assert without_end.among(["a clip_depth.0000.exr", "a clip_depth.99999.exr", "a clip_depth.012.exr"]) == [
        "A clip_depth.0000.exr",
        "A clip_depth.99999.exr",
    ]


def test_negative_numbers_are_refused():
    with pytest.raises(ValueError, match="-1"):
        frame_path(Path("o"), "a", "depth", -1)
