"""Things in procedural scenes move, and flow and visibility say so exactly."""

import numpy as np
import pytest
import torch

from vdepth_core.scenes import SceneClip, render_clip
from vdepth_core.scenes.builder import Builder, Frame
from vdepth_core.scenes.render import cast
from vdepth_core.scenes.scene import Light, Motion, places
from vdepth_core.scenes.tables import tabulate

K = np.array([[60.0, 0, 40], [0, 60, 30], [0, 0, 1]])
SIZE = (60, 80)


def clip_of(builder: Builder, frames: int = 2) -> SceneClip:
    """The truth of a built scene before a still camera at the origin, without pictures."""
    light = Light(np.array((0, -1.0, 0)), np.ones(3), np.ones(3), np.ones(3))
    scene = builder.scene(light, (0, 0, 5), 5.0)
    poses = np.tile(np.eye(4), (frames, 1, 1))
    surfaces = [cast(tabulate(scene.at(t), torch.device("cpu")), K, poses[t], *SIZE) for t in range(frames)]
    of_solid = np.array([solid.body for solid in scene.solids] + [0])
    body = np.stack([of_solid[s.solid.numpy()] for s in surfaces])
    where = np.stack([places(scene.motions, t) for t in range(frames)])
    depth = np.stack([s.depth.numpy() for s in surfaces])
    return SceneClip(np.zeros((frames, 3, *SIZE)), depth, K, poses, "", 0, body, where, scene)


def wall_and_box(**motion) -> SceneClip:
    """A wall at 6 m and a box whose front is at 3 m, in the middle of the picture."""
    builder = Builder(np.random.default_rng(0))
    paint = builder.paint("noise")
    builder.box(Frame(), (0, 0, 7), (50, 50, 1), paint)
    with builder.moving(Frame(0, 0, 4), **motion):
        builder.box(Frame(), (0, 0, 4), (0.5, 0.5, 1), paint)
    return clip_of(builder)


def test_a_sliding_box_flows_as_projection_says_and_hides_what_it_passes():
    clip = wall_and_box(velocity=(0.2, 0.1, 0))  # (x, height, z): right and up
    box = clip.body[0] == 1
    assert np.array_equal(np.argwhere(box)[[0, -1]], [(20, 30), (39, 49)])  # 60 px/m / 3 m * 0.5 m = 10 px
    assert np.allclose(clip.flow[0][box], (4, -2), atol=1e-4)
    assert np.allclose(clip.flow[0][~box], 0, atol=1e-4)
    covered = np.zeros(SIZE, bool)
    covered[18:38, 34:54] = True  # the box in frame 1
    assert np.array_equal(clip.body[1] == 1, covered)
    assert np.array_equal(clip.visible[0], box | ~covered)


def test_an_approaching_turning_box_is_where_its_matrix_says():
    clip = wall_and_box(velocity=(0, 0, -0.5), spin=0.1)
    box = clip.body[0] == 1
    y, x = np.argwhere(box).T
    front = np.stack(((x + 0.5 - 40) / 60, (y + 0.5 - 30) / 60, np.ones(len(x))), 1) * 3
    around = front - (0, 0, 4)
    c, s = np.cos(0.1), np.sin(0.1)  # about the upward axis, −y: z turns into −x
    turn = np.array(((c, 0, -s), (0, 1, 0), (s, 0, c)))
    moved = around @ turn.T + np.array((0, 0, 4 - 0.5))
    expected = moved[:, :2] / moved[:, 2:] * 60 + (40, 30)
    assert np.allclose(clip.flow[0][box], expected - np.stack((x + 0.5, y + 0.5), 1), atol=1e-3)


def test_what_leaves_the_picture_is_not_visible():
    clip = wall_and_box(velocity=(1.9, 0, 0))  # 38 px: the box's left edge from 30 to 68, its right to 88
    box = clip.body[0] == 1
    columns = np.tile(np.arange(80), (60, 1))
    assert np.array_equal(clip.visible[0][box], columns[box] + 38 < 80)


