"""A frame's maps by a line to metres: depth, disparity, and the normals of the depth that comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..align.metric import Line
from ..geometry.camera import Intrinsics
from ..output.finish import FAR_AWAY, DisparityRange
from .values import NOTHING, ShotValues

_ROWS = 64  # at a time: they are computed in double precision
_GRAZING = 0.004  # cosine to the ray below which half precision leaves nothing of a plane's distance


@dataclass(frozen=True)
class MetricMaps:
    """Brings the planes of a shot's frames to metres.

    Attributes:
        line: From the shot's numbers to metric ones.
        in_depth: They are depth; else inverse depth.
        ratio: How much x changes with the inverse depth of the files: a relative shot lies between near and
            far there, and its normals are those of that.
        camera: The plate's.
    """

    line: Line
    in_depth: bool
    ratio: float
    camera: Intrinsics

    @classmethod
    def of(cls, shot: ShotValues, line: Line) -> MetricMaps:
        """For a shot.

        Args:
            shot: Which one.
            line: As it was decided.
        """
        entry, ratio = shot.entry, 1.0
        if shot.shifted and not shot.in_depth:
            ratio = (entry.hi - entry.lo) / (1 / entry.near - 1 / entry.far)
        return cls(line, shot.in_depth, ratio, shot.camera)

    def ends(self, shot: ShotValues) -> tuple[DisparityRange, float, float]:
        """The shot's range in 1/m, and its near and far end in metres.

        Args:
            shot: Which one.
        """
        tiny = 1 / float(FAR_AWAY)
        hi, lo = (float(value) for value in self.line(np.array(shot.ends)))
        if self.in_depth:
            hi, lo = 1 / hi, 1 / lo
        hi = max(hi, 2 * tiny)
        return DisparityRange(lo, hi), 1 / hi, 1 / max(lo, tiny)

    def planes(self, planes: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All planes of a frame: those of depth in metres, the others as they are.

        Args:
            planes: Name -> (H, W), as `SEQUENCES` names them; depth and disparity are there.
        """
        made = dict(planes)
        z, y = planes["depth"], planes["disparity"]
        depth, disparity = np.empty(z.shape, np.float32), np.empty(z.shape, np.float32)
        turned = [f"normal.{axis}" for axis in "xyz"]
        normals = np.stack([planes[name] for name in turned], 2) if turned[0] in planes else None
        for top in range(0, len(z), _ROWS):
            rows = slice(top, top + _ROWS)
            solid = z[rows] < NOTHING
            x = (z if self.in_depth else y)[rows].astype(np.float64)
            q = self._inverse(x)
            seen = solid & (q > 1 / float(FAR_AWAY))
            disparity[rows] = np.where(seen, q, 0)
            depth[rows] = FAR_AWAY
            np.divide(1.0, q, out=depth[rows], where=seen, casting="same_kind")
            if normals is not None:
                old = 1 / z[rows].astype(np.float64)
                normals[rows] = np.where(
                    solid[..., None], self._normals(normals[rows], old, q, rows, z.shape), normals[rows]
                )
        made |= {"depth": depth, "disparity": disparity}
        if normals is not None:
            made |= {name: normals[..., axis] for axis, name in enumerate(turned)}
        return made

    def _inverse(self, x: np.ndarray) -> np.ndarray:
        """Inverse depth in 1/m."""
        reached = self.line(x)
        return (
            np.divide(1, reached, out=np.zeros_like(reached), where=reached > 0) if self.in_depth else reached
        )

    def _normals(
        self, normals: np.ndarray, old: np.ndarray, q: np.ndarray, rows: slice, shape: tuple[int, ...]
    ) -> np.ndarray:
        """The normals after inverse depth ``old`` has become ``q``.

        A plane's inverse depth is m · r along the ray r, with m along its normal. Near the pixel that
        becomes k · m · r + c; so does the plane, and c goes along the optical axis.
        """
        slope = self.line.scale * (q**2 / old**2 if self.in_depth else self.ratio)
        rays = self.camera.rays(shape[1], shape[0])[rows].astype(np.float64) * (1, -1, -1)
        facing = -(normals * rays).sum(2)
        facing = np.maximum(facing, _GRAZING * np.linalg.norm(rays, axis=2))
        made = (slope * old / facing)[..., None] * normals
        made[..., 2] += q - slope * old
        length = np.linalg.norm(made, axis=2, keepdims=True)
        return np.where(length > 0, made / np.maximum(length, 1e-30), normals)
