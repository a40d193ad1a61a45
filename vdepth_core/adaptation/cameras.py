"""What is believed of a clip's cameras, as modules in training: poses, the lens, and how disparity is read.

Everything is in units of the scene's median depth, so that one learning rate fits every clip. A parameter of
1 is a hundredth of a radian, of that depth, or of a factor e: published pose networks multiply what they
answer by .01, too, and the norm of the gradient is then as much the network's as the cameras'.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ..geometry.poses import axis_angle_rotation, inverse, rigid

if TYPE_CHECKING:
    from ..store import FrameArray
    from .depths import Depths

STEP = 0.01
LEAST = 1e-3  # inverse depth in units of the median's: what is farther counts as that far


class Path(nn.Module):
    """Camera-to-world poses, each with a small motion of its own after it, which may be learnt."""

    def __init__(self, poses: np.ndarray, learnt: bool) -> None:
        """Starts at the given poses.

        Args:
            poses: (N, 4, 4) camera-to-world, in units of the median depth.
            learnt: Whether they are corrected; if not they are exact.
        """
        super().__init__()
        self.register_buffer("start", torch.from_numpy(np.array(poses, np.float64)))
        self.turn = nn.Parameter(torch.zeros(len(poses), 3), requires_grad=learnt)
        self.move = nn.Parameter(torch.zeros(len(poses), 3), requires_grad=learnt)

    def poses(self, indices: Sequence[int]) -> Tensor:
        """Camera-to-world of some frames, (n, 4, 4) float64.

        Args:
            indices: Frame numbers within the adapted range.
        """
        at = torch.as_tensor(indices, device=self.turn.device)
        start: Tensor = self.get_buffer("start")[at]
        own = rigid(axis_angle_rotation(STEP * self.turn[at]), STEP * self.move[at])
        return start @ own.double()

    def relative(self, targets: Sequence[int], sources: Sequence[int]) -> Tensor:
        """From targets to sources, (n, 4, 4) float32: X_source = T · X_target.

        Args:
            targets, sources: As many frame numbers of each.
        """
        return (inverse(self.poses(sources)) @ self.poses(targets)).float()


class Lens(nn.Module):
    """The camera's matrix; its focal length may be learnt (Gordon et al., ICCV 2019)."""

    def __init__(self, K: np.ndarray, learnt: bool) -> None:
        """Starts at a lens.

        Args:
            K: (3, 3) for pixel indices.
            learnt: Whether the focal length is; both sides by one factor.
        """
        super().__init__()
        self.register_buffer("start", torch.from_numpy(np.array(K, np.float32)))
        self.focal = nn.Parameter(torch.zeros(()), requires_grad=learnt)

    def matrix(self) -> Tensor:
        """K as it is believed, (3, 3) float32 for pixel indices."""
        start: Tensor = self.get_buffer("start")
        factor = (STEP * self.focal).exp()
        ones = torch.ones_like(factor)
        return start * torch.stack((factor, factor, ones))[:, None] + start * (1 - factor) * _CENTRE.to(start)


class Reading(nn.Module):
    """Inverse depth = scale · disparity + shift; for a scale-invariant model the shift stays 0."""

    def __init__(self, scale: float, shift: float, shifted: bool) -> None:
        """Starts where the cameras were solved.

        Args:
            scale: Above 0.
            shift: In units of the median's inverse depth.
            shifted: Whether there is a shift to learn.
        """
        super().__init__()
        self.register_buffer("start", torch.tensor((scale, shift), dtype=torch.float32))
        self.scale = nn.Parameter(torch.zeros(()))
        self.shift = nn.Parameter(torch.zeros(()), requires_grad=shifted)

    def values(self) -> tuple[float, float]:
        """Scale and shift as they are believed."""
        scale, shift = self.get_buffer("start").tolist()
        return scale * math.exp(STEP * float(self.scale.detach())), shift + STEP * float(self.shift.detach())

    def first(self, disparity: Tensor) -> Tensor:
        """Inverse depth as it was read at the start.

        Args:
            disparity: Of any shape.
        """
        scale, shift = self.get_buffer("start")
        inverse: Tensor = scale * disparity + shift
        return inverse

    def forward(self, disparity: Tensor) -> Tensor:
        """Inverse depth in units of the median's, unlimited.

        Args:
            disparity: Of any shape.
        """
        scale, shift = self.get_buffer("start")
        inverse: Tensor = scale * (STEP * self.scale).exp() * disparity + shift + STEP * self.shift
        return inverse


@dataclass(frozen=True)
class Cameras:
    """What the cameras of a clip are.

    Attributes:
        path, lens, reading: As they are believed, some of it learnt.
        unit: Median inverse depth: ``path`` is in units of its reciprocal.
        spans: Frames in a row, of one shot, whose cameras are known.
        gaps: Of each span, frames between target and source.
        static: (h, w) uint8 a frame, 0 where things move by themselves; None: nothing does.
        depths: Triangulated; None: they are not asked for.
    """

    path: Path
    lens: Lens
    reading: Reading
    unit: float
    spans: Sequence[range]
    gaps: Sequence[int]
    static: FrameArray | None
    depths: Depths | None


_CENTRE = torch.tensor(((0.0, 0, 1), (0, 0, 1), (0, 0, 0)))  # of K: a longer lens has the same centre
