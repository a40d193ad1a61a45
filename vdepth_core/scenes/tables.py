"""A scene as tensors on a device, rows of solids and of materials, made once for each moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from .primitives import CUBE, Kind
from .scene import Material, Scene
from .shapes import Shape
from .textures import Library, library


@dataclass(frozen=True)
class Tables:
    """Numbers of S solids and M materials; those on the host are float64, tensors float32.

    Attributes:
        scene, device: What it was made of, and where it is.
        centre, to_local, corners: (S, 3), (S, 3, 3) and (S, 8, 3), on the host: placing rays wants precision.
        groups: Rows of solids of one kind and one number of planes, on the host.
        kind, material: (S,) int64.
        half: (3, S).
        frame, inverse: (9, S) axes to the world and row vectors' matrix to unit space, row by row.
        taper: (S,).
        planes: (4 * K, S), half-space by half-space; those a solid does not have hold everywhere.
        waves: (S, 5, 9), see `shapes.leaf`.
        paint: (19, M) see `Paint`.
        textures: (2, M) int64.
        library: The texture images.
    """

    scene: Scene
    device: torch.device
    centre: np.ndarray
    to_local: np.ndarray
    corners: np.ndarray
    casts: np.ndarray
    groups: tuple[tuple[Kind, int, np.ndarray], ...]
    kind: Tensor
    material: Tensor
    half: Tensor
    frame: Tensor
    inverse: Tensor
    taper: Tensor
    planes: Tensor
    waves: Tensor
    paint: Tensor
    textures: Tensor
    library: Library

    def shape(self, kind: Kind, sides: int, solids: Tensor | int) -> Shape:
        """The shape of one solid, as numbers, or of each of ``solids`` (N,), which are of one group.

        Args:
            kind, sides: Of the group.
            solids: Their numbers.
        """
        one = isinstance(solids, int)
        rows = slice(solids, solids + 1) if isinstance(solids, int) else solids
        if kind == Kind.LEAVES:
            return Shape(kind, waves=self.waves[rows])
        if kind == Kind.FRUSTUM:
            taper = self.taper[rows]
            return Shape(kind, taper=float(taper) if one else taper)
        if kind == Kind.POLYTOPE:
            planes = self.planes[: 4 * sides, rows]
            numbers = planes[:, 0].tolist() if one else list(planes)
            return Shape(kind, planes=[numbers[k : k + 4] for k in range(0, 4 * sides, 4)])
        return Shape(kind)


def tabulate(scene: Scene, device: torch.device) -> Tables:
    """The tables of a scene as it stands.

    Args:
        scene: See `Scene.at`.
        device: Where the tables are to lie.
    """
    solids = scene.solids

    def stack(values: Iterable[object]) -> np.ndarray:
        return np.array(list(values))

    def put(values: np.ndarray) -> Tensor:
        kind = torch.int64 if values.dtype.kind == "i" else torch.float32
        return torch.from_numpy(np.ascontiguousarray(values)).to(device, kind)

    axes, half = stack(s.axes for s in solids), stack(s.half for s in solids)
    centre, kinds = stack(s.centre for s in solids), stack(int(s.kind) for s in solids)
    to_local = axes / half[:, None]
    sides = stack(0 if s.planes is None else len(s.planes) for s in solids)
    planes = np.tile((0.0, 0, 0, 1), (len(solids), max(sides.max(), 1), 1))
    for number in np.flatnonzero(sides):
        planes[number, : sides[number]] = solids[number].planes
    waves = np.zeros((len(solids), 5, 9), np.float32)
    for number in np.flatnonzero(kinds == Kind.LEAVES):
        waves[number] = _waves(solids[number].phase)
    groups = tuple(
        (Kind(int(kind)), int(count), np.flatnonzero((kinds == kind) & (sides == count)))
        for kind, count in np.unique(np.stack((kinds, sides), 1), axis=0)
    )
    table = scene.materials
    return Tables(
        scene=scene,
        device=device,
        centre=centre,
        to_local=to_local,
        corners=centre[:, None] + (CUBE * half[:, None]) @ axes.transpose(0, 2, 1),
        casts=stack(s.casts for s in solids),
        groups=groups,
        kind=put(kinds),
        material=put(stack(s.material for s in solids)),
        half=put(half.T),
        frame=put(axes.reshape(-1, 9).T),
        inverse=put(to_local.reshape(-1, 9).T),
        taper=put(stack(s.taper for s in solids)),
        planes=put(planes.reshape(len(solids), -1).T),
        waves=put(waves),
        paint=put(stack(_paint_row(material) for material in table).T),
        textures=put(stack(material.textures for material in table).T),
        library=library(device),
    )


def _paint_row(m: Material) -> tuple[float, ...]:
    """Dark, light and overlay colour (9), offset (2), tile, overlay tile, overlay, contrast, gloss, glow."""
    wide = m.tile * m.overlay_tile
    return (*m.colours.ravel(), *m.offset, m.tile, wide, m.overlay, m.contrast, m.gloss, m.glow)


@lru_cache(maxsize=4096)
def _waves(phase: float) -> np.ndarray:
    """(5, 9) the foliage that ``phase`` in [0, 1] draws; a larger one has more leaf."""
    rng = np.random.default_rng(int(phase * 1e6))
    waves = np.zeros((5, 9), np.float32)
    waves[:3] = rng.normal(size=(3, 9)) * rng.choice([8.0, 15.0, 28.0], 9)
    waves[3] = rng.uniform(0, 6.3, 9)
    waves[4, 0] = 0.5 + phase * 1.5
    return waves
