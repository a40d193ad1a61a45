"""The second eye keeps to its limits, and both lie in a picture as the layout says."""

from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest

from vdepth_core.choices import EyesLayout
from vdepth_core.errors import UsageError
from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.geometry.camera_path import inverse_pose
from vdepth_core.views.cameras import Ends, looking, mover, second_eye
from vdepth_core.views.options import ViewOptions
from vdepth_core.views.stereo import depth_beside, half_sphere, together

WIDTH, HEIGHT = 64, 48
LENS = Intrinsics(60.0, 60.0, 32.0, 24.0)
ENDS = Ends(0.02, 0.2, 1.0)


def shown(move, q):
    """Where a pixel in the plate's middle is in the other eye, in per cent of the width to the right."""
    x = (0.0 / LENS.fx) + move.motion[0, 3] * q
    return 100 * (move.lens.fx * x + move.lens.cx - LENS.cx) / WIDTH


@pytest.mark.parametrize("most", [0.5, 2.0, 7.5])
def test_disparities_fill_the_comfort_limit_and_the_screen_is_where_it_is_wanted(most):
    move = second_eye(ViewOptions(path="stereo", max_disparity=most), ENDS, LENS, WIDTH)
    assert shown(move, ENDS.far) - shown(move, ENDS.near) == pytest.approx(most)
    assert shown(move, ENDS.near) == pytest.approx(-most / 4)  # a quarter comes out of the screen
    move = second_eye(ViewOptions(path="stereo", max_disparity=most, convergence=4.0), ENDS, LENS, WIDTH)
    assert shown(move, 1 / 4.0) == pytest.approx(0, abs=1e-12)
    assert move.motion[1, 3] == 0
    assert (move.lens.cy, move.lens.fy) == (LENS.cy, LENS.fy)
    far = second_eye(ViewOptions(path="stereo", layout="vr180"), ENDS, LENS, WIDTH)
    assert far.lens == LENS


def test_layouts():
    left = np.full((HEIGHT, WIDTH, 3), (0.2, 0.4, 0.6), np.float32)
    right = np.ones((HEIGHT, WIDTH, 3), np.float32)
    sizes = {
        "side-by-side": (HEIGHT, 2 * WIDTH), "half-side-by-side": (HEIGHT, WIDTH),
        "top-bottom": (2 * HEIGHT, WIDTH), "half-top-bottom": (HEIGHT, WIDTH),
        "anaglyph": (HEIGHT, WIDTH), "right": (HEIGHT, WIDTH), "vr180": (188, 376),
    }  # fmt: skip
    assert {*sizes, "rgbd"} == set(get_args(EyesLayout))
    for layout, size in sizes.items():
        both = together(layout, left, right, LENS)
        assert both.shape == (*size, 3)
        assert both.dtype == np.float32
    sides = together("side-by-side", left, right, LENS)
    assert (sides[:, :WIDTH] == left).all()
    assert (sides[:, WIDTH:] == 1).all()
    white = together("anaglyph", right, right, LENS)
    np.testing.assert_allclose(white, 1, atol=0.02)  # grey stays grey through glasses
    z = np.geomspace(1.0, 50.0, WIDTH)[None].repeat(HEIGHT, 0)
    grey = depth_beside(left, z, 0.02, 1.0)[:, WIDTH:]
    assert grey[0, 0, 0] == pytest.approx(1)
    assert grey[0, -1, 0] == pytest.approx(0, abs=1e-6)


def test_half_a_sphere_keeps_the_middle_and_is_black_where_nothing_was_filmed():
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    eye = np.stack((columns / WIDTH, rows / HEIGHT, np.ones_like(rows)), 2)
    sphere = half_sphere(eye, LENS)
    side = sphere.shape[0]
    half = side // 2
    np.testing.assert_allclose(
        sphere[half - 1 : half + 1, half - 1 : half + 1].mean((0, 1)), (31.5 / 64, 23.5 / 48, 1), atol=0.01
    )
    assert not sphere[:, :20].any()
    assert not sphere[:20].any()
    at = round((np.arctan((48 - 32) / 60) / np.pi + 0.5) * side - 0.5)  # a ray to pixel 48 of the middle row
    assert sphere[half, at, 0] == pytest.approx(47.5 / 64, abs=0.02)


def test_paths_begin_at_the_plate_and_look_at_the_pivot():
    shot = SimpleNamespace(start_number=1001, start=0, count=9)
    for name, amount in (("dolly", 20.0), ("orbit", 10.0)):
        move = mover(ViewOptions(path=name, amount=amount), shot, ENDS, LENS, None)
        np.testing.assert_allclose(move(1001).motion, np.eye(4), atol=1e-12)
        for number in range(1001, 1010):
            x, y, z, _ = move(number).motion @ (0, 0, 5.0, 1)  # the pivot, 1 / 0.2 ahead
            assert abs(x) + abs(y) < 1e-12
            assert z > 3.9
    assert move(1009).motion == pytest.approx(np.eye(4))  # an orbit closes
    dolly = mover(ViewOptions(path="dolly", amount=-30, pivot=10), shot, ENDS, LENS, None)
    assert dolly(1009).motion[2, 3] == pytest.approx(3.0)
    pose = looking(np.array((1.0, -2.0, 0.5)), np.array((0.0, 0.0, 4.0)))
    np.testing.assert_allclose(pose @ inverse_pose(pose), np.eye(4), atol=1e-12)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"path": "dolly", "layout": "vr180"}, "--layout makes no difference to the path dolly"),
        ({"path": "stereo", "amount": 5}, "--amount makes no difference to the path stereo"),
        ({"path": "stereo", "max_disparity": 40}, "--max-disparity 40 is not possible"),
        ({"path": "stereo", "layout": "anaglif"}, "anaglyph"),
        ({"path": "dolly", "frames": "9-3"}, "runs backwards"),
        ({}, "--path"),
    ],
)
def test_wrong_options_are_a_sentence(values, words):
    with pytest.raises(UsageError, match=words):
        ViewOptions.parse(values)
