"""Training of the embedded model on a mix of sources, on one CPU thread if need be.

The loop is `learning.loop`'s. A run limited by steps over the same sources is repeatable; one limited by
minutes repeats exactly until the learning rate begins to fall, which the clock decides: its first half.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..learning.checkpoint import Counters, Standing, blend, read_counters, resumable
from ..learning.loop import Lesson, learn
from ..learning.losses.exact import aligned_relative_loss, exact_loss
from ..learning.losses.midas import midas_loss, normalise, trimmed_loss
from ..learning.losses.points import points_loss
from ..learning.losses.temporal import pair_loss, warp
from ..learning.state import Weights
from ..learning.student import write_weights
from ..progress import Progress
from . import card, curves, listing
from .architectures import ARCHITECTURES, empty
from .config import TrainConfig
from .encoder import PACKAGES
from .prefetch import Prefetch
from .sources import Batch, Sample, Source, mix

_log = logging.getLogger(__name__)

SHAPES = ((192, 256), (160, 288), (192, 288), (224, 288), (192, 320))  # sizes a step may train at
COARSE = ((128, 160), (96, 160), (128, 192), (128, 128))  # those of the first steps, several times cheaper
LICENSE = "Apache-2.0 AND MIT"  # ours, and that of the weights it may have started from
BROAD = ((192, 288), (192, 320), (256, 192), (256, 352), (256, 448), (288, 384), (384, 288), (384, 512),
         (384, 640), (512, 640))  # sizes of the last steps: what clips are run at  # fmt: skip
PIXELS = 192 * 288  # of a frame as the batch size counts them: a batch of larger ones has fewer


def make_batch(sources: list[Source], config: TrainConfig, step: int) -> Batch:
    """The batch of a step, which follows from the seed and the step alone.

    Args:
        sources: What is drawn from.
        config: Seed, batch size and the length of the phases.
        step: From 0.
    """
    rng = np.random.default_rng((config.seed, step))
    broad = _broad(config, step)
    shapes = BROAD if broad else COARSE if step < config.coarse_steps else SHAPES
    height, width = shapes[int(rng.integers(len(shapes)))]
    frames = config.batch
    if broad:
        frames = min(frames, max(2, round(frames * PIXELS / (height * width))))
    return mix(sources, step, rng, frames, height, width)


def train(
    out: Path, sources: list[Source], config: TrainConfig, progress: Progress | None = None,
    resume: bool = False, init: str | Path | None = None, encoder: Weights | None = None,
    shards: Path | None = None,
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
        init: What to start from: weights of the same architecture, or `TCSmallNet`'s, which fill a trunk;
            None: nothing.
        encoder: Published weights of the architecture's encoder.
        shards: A table of which shards to use from when; see `listing`. None: all there are, and what has
            come since where a run goes on.

    Raises:
        WeightsError: ``resume`` without a readable checkpoint, or ``init`` are no such weights.
        UsageError: ``resume`` with another seed, architecture, rate, batch or temporal loss, or no weights
            for the encoder.
        InputError: a shard is gone, or ``shards`` is no such table.
        Cancelled: somebody asked to stop; a checkpoint was written first.
    """
    progress = progress or Progress()
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    architecture = ARCHITECTURES[config.architecture]
    network = architecture.build()
    if not resume:
        architecture.fill(network, init, encoder)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    groups = architecture.groups(network, config.rate, config.decay, config.published)
    optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.99))
    state, identity = out.with_suffix(".training"), _identity(config)
    if resume:
        counters = read_counters(state, identity)
        _check_settings(counters.settings, config)
        standing = Standing.restored(state, network, optimiser, counters)
    else:
        begun = (Path(init).name if init else "", PACKAGES[architecture.encoder].name if encoder else "")
        counters = Counters(identity, " and ".join(filter(None, begun)), config.threads)
        counters.settings = _settings(config)
        standing = Standing.fresh(network, optimiser, counters)
    _log.info("%d parameters, from step %d", sum(p.numel() for p in network.parameters()),
              standing.counters.step)  # fmt: skip
    listing.enlist(sources, out, standing.counters.step, shards)
    lesson = _Sources(out, sources, config, network, standing.counters.step)
    try:
        with resumable():
            learn(lesson, standing, config, state, progress)
    finally:
        lesson.close()
        for source in sources:
            source.close()
    return out


def began_whole(out: Path, config: TrainConfig) -> bool:
    """Whether the run that would be gone on with began with a whole network, not with its published parts.

    Args:
        out: Its weights file.
        config: Its seed and architecture.

    Raises:
        WeightsError: there is no readable checkpoint beside it.
        UsageError: it is of another seed or architecture.
    """
    source = read_counters(out.with_suffix(".training"), _identity(config)).source
    return not any(package.name in source for package in PACKAGES.values())


