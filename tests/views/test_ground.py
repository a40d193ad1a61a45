"""Ground and horizon of shots made up with exact truth: level to a fraction of a degree, steady, scaled."""

from dataclasses import replace

import numpy as np
import pytest

from vdepth_core.errors import InputError
from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.geometry.lines import Lines
from vdepth_core.views.ground import Picked, ground_of
from vdepth_core.views.ground_frames import ShotFrames

WIDTH, HEIGHT, FRAMES = 320, 180, 24
CAMERA = Intrinsics(280.0, 280.0, 160.0, 90.0)
EYE = 1.6
A, B = 0.8, 0.13
"""How the depth lies: disparity is A over the true depth, plus B."""


def downs(pitch=6.0, sway=1.0) -> np.ndarray:
    """(T, 3) the way down: the camera looks down by a pitch in degrees and rocks a little."""
    t = np.arange(FRAMES) / FRAMES
    pitches, rolls = np.radians(pitch + sway * np.sin(2 * t)), np.radians(0.6 * sway * np.cos(2 * t))
    return np.stack([np.sin(rolls), np.cos(rolls) * np.cos(pitches), np.cos(rolls) * np.sin(pitches)], 1)


def edges(down: np.ndarray, chance) -> Lines:
    """Upright edges in space seen by a camera: their planes hold the way down, nearly."""
    foot = np.stack([chance.uniform(-0.5, 0.5, 40), chance.uniform(0, 0.3, 40), np.ones(40)], 1)
    head = foot / foot[:, 2:] - 0.5 * down
    foot, head = foot[:, :2], head[:, :2] / head[:, 2:] + chance.normal(0, 5e-4, (40, 2))
    rays = [np.concatenate([end, np.ones((40, 1))], 1) for end in (foot, head)]
    normals = np.cross(*rays)
    return Lines(normals / np.linalg.norm(normals, axis=1, keepdims=True), (foot + head) / 2, head - foot)


def shot(way=None, wall=12.0, table=False, flicker=0.0, uprights=False, wander=0.0) -> ShotFrames:
    """A floor, a wall a way off or none (sky), perhaps a table, and noise; disparity lies by A and B."""
    way, chance = downs() if way is None else way, np.random.default_rng(0)
    columns, rows = np.meshgrid(np.arange(1.5, WIDTH, 4), np.arange(1.5, HEIGHT, 4))
    x, y = ((columns - CAMERA.cx) / CAMERA.fx).ravel(), ((rows - CAMERA.cy) / CAMERA.fy).ravel()
    below = way @ np.stack([x, y, np.ones_like(x)])
    truth = np.maximum(below / EYE, 1 / wall if wall else 0.0)
    if table:
        truth = np.where(
            (x < -0.1) & (y > 0.05) & (below > 0), np.maximum(truth, below / (EYE - 0.75)), truth
        )
    gain, drift = (1 + flicker * chance.normal(size=(FRAMES, 1)) for _ in "ab")
    lies = A * gain * truth + B * drift + chance.normal(0, 1e-3, truth.shape)
    lies += wander * chance.normal(size=(FRAMES, 1)) * (y > 0.1)
    lines = [edges(one, chance) for one in way] if uprights else []
    return ShotFrames(np.arange(1001, 1001 + FRAMES), lies, x, y, lines, CAMERA, (WIDTH, HEIGHT))


def off(found, way) -> float:
    """Largest angle to the truth in degrees."""
    return float(np.degrees(np.arccos(np.clip((found.down * way).sum(1), -1, 1))).max())


@pytest.mark.parametrize("table", [False, True])
def test_uprights_tell_the_horizon_and_so_the_shift(table):
    found = ground_of(shot(table=table, uprights=True), 24.0, affine=True)
    assert found.source == "uprights"
    assert off(found, downs()) < 0.8
    assert found.shift.mean() == pytest.approx(-B, abs=0.02)
    assert found.height == pytest.approx(EYE / A, rel=0.03), "the floor, not the table"
    assert found.uneven[1] < 0.02


def test_the_sky_is_infinitely_far():
    found = ground_of(shot(wall=0.0), 24.0, affine=True)
    assert found.source == "far"
    assert off(found, downs()) < 0.8
    assert found.shift.mean() == pytest.approx(-B, abs=0.005)


def test_metric_depth_knows_its_horizon():
    way = downs()
    frames = shot(way)
    found = ground_of(replace(frames, disparity=(frames.disparity - B) / A), 24.0, affine=False)
    assert found.source == "depth"
    assert np.abs(found.shift).max() < 0.01
    assert off(found, way) < 0.6
    assert found.height == pytest.approx(EYE, rel=0.01)


def test_a_picked_horizon_and_picked_ground_count():
    way = downs()
    table = shot(way, table=True)
    number = 1006
    down = way[number - 1001]
    horizon = [
        (CAMERA.cx + CAMERA.fx * x, CAMERA.cy - CAMERA.fy * (down[0] * x + down[2]) / down[1])
        for x in (-0.4, 0.4)
    ]
    picked = Picked(number, np.array([(60, 130), (100, 165), (30, 170)]), np.array(horizon))
    found = ground_of(table, 24.0, affine=True, picked=picked)
    assert found.source == "picked"
    assert off(found, way) < 1.0
    assert found.shift.mean() == pytest.approx(-B, abs=0.02)
    assert found.height == pytest.approx((EYE - 0.75) / A, rel=0.04), "the table that was picked"
    wall = Picked(number, np.array([(60, 90), (100, 92), (80, 40)]))
    frames = replace(table, disparity=table.disparity[:, ::-1])
    with pytest.raises(InputError, match="are no ground"):
        ground_of(frames, 24.0, affine=True, picked=wall)


def test_without_any_sign_the_camera_is_level():
    way = downs(pitch=0, sway=0)
    found = ground_of(shot(way), 24.0, affine=True)
    assert found.source == "level"
    assert off(found, way) < 0.3


def test_the_horizon_does_not_rock():
    """Each frame alone is unsteady; the tilt that objects stand on is not."""
    found = ground_of(shot(downs(sway=0), wall=0.0, wander=0.01), 24.0, affine=True)
    alone, steady = (np.abs(np.diff(rows)).mean() for rows in (found.fitted, found.horizon))
    assert alone > 1.0
    assert steady < 0.1 * alone


def test_a_flickering_estimate_gets_its_shift_and_scale_a_frame():
    frames = shot(downs(sway=0), wall=0.0, flicker=0.1)
    found = ground_of(frames, 24.0, affine=True, horizon="far")
    before, after = found.uneven
    assert after < 0.6 * before
    assert np.ptp(found.scale) > 0.05
    still = ground_of(shot(downs(sway=0), wall=0.0), 24.0, affine=True, horizon="far")
    assert np.ptp(still.scale) == 0


def test_a_wall_is_no_ground():
    frames = shot(downs())
    frames.disparity[:] = np.random.default_rng(1).uniform(0.2, 1, frames.disparity.shape)
    with pytest.raises(InputError, match="No ground is seen"):
        ground_of(frames, 24.0, affine=True)


def test_what_is_too_steep_or_rough_for_ground_is_refused():
    with pytest.raises(InputError, match="steeper than any camera sees it"):
        ground_of(shot(downs(pitch=60), wall=0.0), 24.0, affine=False)
