"""The steps of a training: batches are read beside it, networks believe, the system compares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from ...learning.checkpoint import Standing
from ...learning.loop import Lesson
from ...learning.losses.monodepth2 import stereo_pose
from ...learning.systems.scales import Convert, scales_of
from ...learning.systems.system import Course, Motion, System, Views
from ...networks.monodepth2_pose import SharedPose
from ..prefetch import Prefetch
from .augment import Batch, joined, prepared
from .gallery import Gallery
from .networks import DepthNetwork, shared_network

DEPTH, POSE, MASK = "depth", "pose", "mask"  # names among the modules in training
MOST_VALIDATED = 64  # held-out targets, spread over all of them


class SelfSupervision(Lesson):
    """What a system minimises over a training set; every random choice follows from the seed and the step."""

    stage = "train"

    def __init__(
        self,
        gallery: Gallery,
        system: System,
        course: Course,
        depth: DepthNetwork,
        trained: nn.ModuleDict,
        seed: int,
        device: str,
        workers: int,
        step: int,
        saved: Callable[[Standing], None],
    ) -> None:
        """``course``: with the user's batch; ``step``: the first; ``saved``: called after each checkpoint."""
        self._gallery, self._system, self._course, self._depth = gallery, system, course, depth
        self._trained, self._seed, self._device, self._saved = trained, seed, device, saved
        self._pool = ThreadPoolExecutor(workers, "vdepth-pictures")
        self._shares = MASK in trained or (POSE in trained and isinstance(trained[POSE], SharedPose))
        held = gallery.validation
        spread = np.linspace(0, len(held) - 1, min(MOST_VALIDATED, len(held)))
        self._held_out = [held[int(place)] for place in spread.round()]
        self._batches = Prefetch(self._batch, step)

    def close(self) -> None:
        """Reads no further pictures."""
        self._batches.close()
        self._pool.shutdown()

    def terms(self, step: int) -> dict[str, Tensor]:
        """Of the step's batch; the loop asks for one after the other; see `Lesson.terms`."""
        batch = self._batches.get().to(self._device)
        source = int(np.random.default_rng((self._seed, step, 1)).integers(2**62))
        torch.manual_seed(source)  # dropout's; the same after a stop
        self._trained.train()
        return self._terms(batch, torch.Generator().manual_seed(source))

    def validate(self, standing: Standing) -> dict[str, float]:
        """The terms of held-out targets as they are, means; see `Lesson.validate`."""
        sums: dict[str, float] = {}
        self._trained.eval()
        with standing.averaged(), torch.no_grad():
            for number in self._held_out:
                batch = prepared(self._gallery.load(number), self._course, None).to(self._device)
                for name, term in self._terms(batch, None).items():
                    sums[name] = sums.get(name, 0.0) + float(term) / len(self._held_out)
        return sums

    def saved(self, standing: Standing) -> None:
        """Writes what else there is; see `Lesson.saved`."""
        self._saved(standing)

    def _terms(self, batch: Batch, generator: torch.Generator | None) -> dict[str, Tensor]:
        offsets = self._gallery.offsets
        target, *sources = batch.pictures.unbind(1)
        seen, *others = batch.seen.unbind(1)
        in_time = [other.contiguous(memory_format=torch.channels_last) for other in others[: len(offsets)]]
        if self._shares:
            disparities, convert, motion = self._shared(seen, in_time)
        else:
            disparities, convert = scales_of(
                self._trained[DEPTH], self._depth.prepare(_turned(seen, batch.turned)), self._system.stereo
            )
            disparities = [_turned(disparity, batch.turned) for disparity in disparities]
            motion = self._motion(seen, in_time)
        poses, masks = motion.poses, motion.masks
        if batch.left is not None:
            poses = [*poses, stereo_pose(batch.left)]
            if masks and masks[0].shape[1] < len(poses):
                masks = [torch.cat((mask, torch.ones_like(mask[:, :1])), 1) for mask in masks]
        measured = None if batch.measured is None else batch.measured.unbind(1)
        views = Views(
            target,
            sources,
            batch.K,
            poses,
            disparities,
            convert,
            generator=generator,
            masks=masks,
            measured=measured,
            scaled=motion.scaled,
            stereo=batch.left is not None,
        )
        return self._system.terms(views, dict(self._trained.items()))

    def _motion(self, target: Tensor, in_time: Sequence[Tensor]) -> Motion:
        """``target``, ``in_time``: pictures, or what a shared encoder says of them."""
        if not in_time:
            return Motion([])
        return self._system.read_poses(self._trained[POSE], target, in_time, self._gallery.offsets)

    def _shared(self, seen: Tensor, in_time: Sequence[Tensor]) -> tuple[list[Tensor], Convert, Motion]:
        """Disparities, their meaning and the motion where the depth encoder serves others, too."""
        network = shared_network(self._depth)
        pose_too = isinstance(self._trained[POSE], SharedPose) if in_time else False
        pictures = [seen, *in_time] if pose_too else [seen]
        coded = [f.chunk(len(pictures)) for f in network.encoder(self._depth.prepare(torch.cat(pictures)))]
        own = [feature[0] for feature in coded]
        target, *others = coded[-1] if pose_too else (seen, *in_time)
        motion = self._motion(target, others)
        if MASK in self._trained:
            masks = self._trained[MASK](own)
            motion = replace(motion, masks=[masks[scale] for scale in sorted(masks)])
        return network.scales_from(own), network.inverse_depth, motion

    def _batch(self, step: int) -> Batch:
        size, count = self._course.batch, len(self._gallery.training)
        epoch, place = divmod(step, max(1, count // size))
        order = _order(self._seed, epoch, count)
        chosen = [self._gallery.training[order[(place * size + k) % count]] for k in range(size)]

        def made(item: tuple[int, int]) -> Batch:
            rng = np.random.default_rng((self._seed, step, 0, item[0]))
            return prepared(self._gallery.load(item[1]), self._course, rng)

        return joined(list(self._pool.map(made, enumerate(chosen))))


def _turned(maps: Tensor, turned: Tensor) -> Tensor:
    """Those maps (B, C, h, w) mirrored that are to be."""
    if not bool(turned.any()):
        return maps
    return torch.where(turned[:, None, None, None], maps.flip(-1), maps)


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> list[int]:
    order: list[int] = np.random.default_rng((seed, epoch, 2)).permutation(count).tolist()
    return order
