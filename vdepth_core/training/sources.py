"""Where training samples come from, behind one interface; a batch mixes the sources by their shares.

A sample is two neighbouring frames of a clip, and where the clip has more, one from elsewhere in it. They
share scale and shift: the loss aligns them together, so that the network learns one scale for a clip and not
one a frame; and the neighbours are compared along optical flow, so that it learns to be steady.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..flow.dis import DisFlow
from . import augment, pool
from .shards import Maps, load_points, load_shard

HELD_OUT = 900_000_000  # first seed of the validation scenes; training seeds stay below
TOGETHER = 3  # most frames of one clip in a sample
SHARES = {
    "procedural": 0.15,
    "cycles": 0.35,
    "rgbd": 0.2,
    "teacher": 0.3,
    "points": 0.1,
    "motion": 0.15,
}  # of the frames, if all are there
VALIDATION = (192, 288)  # size of a validation picture
VALIDATED = 32  # most validation frames of a source
HEAD_START = 64  # scenes in the pool at step 0: training begins when they are rendered
FLOOR = 1 / 80  # least disparity that rendered truth counts down to, per metre
MEASURED_FLOOR = 1 / 20  # least disparity that a camera's motion measures, where the clip's median is 1
ENOUGH = 100  # rendered shards from which on their kind gets its whole share
FRESH = 0.4  # scenes each step adds: what a renderer keeps up with

Form = tuple[int, bool, float | None]


@dataclass(frozen=True)
class Sample:
    """Frames of one clip.

    Attributes:
        rgb: (T, 3, H, W) float32 in [0, 1]; the first two are neighbours.
        disparity: (T, H, W) float32 >= 0, of one scale; not a number where unknown.
        flow: (H, W, 2) float32, pixels, from the first frame to the second.
        seen: (H, W) float32 in [0, 1], how surely a pixel of the first is found in the second.
        sparse: Whether the truth is known at points only, too far apart for edges.
    """

    rgb: np.ndarray
    disparity: np.ndarray
    flow: np.ndarray
    seen: np.ndarray
    sparse: bool = False


class Source(ABC):
    """Something samples are drawn from; the same step and generator give the same sample.

    Attributes:
        kind: Key of `SHARES`.
        exact: Whether its truth has no errors; decides the loss.
        floor: Least disparity its truth tells from infinity; None: its truth has an unknown shift.
        frames: T of its samples.
        origins: The files and folders it was made of, for the model card; empty: made here.
        contents: What it holds, in a few words.
    """

    kind: str
    exact: bool
    floor: float | None
    frames: int
    origins: tuple[Path, ...]
    contents: str

    @abstractmethod
    def draw(self, step: int, rng: np.random.Generator, height: int, width: int) -> Sample:
        """A random sample of this size.

        Args:
            step: Of the training, from 0.
            rng: Decides the sample.
            height, width: Of the sample, in pixels.
        """

    @abstractmethod
    def held_out(self) -> list[Sample]:
        """Fixed single frames of the size `VALIDATION` that are never drawn."""

    @abstractmethod
    def close(self) -> None:
        """Ends what it has running."""


class Procedural(Source):
    """The ray-traced scenes of `scenes`, from a pool on disk that grows with the steps."""

    kind, exact, frames = "procedural", True, pool.FRAMES
    floor: float | None = FLOOR
    origins: tuple[Path, ...] = ()

    def __init__(
        self,
        folder: Path,
        seed: int,
        scenes: int = 20_000,
        renderers: int = 1,
    ) -> None:
        """Starts ``renderers`` processes, which render up to ``scenes`` scenes that follow from ``seed``."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.scenes, self.first = folder, scenes, (1 + seed) * 1_000_000
        self.contents = f"at most {scenes} ray-traced scenes, seeds from {self.first}"
        self.renderers = pool.Renderers(folder, self.first, scenes, renderers) if renderers else None

    def available(self, step: int) -> int:
        """Number of scenes step ``step`` may use.

        Args:
            step: Of the training, from 0.
        """
        return min(self.scenes, int(HEAD_START + FRESH * step))

    def draw(self, step: int, rng: np.random.Generator, height: int, width: int) -> Sample:
        """A random sample of a scene's first two frames; see `Source.draw`."""
        have = self.available(step)
        pool.wait_for(self.folder, self.first + have - 1, self.renderers)
        rgb, disparity = pool.load_scene(self.folder, self.first + int(rng.integers(have)))
        return _sample(rgb, disparity, [0, 1], rng, height, width)

    def held_out(self) -> list[Sample]:
        """The scenes from seed `HELD_OUT` on."""
        samples = []
        for number in range(VALIDATED):
            rgb, disparity = pool.load_scene(self.folder, HELD_OUT + number)
            rng = np.random.default_rng((HELD_OUT, number))
            samples.append(_sample(rgb, disparity, [0], rng, *VALIDATION))
        return samples

    def close(self) -> None:
        """Stops the renderers."""
        if self.renderers:
            self.renderers.close()


