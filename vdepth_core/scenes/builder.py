"""Collects solids and materials of one scene, with random but seeded choices."""

from __future__ import annotations

import colorsys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from .primitives import Kind, Solid
from .scene import Light, Material, Motion, Scene
from .textures import library

T = TypeVar("T")
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Frame:
    """A place to put a thing: position (x, height above the floor, z) in metres, yaw in radians, scale."""

    x: float = 0.0
    h: float = 0.0
    z: float = 0.0
    yaw: float = 0.0
    scale: float = 1.0

    def at(self, x: float, h: float, z: float, yaw: float = 0.0, scale: float = 1.0) -> Frame:
        """A frame relative to this one.

        Args:
            x, h, z: Position in this frame's axes and scale.
            yaw: Radians, added to this one's.
            scale: Times this one's.
        """
        s, c = np.sin(self.yaw) * self.scale, np.cos(self.yaw) * self.scale
        return Frame(
            self.x + c * x + s * z,
            self.h + self.scale * h,
            self.z - s * x + c * z,
            self.yaw + yaw,
            self.scale * scale,
        )


def rotation(axis: int, angle: float) -> np.ndarray:
    """(3, 3) rotation about world axis 0, 1 or 2.

    Args:
        axis: Of x, y and z.
        angle: Radians.
    """
    c, s = np.cos(angle), np.sin(angle)
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = np.eye(3)
    matrix[i, i] = matrix[j, j] = c
    matrix[i, j], matrix[j, i] = -s, s
    return matrix


