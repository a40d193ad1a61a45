"""Where training samples come from, behind one interface; a batch mixes the sources by their shares.

A sample is one frame, or a few frames of one clip that share scale and shift: the loss aligns such frames
together, so that the network learns one scale for a clip and not one a frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from . import augment, pool
from .shards import load_shard

HELD_OUT = 900_000_000  # first seed of the validation scenes; training seeds stay below
TOGETHER = 2  # frames of one clip in a sample
SHARES = {
    "procedural": 0.25,
    "cycles": 0.25,
    "rgbd": 0.25,
    "teacher": 0.25,
}  # of the frames, if all are there
VALIDATION = (192, 256)  # size of a validation picture
VALIDATED = 32  # most validation frames of a source
HEAD_START = 1500  # scenes in the pool at step 0
FRESH = 0.4  # scenes each step adds: what a renderer keeps up with


@dataclass(frozen=True)
class Sample:
    """Frames of one clip.

    Attributes:
        rgb: (T, 3, H, W) float32 in [0, 1].
        disparity: (T, H, W) float32 >= 0, of one scale; not a number where unknown.
    """

    rgb: np.ndarray
    disparity: np.ndarray


class Source(Protocol):
    """Something samples are drawn from; the same step and generator give the same sample.

    Attributes:
        kind: Key of `SHARES`.
        exact: Whether its truth has no errors; decides the loss.
        frames: T of its samples.
    """

    kind: str
    exact: bool
    frames: int

    def draw(self, step: int, rng: np.random.Generator, height: int, width: int) -> Sample:
        """A random sample of this size."""

    def held_out(self) -> list[Sample]:
        """Fixed single frames of the size `VALIDATION` that are never drawn."""

    def close(self) -> None:
        """Ends what it has running."""


class Procedural:
    """Single frames of the ray-traced scenes of `scenes`, from a pool on disk that grows with the steps."""

    kind, exact, frames = "procedural", True, 1

    def __init__(self, folder: Path, seed: int, scenes: int = 20_000, renderers: int = 1) -> None:
        """Starts ``renderers`` processes, which render up to ``scenes`` scenes that follow from ``seed``."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.scenes, self.first = folder, scenes, (1 + seed) * 1_000_000
        self.renderers = pool.Renderers(folder, self.first, scenes, renderers) if renderers else None

    def available(self, step: int) -> int:
        """Number of scenes step ``step`` may use."""
        return min(self.scenes, int(HEAD_START + FRESH * step))

    def draw(self, step: int, rng: np.random.Generator, height: int, width: int) -> Sample:
        """A random sample of this size."""
        have = self.available(step)
        pool.wait_for(self.folder, self.first + have - 1, self.renderers)
        rgb, disparity = pool.load_scene(self.folder, self.first + int(rng.integers(have)))
        return _sample(rgb[None], disparity[None], [0], rng, height, width)

    def held_out(self) -> list[Sample]:
        """The scenes from seed `HELD_OUT` on."""
        samples = []
        for number in range(VALIDATED):
            rgb, disparity = pool.load_scene(self.folder, HELD_OUT + number)
            rng = np.random.default_rng((HELD_OUT, number))
            samples.append(_sample(rgb[None], disparity[None], [0], rng, *VALIDATION))
        return samples

    def close(self) -> None:
        """Stops the renderers."""
        if self.renderers:
            self.renderers.close()


class Shards:
    """Frames of shards (see `shards`), listed once: what is added later is seen by the next run."""

    frames = TOGETHER

    def __init__(self, kind: str, folders: list[Path], exact: bool) -> None:
        """Lists the folders.

        Raises:
            InputError: there is no shard to train on.
        """
        self.kind, self.exact = kind, exact
        self.paths = sorted(path for folder in folders for path in folder.glob("train-*.npz"))
        self._held = sorted(path for folder in folders for path in folder.glob("held-*.npz"))
        if not self.paths:
            raise InputError(
                f"There are no shards for {kind} in {', '.join(map(str, folders)) or 'no folder'}.",
                "Give a folder with files train-*.npz.",
            )

    def draw(self, step: int, rng: np.random.Generator, height: int, width: int) -> Sample:
        """A random sample of this size: frames of one shard, under one crop and one camera."""
        rgb, disparity = load_shard(self.paths[int(rng.integers(len(self.paths)))])
        chosen = rng.choice(len(rgb), TOGETHER, replace=len(rgb) < TOGETHER).tolist()
        return _sample(rgb, disparity, chosen, rng, height, width)

    def held_out(self) -> list[Sample]:
        """Frames from all over the held-out shards."""
        places = [(path, t) for path in self._held for t in range(len(load_shard(path)[0]))]
        stride = -(-len(places) // VALIDATED) or 1
        samples = []
        for number, (path, t) in enumerate(places[::stride]):
            rng = np.random.default_rng((HELD_OUT, number))
            samples.append(_sample(*load_shard(path), [t], rng, *VALIDATION))
        return samples

    def close(self) -> None:
        """Nothing runs."""


@dataclass(frozen=True)
class Batch:
    """A step's samples.

    Attributes:
        rgb: (N, 3, H, W) in [0, 1].
        truth: (N, H, W) disparity, not a number where unknown.
        samples: For each sample how many frames it has and whether its truth is exact, in the order of N.
    """

    rgb: Tensor
    truth: Tensor
    samples: tuple[tuple[int, bool], ...]


def mix(
    sources: list[Source], step: int, rng: np.random.Generator, frames: int, height: int, width: int
) -> Batch:
    """Draws a batch of ``frames`` frames, each sample from a source chosen by its share."""
    shares = np.array([SHARES[source.kind] for source in sources])
    drawn: list[Sample] = []
    samples: list[tuple[int, bool]] = []
    left = frames
    while left:
        source = sources[int(rng.choice(len(sources), p=shares / shares.sum()))]
        for _ in range(max(1, TOGETHER // source.frames)):  # so that shares are shares of frames
            sample = source.draw(step, rng, height, width)
            count = min(left, len(sample.rgb))
            drawn.append(Sample(sample.rgb[:count], sample.disparity[:count]))
            samples.append((count, source.exact))
            left -= count
            if not left:
                break
    rgb, truth = (np.concatenate([getattr(s, name) for s in drawn]) for name in ("rgb", "disparity"))
    return Batch(torch.from_numpy(rgb), torch.from_numpy(truth), tuple(samples))


def _sample(rgb: np.ndarray, disparity: np.ndarray, frames: list[int], rng: np.random.Generator, height: int,
            width: int) -> Sample:  # fmt: skip
    """Augments frames of one clip alike: another crop would be another scale."""
    seed = int(rng.integers(2**62))
    pairs = [augment.sample(rgb[t], disparity[t], height, width, np.random.default_rng(seed)) for t in frames]
    images, truths = zip(*pairs, strict=True)
    return Sample(np.stack(images), np.stack(truths))
