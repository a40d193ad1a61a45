"""Axes and rotations as camera files have them, in float64."""

from __future__ import annotations

import numpy as np

FLIP = np.diag((1.0, -1.0, -1.0, 1.0))
"""On the right of a pose: from a camera that looks along −z, y up (Blender, Nuke), to OpenCV's; and back."""


def rotation_of(quaternion: np.ndarray) -> np.ndarray:
    """The rotation (..., 3, 3) of a quaternion.

    Args:
        quaternion: (..., 4), w x y z, not 0; of any length.
    """
    w, x, y, z = np.moveaxis(quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, -1) for row in rows], -2)


def quaternion_of(rotation: np.ndarray) -> np.ndarray:
    """The unit quaternion (4,), w x y z with w ≥ 0, of a rotation; well conditioned for every angle.

    Args:
        rotation: (3, 3).
    """
    # Shepperd 1978: the products of the four parts by pairs; the row of the largest part is the safe one.
    (a, b, c), (d, e, f), (g, h, i) = rotation
    products = np.array(
        (
            (1 + a + e + i, h - f, c - g, d - b),
            (h - f, 1 + a - e - i, b + d, c + g),
            (c - g, b + d, 1 - a + e - i, f + h),
            (d - b, c + g, f + h, 1 - a - e + i),
        )
    )
    quaternion = products[np.argmax(np.diagonal(products))]
    unit: np.ndarray = quaternion / np.linalg.norm(quaternion)
    return -unit if unit[0] < 0 else unit


def between(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """The pose a share of the way from one to another: turned evenly (slerp), moved in a straight line.

    Args:
        first, second: (4, 4), rigid.
        share: 0: the first, 1: the second.

    Returns:
        (4, 4).
    """
    start, stop = quaternion_of(first[:3, :3]), quaternion_of(second[:3, :3])
    stop = -stop if start @ stop < 0 else stop
    angle = 2 * np.arctan2(np.linalg.norm(stop - start), np.linalg.norm(stop + start))
    turned = start + share * (stop - start)  # where the way is so short that arc and chord agree
    if angle > 1e-6:
        turned = (np.sin((1 - share) * angle) * start + np.sin(share * angle) * stop) / np.sin(angle)
    pose = np.eye(4)
    pose[:3, :3] = rotation_of(turned)
    pose[:3, 3] = (1 - share) * first[:3, 3] + share * second[:3, 3]
    return pose


def turned_about(axis: int, degrees: float) -> np.ndarray:
    """The right-handed rotation (3, 3) about x (0), y (1) or z (2).

    Args:
        axis: Which.
        degrees: The angle.
    """
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    one, other = (axis + 1) % 3, (axis + 2) % 3
    rotation = np.eye(3)
    rotation[[one, other], [one, other]] = cosine
    rotation[one, other], rotation[other, one] = -sine, sine
    return rotation


def angles_zxy(rotation: np.ndarray) -> tuple[float, float, float]:
    """Degrees about x, y and z of a rotation that turns about z first, then x, then y; x is within ±90.

    Args:
        rotation: (3, 3).
    """
    # R = Ry Rx Rz: its third column is (sy cx, -sx, cy cx), its second row (cx sz, cx cz, -sx).
    x = np.arctan2(-rotation[1, 2], np.hypot(rotation[1, 0], rotation[1, 1]))
    if np.hypot(rotation[1, 0], rotation[1, 1]) < 1e-9:  # looks straight up or down: y and z are one
        y, z = np.arctan2(-rotation[2, 0], rotation[0, 0]), 0.0
    else:
        y = np.arctan2(rotation[0, 2], rotation[2, 2])
        z = np.arctan2(rotation[1, 0], rotation[1, 1])
    return float(np.degrees(x)), float(np.degrees(y)), float(np.degrees(z))
