"""Left-right consistency (Godard et al., CVPR 2017): both eyes' disparity from the left picture alone.

No poses and no lens: disparity is in widths, and the eyes are rectified. A right picture is a left one in the
mirror: the network sees right targets so (`Course.sided`), and learns from every picture as a left one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ...errors import UsageError
from ..losses.leftright import leftright_terms
from .options import LeftRightOptions
from .system import Course, Motion, System, Views


class LeftRight(System):
    """The published course of a network with two heads; colours change for the network only, as elsewhere."""

    name = "leftright"
    network = "leftright"
    pose_kinds = ()
    stereo = True
    course = Course(
        epochs=50, drops=(30, 40), factor=0.5, batch=8, size=(256, 512), offsets=(), sided=True,
        jitter=(0.5, 0.2, 0.2, 0.05),  # published: brightness, gamma and each colour, compared too
    )  # fmt: skip
    Options = LeftRightOptions

    def __init__(self, options: LeftRightOptions) -> None:
        self.options = options

    def terms(self, views: Views, modules: Mapping[str, nn.Module]) -> dict[str, Tensor]:
        """``appearance``, ``smoothness`` and ``consistency``; see `System.terms`.

        The disparities have two channels, of the target and of its partner, in widths.
        """
        right = views.poses[-1][:, 0, 3] > 0  # the partner is to the left of it
        target, partner, *scales = (
            torch.where(right[:, None, None, None], maps.flip(-1), maps)
            for maps in (views.target, views.sources[-1], *views.disparities)
        )
        options = self.options
        return leftright_terms(scales, target, partner, options.smoothness, options.consistency)

    def pose_network(self, kind: str, sources: int) -> nn.Module:
        """There is none.

        Args:
            kind: Any.
            sources: Any.

        Raises:
            UsageError: always.
        """
        raise UsageError("The recipe leftright learns from stereo pairs only.", "Give --use stereo.")

    def read_poses(
        self, network: nn.Module, target: Tensor, sources: Sequence[Tensor], offsets: Sequence[int]
    ) -> Motion:
        """There are none; see `System.read_poses`."""
        return Motion([])