class Shards(Source):
    """Frames of shards (see `shards`), listed once: what is added later is seen by the next run.

    Attributes:
        paths: Of the shards to train on.
        since: From which step on each of them may be drawn; never falling.
    """

    frames = TOGETHER
    sparse = False

    def __init__(
        self, kind: str, folders: list[Path], exact: bool, floor: float | None, origins: Sequence[Path] = ()
    ) -> None:
        """Lists the folders, which were made of ``origins``, or are the data themselves.

        Raises:
            InputError: a folder has no shard to train on, or two shards have one name.
        """
        self.kind, self.exact, self.floor = kind, exact, floor
        folders = [folder.resolve() for folder in folders]  # a shard is named by its folder
        listed = [list(folder.glob("train-*.npz")) for folder in folders]
        if empty := [str(folder) for folder, own in zip(folders, listed, strict=True) if not own]:
            raise InputError(
                f"There are no shards for {kind} in {', '.join(empty)}.",
                "Give a folder with files train-*.npz.",
            )
        self.paths = sorted((path for own in listed for path in own), key=shard_name)
        self.since = [0] * len(self.paths)
        held = (path for folder in folders for path in folder.glob("held-*.npz"))
        self._held = sorted(held, key=shard_name)
        self.origins = tuple(origins or folders)
        count = len(self.paths)
        self.contents = f"{count} shard{'s' * (count != 1)}, {len(self._held)} more held out"
        for one, other in pairwise(map(shard_name, self.paths)):
            if one == other:
                raise InputError(
                    f"There are two {one} for {kind}.", "Give each once, or rename a folder or clip."
                )

    def enlist(self, known: Mapping[str, int], step: int, closed: bool) -> dict[str, int]:
        """Says from which step on each shard may be drawn.

        Args:
            known: For shards that are listed already, by `shard_name`.
            step: From which on the others may be.
            closed: Others may not, at any step.

        Returns:
            The same for all shards there are now.

        Raises:
            InputError: a shard that is listed is not there any more.
        """
        found = {shard_name(path): path for path in self.paths}
        if lost := sorted(known.keys() - found.keys()):
            raise InputError(
                f"{lost[0]}, which this training uses, is not there any more.", "Put it back, or begin anew."
            )
        since = {name: known.get(name, step) for name in found if name in known or not closed}
        order = sorted(since, key=lambda name: (since[name], name))
        self.paths, self.since = [found[name] for name in order], [since[name] for name in order]
        return since

    def available(self, step: int) -> int:
        """Number of shards a step may use, also none: they may have come later.

        Args:
            step: Of the training, from 0.
        """
        return bisect_right(self.since, step)

    def draw(self, step: int, rng: np.random.Generator, height: int, width: int) -> Sample:
        """Two neighbours and a third frame, under one crop and one camera; see `Source.draw`."""
        rgb, truth = self._load(self.paths[int(rng.integers(self.available(step)))])
        first = 2 * int(rng.integers(len(rgb) // 2))
        others = [t for t in range(len(rgb)) if t // 2 != first // 2]
        chosen = [first, first + 1, *([int(rng.choice(others))] if others else [])]
        return _sample(rgb, truth, chosen, rng, height, width, self.sparse)

    def held_out(self) -> list[Sample]:
        """Frames from all over the held-out shards."""
        places = [(path, t) for path in self._held for t in range(len(self._load(path)[0]))]
        stride = -(-len(places) // VALIDATED) or 1
        samples = []
        for number, (path, t) in enumerate(places[::stride]):
            rng = np.random.default_rng((HELD_OUT, number))
            samples.append(_sample(*self._load(path), [t], rng, *VALIDATION, self.sparse))
        return samples

    def close(self) -> None:
        """Nothing runs."""

    def _load(self, path: Path) -> tuple[np.ndarray, Maps]:
        return load_shard(path)


class Points(Shards):
    """Frames with the exact depth of a few points each, from structure from motion; see `shards`."""

    sparse = True

    def __init__(self, folders: list[Path], origins: Sequence[Path] = ()) -> None:
        """See `Shards`."""
        super().__init__("points", folders, exact=False, floor=MEASURED_FLOOR, origins=origins)

    def _load(self, path: Path) -> tuple[np.ndarray, Maps]:
        return load_points(path)


def shard_name(path: Path) -> str:
    """What a shard is called wherever its folder lies.

    Args:
        path: Of the shard.
    """
    return f"{path.parent.name}/{path.name}"


@dataclass(frozen=True)
class Batch:
    """A step's samples.

    Attributes:
        rgb: (N, 3, H, W) in [0, 1].
        truth: (N, H, W) disparity, not a number where unknown.
        samples: For each sample how many frames it has, and its source's ``exact`` and ``floor``.
        flow: (S, H, W, 2), one for each sample.
        seen: (S, H, W); 0 for a sample of one frame.
        sparse: For each sample whether its truth is known at points only; empty: for none.
    """

    rgb: Tensor
    truth: Tensor
    samples: tuple[Form, ...]
    flow: Tensor
    seen: Tensor
    sparse: tuple[bool, ...] = ()


def mix(
    sources: list[Source], step: int, rng: np.random.Generator, frames: int, height: int, width: int
) -> Batch:
    """Draws a batch, each sample from a source chosen by its share.

    Args:
        sources: To choose from.
        step: Of the training.
        rng: Decides everything.
        frames: Of the batch.
        height, width: Of its pictures.
    """
    sources = [source for source in sources if share(source, step)]
    shares = np.array([share(source, step) / source.frames for source in sources])  # they are of frames
    drawn: list[Sample] = []
    samples: list[Form] = []
    left = frames
    while left:
        source = sources[int(rng.choice(len(sources), p=shares / shares.sum()))]
        sample = source.draw(step, rng, height, width)
        count = min(left, len(sample.rgb))
        seen = sample.seen if count > 1 else np.zeros_like(sample.seen)
        drawn.append(Sample(sample.rgb[:count], sample.disparity[:count], sample.flow, seen, sample.sparse))
        samples.append((count, source.exact, source.floor))
        left -= count
    rgb, truth = (np.concatenate([getattr(s, name) for s in drawn]) for name in ("rgb", "disparity"))
    flow, seen = (np.stack([getattr(s, name) for s in drawn]) for name in ("flow", "seen"))
    stacked = {"rgb": rgb, "truth": truth, "flow": flow, "seen": seen}
    sparse = tuple(s.sparse for s in drawn) if any(s.sparse for s in drawn) else ()
    return Batch(
        samples=tuple(samples), sparse=sparse, **{name: torch.from_numpy(x) for name, x in stacked.items()}
    )


def share(source: Source, step: int) -> float:
    """A source's weight among a step's frames: less of few rendered scenes, soon known by heart.

    Args:
        source: Of them all.
        step: Of the training.
    """
    if not isinstance(source, Shards):
        return SHARES[source.kind]
    have = source.available(step)
    return SHARES[source.kind] * (min(1.0, have / ENOUGH) if source.exact else float(have > 0))


def _sample(rgb: np.ndarray, truth: Maps, frames: list[int], rng: np.random.Generator,
            height: int, width: int, sparse: bool = False) -> Sample:  # fmt: skip
    """Augments frames of one clip alike: another crop would be another scale."""
    seed = int(rng.integers(2**62))
    place = augment.place((rgb.shape[1], rgb.shape[2]), height, width, np.random.default_rng(seed))
    pictures = [place.picture(rgb[t]) for t in frames]
    truths = [place.points(truth[t]) if sparse else place.truth(truth[t]) for t in frames]
    flow, seen = np.zeros((height, width, 2), np.float32), np.zeros((height, width), np.float32)
    if len(frames) > 1 and not sparse:  # between points there is no truth to follow
        flow, seen = DisFlow("medium").motion(*pictures[:2])  # on clean pictures: noise is not motion
    images = [
        augment.degrade(picture, np.random.default_rng((seed, 0)), np.random.default_rng((seed, 1 + t)))
        for t, picture in enumerate(pictures)
    ]
    return Sample(np.stack(images), np.stack(truths), flow, seen, sparse)