class _Sources(Lesson):
    """Batches mixed from the sources, and what is written with every checkpoint."""

    stage = "train"

    def __init__(
        self, out: Path, sources: list[Source], config: TrainConfig, network: nn.Module, step: int
    ) -> None:
        self._out, self._sources, self._config, self._network = out, sources, config, network
        self._held_out = {source.kind: source.held_out() for source in sources}
        self._batches = Prefetch(lambda step: make_batch(sources, config, step), step)

    def close(self) -> None:
        """Makes no further batches."""
        self._batches.close()

    def terms(self, step: int) -> dict[str, Tensor]:
        """Of the step's batch; the loop asks for one step after the other."""
        network, batch, config = self._network, self._batches.get(), self._config
        ARCHITECTURES[config.architecture].set_mode(network, _broad(config, step))
        prediction = network(batch.rgb.contiguous(memory_format=torch.channels_last))
        terms = {"depth": batch_loss(prediction, batch, config.alpha)}
        if config.temporal:
            terms["temporal"] = config.temporal * steadiness_loss(prediction, batch, config)
        return terms

    def validate(self, standing: Standing) -> dict[str, float]:
        """Errors of what would be released now, by kind of source."""
        network = empty(self._config.architecture)
        network.load_state_dict(self._released(standing))
        return {kind: evaluate(network, samples) for kind, samples in self._held_out.items() if samples}

    def saved(self, standing: Standing) -> None:
        """Curves, the card, and the weights as they are."""
        curves.write(self._out, standing.counters.losses, standing.counters.history)
        card.write(self._out, self._sources, self._config, standing.counters)
        export(self._released(standing), self._out)

    def _released(self, standing: Standing) -> Weights:
        return blend(standing.kept, standing.average, self._config.blend)


def evaluate(network: nn.Module, samples: list[Sample]) -> float:
    """Mean trimmed scale-and-shift-invariant error of a network on fixed samples of one frame.

    Args:
        network: In evaluation mode.
        samples: Held out.
    """
    errors = []
    with torch.inference_mode():
        for sample in samples:
            truth, mask = _known(torch.from_numpy(sample.disparity))
            residual = normalise(network(torch.from_numpy(sample.rgb)), mask) - normalise(truth, mask)
            errors.append(float(trimmed_loss(residual, mask)))
    return float(np.mean(errors))


def batch_loss(prediction: Tensor, batch: Batch, alpha: float) -> Tensor:
    """Mean loss over the frames of a batch: `exact_loss` for exact truth, `midas_loss` for the rest.

    Where the truth has no shift, `aligned_relative_loss` is added. Points have a loss of their own,
    `points_loss`.

    The frames of a sample are stacked into one tall map, and so share one scale and one shift.

    Args:
        prediction: (N, H, W) disparity.
        batch: The truth.
        alpha: Weight of the exact loss's gradient term.
    """
    starts = np.cumsum([0, *(count for count, *_ in batch.samples)])
    total = prediction.new_zeros(())
    forms = list(zip(batch.samples, batch.sparse or [False] * len(batch.samples), strict=True))
    for form in sorted(set(forms), key=str):
        (frames, exact, floor), sparse = form
        first = [start for start, sample in zip(starts, forms, strict=False) if sample == form]
        index = (torch.tensor(first)[:, None] + torch.arange(frames)).flatten()
        own, true = (
            maps[index].reshape(len(first), -1, maps.shape[-1]) for maps in (prediction, batch.truth)
        )
        truth, mask = _known(true)
        if sparse and floor:
            loss = points_loss(own, truth, mask, floor)
        else:
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


def export(weights: Weights, path: Path) -> None:
    """Writes weights as float16 safetensors; statistics may exceed its range and stay float32.

    Args:
        weights: Of a network.
        path: The safetensors file.
    """
    tensors = {
        key: value.to(torch.float16) if value.dtype == torch.float32 and "running" not in key else value
        for key, value in weights.items()
    }
    write_weights(path, tensors, {"license": LICENSE, "commercial": "true"})


def _identity(config: TrainConfig) -> str:
    return f"{config.architecture}, seed {config.seed}"


def _settings(config: TrainConfig) -> dict[str, float | str]:
    """What a run that goes on must not change in the middle; how long it is and what is released may."""
    return {
        name: getattr(config, name) for name in ("rate", "published", "batch", "temporal", "form", "sigma")
    }


def _check_settings(begun: dict[str, float | str], config: TrainConfig) -> None:
    """Raises a `UsageError` where a checkpoint that says its settings was begun with other ones."""
    for name, value in _settings(config).items():
        if begun.get(name, value) != value:
            raise UsageError(
                f"This training was begun with --{name} {begun[name]}, not {value}.",
                f"Go on with --{name} {begun[name]}, or begin anew under another name.",
            )


def _broad(config: TrainConfig, step: int) -> bool:
    return config.broad_from is not None and step >= config.broad_from


def _known(truth: Tensor) -> tuple[Tensor, Tensor]:
    """Truth with unknown pixels zeroed, and where it is known."""
    mask = ~truth.isnan()
    return truth.nan_to_num(0.0), mask
