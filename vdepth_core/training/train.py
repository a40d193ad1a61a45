"""Training of the embedded model on a mix of sources, on one CPU thread if need be.

Every random choice follows from the seed and the step, so a run limited by steps over the same sources is
repeatable, and a stopped one goes on as if it had not been. A run limited by minutes repeats exactly until
the learning rate begins to fall, which the clock decides: its first half.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import UsageError, WeightsError
from ..learning.losses.exact import aligned_relative_loss, exact_loss
from ..learning.losses.midas import midas_loss, normalise, trimmed_loss
from ..learning.losses.temporal import pair_loss, warp
from ..learning.student import write_weights
from ..networks.embedded import EmbeddedNet
from ..progress import Progress
from ..weights.loading import load_into, load_state_dict
from ..weights.location import find_weights
from . import card, checkpoint, curves
from .config import TrainConfig
from .sources import Batch, Sample, Source, mix

_log = logging.getLogger(__name__)

SHAPES = ((192, 256), (160, 288), (192, 288), (224, 288), (192, 320))  # sizes a step may train at
COARSE = ((128, 160), (96, 160), (128, 192), (128, 128))  # those of the first steps, several times cheaper
LICENSE = "Apache-2.0 AND MIT"  # ours, and that of the weights it may have started from
LOGGED = 50  # steps between lines of the log
HELD = 0.5  # share of the training with the full learning rate
DEEP_RATE = 4.0  # and how many times that for the deep branch, which published weights do not fill


def make_batch(sources: list[Source], config: TrainConfig, step: int) -> Batch:
    """The batch of a step, which follows from the seed and the step alone."""
    rng = np.random.default_rng((config.seed, step))
    shapes = COARSE if step < config.coarse_steps else SHAPES
    height, width = shapes[int(rng.integers(len(shapes)))]
    return mix(sources, step, rng, config.batch, height, width)


def train(
    out: Path, sources: list[Source], config: TrainConfig, progress: Progress | None = None,
    resume: bool = False, init: str | Path | None = None,
) -> Path:  # fmt: skip
    """Trains and writes the averaged weights to ``out`` (safetensors, half precision).

    A checkpoint lies beside it (``.training``), and ``out`` is rewritten with every checkpoint, so that the
    best weights so far always exist; the loss of every step as ``.csv`` and drawn as ``.png``; a model card
    (`card`) as ``.md``.

    Args:
        out: Weights file to write.
        sources: What to train on; closed at the end.
        config: How to train.
        progress: Told about steps; may cancel.
        resume: Go on from the checkpoint beside ``out``.
        init: What to start from: embedded weights, or `TCSmallNet`'s, which fill the trunk; None: nothing.

    Raises:
        WeightsError: ``resume`` without a readable checkpoint, or ``init`` are no such weights.
        UsageError: ``resume`` with another seed.
        Cancelled: somebody asked to stop; a checkpoint was written first.
    """
    progress = progress or Progress()
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    network = EmbeddedNet()
    if init and not resume:
        _fill(network, init)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(_groups(network, config), config.rate, betas=(0.9, 0.99))
    state = out.with_suffix(".training")
    if resume:
        average, start, counters = checkpoint.restore(state, network, optimiser)
        if counters.seed != config.seed:
            raise UsageError(
                f"{state.name} was trained with seed {counters.seed}, not {config.seed}.",
                "Resume with the same seed.",
            )
    else:
        average = {k: v.clone() for k, v in network.state_dict().items()}
        start = {k: v.clone() for k, v in average.items()}
        counters = checkpoint.Counters(config.seed, Path(init).name if init else "")
    progress.stage("train", config.steps)
    _log.info("%d parameters, from step %d", sum(p.numel() for p in network.parameters()), counters.step)
    held_out = {source.kind: source.held_out() for source in sources}
    batches = _Prefetch(lambda step: make_batch(sources, config, step), counters.step)
    saved = time.monotonic()

    def save() -> None:
        curves.write(out, counters.losses, counters.history)
        checkpoint.save(state, network, average, start, optimiser, counters)
        card.write(out, sources, config, counters)
        export(blend(start, average, config.blend), out)

    def validate() -> None:
        released = blend(start, average, config.blend)
        scores = {kind: evaluate(released, samples) for kind, samples in held_out.items() if samples}
        counters.history.append((counters.step, scores))
        words = ", ".join(f"{kind} {score:.4f}" for kind, score in scores.items())
        _log.info("step %d: held out: %s", counters.step, words)

    try:
        while _share(config, counters) < 1:
            started = time.monotonic()
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * _schedule(_share(config, counters), counters.step)
            loss = _step(network, optimiser, batches.get(), config)
            counters.losses.append(loss)
            _follow(average, network, min(config.average, (1 + counters.step) / (10 + counters.step)))
            counters.step += 1
            counters.elapsed += time.monotonic() - started
            if counters.step % config.validate_every == 0:
                validate()
            if counters.step % LOGGED == 0:
                recent = float(np.mean(counters.losses[-LOGGED:]))
                _log.info("step %d, %.0f s: loss %.4f", counters.step, counters.elapsed, recent)
            if time.monotonic() - saved > config.save_every:
                save()
                saved = time.monotonic()
            progress.advance("train")
            progress.check()
        if not counters.history or counters.history[-1][0] != counters.step:
            validate()  # for the card
    finally:
        batches.close()
        for source in sources:
            source.close()
        save()
    return out


def blend(start: dict[str, Tensor], end: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights on the straight way from ``start`` (share 0) to ``end`` (share 1)."""
    return {k: torch.lerp(start[k], v, share) if v.is_floating_point() else v for k, v in end.items()}


