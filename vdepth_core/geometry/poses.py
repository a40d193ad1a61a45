"""Rigid motions from the six numbers that pose networks answer, as each system reads them; differentiable.

A pose here carries points of the target camera into the source camera: X_source = T · X_target. Rotations are
right-handed, in OpenCV's camera axes; translations are in the unit of the depth.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

TINY = 1e-7  # Monodepth2: keeps the axis of no rotation finite


def axis_angle_rotation(axis_angle: Tensor) -> Tensor:
    """Rodrigues' formula as Monodepth2 has it: exactly the identity at 0, where its gradient is 0 too.

    Args:
        axis_angle: (..., 3), the axis times the angle in radians.

    Returns:
        (..., 3, 3).
    """
    angle = torch.linalg.vector_norm(axis_angle, dim=-1, keepdim=True)
    axis = axis_angle / (angle + TINY)
    x, y, z = axis.unbind(-1)
    nothing = torch.zeros_like(x)
    cross = _matrix((nothing, -z, y), (z, nothing, -x), (-y, x, nothing))
    cosine, sine = angle.cos()[..., None], angle.sin()[..., None]
    along = axis[..., :, None] * axis[..., None, :]
    still = torch.eye(3, dtype=axis.dtype, device=axis.device)
    rotation: Tensor = cosine * still + sine * cross + (1 - cosine) * along
    return rotation


def euler_rotation(angles: Tensor) -> Tensor:
    """Rx · Ry · Rz: SfMLearner and PackNet.

    Args:
        angles: (..., 3) about x, y and z in radians.

    Returns:
        (..., 3, 3).
    """
    (cx, cy, cz), (sx, sy, sz) = angles.cos().unbind(-1), angles.sin().unbind(-1)
    no, one = torch.zeros_like(cx), torch.ones_like(cx)
    about_x = _matrix((one, no, no), (no, cx, -sx), (no, sx, cx))
    about_y = _matrix((cy, no, sy), (no, one, no), (-sy, no, cy))
    about_z = _matrix((cz, -sz, no), (sz, cz, no), (no, no, one))
    return about_x @ about_y @ about_z


def quaternion_rotation(vector: Tensor) -> Tensor:
    """The rotation of the quaternion (1, x, y, z) after normalisation: SfMLearner's other reading.

    Args:
        vector: (..., 3), x, y and z.

    Returns:
        (..., 3, 3).
    """
    whole = torch.cat((torch.ones_like(vector[..., :1]), vector), -1)
    w, x, y, z = (whole / torch.linalg.vector_norm(whole, dim=-1, keepdim=True)).unbind(-1)
    return _matrix(
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )


def rigid(rotation: Tensor, translation: Tensor) -> Tensor:
    """The motion that turns first and moves then.

    Args:
        rotation: (..., 3, 3).
        translation: (..., 3).

    Returns:
        (..., 4, 4).
    """
    upper = torch.cat((rotation, translation[..., None]), -1)
    last = upper.new_tensor((0, 0, 0, 1)).expand(*upper.shape[:-2], 1, 4)
    return torch.cat((upper, last), -2)


def inverse(pose: Tensor) -> Tensor:
    """The motion back.

    Args:
        pose: (..., 4, 4), rigid.
    """
    back = pose[..., :3, :3].transpose(-1, -2)
    return rigid(back, -(back @ pose[..., :3, 3:])[..., 0])


def monodepth2_pose(vector: Tensor, invert: bool = False) -> Tensor:
    """Monodepth2, FeatDepth, DDV and DIFFNet: [axis-angle, translation].

    A pose network that sees its pictures in temporal order answers the motion from the earlier to the later;
    ``invert`` for a source that is the earlier one.

    Args:
        vector: (..., 6).
        invert: Whether the way back is wanted.

    Returns:
        (..., 4, 4).
    """
    pose = rigid(axis_angle_rotation(vector[..., :3]), vector[..., 3:])
    return inverse(pose) if invert else pose


def sfmlearner_pose(vector: Tensor, rotation: Literal["euler", "quat"] = "euler") -> Tensor:
    """SfMLearner and PackNet (euler only): [translation, rotation], from target to source.

    Args:
        vector: (..., 6).
        rotation: How the last three are read.

    Returns:
        (..., 4, 4).
    """
    read = euler_rotation if rotation == "euler" else quaternion_rotation
    return rigid(read(vector[..., 3:]), vector[..., :3])


def _matrix(*rows: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """(..., 3, 3) from its elements (...)."""
    return torch.stack([torch.stack(row, -1) for row in rows], -2)
