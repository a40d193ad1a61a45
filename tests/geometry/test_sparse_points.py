"""Points of camera solves: where frames see them and how far, and files that are none, in a sentence."""

import numpy as np
import pytest
from metric_jobs import CAMERA, FIRST, HEIGHT, WIDTH, truth, write_colmap, write_points

from vdepth_core.errors import InputError
from vdepth_core.geometry.camera_files.plate import Plate
from vdepth_core.geometry.sparse_points import points_files, read_points

COUNT = 3
NAMES = {f"shot.{FIRST + index}.png": FIRST + index for index in range(COUNT)}
PLATE = Plate(range(FIRST, FIRST + COUNT), 24, WIDTH, HEIGHT, 1, CAMERA, names=NAMES)


def test_colmaps_points_are_where_its_pictures_see_them(tmp_path):
    z = truth(COUNT)
    found = read_points(write_colmap(tmp_path / "solve", z, unit=0.5, noise=0.0), PLATE)
    assert set(found.numbers) == set(NAMES.values())
    assert found.unit == "arbitrary"
    there = z[found.numbers - FIRST, found.pixels[:, 1].astype(int), found.pixels[:, 0].astype(int)]
    right = np.isclose(found.depth * 0.5, there, rtol=1e-9)
    assert 0.9 < right.mean() < 1  # the rest was made wrong


def test_json_is_scaled_to_the_plate_and_what_lies_outside_is_left_out(tmp_path):
    outside = [(FIRST, 500, 1, 1.0), (7, 1, 1, 1.0), (FIRST, 1, 1, -1)]
    rows = [(FIRST, 10.5, 20.5, 2.0), (FIRST + 1, 50, 30, 3.0), *outside]
    file = write_points(tmp_path / "points.json", rows, "metres")
    found = read_points(file, PLATE)
    assert found.unit == "metres"
    assert found.depth.tolist() == [2, 3]
    assert found.pixels.tolist() == [[10.5, 20.5], [50, 30]]
    half = Plate(PLATE.numbers, 24, WIDTH // 2, HEIGHT // 2, 1, CAMERA.scaled(0.5, 0.5), names=NAMES)
    assert read_points(file, half).pixels[0].tolist() == [5.25, 10.25]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "this is not JSON"),
        ('{"poses": []}', 'its format is not "vdepth points"'),
        ('{"format": "vdepth points", "version": 9, "points": []}', "version 9"),
        ('{"format": "vdepth points", "unit": "feet", "points": [[1001, 1, 1, 1]]}', "the unit is one of"),
        ('{"format": "vdepth points", "points": [[1, 2, 3]]}', "rows of frame, x, y, depth"),
        ('{"format": "vdepth points", "points": [[5, 2, 3, 4]]}', "None of the points"),
        ('{"format": "vdepth points", "width": 10, "height": 90, "points": [[1001, 1, 1, 1]]}', "10x90"),
    ],
)
def test_files_that_are_none_are_told_in_a_sentence(tmp_path, text, words):
    file = tmp_path / "points.json"
    file.write_text(text)
    with pytest.raises(InputError, match=words):
        read_points(file, PLATE)


def test_points_behind_the_camera_are_told_as_that(tmp_path):
    file = write_points(tmp_path / "points.json", [(FIRST, 10, 20, -2.0), (FIRST, 30, 20, -3.0)], "metres")
    with pytest.raises(InputError, match="lie behind the camera: none has a depth above 0"):
        read_points(file, PLATE)


@pytest.mark.parametrize("names", [("points3D.bin",), ("cameras.bin", "images.bin", "points3D.bin")])
def test_a_binary_model_is_told_with_what_makes_text_of_it(tmp_path, names):
    folder = tmp_path / "sparse" / "0"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(b"\0\1")
    for given in (tmp_path, folder, folder / names[-1]):
        for reads in (points_files, lambda file: read_points(file, PLATE)):
            with pytest.raises(InputError, match="is binary") as told:
                reads(given)
            assert "colmap model_converter" in told.value.hint


def test_a_folder_without_a_model_is_told_before_it_is_read(tmp_path):
    with pytest.raises(InputError, match=r"holds no camera solve: there is no images\.txt"):
        points_files(tmp_path)


def test_colmap_files_that_are_damaged_are_told_with_their_line(tmp_path):
    folder = write_colmap(tmp_path / "solve", truth(1), unit=1)
    text = (folder / "points3D.txt").read_text()
    (folder / "points3D.txt").write_text("1 2 3\n" + text)
    with pytest.raises(InputError, match=r"points3D.txt, line 1: a point is"):
        read_points(folder, PLATE)
    (folder / "points3D.txt").write_text("")
    with pytest.raises(InputError, match="no picture sees a point"):
        read_points(folder, PLATE)
    with pytest.raises(InputError, match=r"there is no images\.txt"):
        read_points(tmp_path, PLATE)
