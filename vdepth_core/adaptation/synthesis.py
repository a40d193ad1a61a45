"""The objective of every recipe by view synthesis: a system's published loss, and what a single clip needs.

A frame is looked from; its sources, a gap before and after, are to look like it once they are warped by its
depth and the cameras. The loss is the published system's. Beside it: depth triangulated along flow, in the
weights it deserves, a prior that holds shapes near the untouched model's, and one that holds its edges where
flow knows little. At silhouettes flow is blurred: depth from it would blur them too, so that there it is not
asked, and the edges are held.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d, pad

from ..learning.losses.anchors import edge_loss, prior_loss
from ..learning.losses.resampling import area
from ..learning.losses.synthesis import resize_intrinsics
from ..learning.systems.scales import as_it_is
from ..learning.systems.system import Views
from .cameras import LEAST, Cameras
from .targets import drawn_gap, sources_of, split_targets

if TYPE_CHECKING:
    from ..learning.systems.system import System
    from .options import ViewOptions
    from .session import Session

Predict = Callable[[Tensor], Tensor]

ROBUST = 0.3  # relative error of inverse depth from where it counts by its logarithm only
FLAT = 0.2  # of the untouched contrast: what is left below it is a plane, not a scene
AROUND = 9  # pixels that depth is compared with, and that flow blurs a silhouette over
BENT = 0.05  # relative difference from the mean around from where depth jumps
BELIEVED = 0.3  # trust from where triangulated depth says so
FLOOR = 0.2  # of the median's inverse depth: what is farther does not count more


class ViewSynthesis:
    """An `Objective` over frames of a clip as targets."""

    def __init__(
        self,
        session: Session,
        system: System,
        modules: Mapping[str, nn.Module],
        cameras: Cameras,
        options: ViewOptions,
    ) -> None:
        """``modules``: the system's own, brought into the session."""
        self._footage, self._system, self._modules = session.footage, system, modules
        self._cameras, self._options, self._device = cameras, options, session.device
        footage = session.footage
        self._size = compared_size(footage.height, footage.width, options.fine)
        split = split_targets(cameras.spans)
        self.training: Sequence[int] = split.training
        self.validation: Sequence[int] = split.validation
        self._shot = {frame: (shot, gap) for shot, gap in zip(cameras.spans, cameras.gaps, strict=True)
                      for frame in shot}  # fmt: skip

    def terms(
        self, predict: Predict, targets: Sequence[int], rng: np.random.Generator | None
    ) -> dict[str, Tensor]:
        """The system's terms, ``geometric``, ``prior``, ``edges``; of held-out frames what compares pictures.

        Args:
            predict: Frames (n, 3, h, w) -> disparity (n, h, w).
            targets: Frame numbers.
            rng: For training: chooses gaps and mirrors what the network sees. None: neither.
        """
        frames = self._footage.pictures(targets).to(self._device)
        mirrored = rng is not None and rng.uniform() < 0.5
        disparity = predict(frames.flip(-1)).flip(-1) if mirrored else predict(frames)
        inverse = self._cameras.reading(disparity)
        terms = self._system.terms(self._views(frames, inverse, targets, rng), self._modules)
        if rng is None:
            error = terms["photometric"]
            start = self._footage.targets(targets).to(self._device)
            # One plane can explain a path that was solved wrongly better than the scene does.
            return {"photometric": torch.ones_like(error) if is_flat(disparity, start) else error}
        start = self._footage.targets(targets).to(self._device)
        was = self._cameras.reading.first(start).clamp(min=0)
        free = torch.ones_like(inverse)
        if self._cameras.depths is not None:
            found, trust = (maps.to(self._device) for maps in self._cameras.depths.read(targets))
            sure = beside_jumps(found, trust, was)
            terms["geometric"] = self._options.geometric * geometric_loss(inverse, found, sure)
            free = 1 - sure
        if self._options.prior:
            terms["prior"] = self._options.prior * prior_loss(disparity, start)
        if self._options.edges:
            terms["edges"] = self._options.edges * edge_loss(inverse.clamp(min=0), was, free)
        return terms

    def _views(
        self, frames: Tensor, inverse: Tensor, targets: Sequence[int], rng: np.random.Generator | None
    ) -> Views:
        shots = [self._shot[target] for target in targets]
        pairs = [
            sources_of(target, shot, drawn_gap(gap, rng))
            for target, (shot, gap) in zip(targets, shots, strict=True)
        ]
        sides = [[pair[side] for pair in pairs] for side in (0, 1)]
        static = self._cameras.static
        confidence = None
        if static is not None:
            weights = np.concatenate([static.read(target) for target in targets])
            confidence = self._sized(torch.from_numpy(weights).to(self._device).float().div_(255)[:, None])
        K, (height, width) = self._cameras.lens.matrix(), self._size
        return Views(
            target=self._sized(frames),
            sources=[self._sized(self._footage.pictures(side).to(self._device)) for side in sides],
            K=resize_intrinsics(K, width / frames.shape[-1], height / frames.shape[-2], centred=True),
            poses=[self._cameras.path.relative(targets, side) for side in sides],
            disparities=[self._sized(inverse.clamp(min=LEAST)[:, None])],
            inverse_depth=as_it_is,
            confidence=confidence,
        )

    def _sized(self, maps: Tensor) -> Tensor:
        """At the size pictures are compared at."""
        return area(maps, self._size)


