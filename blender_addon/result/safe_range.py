# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a camera may leave the plate's before a share of its picture is empty. No bpy in here.

The plate's samples are seen from the moved camera as the mesh shows them: each covers the rectangle between
its borders, which it shares with its neighbours but for cuts (`step`, as in the mesh's nodes). What no sample
covers is empty: behind cuts, and past the plate's own borders. What is empty at the unmoved camera, as a sky
without depth, is not counted. The least limit of all frames is the shot's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .manifest import Camera

WIDEST = math.radians(60)
NEAREST = 0.02  # quantile of depth that counts as the nearest
LINES = 72
"""Rows or columns of a picture that are looked at; across them every pixel is, as cuts are a pixel wide."""
REACH = 3  # samples over which the mesh takes a side's slope
FINE = 4  # parts of a pixel, or of a line's height, to which borders are rounded
_ROUNDS = 9  # of halving: to 1/500 of what a limit may be
MOVES = ("yaw", "pitch", "parallax", "closer", "farther")

Pose = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Seen:
    """Nearest and median depth of a frame."""

    near: float
    median: float


def seen(z: np.ndarray) -> Seen:
    """Looks at a depth picture, infinite where there is nothing; something has to be there."""
    there = z[np.isfinite(z)]
    return Seen(float(np.quantile(there, NEAREST)), float(np.median(there)))


@dataclass
class SafeRange:
    """Moves to either side, until the share of the picture asked for is empty in any of the frames.

    Attributes:
        camera: Intrinsics in pixels.
        distance: Of the pivot that the camera turns around, and that a shifted picture keeps in place.
        tear: The mesh's.
        holes: Share of the picture that may be empty, 0..1.
        near: Nearest depth of all frames.
        limits: By `MOVES`: angles in radians, parallax and dolly in units of depth.
        frames: How many were looked at.
    """

    camera: Camera
    distance: float
    tear: float
    holes: float
    near: float = math.inf
    limits: dict[str, float] = field(default_factory=dict)
    frames: int = 0

    def __post_init__(self) -> None:
        """Begins with the widest moves that are offered at all."""
        sideways = self.distance * math.tan(WIDEST)
        self.limits = dict(zip(MOVES, (WIDEST, WIDEST, sideways, self.distance, self.distance), strict=True))

    def add(self, z: np.ndarray) -> None:
        """Narrows the limits by a frame.

        Args:
            z: (height, width) planar depth, infinite where there is nothing; something has to be there.
        """
        self.near = min(self.near, seen(z).near)
        self.limits["closer"] = min(self.limits["closer"], 0.8 * self.near)
        rows, columns = Samples(z, self.camera, self.tear, True), Samples(z, self.camera, self.tear, False)
        for move in MOVES:
            samples = columns if move == "pitch" else rows
            for sign in (1, -1) if move in ("yaw", "pitch", "parallax") else (1,):
                self._narrow(samples, move, sign)
        self.frames += 1

    def _narrow(self, samples: Samples, move: str, sign: int) -> None:
        def fits(amount: float) -> bool:
            return samples.empty(self.pose(move, sign * amount)) - samples.at_rest <= self.holes

        low, high = 0.0, self.limits[move]
        if fits(high):
            return
        for _ in range(_ROUNDS):
            middle = (low + high) / 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        self.limits[move] = low

    def pose(self, move: str, amount: float) -> Pose:
        """How the rig's camera sees a point (x, y, z) of the plate's, all in OpenCV's axes."""
        distance, sine, cosine = self.distance, math.sin(amount), math.cos(amount)
        if move == "yaw":
            return lambda x, y, z: (
                cosine * x + sine * (z - distance), y, cosine * (z - distance) - sine * x + distance
            )  # fmt: skip
        if move == "pitch":
            return lambda x, y, z: (
                x, cosine * y - sine * (z - distance), cosine * (z - distance) + sine * y + distance
            )  # fmt: skip
        if move == "parallax":
            return lambda x, y, z: (x + amount * (z / distance - 1), y, z)
        ahead = amount if move == "closer" else -amount
        return lambda x, y, z: (x, y, z - ahead)


class Samples:
    """A frame's samples with their borders.

    Args:
        z: (height, width) planar depth, infinite where there is nothing.
        camera: Intrinsics in pixels.
        tear: The mesh's.
        along_rows: Whether every pixel of some rows is taken, or of some columns.
    """

    def __init__(self, z: np.ndarray, camera: Camera, tear: float, along_rows: bool) -> None:
        self._camera, (height, width) = camera, z.shape
        coarse = -(-(height if along_rows else width) // LINES)
        across, down = (1, coarse) if along_rows else (coarse, 1)
        kept = z[down // 2 :: down, across // 2 :: across]
        with np.errstate(divide="ignore"):
            disparity = np.where(np.isfinite(kept), 1 / kept, 0.0).astype(np.float64)
        self._d = disparity
        self._left, self._right = _borders(disparity, tear)
        up, low = _borders(disparity.T, tear)
        self._top, self._bottom = up.T, low.T
        rows, columns = disparity.shape
        self._u = np.minimum(np.arange(columns + 1) * across, width).astype(np.float64)
        self._v = np.minimum(np.arange(rows + 1) * down, height).astype(np.float64)
        self._bins = (rows * FINE, columns * FINE)
        self._scale = (rows * FINE / height, columns * FINE / width)
        self.at_rest = self.empty(lambda x, y, z: (x, y, z))

    def empty(self, pose: Pose) -> float:
        """Share of a moved camera's picture that no sample covers, 0..1."""
        left, right, top, bottom = self._u[:-1], self._u[1:], self._v[:-1, None], self._v[1:, None]
        middle_u, middle_v = (left + right) / 2, (top + bottom) / 2
        sides = [
            self._seen(pose, left, middle_v, self._left, 1),
            self._seen(pose, right, middle_v, self._right, 1),
            self._seen(pose, middle_u, top, self._top, 0),
            self._seen(pose, middle_u, bottom, self._bottom, 0),
        ]
        shown = (self._d > 0) & np.isfinite(sides).all(0)
        (x0, x1, y0, y1) = (side[shown].astype(np.int64) for side in sides)
        x0, x1, y0, y1 = np.minimum(x0, x1), np.maximum(x0, x1), np.minimum(y0, y1), np.maximum(y0, y1)
        rows, columns = self._bins
        wide = columns + 1
        places = np.concatenate([y0 * wide + x0, y1 * wide + x1, y0 * wide + x1, y1 * wide + x0])
        signs = np.repeat([1.0, 1.0, -1.0, -1.0], len(x0))
        change = np.bincount(places, signs, (rows + 1) * wide).reshape(rows + 1, wide)
        whole = change.astype(np.int32)  # sums of which take a third of the time
        covered = whole.cumsum(0, np.int32).cumsum(1, np.int32)[:rows, :columns] > 0
        return 1.0 - float(covered.mean())

    def _seen(self, pose: Pose, u: np.ndarray, v: np.ndarray, disparity: np.ndarray, axis: int) -> np.ndarray:
        """Bin of the moved camera's picture, across (1) or down (0), where a place is seen; NaN behind it."""
        camera = self._camera
        with np.errstate(divide="ignore", invalid="ignore"):
            z = 1 / disparity
            place = pose((u - camera.cx) / camera.fx * z, (v - camera.cy) / camera.fy * z, z)
            at = (
                place[0] / place[2] * camera.fx + camera.cx
                if axis
                else place[1] / place[2] * camera.fy + camera.cy
            )
            bins = np.clip(np.rint(at * self._scale[axis]), 0, self._bins[axis])
            return np.where(place[2] > 0, bins, np.nan)


def step(disparity: np.ndarray, tear: float) -> np.ndarray:
    """Whether the mesh is cut between neighbours along the last axis, one less than these; 0 is no depth."""
    count = disparity.shape[-1]
    if count < 2:
        return np.zeros((*disparity.shape[:-1], 0), bool)
    first, second = disparity[..., :-1], disparity[..., 1:]
    change, at = second - first, np.arange(count - 1)
    before, after = np.maximum(at - REACH, 0), np.minimum(at + 1 + REACH, count - 1)
    sign = np.sign(change)
    explained = np.zeros_like(change)
    for far, own, samples in ((before, first, at - before), (after, second, after - at - 1)):
        other = disparity[..., far]
        slope = (other - own) / np.maximum(samples, 1) * (sign if far is after else -sign)
        explained = np.maximum(explained, np.where(other > 0, slope, 0.0))
    farther = np.minimum(first, second)
    cut: np.ndarray = (farther <= 0) | (np.abs(change) - explained > tear * farther)
    return cut


def _borders(disparity: np.ndarray, tear: float) -> tuple[np.ndarray, np.ndarray]:
    """Disparity of each sample's two borders along the last axis."""
    low, high = disparity.copy(), disparity.copy()
    whole = ~step(disparity, tear)
    shared = (disparity[..., :-1] + disparity[..., 1:]) / 2
    low[..., 1:][whole] = shared[whole]
    high[..., :-1][whole] = shared[whole]
    return low, high
