"""Training of our small merge network on pairs of estimates; the loop is `learning.loop`'s."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...learning.checkpoint import Counters, Standing, read_counters, resumable
from ...learning.config import Cosine, LoopConfig, Schedule
from ...learning.loop import Lesson, learn, parameter_groups
from ...learning.student import write_weights
from ...networks.merge_small import MergeSmall
from ...progress import Progress
from ...protocols import DepthModel
from ..prefetch import Prefetch
from .samples import picture_crops, scene_crops

_log = logging.getLogger(__name__)

FIRST, HELD_OUT = 500_000_000, 940_000_000  # seeds of scenes to learn from, and of those held out
HEAD_START, STEPS_A_SCENE = 4, 6  # scenes before the first step; steps until the next is added
VALIDATED = 3  # scenes held out
SCHEDULE = Cosine(warm_up=50, held=0.3)
LICENSE = "Apache-2.0"  # ours: it learns from estimates and from truth of our own scenes


@dataclass(frozen=True)
class MergeConfig(LoopConfig):
    """How to train a merge network, beside what `LoopConfig` says (a batch is counted in crops).

    Attributes:
        edges: Weight of the gradients' error; that of the values is 1.
        threads: Torch threads.
        scenes: Most procedural scenes to render.
    """

    minutes: float = 25.0
    batch: int = 6
    rate: float = 2e-3
    schedule: Schedule = SCHEDULE
    average: float = 0.99
    validate_every: int = 100
    patience: int | None = None
    save_every: float = 120.0
    edges: float = 8.0
    threads: int = 1
    scenes: int = 400


def train(
    out: Path,
    model: DepthModel,
    pictures: list[np.ndarray],
    config: MergeConfig,
    cache: Path,
    progress: Progress,
    resume: bool = False,
) -> Path:
    """Trains and writes the averaged weights to ``out`` (safetensors, half precision).

    A checkpoint lies beside it (``.training``), and ``out`` is rewritten with every checkpoint.

    Args:
        out: Weights file to write.
        model: Whose estimates are to be merged.
        pictures: (H, W, 3) uint8, to learn from beside the procedural scenes; their truth is not known.
        config: How to train.
        cache: Folder of what was made of scenes and pictures; may be deleted at any time.
        progress: Told about steps; may cancel.
        resume: Go on from the checkpoint beside ``out``.

    Raises:
        WeightsError: ``resume`` without a readable checkpoint.
        UsageError: ``resume`` with another seed or model.
        Cancelled: somebody asked to stop; a checkpoint was written first.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    network = MergeSmall()
    optimiser = torch.optim.AdamW(parameter_groups(network.parameters(), config.rate, config.decay))
    state, identity = out.with_suffix(".training"), f"merge of {model.spec.name}, seed {config.seed}"
    if resume:
        standing = Standing.restored(state, network, optimiser, read_counters(state, identity))
    else:
        standing = Standing.fresh(network, optimiser, Counters(identity, "", config.threads))
    cache.mkdir(parents=True, exist_ok=True)
    lesson = _Pairs(out, model, pictures, config, cache, network, standing.counters.step)
    try:
        with resumable():
            learn(lesson, standing, config, state, progress)
    finally:
        lesson.close()
    return out


def merge_loss(merged: Tensor, target: Tensor, edges: float) -> Tensor:
    """Mean error of values, and ``edges`` times that of gradients.

    Args:
        merged: (N, 1, H, W).
        target: (N, 1, H, W).
        edges: Weight.
    """
    wrong = merged - target
    steps = wrong.diff(dim=-1).abs().mean() + wrong.diff(dim=-2).abs().mean()
    return wrong.abs().mean() + edges * steps


class _Pairs(Lesson):
    """Crops drawn from a growing number of scenes and from the user's pictures."""

    stage = "train"

    def __init__(
        self, out: Path, model: DepthModel, pictures: list[np.ndarray], config: MergeConfig, cache: Path,
        network: MergeSmall, step: int,
    ) -> None:  # fmt: skip
        self._out, self._model, self._pictures, self._config = out, model, pictures, config
        self._cache, self._network = cache, network
        held = [self._scene(HELD_OUT + number) for number in range(VALIDATED)]
        self._held_out = torch.from_numpy(np.concatenate(held)).float()
        self._batches = Prefetch(self._batch, step)

    def close(self) -> None:
        """Makes no further batches."""
        self._batches.close()

    def terms(self, step: int) -> dict[str, Tensor]:
        """Of the step's batch; the loop asks for one step after the other."""
        inputs, target = self._batches.get().split((3, 1), 1)
        return {"merge": merge_loss(self._network(inputs), target, self._config.edges)}

    def validate(self, standing: Standing) -> dict[str, float]:
        """Errors on what is held out, of the network and of the transfer it started from."""
        inputs, target = self._held_out.split((3, 1), 1)
        with standing.averaged(), torch.inference_mode():
            merged = torch.cat([self._network(part) for part in inputs.split(self._config.batch)])
        pairs = {"learned": merged, "transfer": inputs[:, 2:]}
        return {name: float(merge_loss(maps, target, self._config.edges)) for name, maps in pairs.items()}

    def saved(self, standing: Standing) -> None:
        """Writes the weights as they are."""
        halves = {key: value.half() for key, value in standing.average.items()}
        facts = {"license": LICENSE, "commercial": "true", "model": self._model.spec.name}
        write_weights(self._out, halves, facts)

    def _batch(self, step: int) -> Tensor:
        rng = np.random.default_rng((self._config.seed, step))
        scenes = min(self._config.scenes, HEAD_START + step // STEPS_A_SCENE)
        drawn = []
        for _ in range(self._config.batch):
            number = int(rng.integers(scenes + len(self._pictures)))
            if number < scenes:
                crops = self._scene(FIRST + self._config.seed * 1_000_000 + number)
            else:
                crops = self._picture(number - scenes)
            drawn.append(_turned(crops[int(rng.integers(len(crops)))], rng))
        return torch.from_numpy(np.stack(drawn)).float()

    def _scene(self, seed: int) -> np.ndarray:
        return scene_crops(self._cache / f"{self._model.spec.name}-scene-{seed}.npy", seed, self._model)

    def _picture(self, number: int) -> np.ndarray:
        path = self._cache / f"{self._model.spec.name}-picture-{number}.npy"
        return picture_crops(path, self._pictures[number], self._model)


def _turned(crop: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A crop mirrored, turned, or with near and far exchanged."""
    if rng.random() < 0.5:
        crop = crop[..., ::-1]
    crop = np.rot90(crop, int(rng.integers(4)), (1, 2))
    return np.ascontiguousarray(-crop if rng.random() < 0.5 else crop)
