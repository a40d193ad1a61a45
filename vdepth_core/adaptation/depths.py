"""Depth that the clip itself shows, once computed, then on disk: triangulated along flow between frames.

The published losses compare pictures, which guide a depth only from a pixel or two away, and not at all where
a wall has no texture. Flow reaches as far as the camera moved. What it says is given with how much it is to
be trusted, so that the losses have the last word wherever it says nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..flow.dis import DisFlow
from ..store import FrameArray
from .targets import gaps_around
from .triangulation import triangulate

if TYPE_CHECKING:
    from torch import Tensor

    from ..progress import Progress
    from .footage import Footage

STAGE = "depth"
CERTAIN = 0.1  # standard deviation over inverse depth at which it is half believed
FLOOR = 0.2  # of the median: farther away, certainty is measured as if it were that near


class Depths:
    """Inverse depth of every frame of a footage, and how much it is to be trusted."""

    def __init__(self, folder: Path, footage: Footage) -> None:
        """Opens or creates the files in ``folder``."""
        shape = (footage.height, footage.width)
        self._footage = footage
        self.inverse = FrameArray(folder / "inverse.f32", footage.count, shape, "<f4")
        self.trust = FrameArray(folder / "trust.u8", footage.count, shape, "u1")

    def close(self) -> None:
        """Closes the files."""
        self.inverse.close()
        self.trust.close()

    def read(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Inverse depth (n, h, w) in units of the median's, and trust (n, h, w) in [0, 1].

        Args:
            indices: Frame numbers within the adapted range.
        """
        inverse = np.concatenate([self.inverse.read(index) for index in indices])
        trust = np.concatenate([self.trust.read(index) for index in indices])
        return torch.from_numpy(inverse), torch.from_numpy(trust).float().div_(255)

    def find(
        self, K: np.ndarray, poses: np.ndarray, spans: Sequence[range], gaps: Sequence[int],
        static: FrameArray | None, progress: Progress,
    ) -> None:  # fmt: skip
        """Triangulates every frame that is not there yet; stage ``depth``.

        Args:
            K: (3, 3) for pixel indices at the footage's size.
            poses: (N, 4, 4) camera-to-world, in units of the median depth.
            spans: Frames in a row, of one shot, whose cameras are known; the others are left out.
            gaps: Of each span, frames.
            static: (h, w) uint8 a frame, 0 where things move by themselves; None: nothing does.
            progress: May cancel.

        Raises:
            Cancelled: the user asked to stop.
        """
        frames = [index for span in spans for index in span]
        progress.stage(STAGE, len(frames))
        missing = [index for index in frames if not (self.inverse.done(index) and self.trust.done(index))]
        progress.skip(STAGE, len(frames) - len(missing))
        for index, inverse, error in triangulated(self._footage, missing, K, poses, spans, gaps):
            with progress.step(STAGE):
                trust = trust_of(inverse, error)
                if static is not None:
                    trust *= static.read(index)[0] / np.float32(255)
                self.inverse.write(index, inverse[None])
                self.trust.write(index, np.rint(255 * trust).astype(np.uint8)[None])


def triangulated(
    footage: Footage, frames: Sequence[int], K: np.ndarray, poses: np.ndarray, spans: Sequence[range],
    gaps: Sequence[int],
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:  # fmt: skip
    """Frames with their inverse depth (h, w) and its standard deviation (h, w), from flow to frames around.

    Args:
        footage: Its frames are there.
        frames: Numbers of those that are wanted, in spans.
        K: (3, 3) for pixel indices at the footage's size.
        poses: (N, 4, 4) camera-to-world; their unit is the depth's.
        spans: Frames in a row, of one shot, whose cameras are known.
        gaps: Of each span, frames.
    """
    estimator, read = DisFlow("medium"), footage.frames.read
    places = {index: place for place, span in enumerate(spans) for index in span}
    for target in frames:
        span, gap = spans[places[target]], gaps[places[target]]
        around = [target + sign * step for step in gaps_around(gap, len(span)) for sign in (-1, 1)]
        sources = [source for source in around if source in span]
        picture = read(target)[0]
        flows, seen = zip(*(estimator.motion(picture, read(s)[0]) for s in sources), strict=True)
        relative = np.linalg.inv(poses[sources]) @ poses[target]
        yield target, *triangulate(np.stack(flows), np.stack(seen), K, relative)


def trust_of(inverse: np.ndarray, error: np.ndarray) -> np.ndarray:
    """How much a triangulated inverse depth is to be believed, (h, w) float32 in [0, 1].

    Args:
        inverse, error: (h, w), in units of the median's inverse depth, and its standard deviation.
    """
    wanted = CERTAIN * np.maximum(inverse, FLOOR)
    trust = 1 / (1 + (error / wanted) ** 2)
    return np.where(np.isfinite(error) & (inverse > -error), trust, 0).astype(np.float32)
