"""Cameras from a field of view and from files."""

import json
import math
from fractions import Fraction

import numpy as np
import pytest

from vdepth_core.errors import InputError, UsageError
from vdepth_core.geometry.camera import DEFAULT_FOV, Intrinsics, load_intrinsics, unproject


def test_the_outermost_edges_span_the_field_of_view():
    camera = Intrinsics.from_fov(70, 1280, 720)
    assert math.degrees(2 * math.atan(640 / camera.fx)) == pytest.approx(70)
    assert camera.fy == camera.fx
    assert (camera.cx, camera.cy) == (640, 360)
    assert camera.source == "given"
    guess = Intrinsics.default(1280, 720)
    assert guess.source == "assumed"
    assert math.degrees(2 * math.atan(640 / guess.fx)) == pytest.approx(DEFAULT_FOV)


def test_anamorphic_pixels_are_square_in_the_world():
    camera = Intrinsics.from_fov(60, 720, 576, Fraction(16, 11))
    # a square in the world covers 16/11 as many rows as columns
    assert camera.fy / camera.fx == pytest.approx(16 / 11)


def test_unprojection_is_the_inverse_of_projection():
    camera = Intrinsics(50, 60, 8, 5)
    depth = np.random.default_rng(0).uniform(1, 9, (11, 17)).astype(np.float32)
    points = unproject(depth, camera)
    np.testing.assert_array_equal(points[..., 2], depth)
    u = points[..., 0] / depth * camera.fx + camera.cx
    v = points[..., 1] / depth * camera.fy + camera.cy
    np.testing.assert_allclose(u, np.tile(np.arange(17) + 0.5, (11, 1)), rtol=1e-5)
    np.testing.assert_allclose(v, np.tile((np.arange(11) + 0.5)[:, None], (1, 17)), rtol=1e-5)


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ({"fx": 100, "fy": 110, "cx": 30, "cy": 20}, (100, 110, 30, 20)),
        ({"fx": 100}, (100, 200, 32, 24)),
        ({"fx": 100, "width": 128, "height": 96}, (50, 100, 32, 24)),
        ({"fx": 100, "fy": 90, "cx": 60, "cy": 50, "width": 128, "height": 96}, (50, 45, 30, 25)),
        ({"K": [[100, 0, 30], [0, 90, 20], [0, 0, 1]]}, (100, 90, 30, 20)),
        ({"fov": 90}, (32, 64, 32, 24)),
    ],
)
def test_files_of_every_kind(tmp_path, content, wanted):
    path = tmp_path / "camera.json"
    path.write_text(json.dumps(content))
    camera = load_intrinsics(path, 64, 48, pixel_aspect=2)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx(wanted)
    assert camera.source == "given"


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[1, 2]",
        "{}",
        '{"fx": 0}',
        '{"fx": -5}',
        '{"fx": "wide"}',
        '{"fx": NaN}',
        '{"fx": true}',
        '{"fov": 180}',
        '{"fx": 100, "width": 0}',
        '{"K": [[1, 2], [3, 4]]}',
        '{"K": "no"}',
    ],
)
def test_wrong_files_are_named(tmp_path, content):
    path = tmp_path / "camera.json"
    path.write_text(content)
    with pytest.raises(InputError, match=r"camera\.json") as caught:
        load_intrinsics(path, 64, 48)
    assert caught.value.hint


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.json"):
        load_intrinsics(tmp_path / "gone.json", 64, 48)


@pytest.mark.parametrize("fov", [0, 180, -3, float("nan")])
def test_impossible_fields_of_view(fov):
    with pytest.raises(UsageError, match="field of view"):
        Intrinsics.from_fov(fov, 64, 48)
