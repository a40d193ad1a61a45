"""Training of the embedded model on a mix of sources, on one CPU thread if need be.

Every random choice follows from the seed and the step, so a run limited by steps (not by minutes) over the
same sources is repeatable, and a stopped one goes on as if it had not been.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..adaptation.losses import midas_loss, normalise, trimmed_loss
from ..errors import UsageError
from ..networks.embedded import EmbeddedConfig, EmbeddedNet, fold_norms, unfold_norms
from ..progress import Progress
from ..weights.loading import load_into, load_state_dict
from . import checkpoint, curves
from .losses import exact_loss
from .sources import Batch, Sample, Source, mix

_log = logging.getLogger(__name__)

SHAPES = ((192, 256), (160, 288), (192, 288), (192, 192), (160, 224))  # sizes a step may train at
COARSE = (
    (128, 160),
    (96, 160),
    (128, 192),
    (128, 128),
)  # and those of the first steps, several times cheaper
TUNING_RATE = 2e-4  # peak learning rate when released weights are trained further
CALIBRATION = 8  # batches that tell a released network, whose normalisations are folded in, its statistics


@dataclass(frozen=True)
class TrainConfig:
    """How to train.

    Attributes:
        seed: Decides initial weights, samples and augmentation.
        minutes: Stop after this much training time (over all runs); ignored when ``steps`` is set.
        steps: Stop after this many steps; None: go by the clock.
        batch: Frames a step.
        alpha: Weight of the gradient term of the loss.
        coarse_steps: Steps at small pictures first, where most of what a scene looks like is learnt faster.
        rate: Peak learning rate (AdamW, short warm-up, then cosine to zero).
        decay: Weight decay.
        average: Decay of the moving average of the weights.
        threads: Torch threads; 1 is best where other work runs.
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
    validate_every: int = 250
    save_every: float = 240.0
    half: bool = True

    def for_tuning(self) -> TrainConfig:
        """The same for weights that are trained already: full pictures at once, and a smaller rate."""
        return replace(self, coarse_steps=0, rate=TUNING_RATE)


def make_batch(sources: list[Source], config: TrainConfig, step: int) -> Batch:
    """The batch of a step, which follows from the seed and the step alone."""
    rng = np.random.default_rng((config.seed, step))
    shapes = COARSE if step < config.coarse_steps else SHAPES
    height, width = shapes[int(rng.integers(len(shapes)))]
    return mix(sources, step, rng, config.batch, height, width)


