"""3D Gaussian splats: one a pixel, a beginning for training or a cloud to look at; a PLY file a frame.

Names and coding of the values are those of the reference (Kerbl et al. 2023), which viewers read: scales are
logarithms, opacity a logit, rotations quaternions w x y z, ``f_dc`` the constant harmonic of sRGB colours.
A splat is the footprint of its pixel on the surface: the Gaussian whose picture is a round one of `SPREAD`
pixels (the inverse of EWA's projection, Zwicker et al. 2001).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...files import write_bytes
from ...geometry.camera import Intrinsics
from ...geometry.camera_files.rotations import quaternion_of
from ...geometry.normals import normals_from_depth
from ...progress import Progress
from ..naming import safe_name
from ..sequence import DepthSequence
from .options import GaussiansOptions
from .rig import Rig
from .surface import Surface, surfaces

SPREAD = 0.6  # standard deviation, in pixels from splat to splat: they close up, and blur little
OPACITY = 0.95
_THIN = 0.1  # of the smaller side
_DC = 0.28209479177387814  # Y_00, 1 / (2 sqrt(pi))
_SKY = 1e10


class Gaussians:
    """``<clip>_gaussians.<frame:04d>.ply``."""

    name = "gaussians"
    Options = GaussiansOptions

    def __init__(self, options: GaussiansOptions) -> None:
        self.options = options

    def export(self, sequence: DepthSequence, out: Path, progress: Progress) -> list[Path]:
        """Writes the sequence; see `Exporter.export`.

        Raises:
            UsageError: the sequence has none of the frames.
            InputError: a frame is missing or damaged.
            ResourceError: the disk is full or not writable.
        """
        rig, files = Rig.read(sequence, self.options, progress), []
        stem = safe_name(sequence.manifest.clip.name)
        rest = 3 * ((self.options.degree + 1) ** 2 - 1)
        names = ["x", "y", "z", "nx", "ny", "nz"] + [f"f_dc_{k}" for k in range(3)]
        names += [f"f_rest_{k}" for k in range(rest)]
        names += ["opacity"] + [f"scale_{k}" for k in range(3)] + [f"rot_{k}" for k in range(4)]
        for surface in surfaces(rig, self.options, progress):
            turned, scales = footprints(
                surface, rig.lens(surface.number), self.options.stride, self.options.tear
            )
            splats = np.zeros((len(surface.points), len(names)), "<f4")
            splats[:, :3] = surface.placed
            splats[:, 6:9] = (surface.colours / 255 - 0.5) / _DC
            splats[:, 9 + rest] = np.log(OPACITY / (1 - OPACITY))
            splats[:, 10 + rest : 13 + rest] = np.log(scales)
            splats[:, 13 + rest :] = _times(quaternion_of(surface.world[:3, :3]), turned)
            head = ["ply", "format binary_little_endian 1.0", f"element vertex {len(splats)}"]
            head += [f"property float {name}" for name in names]
            path = out / f"{stem}_gaussians.{surface.number:04d}.ply"
            write_bytes(path, "\n".join((*head, "end_header\n")).encode() + splats.tobytes())
            files.append(path)
        return files


def footprints(surface: Surface, lens: Intrinsics, stride: int, tear: float) -> tuple[np.ndarray, np.ndarray]:
    """Rotations and standard deviations of the splats of a frame's pixels.

    Args:
        surface: The frame.
        lens: Of its plate.
        stride: Pixels from splat to splat.
        tear: From one to the next, depth changes by no more than this part of itself.

    Returns:
        (N, 4) unit quaternions w x y z, in the camera's axes (x right, y up, z to the camera), and (N, 3).
    """
    across, down = surface.places.T
    depth = np.where(surface.z > 0, surface.z, _SKY)
    normals = normals_from_depth(depth, lens)[down, across].astype(np.float64)
    z = -surface.points[:, 2].astype(np.float64)
    x, y = (across + 0.5 - lens.cx) / lens.fx, -(down + 0.5 - lens.cy) / lens.fy
    facing = np.maximum(normals[:, 2] - normals[:, 0] * x - normals[:, 1] * y, 1e-9)
    # Of the plane through the point: how depth grows by a step across, and by one down.
    limit = tear * z
    by_x = np.clip(stride / lens.fx * normals[:, 0] * z / facing, -limit, limit)
    by_y = np.clip(-stride / lens.fy * normals[:, 1] * z / facing, -limit, limit)
    zero = np.zeros_like(z)
    along = (
        np.stack((stride / lens.fx * z, zero, zero), 1)
        + np.stack((x, y, -np.ones_like(z)), 1) * by_x[:, None]
    )
    below = (
        np.stack((zero, -stride / lens.fy * z, zero), 1)
        + np.stack((x, y, -np.ones_like(z)), 1) * by_y[:, None]
    )
    ahead = np.cross(below, along)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    # The shortest turn of z onto the normal, then one about it, onto the axes of the ellipse.
    lean = np.stack((1 + ahead[:, 2], -ahead[:, 1], ahead[:, 0], zero), 1)
    lean /= np.linalg.norm(lean, axis=1, keepdims=True)
    right, up = _turned(lean, (1.0, 0.0, 0.0)), _turned(lean, (0.0, 1.0, 0.0))
    sides = np.stack([[(axis * step).sum(1) for step in (along, below)] for axis in (right, up)])
    (a, b), (_, d) = np.einsum("ikn,jkn->ijn", sides, sides)
    turn = 0.5 * np.arctan2(2 * b, a - d)
    middle, apart = (a + d) / 2, np.hypot((a - d) / 2, b)
    long = np.sqrt(middle + apart)
    short = np.abs(sides[0, 0] * sides[1, 1] - sides[0, 1] * sides[1, 0]) / long
    spin = np.stack((np.cos(turn / 2), zero, zero, np.sin(turn / 2)), 1)
    return _times(lean, spin), SPREAD * np.stack((long, short, _THIN * short), 1)


def _times(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The turn of ``second``, then of ``first``: (..., 4), w x y z."""
    a, b = np.broadcast_arrays(first, second)
    w = a[..., :1] * b[..., :1] - (a[..., 1:] * b[..., 1:]).sum(-1, keepdims=True)
    v = a[..., :1] * b[..., 1:] + b[..., :1] * a[..., 1:] + np.cross(a[..., 1:], b[..., 1:])
    return np.concatenate((w, v), -1)


def _turned(quaternions: np.ndarray, vector: tuple[float, float, float]) -> np.ndarray:
    """A vector after the turns: (N, 3)."""
    axis = quaternions[:, 1:]
    twice = 2 * np.cross(axis, np.asarray(vector))
    return np.asarray(vector + quaternions[:, :1] * twice + np.cross(axis, twice))