def evaluate(weights: dict[str, Tensor], samples: list[Sample]) -> float:
    """Mean trimmed scale-and-shift-invariant error of weights on fixed samples of one frame."""
    network = EmbeddedNet().eval()
    network.load_state_dict(weights)
    errors = []
    with torch.inference_mode():
        for sample in samples:
            truth, mask = _known(torch.from_numpy(sample.disparity))
            residual = normalise(network(torch.from_numpy(sample.rgb)), mask) - normalise(truth, mask)
            errors.append(float(trimmed_loss(residual, mask)))
    return float(np.mean(errors))


def batch_loss(prediction: Tensor, batch: Batch, alpha: float) -> Tensor:
    """Mean loss over the frames of a batch: `exact_loss` for exact truth, `midas_loss` for the rest.

    Where the truth has no shift, `aligned_relative_loss` is added.

    The frames of a sample are stacked into one tall map, and so share one scale and one shift.

    Args:
        prediction: (N, H, W) disparity.
        batch: The truth.
        alpha: Weight of the exact loss's gradient term.
    """
    starts = np.cumsum([0, *(count for count, *_ in batch.samples)])
    total = prediction.new_zeros(())
    for form in sorted(set(batch.samples), key=str):
        frames, exact, floor = form
        first = [start for start, sample in zip(starts, batch.samples, strict=False) if sample == form]
        index = (torch.tensor(first)[:, None] + torch.arange(frames)).flatten()
        own, true = (
            maps[index].reshape(len(first), -1, maps.shape[-1]) for maps in (prediction, batch.truth)
        )
        truth, mask = _known(true)
        loss = exact_loss(own, truth, mask, alpha) if exact else midas_loss(own, truth, mask)
        if floor:
            loss = loss + aligned_relative_loss(own, truth, mask, floor)
        total = total + loss * (len(index) / len(prediction))
    return total


def steadiness_loss(prediction: Tensor, batch: Batch, config: TrainConfig) -> Tensor:
    """TCMonoDepth's temporal loss between the two neighbours of each sample, in the depth loss's units.

    Args:
        prediction: (N, H, W) disparity.
        batch: Truth, flow and visibility.
        config: TemporalForm and sigma.
    """
    starts = np.cumsum([0, *(count for count, *_ in batch.samples)])[:-1]
    moving = torch.tensor([k for k, (count, *_) in enumerate(batch.samples) if count > 1])
    if not len(moving):
        return prediction.new_zeros(())
    index = torch.from_numpy(starts)[moving][:, None] + torch.arange(2)
    height = prediction.shape[1]
    truth, known = _known(batch.truth[index].flatten(1, 2))
    own, true = (
        normalise(x, known).unflatten(1, (2, height)) for x in (prediction[index].flatten(1, 2), truth)
    )
    known, flow = known.unflatten(1, (2, height)), batch.flow[moving]
    both = known[:, 0] & (warp(known[:, 1:].to(flow), flow)[:, 0] > 0.999)
    seen = batch.seen[moving] * both
    return pair_loss(own, true, batch.rgb[index], flow, seen, config.form, config.sigma)


def export(weights: dict[str, Tensor], path: Path) -> None:
    """Writes weights as float16 safetensors; statistics may exceed its range and stay float32."""
    tensors = {
        key: value.to(torch.float16) if value.dtype == torch.float32 and "running" not in key else value
        for key, value in weights.items()
    }
    write_weights(path, tensors, {"license": LICENSE, "commercial": "true"})


def _step(network: EmbeddedNet, optimiser: torch.optim.Optimizer, batch: Batch, config: TrainConfig) -> float:
    network.train(not config.tuning)
    prediction = network(batch.rgb.contiguous(memory_format=torch.channels_last))
    loss = batch_loss(prediction, batch, config.alpha)
    if config.temporal:
        loss = loss + config.temporal * steadiness_loss(prediction, batch, config)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def _share(config: TrainConfig, counters: checkpoint.Counters) -> float:
    return counters.step / config.steps if config.steps else counters.elapsed / (60 * config.minutes)


def _schedule(share: float, step: int) -> float:
    warm = min(1.0, (step + 1) / 200)
    fall = min(1.0, max(0.0, share - HELD) / (1 - HELD))
    return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * fall)))


def _groups(network: EmbeddedNet, config: TrainConfig) -> list[dict[str, object]]:
    """The parameters by their rate and by whether they decay: only the matrices do."""
    groups = []
    for deep in (False, True):
        chosen = [p for name, p in network.named_parameters() if name.startswith("deep.") == deep]
        peak = config.rate * (DEEP_RATE if deep and config.tuning else 1)
        for decays in (True, False):
            part = [p for p in chosen if (p.ndim > 1) == decays]
            groups.append({"params": part, "weight_decay": config.decay * decays, "peak": peak})
    return groups


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


def _fill(network: EmbeddedNet, init: str | Path) -> None:
    """Loads what training starts from.

    Raises:
        WeightsError: they are missing, or of another network.
    """
    path = init if isinstance(init, Path) else find_weights(init)
    state = load_state_dict(path)
    if any(key.startswith("deep.") for key in state):
        load_into(network, state, path)
        return
    try:
        network.load_trunk(state)
    except KeyError as error:
        raise WeightsError(
            f"{path.name} holds no network to start from: it lacks {error}.",
            "Give weights of the embedded model, or tcmonodepth-small.",
        ) from None


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
