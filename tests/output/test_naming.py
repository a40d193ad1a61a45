"""File names stay inside the job's folder and readable everywhere."""

from pathlib import Path

import pytest

from vdepth_core.output.naming import frame_path, frame_pattern, safe_name


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


def test_negative_numbers_are_refused():
    with pytest.raises(ValueError, match="-1"):
        frame_path(Path("o"), "a", "depth", -1)
