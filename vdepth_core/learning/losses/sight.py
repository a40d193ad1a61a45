"""A target and its sources at one size: what is compared, with all that the disparities of a size share.

The target's part of SSIM, the errors of the sources as they are, and where the pixels' rays lead do not
depend on a disparity. Losses compare several with one target, so those are computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from torch import Tensor

from .compared import Compared
from .photometric import Difference
from .synthesis import Lookup, Warp


class Sight:
    """What one size of pictures is compared by."""

    def __init__(
        self,
        target: Tensor,
        sources: Sequence[Tensor],
        K: Tensor,
        poses: Sequence[Tensor],
        how: Warp,
        ssim: float,
        difference: Difference = "l1",
    ) -> None:
        """Computes nothing yet.

        Args:
            target: (B, 3, H, W) in [0, 1].
            sources: S times (B, 3, H, W).
            K: (B, 3, 3) or (3, 3), for pixel indices of this size.
            poses: S times (B, 4, 4), from target to source.
            how: How sources are looked up.
            ssim: Weight of SSIM in an error.
            difference: The other part.
        """
        self.target, self._sources, self._K, self._poses = target, sources, K, poses
        self._how, self._ssim, self._difference = how, ssim, difference
        self.size = target.shape[-2:]

    def warped(self, depth: Tensor, poses: Sequence[Tensor] | None = None) -> list[Tensor]:
        """Errors of the sources as the target's camera would see them: S times (B, 1, H, W).

        Args:
            depth: (B, 1, H, W) of the target.
            poses: Others than those of all depths; None: those.
        """
        ways = self._lookups if poses is None else self._ways(poses)
        pairs = zip(ways, self._sources, strict=True)
        return [self._compared.error(way.find(source, depth)) for way, source in pairs]

    @cached_property
    def still(self) -> list[Tensor]:
        """Errors of the sources as they are: S times (B, 1, H, W)."""
        return [self._compared.error(source) for source in self._sources]

    @cached_property
    def _compared(self) -> Compared:
        return Compared(self.target, self._ssim, self._difference)

    @cached_property
    def _lookups(self) -> list[Lookup]:
        return self._ways(self._poses)

    def _ways(self, poses: Sequence[Tensor]) -> list[Lookup]:
        return [Lookup(self._K, pose, self.size, self._how) for pose in poses]