def test_bodies_carry_bodies():
    still = np.zeros(3)
    body = Motion(np.zeros(3), np.array((0, 1.0, 0)), np.array((0, 0, 2.0)))
    arm = Motion(np.array((1.0, 0, 0)), np.array((0, 0, 1.0)), still, spin=np.pi / 2, parent=1)
    world, carried, hung = places((body, arm), 1)
    assert np.array_equal(world, np.eye(4))
    assert np.allclose(carried @ (0, 0, 0, 1), (0, 0, 2, 1))
    assert np.allclose(hung @ (2, 0, 0, 1), (1, 1, 2, 1))  # a quarter turn about (1, 0), then along


def test_swinging_starts_as_built_and_comes_back():
    motion = Motion(np.ones(3), np.array((1.0, 0, 0)), np.zeros(3), swing=(0.4, 24, 0.3))
    assert np.allclose(motion.at(0), np.eye(4))
    assert np.allclose(motion.at(24), np.eye(4))
    assert not np.allclose(motion.at(6), np.eye(4), atol=0.2)


@pytest.mark.parametrize("layout", ["street", "park", "subject", "loose"])
def test_frame_1_warped_by_the_flow_agrees_with_frame_0(layout):
    """Disparity of frame 1, which is linear on planes, at where the flow leads is that of the moved point."""
    clip = render_clip(21, 2, 96, 128, layout=layout, moving=True, clean=True)
    y, x = np.mgrid[:96, :128]
    across, down = clip.flow[0][..., 0] + x, clip.flow[0][..., 1] + y
    left, top = np.floor(across).astype(int), np.floor(down).astype(int)
    inner = (left >= 0) & (left < 127) & (top >= 0) & (top < 95) & ~clip.sky[0]
    across, down, left, top = (across - left)[inner], (down - top)[inner], left[inner], top[inner]
    corners = [(top + j, left + i) for j in (0, 1) for i in (0, 1)]
    a, b, c, d = (1 / clip.depth[1][corner] for corner in corners)
    own = np.all([clip.body[1][corner] == clip.body[0][inner] for corner in corners], 0)
    flat = np.abs(a - b - c + d) < 1e-4 * a
    found = (a * (1 - across) + b * across) * (1 - down) + (c * (1 - across) + d * across) * down
    error = found * clip.moved(0)[..., 2][inner] - 1
    visible = clip.visible[0][inner]
    assert (flat & own & visible).mean() > 0.15
    assert np.quantile(np.abs(error[flat & own & visible]), 0.98) < 2e-3
    assert visible.mean() > 0.5
    behind = error > 5e-3
    assert (
        behind[flat & ~visible].sum() >= (flat & ~visible).sum() - 0.003 * flat.size
    )  # twigs between pixels
    assert (flat & own & visible & behind).mean() < 0.005


def test_a_still_clip_is_the_same_scene_with_nothing_moving():
    still, moving = (render_clip(21, 3, 48, 64, "subject", moving=m, clean=True) for m in (False, True))
    assert np.array_equal(still.depth[0], moving.depth[0])
    assert np.array_equal(still.rgb[0], moving.rgb[0])
    assert not np.array_equal(still.depth[2], moving.depth[2])
    assert (still.places == np.eye(4)).all()
    assert not still.body.any()
    alone = SceneClip(still.rgb, still.depth, still.K, still.poses, still.layout, still.seed)
    assert np.array_equal(alone.flow, still.flow)


def test_nothing_moves_and_all_is_seen_without_motion():
    clip = render_clip(4, 1, 48, 64, "room", moving=False)
    two = SceneClip(
        clip.rgb, np.repeat(clip.depth, 2, 0), clip.K, np.repeat(clip.poses, 2, 0), "", 0, scene=clip.scene
    )
    assert np.allclose(two.flow, 0, atol=1e-3)
    assert two.visible.mean() > 0.999  # a ray through an edge may slip by


def test_a_bare_clip_knows_no_visibility():
    clip = render_clip(4, 1, 48, 64)
    with pytest.raises(ValueError, match="scene"):
        _ = SceneClip(clip.rgb, clip.depth, clip.K, clip.poses, "", 0).visible
