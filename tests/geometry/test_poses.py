"""Poses of the pose networks' six numbers: conventions, inverses, gradients."""

import math

import pytest
import torch

from vdepth_core.geometry.poses import (
    axis_angle_rotation,
    euler_rotation,
    inverse,
    monodepth2_pose,
    quaternion_rotation,
    sfmlearner_pose,
)

VECTOR = torch.tensor([[0.3, -0.2, 0.5, 0.1, -0.4, 0.25], [-1.1, 0.7, 0.2, 1, 2, 3]], dtype=torch.float64)


def about(axis, angle):
    c, s = math.cos(angle), math.sin(angle)
    rows = {
        "x": [[1, 0, 0], [0, c, -s], [0, s, c]],
        "y": [[c, 0, s], [0, 1, 0], [-s, 0, c]],
        "z": [[c, -s, 0], [s, c, 0], [0, 0, 1]],
    }
    return torch.tensor(rows[axis], dtype=torch.float64)


def test_euler_turns_about_z_first():
    x, y, z = 0.3, -0.2, 0.5
    expected = about("x", x) @ about("y", y) @ about("z", z)
    torch.testing.assert_close(euler_rotation(VECTOR[0, :3]), expected)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_all_agree_on_one_axis(axis):
    angle = 0.7
    unit = torch.tensor([float(axis == a) for a in "xyz"], dtype=torch.float64)
    expected = about(axis, angle)
    torch.testing.assert_close(euler_rotation(angle * unit), expected)
    torch.testing.assert_close(quaternion_rotation(math.tan(angle / 2) * unit), expected)
    torch.testing.assert_close(axis_angle_rotation(angle * unit), expected, atol=1e-6, rtol=0)


def test_axis_angle_is_the_exponential_of_the_cross_product():
    """Up to the published 1e-7 in the axis."""
    for v in VECTOR[:, :3]:
        x, y, z = v.tolist()
        cross = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]], dtype=torch.float64)
        torch.testing.assert_close(axis_angle_rotation(v), torch.linalg.matrix_exp(cross), atol=5e-7, rtol=0)


def test_no_rotation_is_exactly_none_and_has_no_gradient():
    still = torch.zeros(2, 3, requires_grad=True)
    rotation = axis_angle_rotation(still)
    assert torch.equal(rotation, torch.eye(3).expand(2, 3, 3))
    rotation.sum().backward()
    assert torch.equal(still.grad, torch.zeros(2, 3))
    assert torch.equal(euler_rotation(torch.zeros(3)), torch.eye(3))
    assert torch.equal(quaternion_rotation(torch.zeros(3)), torch.eye(3))


def test_orders_of_the_six_numbers():
    axis_first, translation_first = monodepth2_pose(VECTOR), sfmlearner_pose(VECTOR)
    torch.testing.assert_close(axis_first[:, :3, 3], VECTOR[:, 3:])
    torch.testing.assert_close(axis_first[:, :3, :3], axis_angle_rotation(VECTOR[:, :3]))
    torch.testing.assert_close(translation_first[:, :3, 3], VECTOR[:, :3])
    torch.testing.assert_close(translation_first[:, :3, :3], euler_rotation(VECTOR[:, 3:]))
    quaternion = sfmlearner_pose(VECTOR, "quat")
    torch.testing.assert_close(quaternion[:, :3, :3], quaternion_rotation(VECTOR[:, 3:]))


def test_the_way_back_ends_where_it_began():
    pose = sfmlearner_pose(VECTOR)
    everywhere = torch.eye(4, dtype=torch.float64).expand(2, 4, 4)
    torch.testing.assert_close(inverse(pose) @ pose, everywhere)
    there, back = monodepth2_pose(VECTOR), monodepth2_pose(VECTOR, invert=True)
    torch.testing.assert_close(back @ there, everywhere, atol=1e-6, rtol=0)
    # transposed rotation after the opposite translation
    moved = torch.eye(4, dtype=torch.float64).repeat(2, 1, 1)
    moved[:, :3, 3] = -VECTOR[:, 3:]
    turned = torch.eye(4, dtype=torch.float64).repeat(2, 1, 1)
    turned[:, :3, :3] = there[:, :3, :3].transpose(1, 2)
    torch.testing.assert_close(back, turned @ moved)


@pytest.mark.parametrize("pose", [monodepth2_pose, lambda v: monodepth2_pose(v, True), sfmlearner_pose])
def test_gradients(pose):
    assert torch.autograd.gradcheck(pose, VECTOR.clone().requires_grad_())
