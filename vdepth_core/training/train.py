"""Training of the embedded model on procedural scenes, from nothing, on one CPU thread if need be.

Scenes come from a pool that background processes fill; every random choice follows from the seed and the
step, so a run limited by steps (not by minutes) is repeatable, and a stopped one goes on as if it had not
been.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import UsageError
from ..networks.embedded import EmbeddedConfig, EmbeddedNet, fold_norms
from ..progress import Progress
from . import augment, checkpoint, pool
from .losses import exact_loss, normalise, trimmed_loss

_log = logging.getLogger(__name__)

SHAPES = ((192, 256), (160, 288), (192, 288), (192, 192), (160, 224))  # sizes a step may train at
COARSE = (
    (128, 160),
    (96, 160),
    (128, 192),
    (128, 128),
)  # and those of the first steps, several times cheaper
HELD_OUT = 900_000_000  # first seed of the validation scenes; training seeds stay below


@dataclass(frozen=True)
class TrainConfig:
    """How to train.

    Attributes:
        seed: Decides initial weights, scenes and augmentation.
        minutes: Stop after this much training time (over all runs); ignored when ``steps`` is set.
        steps: Stop after this many steps; None: go by the clock.
        batch: Samples a step.
        alpha: Weight of the gradient term of the loss.
        coarse_steps: Steps at small pictures first, where most of what a scene looks like is learnt faster.
        rate: Peak learning rate (AdamW, short warm-up, then cosine to zero).
        decay: Weight decay.
        average: Decay of the moving average of the weights.
        threads: Torch threads; 1 is best where other work runs.
        renderers: Background processes that render scenes.
        head_start, fresh: Scenes in the pool at step 0, and how many each step adds.
        scenes: Most scenes the pool gets.
        first_scene: Seed of the first scene.
        held_out: Scenes the training never sees, for validation.
        validate_every, save_every: Steps between validations; seconds between checkpoints.
        half: Whether to compute in bfloat16 where the CPU is fast at it.
    """

    seed: int = 0
    minutes: float = 75.0
    steps: int | None = None
    batch: int = 12
    alpha: float = 0.1
    coarse_steps: int = 5000
    rate: float = 1e-3
    decay: float = 0.02
    average: float = 0.998
    threads: int = 1
    renderers: int = 1
    head_start: int = 1500
    fresh: float = 0.4  # what one renderer keeps up with; a waiting trainer learns nothing
    scenes: int = 20_000
    first_scene: int = 1_000_000
    held_out: int = 48
    validate_every: int = 500
    save_every: float = 240.0
    half: bool = True

    def available(self, step: int) -> int:
        """Number of pool scenes step ``step`` may use."""
        return min(self.scenes, int(self.head_start + self.fresh * step))


def make_batch(
    folder: Path, config: TrainConfig, step: int, renderers: pool.Renderers | None
) -> tuple[Tensor, Tensor]:
    """The batch of a step: rgb (N, 3, H, W) in [0, 1] and disparity (N, H, W); newest scenes first."""
    rng = np.random.default_rng((config.seed, step))
    shapes = COARSE if step < config.coarse_steps else SHAPES
    height, width = shapes[int(rng.integers(len(shapes)))]
    have, before = config.available(step), config.available(step - 1) if step else config.head_start
    pool.wait_for(folder, config.first_scene + have - 1, renderers)
    numbers = [*range(before, have)][: config.batch]
    numbers += rng.integers(0, have, config.batch - len(numbers)).tolist()
    pairs = []
    for number in numbers:
        rgb, disparity = pool.load_scene(folder, config.first_scene + number)
        pairs.append(augment.sample(rgb, disparity, height, width, rng))
    images, truths = zip(*pairs, strict=True)
    return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(truths))


def train(
    out: Path, folder: Path, config: TrainConfig, progress: Progress | None = None, resume: bool = False
) -> Path:
    """Trains and writes the averaged, folded weights to ``out`` (safetensors, half precision).

    A checkpoint lies beside it (``.training``), and ``out`` is rewritten with every checkpoint, so that the
    best weights so far always exist.

    Args:
        out: Weights file to write.
        folder: The scene pool, a cache.
        config: How to train.
        progress: Told about steps; may cancel.
        resume: Go on from the checkpoint beside ``out``.

    Raises:
        WeightsError: ``resume`` without a readable checkpoint.
        UsageError: ``resume`` with another seed.
        Cancelled: somebody asked to stop; a checkpoint was written first.
    """
    progress = progress or Progress()
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    network = EmbeddedNet(EmbeddedConfig(norm=True))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(_groups(network, config.decay), config.rate, betas=(0.9, 0.99))
    state = out.with_suffix(".training")
    if resume:
        average, counters = checkpoint.restore(state, network, optimiser)
        if counters.seed != config.seed:
            raise UsageError(
                f"{state.name} was trained with seed {counters.seed}, not {config.seed}.",
                "Resume with the same seed.",
            )
    else:
        average = {k: v.clone() for k, v in network.state_dict().items()}
        counters = checkpoint.Counters(config.seed)
    progress.stage("train", config.steps)
    _log.info("%d parameters, from step %d", sum(p.numel() for p in network.parameters()), counters.step)
    renderers = (
        pool.Renderers(folder, config.first_scene, config.scenes, config.renderers)
        if config.renderers
        else None
    )
    held_out = _held_out(folder, config.held_out)
    batches = _Prefetch(lambda step: make_batch(folder, config, step, renderers), counters.step)
    saved, mean = time.monotonic(), None
    try:
        while _share(config, counters) < 1:
            started = time.monotonic()
            for group in optimiser.param_groups:
                group["lr"] = config.rate * _schedule(_share(config, counters), counters.step)
            loss = _step(network, optimiser, *batches.get(), config)
            mean = loss if mean is None else 0.98 * mean + 0.02 * loss
            _follow(average, network, min(config.average, (1 + counters.step) / (10 + counters.step)))
            counters.step += 1
            counters.elapsed += time.monotonic() - started
            if counters.step % config.validate_every == 0:
                score = evaluate(average, held_out)
                counters.history.append((counters.step, mean, score))
                _log.info(
                    "step %d, %.0f s: loss %.4f, held-out %.4f", counters.step, counters.elapsed, mean, score
                )
            elif counters.step % 50 == 0:
                _log.info("step %d, %.0f s: loss %.4f", counters.step, counters.elapsed, mean)
            if time.monotonic() - saved > config.save_every:
                _save(out, state, network, average, optimiser, counters)
                saved = time.monotonic()
            progress.advance("train")
            progress.check()
    finally:
        batches.close()
        if renderers:
            renderers.close()
        _save(out, state, network, average, optimiser, counters)
    return out


def evaluate(average: dict[str, Tensor], scenes: list[tuple[Tensor, Tensor]]) -> float:
    """Mean trimmed scale-and-shift-invariant error of weights on fixed scenes."""
    network = EmbeddedNet(EmbeddedConfig(norm=True)).eval()
    network.load_state_dict(average)
    errors = []
    with torch.inference_mode():
        for rgb, truth in scenes:
            mask = torch.ones_like(truth, dtype=torch.bool)
            residual = normalise(network(rgb), mask) - normalise(truth, mask)
            errors.append(float(trimmed_loss(residual, mask)))
    return float(np.mean(errors))


def export(average: dict[str, Tensor], path: Path) -> None:
    """Writes averaged training weights as the folded inference network, float16 safetensors."""
    from safetensors.torch import save_file

    network = EmbeddedNet(EmbeddedConfig(norm=True))
    network.load_state_dict(average)
    tensors = {
        k: v.to(torch.float16).contiguous() for k, v in fold_norms(network.eval()).state_dict().items()
    }
    temporary = path.with_suffix(path.suffix + ".tmp")
    save_file(tensors, temporary, {"format": "pt"})  # one entry: safetensors shuffles several
    temporary.replace(path)


def _step(
    network: EmbeddedNet, optimiser: torch.optim.Optimizer, rgb: Tensor, truth: Tensor, config: TrainConfig
) -> float:
    network.train()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=config.half):
        prediction = network(rgb.contiguous(memory_format=torch.channels_last))
    loss = exact_loss(prediction.float(), truth, torch.ones_like(truth, dtype=torch.bool), config.alpha)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def _share(config: TrainConfig, counters: checkpoint.Counters) -> float:
    return counters.step / config.steps if config.steps else counters.elapsed / (60 * config.minutes)


def _schedule(share: float, step: int) -> float:
    warm = min(1.0, (step + 1) / 200)
    return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, share))))


def _groups(network: EmbeddedNet, decay: float) -> list[dict[str, object]]:
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _follow(average: dict[str, Tensor], network: EmbeddedNet, decay: float) -> None:
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if value.dtype.is_floating_point:
                average[name].lerp_(value, 1 - decay)
            else:
                average[name].copy_(value)


def _held_out(folder: Path, count: int) -> list[tuple[Tensor, Tensor]]:
    scenes = []
    for number in range(count):
        rgb, disparity = pool.load_scene(folder, HELD_OUT + number)
        rng = np.random.default_rng((HELD_OUT, number))
        image, truth = augment.sample(rgb, disparity, 192, 256, rng)
        scenes.append((torch.from_numpy(image)[None], torch.from_numpy(truth)[None]))
    return scenes


def _save(out: Path, state: Path, network: EmbeddedNet, average: dict[str, Tensor],
          optimiser: torch.optim.Optimizer, counters: checkpoint.Counters) -> None:  # fmt: skip
    checkpoint.save(state, network, average, optimiser, counters)
    export(average, out)


class _Prefetch:
    """Makes the batches of successive steps in a thread, two ahead."""

    def __init__(self, make: Callable[[int], tuple[Tensor, Tensor]], step: int) -> None:
        self._queue: queue.Queue[tuple[Tensor, Tensor] | BaseException] = queue.Queue(2)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(make, step), daemon=True)
        self._thread.start()

    def get(self) -> tuple[Tensor, Tensor]:
        """The next step's batch."""
        item = self._queue.get()
        if isinstance(item, BaseException):
            raise item
        return item

    def close(self) -> None:
        """Stops the thread."""
        self._stop.set()
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=0.05)
            except queue.Empty:
                continue

    def _run(self, make: Callable[[int], tuple[Tensor, Tensor]], step: int) -> None:
        while not self._stop.is_set():
            try:
                item: tuple[Tensor, Tensor] | BaseException = make(step)
            except BaseException as error:  # handed to the loop, which raises it
                item = error
            self._queue.put(item)
            if isinstance(item, BaseException):
                return
            step += 1
