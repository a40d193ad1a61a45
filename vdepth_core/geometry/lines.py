"""Straight lines of a picture, and the direction in space that many have: down, or along a road.

A line of the picture and the camera's centre span a plane; lines that are parallel in space span planes that
all hold their direction (Barnard 1983). Down is what a building's uprights agree on.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .camera import Intrinsics

_SIDE = 640  # pixels across at which lines are looked for
_SHORTEST = 0.04  # of the picture's height
_CLOSE = 0.01  # sine of the angle between a line's plane and the direction, up to which they agree
_TRIES = 2000


@dataclass(frozen=True)
class Lines:
    """Lines of one or more pictures.

    Attributes:
        normals: (N, 3) unit normals of the planes through the camera's centre.
        middles: (N, 2) their middles as x and y at z = 1.
        along: (N, 2) from end to end, likewise.
    """

    normals: np.ndarray
    middles: np.ndarray
    along: np.ndarray

    def __len__(self) -> int:
        return len(self.normals)

    @property
    def lengths(self) -> np.ndarray:
        """(N,) lengths at z = 1."""
        lengths: np.ndarray = np.hypot(self.along[:, 0], self.along[:, 1])
        return lengths

    def where(self, chosen: np.ndarray) -> Lines:
        """Some of them.

        Args:
            chosen: (N,) bool.
        """
        return Lines(self.normals[chosen], self.middles[chosen], self.along[chosen])

    @staticmethod
    def join(several: list[Lines]) -> Lines:
        """All lines of several pictures.

        Args:
            several: At least one.
        """
        fields = ("normals", "middles", "along")
        return Lines(*(np.concatenate([getattr(one, field) for one in several]) for field in fields))


def find_lines(luma: np.ndarray, intrinsics: Intrinsics) -> Lines:
    """Line segments of a picture, the short ones left out.

    Args:
        luma: (H, W) uint8.
        intrinsics: For that size.
    """
    height, width = luma.shape
    shrink = min(1.0, _SIDE / width)
    small = cv2.resize(luma, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA) if shrink < 1 else luma
    found = cv2.createLineSegmentDetector().detect(small)[0]
    ends = np.zeros((0, 2, 2)) if found is None else found.reshape(-1, 2, 2).astype(np.float64) / shrink
    ends = (ends + 0.5 - (intrinsics.cx, intrinsics.cy)) / (intrinsics.fx, intrinsics.fy)
    along = ends[:, 1] - ends[:, 0]
    long = np.hypot(along[:, 0], along[:, 1]) > _SHORTEST * height / intrinsics.fy
    ends, along = ends[long], along[long]
    rays = np.concatenate([ends, np.ones((*ends.shape[:2], 1))], -1)
    normals = np.cross(rays[:, 0], rays[:, 1])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return Lines(normals, ends.mean(1), along)


def agreed_direction(
    lines: Lines, guess: np.ndarray, widest: float, seed: int = 0
) -> tuple[np.ndarray, int] | None:
    """The direction that the most lines have, near a guess.

    Args:
        lines: Lines of one or more pictures of one camera.
        guess: (3,) unit vector.
        widest: Largest angle to the guess in degrees.
        seed: Of the tries.

    Returns:
        The direction (3,), and how many lines agree; None if no two do.
    """
    if len(lines) < 2:
        return None
    chance, long = np.random.default_rng(seed), lines.lengths
    weights = np.sqrt(long)  # a few long ones do not outvote the rest
    pairs = chance.choice(len(lines), (_TRIES, 2), p=long / long.sum())
    tries = np.cross(lines.normals[pairs[:, 0]], lines.normals[pairs[:, 1]])
    size = np.linalg.norm(tries, axis=1, keepdims=True)
    tries = tries[size[:, 0] > 1e-4] / size[size[:, 0] > 1e-4]
    tries *= np.where(tries @ guess < 0, -1.0, 1.0)[:, None]
    tries = tries[tries @ guess > np.cos(np.radians(widest))]
    if not len(tries):
        return None
    apart = np.abs(lines.normals @ tries.T) / _CLOSE
    scores = weights @ (1 - np.minimum(apart, 1) ** 2)
    best: np.ndarray = tries[int(scores.argmax())]
    for _ in range(10):  # Tukey's weights
        trust = weights * np.clip(1 - (lines.normals @ best / (1.5 * _CLOSE)) ** 2, 0, None) ** 2
        best = np.linalg.svd(lines.normals * np.sqrt(trust)[:, None], full_matrices=False)[2][-1]
        best = best if best @ guess > 0 else -best
    return best, int((np.abs(lines.normals @ best) < _CLOSE).sum())