def is_flat(disparity: Tensor, start: Tensor) -> bool:
    """Whether a prediction has lost the depth that the untouched model sees, or is no number.

    Args:
        disparity: (N, H, W).
        start: (N, H, W), the untouched model's.
    """
    return not bool(_contrast(disparity) > FLAT * _contrast(start))


def _contrast(disparity: Tensor) -> Tensor:
    """Mean deviation from the median, over the median."""
    middle = disparity.median()
    return (disparity - middle).abs().mean() / middle.clamp(min=LEAST)


def compared_size(height: int, width: int, fine: bool) -> tuple[int, int]:
    """(height, width) of the pictures that are compared, multiples of 32 where the network's are.

    Args:
        height, width: Of the network's picture.
        fine: That size; False: half of it, about.
    """
    if fine:
        return height, width
    return tuple(min(side, max(64, 32 * round(side / 64))) for side in (height, width))  # type: ignore[return-value]


def near_jumps(found: Tensor, trust: Tensor) -> Tensor:
    """Where triangulated depth bends, (N, H, W) in [0, 1]: silhouettes and what is beside them.

    Inverse depth of anything flat is linear over the picture, so that its mean around a pixel is its own.

    Args:
        found: (N, H, W), in units of the median's inverse depth.
        trust: (N, H, W) in [0, 1]; what is hardly believed does not count.
    """
    maps, margin = found.clamp(min=0)[:, None], AROUND // 2
    around = avg_pool2d(pad(maps, (margin,) * 4, mode="replicate"), AROUND, 1)
    off = (maps - around).abs() / (around + FLOOR) * (trust[:, None] > BELIEVED)
    near = max_pool2d(off, AROUND, 1, margin)[:, 0]
    return 1 - 1 / (1 + (near / BENT) ** 4)


def beside_jumps(found: Tensor, trust: Tensor, was: Tensor) -> Tensor:
    """How far triangulated depth is to be believed, (N, H, W): not beside silhouettes, where flow is blurred.

    Args:
        found: (N, H, W), in units of the median's inverse depth.
        trust: (N, H, W) in [0, 1].
        was: (N, H, W), the untouched model's inverse depth: flow at a low size may show no jump at all.
    """
    return trust * (1 - near_jumps(found, trust)) * (1 - near_jumps(was, torch.ones_like(was)))


def geometric_loss(inverse: Tensor, found: Tensor, trust: Tensor) -> Tensor:
    """Mean relative difference of inverse depth, weighted by trust; large ones count by their logarithm.

    Args:
        inverse: (N, H, W), in units of the median's inverse depth.
        found: (N, H, W), what was triangulated.
        trust: (N, H, W) in [0, 1].
    """
    off = (inverse - found).abs() / (found.clamp(min=0) + FLOOR)
    robust = torch.where(off < ROBUST, off, ROBUST * (1 + (off.clamp(min=ROBUST) / ROBUST).log()))
    return (trust * robust).sum() / trust.sum().clamp(min=1)