class Dice:
    """Random numbers in the forms that building needs."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def u(self, low: float, high: float) -> float:
        """A uniform random number.

        Args:
            low, high: Its range.
        """
        return float(self.rng.uniform(low, high))

    def pick(self, things: Sequence[T]) -> T:
        """One of ``things``, all equally likely.

        Args:
            things: One at least.
        """
        return things[int(self.rng.integers(len(things)))]

    def coin(self, probability: float = 0.5) -> bool:
        """True with the given probability.

        Args:
            probability: In [0, 1].
        """
        return bool(self.rng.uniform() < probability)


class Builder(Dice):
    """Solids, materials, motions and dice of a scene under construction."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng)
        self.dice = Dice(rng.spawn(1)[0])  # motion has its own, so that a still scene is the same scene
        self.solids: list[Solid] = []
        self.materials: list[Material] = []
        self.motions: list[Motion] = []
        self._body = 0

    def colour(self, value: tuple[float, float] = (0.05, 0.8), vivid: float = 0.5) -> np.ndarray:
        """A random linear RGB colour; natural hues are likelier than neon.

        Args:
            value: Range of HSV's value, before a power of 1.5.
            vivid: How saturated it may be, in [0, 1].
        """
        hue = self.rng.choice([self.rng.normal(0.08, 0.05), self.rng.normal(0.6, 0.08), self.rng.uniform()])
        saturation = self.rng.beta(1.2, 3) * 2 * vivid
        return np.array(colorsys.hsv_to_rgb(hue % 1, min(1, saturation), self.u(*value) ** 1.5), np.float32)

    def paint(
        self, *kinds: str, tile: float | None = None, value: tuple[float, float] = (0.15, 0.95),
        vivid: float = 0.5, hue: np.ndarray | None = None, contrast: float | None = None,
        gloss: float | None = None, glow: float = 0.0, overlay: float | None = None,
    ) -> int:  # fmt: skip
        """Adds a material whose base texture is one of ``kinds`` (default: any); returns its row.

        Args:
            *kinds: Names of textures; none: any.
            tile: Metres a repetition; None: random.
            value, vivid: Of the colours, as in `colour`.
            hue: Linear RGB that all colours are shades of; None: random ones.
            contrast: Of the texture, in [0, 1]; None: random.
            gloss: Strength of the highlight; None: random.
            glow: Light of its own.
            overlay: Strength of a second texture; None: random.
        """
        texels = library()
        names = kinds or (
            "noise",
            "noise",
            "wood",
            "tiles",
            "checker",
            "stripes",
            "patches",
            "cells",
            "brick",
            "spines",
        )
        base = int(self.rng.choice(texels.indices(str(self.rng.choice(names)))))
        over = int(
            self.rng.choice(texels.indices("noise", "cells", "patches" if self.coin(0.2) else "noise"))
        )
        first = self.colour(value, vivid) if hue is None else hue * self.u(0.7, 1.2)
        spread = self.u(0.25, 0.8)
        light = np.clip(first * (1 + spread) + 0.08 * spread, 0, 1)
        dark = first * (1 - spread)
        if self.coin(0.15) and hue is None:
            light = self.colour((0.3, 0.95), vivid)
        third = self.colour(value, vivid) if hue is None else hue * self.u(0.4, 1.1)
        if contrast is None:
            contrast = self.rng.choice([0.15, 0.5, 1.0])
        self.materials.append(
            Material(
                np.stack((dark, light, third)).astype(np.float32), (base, over),
                tile if tile is not None else float(np.exp(self.u(np.log(0.15), np.log(2)))),
                self.u(1.3, 5), self.u(0, 0.45) if overlay is None else overlay, float(contrast),
                (self.u(0, 0.6) if self.coin(0.4) else 0.02) if gloss is None else gloss, glow,
                (self.u(0, 1), self.u(0, 1)),
            )
        )  # fmt: skip
        return len(self.materials) - 1

    def add(
        self, kind: Kind, frame: Frame, at: Triple, half: Triple,
        material: int, turn: np.ndarray | None = None, taper: float = 1.0, planes: np.ndarray | None = None,
        casts: bool = True,
    ) -> None:  # fmt: skip
        """Adds a solid whose centre is ``at`` in ``frame``; ``turn`` rotates it in place.

        Args:
            kind: Of the solid.
            frame: What ``at`` and ``half`` are measured in.
            at: (x, height, z).
            half: Half its size along x, height and z.
            material: Row that `paint` gave.
            turn: (3, 3) rotation; None: none.
            taper: Of a frustum, top radius over bottom radius.
            planes: (K, 4) half-spaces (nx, ny, nz, c) of a polytope, in its unit space.
            casts: Whether it throws a shadow.
        """
        place = frame.at(*at)
        axes = rotation(1, frame.yaw)
        if turn is not None:
            axes = axes @ turn
        size = np.maximum(np.array(half) * frame.scale, 1e-3)
        centre = np.array((place.x, -place.h, place.z))
        phase = float(self.rng.uniform())
        self.solids.append(Solid(kind, centre, axes, size, material, taper, planes, phase, casts, self._body))

    @contextmanager
    def moving(self, frame: Frame, at: Triple = (0.0, 0.0, 0.0), axis: Triple = (0.0, 1.0, 0.0),
               velocity: Triple = (0.0, 0.0, 0.0), spin: float = 0.0,
               swing: tuple[float, float, float] = (0.0, 1.0, 0.0)) -> Iterator[None]:  # fmt: skip
        """What is added meanwhile is one body, whose `Motion` is given in ``frame``'s (x, height, z).

        Bodies nest: an arm moves with the person it hangs on.

        Args:
            frame: What all is measured in; heights point up.
            at: What turning leaves in place.
            axis: Unit axis of turning.
            velocity: Metres a frame.
            spin: Radians a frame.
            swing: Amplitude in radians, period in frames, phase.
        """
        place, turn, flip = frame.at(*at), rotation(1, frame.yaw), np.array((1, -1, 1))
        self.motions.append(
            Motion(
                np.array((place.x, -place.h, place.z)), turn @ (np.array(axis) * flip),
                turn @ (np.array(velocity) * flip) * frame.scale, spin, swing, self._body,
            )
        )  # fmt: skip
        outer, self._body = self._body, len(self.motions)
        yield
        self._body = outer

    def box(self, frame: Frame, at: Triple, half: Triple, material: int,
            turn: np.ndarray | None = None, casts: bool = True) -> None:  # fmt: skip
        """Adds a box.

        Arguments are those of `add`.
        """
        self.add(Kind.BOX, frame, at, half, material, turn, casts=casts)

    def ball(self, frame: Frame, at: Triple, half: Triple, material: int,
             turn: np.ndarray | None = None) -> None:  # fmt: skip
        """Adds an ellipsoid.

        Arguments are those of `add`.
        """
        self.add(Kind.ELLIPSOID, frame, at, half, material, turn)

    def leaves(self, frame: Frame, at: Triple, half: Triple, material: int) -> None:  # fmt: skip
        """Adds a foliage ellipsoid.

        Arguments are those of `add`.
        """
        self.add(Kind.LEAVES, frame, at, half, material, rotation(1, self.u(0, 6.3)))

    def post(self, frame: Frame, at: Triple, radius: float, half_height: float, material: int,
             taper: float = 1.0, turn: np.ndarray | None = None) -> None:  # fmt: skip
        """Adds an upright frustum: cylinder, cone or anything between.

        Args:
            frame, at: As of `add`.
            radius: At the bottom.
            half_height: Half its height.
            material, taper, turn: As of `add`.
        """
        self.add(Kind.FRUSTUM, frame, at, (radius, half_height, radius), material, turn, taper)

    def limb(self, frame: Frame, start: Triple, stop: Triple, radius: float,
             material: int, round_: bool = True) -> None:  # fmt: skip
        """Adds an ellipsoid or cylinder between two points of ``frame``.

        Args:
            frame: What the rest is measured in.
            start, stop: (x, height, z) of its ends.
            radius: Of its middle.
            material: Row that `paint` gave.
            round_: Whether it is an ellipsoid, which reaches ``radius`` beyond the ends.
        """
        a, b = np.array(start, float), np.array(stop, float)
        a[1], b[1] = -a[1], -b[1]
        along = b - a
        length = float(np.linalg.norm(along)) + 1e-6
        y = along / length
        x = np.cross(y, (0.0, 0.0, 1.0) if abs(y[2]) < 0.9 else (1.0, 0.0, 0.0))
        x /= np.linalg.norm(x)
        turn = np.stack((x, y, np.cross(x, y)), 1)
        middle = (a + b) / 2
        half = (radius, length / 2 + (radius if round_ else 0), radius)
        kind = Kind.ELLIPSOID if round_ else Kind.FRUSTUM
        self.add(kind, frame, (middle[0], -middle[1], middle[2]), half, material, turn)

    def wedge(self, frame: Frame, at: Triple, half: Triple, material: int,
              top: tuple[float, float] = (0.6, 0.6), turn: np.ndarray | None = None) -> None:  # fmt: skip
        """Adds a box whose top is ``top`` = (x, z) times its bottom: cars, roofs (0 in one axis), pots.

        Args:
            frame, at, half, material: As of `add`.
            top: Shares in [0, 1]; 0 in one of them makes a ridge.
            turn: As of `add`.
        """
        rows = []
        for axis, share in ((0, top[0]), (2, top[1])):
            for sign in (-1, 1):
                normal = np.zeros(3)
                normal[axis], normal[1] = sign, -(1 - share) / 2
                rows.append((*normal, (1 + share) / 2))
        rows += [(0, 1, 0, 1), (0, -1, 0, 1)]
        planes = np.array(rows)
        planes /= np.linalg.norm(planes[:, :3], axis=1, keepdims=True)
        self.add(Kind.POLYTOPE, frame, at, half, material, turn, planes=planes)

    def stone(self, frame: Frame, at: Triple, half: Triple, material: int) -> None:  # fmt: skip
        """Adds a random convex rock.

        Arguments are those of `add`.
        """
        normals = np.concatenate((self.rng.normal(size=(9, 3)), np.eye(3), -np.eye(3)))
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        offsets = np.concatenate((self.rng.uniform(0.65, 0.95, 9), np.ones(6)))
        planes = np.concatenate((normals, offsets[:, None]), 1)
        self.add(Kind.POLYTOPE, frame, at, half, material, rotation(1, self.u(0, 6.3)), planes=planes)

    def scene(self, light: Light, centre: tuple[float, float, float], extent: float) -> Scene:
        """The finished scene; ``centre`` = (x, height, z) and ``extent`` bound the shadow map.

        Args:
            light: Sun, sky and lamps.
            centre: In world axes, metres.
            extent: Half the side of the square that the sun sees, in metres.
        """
        return Scene(
            tuple(self.solids),
            tuple(self.materials),
            light,
            np.array((centre[0], -centre[1], centre[2])),
            extent,
            tuple(self.motions),
        )
