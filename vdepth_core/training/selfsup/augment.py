"""From samples to a batch: mirrored, enlarged and recoloured as published, the same for all its pictures.

What is compared keeps its colours; only the networks see changed ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from ...learning.systems.system import Course
from .gallery import Sample

_GREY = np.array((0.299, 0.587, 0.114), np.float32)


@dataclass(frozen=True)
class Batch:
    """Samples of one step.

    Attributes:
        pictures: (B, 1 + S, 3, h, w) in [0, 1], as `Sample.pictures`.
        seen: The same as the networks see them.
        K: (B, 3, 3) float32, for pixel indices.
        left: (B,) bool, whether the stereo partner is the right one; None: there is none.
        measured: (B, T, 3) float32, or None.
        turned: (B,) bool, whether only what the depth network sees is mirrored.
    """

    pictures: Tensor
    seen: Tensor
    K: Tensor
    left: Tensor | None
    measured: Tensor | None
    turned: Tensor

    def to(self, device: str) -> Batch:
        """The same on a device.

        Args:
            device: As torch spells it.
        """
        moved = {
            name: value.to(device, non_blocking=True)
            for name, value in vars(self).items()
            if isinstance(value, Tensor)
        }
        return replace(self, **moved)


@dataclass(frozen=True)
class Colours:
    """A change of colours; the order of its four steps is part of it."""

    order: tuple[int, ...]
    factors: tuple[float, float, float, float]

    @classmethod
    def drawn(cls, jitter: tuple[float, float, float, float], rng: np.random.Generator) -> Colours:
        """A random change.

        Args:
            jitter: Most change of brightness, contrast, saturation (factors from 1) and hue (turns).
            rng: Decides.
        """
        *most, hue = jitter
        factors = [float(rng.uniform(max(0.0, 1 - value), 1 + value)) for value in most]
        order = tuple(int(step) for step in rng.permutation(4))
        return cls(order, (factors[0], factors[1], factors[2], float(rng.uniform(-hue, hue))))

    def applied(self, picture: np.ndarray) -> np.ndarray:
        """A picture with its colours changed.

        Args:
            picture: (h, w, 3) float32 in [0, 1].
        """
        for step in self.order:
            factor = np.float32(self.factors[step])
            if step == 0:
                picture = picture * factor
            elif step == 1:
                mean = (picture @ _GREY).mean()
                picture = mean + (picture - mean) * factor
            elif step == 2:
                grey = (picture @ _GREY)[..., None]
                picture = grey + (picture - grey) * factor
            else:
                hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
                hsv[..., 0] = np.mod(hsv[..., 0] + 360 * factor, 360)
                picture = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
            picture = np.clip(picture, 0, 1)
        return picture


def prepared(sample: Sample, course: Course, rng: np.random.Generator | None) -> Batch:
    """One sample as a batch of one.

    Args:
        sample: As read.
        course: What is changed, and how often.
        rng: Decides; None: nothing is changed.
    """
    if rng is not None and course.zoom > 1:
        sample = _enlarged(sample, course.zoom, rng)
    mirror = rng is not None and rng.uniform() < course.mirror
    if mirror and course.mirrors == "sample":
        sample = _mirrored(sample)
    clean = sample.pictures.astype(np.float32) / np.float32(255)
    seen = clean
    if rng is not None and rng.uniform() < course.jittered:
        colours = Colours.drawn(course.jitter, rng)
        seen = np.stack([colours.applied(picture) for picture in clean])
    return Batch(
        _tensor(clean)[None],
        _tensor(seen)[None],
        torch.from_numpy(sample.K).float()[None],
        None if sample.left is None else torch.tensor([sample.left]),
        None if sample.measured is None else torch.from_numpy(sample.measured).float()[None],
        torch.tensor([(mirror and course.mirrors == "depth") != (course.sided and sample.left is False)]),
    )


def joined(batches: list[Batch]) -> Batch:
    """Several batches as one.

    Args:
        batches: Alike.
    """
    parts = {name: [vars(batch)[name] for batch in batches] for name in vars(batches[0])}
    whole: dict[str, Any] = {
        name: None if values[0] is None else torch.cat(values) for name, values in parts.items()
    }
    return Batch(**whole)


def _tensor(pictures: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))


def _mirrored(sample: Sample) -> Sample:
    """The scene in a mirror: what was the left camera is the right one."""
    K = sample.K.copy()
    K[0, 2] = sample.pictures.shape[2] - 1 - K[0, 2]
    left = None if sample.left is None else not sample.left
    return replace(sample, pictures=sample.pictures[:, :, ::-1], K=K, left=left)


def _enlarged(sample: Sample, most: float, rng: np.random.Generator) -> Sample:
    """All pictures larger by a factor each way, and the old size cut out of them at random."""
    height, width = sample.pictures.shape[1:3]
    scale = rng.uniform(1, most, 2)
    large = int(height * scale[0]), int(width * scale[1])
    top, left = (
        int(rng.integers(0, big - side + 1)) for big, side in zip(large, (height, width), strict=True)
    )
    pictures = np.stack(
        [
            cv2.resize(picture, large[::-1], interpolation=cv2.INTER_LINEAR)[
                top : top + height, left : left + width
            ]
            for picture in sample.pictures
        ]
    )
    K = sample.K.copy()
    K[:2, 2] += 0.5
    K *= np.array((large[1] / width, large[0] / height, 1))[:, None]
    K[:2, 2] -= (left + 0.5, top + 0.5)
    return replace(sample, pictures=pictures, K=K)
