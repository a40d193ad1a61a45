"""Where a ground puts the camera, and what the core's answer has to be."""

import json
import math

import pytest

from blender_addon.result.ground import ShotGround, is_still, read_grounds, spot, tilt

LEVEL = (0.0, 1.0, 0.0)


def rotated(rows, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in rows]


@pytest.mark.parametrize("down", [LEVEL, (0.1, 0.9, 0.424), (-0.3, 0.8, -0.52)])
def test_tilt_takes_down_to_down_and_the_view_ahead(down):
    length = math.hypot(*down)
    down = tuple(value / length for value in down)
    rows = tilt(down)
    assert rotated(rows, (down[0], -down[1], -down[2])) == pytest.approx([0, 0, -1])
    ahead = rotated(rows, (0, 0, -1))
    assert ahead[0] == pytest.approx(0, abs=1e-12)
    assert ahead[1] > 0
    x, y, z = rows
    assert [x[1] * y[2] - x[2] * y[1], x[2] * y[0] - x[0] * y[2], x[0] * y[1] - x[1] * y[0]] == pytest.approx(
        z
    )


def test_the_spot_is_where_the_ray_meets_the_floor():
    assert spot(LEVEL, 1.6, 0.5) == pytest.approx(3.2)
    looking_down = (0.0, math.cos(math.radians(45)), math.sin(math.radians(45)))
    assert spot(looking_down, 2.0, 0.0) == pytest.approx(2.0)
    assert spot(LEVEL, 1.6, -0.5) == 48


def ground(**more):
    facts = {
        "numbers": [1, 2],
        "words": "the sky",
        "height": 2.0,
        "down": [LEVEL, LEVEL],
        "scale": [1.0, 1.0],
    }
    return facts | {"shift": [0.0, 0.0], "horizon": [9.0, 9.0]} | more


def test_the_answer_is_read_or_refused():
    (found,) = read_grounds(json.dumps({"version": 1, "shots": [ground(source="far")]}))
    assert found.height == 2.0
    assert is_still(found)
    assert not is_still(ShotGround(**ground(down=[LEVEL, (0.0, 1.0, 0.01)])))
    for text in ("", "[]", '{"shots": [{}]}', '{"shots": []}'):
        with pytest.raises(ValueError, match=r"^The core"):
            read_grounds(text)