def train(
    out: Path, sources: list[Source], config: TrainConfig, progress: Progress | None = None,
    resume: bool = False, init: Path | None = None,
) -> Path:  # fmt: skip
    """Trains and writes the averaged, folded weights to ``out`` (safetensors, half precision).

    A checkpoint lies beside it (``.training``), and ``out`` is rewritten with every checkpoint, so that the
    best weights so far always exist; the course of the losses as ``.csv`` and drawn as ``.png``.

    Args:
        out: Weights file to write.
        sources: What to train on; closed at the end.
        config: How to train.
        progress: Told about steps; may cancel.
        resume: Go on from the checkpoint beside ``out``.
        init: Released weights to start from; None: from nothing.

    Raises:
        WeightsError: ``resume`` without a readable checkpoint, or ``init`` are no such weights.
        UsageError: ``resume`` with another seed.
        Cancelled: somebody asked to stop; a checkpoint was written first.
    """
    progress = progress or Progress()
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    network = (
        _unfolded(init, sources, config) if init and not resume else EmbeddedNet(EmbeddedConfig(norm=True))
    )
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
    held_out = {source.kind: source.held_out() for source in sources}
    batches = _Prefetch(lambda step: make_batch(sources, config, step), counters.step)
    saved, mean = time.monotonic(), None
    try:
        while _share(config, counters) < 1:
            started = time.monotonic()
            for group in optimiser.param_groups:
                group["lr"] = config.rate * _schedule(_share(config, counters), counters.step)
            loss = _step(network, optimiser, batches.get(), config)
            mean = loss if mean is None else 0.98 * mean + 0.02 * loss
            _follow(average, network, min(config.average, (1 + counters.step) / (10 + counters.step)))
            counters.step += 1
            counters.elapsed += time.monotonic() - started
            if counters.step % config.validate_every == 0:
                scores = {kind: evaluate(average, samples) for kind, samples in held_out.items() if samples}
                counters.history.append((counters.step, mean, scores))
                curves.write(out, counters.history)
                words = ", ".join(f"{kind} {score:.4f}" for kind, score in scores.items())
                _log.info(
                    "step %d, %.0f s: loss %.4f; held out: %s", counters.step, counters.elapsed, mean, words
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
        for source in sources:
            source.close()
        _save(out, state, network, average, optimiser, counters)
    return out


def evaluate(average: dict[str, Tensor], samples: list[Sample]) -> float:
    """Mean trimmed scale-and-shift-invariant error of weights on fixed samples of one frame."""
    network = EmbeddedNet(EmbeddedConfig(norm=True)).eval()
    network.load_state_dict(average)
    errors = []
    with torch.inference_mode():
        for sample in samples:
            truth, mask = _known(torch.from_numpy(sample.disparity))
            residual = normalise(network(torch.from_numpy(sample.rgb)), mask) - normalise(truth, mask)
            errors.append(float(trimmed_loss(residual, mask)))
    return float(np.mean(errors))


def batch_loss(prediction: Tensor, batch: Batch, alpha: float) -> Tensor:
    """Mean loss over the frames of a batch: `exact_loss` for exact truth, `midas_loss` for the rest.

    The frames of a sample are stacked into one tall map, and so share one scale and one shift.

    Args:
        prediction: (N, H, W) disparity.
        batch: The truth.
        alpha: Weight of the exact loss's gradient term.
    """
    starts = np.cumsum([0, *(count for count, _ in batch.samples)])
    total = prediction.new_zeros(())
    for form in sorted(set(batch.samples)):
        frames, exact = form
        first = [start for start, sample in zip(starts, batch.samples, strict=False) if sample == form]
        index = (torch.tensor(first)[:, None] + torch.arange(frames)).flatten()
        tall = lambda maps: maps[index].reshape(len(first), -1, maps.shape[-1])  # noqa: B023, E731
        truth, mask = _known(tall(batch.truth))
        loss = (
            exact_loss(tall(prediction), truth, mask, alpha)
            if exact
            else midas_loss(tall(prediction), truth, mask)
        )
        total = total + loss * (len(index) / len(prediction))
    return total


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


def _step(network: EmbeddedNet, optimiser: torch.optim.Optimizer, batch: Batch, config: TrainConfig) -> float:
    network.train()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=config.half):
        prediction = network(batch.rgb.contiguous(memory_format=torch.channels_last))
    loss = batch_loss(prediction.float(), batch, config.alpha)
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


def _known(truth: Tensor) -> tuple[Tensor, Tensor]:
    """Truth with unknown pixels zeroed, and where it is known."""
    mask = ~truth.isnan()
    return truth.nan_to_num(0.0), mask


def _unfolded(path: Path, sources: list[Source], config: TrainConfig) -> EmbeddedNet:
    """A network for training from released weights, its normalisations measured on the first batches."""
    network = EmbeddedNet()
    load_into(network, load_state_dict(path), path)
    batches = [make_batch(sources, config, step) for step in range(CALIBRATION)]
    return unfold_norms(network, [batch.rgb for batch in batches])


def _save(out: Path, state: Path, network: EmbeddedNet, average: dict[str, Tensor],
          optimiser: torch.optim.Optimizer, counters: checkpoint.Counters) -> None:  # fmt: skip
    checkpoint.save(state, network, average, optimiser, counters)
    export(average, out)


class _Prefetch:
    """Makes the batches of successive steps in a thread, two ahead."""

    def __init__(self, make: Callable[[int], Batch], step: int) -> None:
        self._queue: queue.Queue[Batch | BaseException] = queue.Queue(2)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(make, step), daemon=True)
        self._thread.start()

    def get(self) -> Batch:
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

    def _run(self, make: Callable[[int], Batch], step: int) -> None:
        while not self._stop.is_set():
            try:
                item: Batch | BaseException = make(step)
            except BaseException as error:  # handed to the loop, which raises it
                item = error
            self._queue.put(item)
            if isinstance(item, BaseException):
                return
            step += 1
