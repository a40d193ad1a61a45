"""Clips with known depth, whatever they are stored as: one scene each, read frame by frame.

A training is split by scene: frames of a scene that is held out are never learnt from.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ...clip.images import read_image, to_display8
from ...errors import InputError
from ...learning.diffusion.targets import Snippet, known_latents
from ...models.diffusion.parts import SCALE
from ...scenes import stream_shards
from .. import augment
from ..shards import load_shard

HELD_OUT = 900_000_000  # first seed of the procedural scenes that are held out
PROCEDURAL = "procedural"  # the word that asks for them
SHARE = 10  # one in so many scenes is held out
_MARGIN = 1.25  # rendered larger than the training's pictures, which are cut from it
_SIDE = 4


class Footage(ABC):
    """A clip with its depth.

    Attributes:
        scene: What is held out with it.
        count: Frames.
        run: How many of them follow each other in time before a jump.
    """

    scene: str
    count: int
    run: int

    @abstractmethod
    def load(self, frames: Sequence[int]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Reads frames.

        Args:
            frames: Their numbers.

        Returns:
            Pictures (H, W, 3) uint8, and disparity (H, W) float32, not a number where unknown, 0 for the sky.

        Raises:
            InputError: a file cannot be read.
        """


class ShardFootage(Footage):
    """A shard (see `training.shards`)."""

    def __init__(self, path: Path, scene: str) -> None:
        self.path, self.scene = path, scene
        with np.load(path, allow_pickle=False) as data:
            self.count = len(data["rgb"])
            self.run = self.count if "flow" in data else min(2, self.count)

    def load(self, frames: Sequence[int]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Reads frames; see `Footage.load`."""
        rgb, disparity = load_shard(self.path)
        return [rgb[t] for t in frames], [disparity[t] for t in frames]


class Rendered(Footage):
    """A procedural scene, rendered when it is first asked for."""

    def __init__(self, folder: Path, seed: int, frames: int, size: tuple[int, int]) -> None:
        self._folder, self._seed, self._size = folder, seed, size
        self.scene, self.count, self.run = f"procedural {seed}", frames, frames

    def load(self, frames: Sequence[int]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Reads frames; see `Footage.load`."""
        (path,) = stream_shards(self._folder, self._seed, 1, self.count, *self._size)
        rgb, disparity = load_shard(path)
        return [rgb[t] for t in frames], [disparity[t] for t in frames]


class FileFootage(Footage):
    """Pictures and depth in files, one each a frame."""

    def __init__(
        self,
        scene: str,
        pictures: Sequence[Path],
        depth: Callable[[int], np.ndarray],
        picture: Callable[[Path], np.ndarray] = lambda path: to_display8(read_image(path).pixels),
    ) -> None:
        """Takes what was found.

        Args:
            scene: See `Footage`.
            pictures: In order.
            depth: From a frame's number to its disparity (H, W), as `Footage.load` gives it.
            picture: Reads one.
        """
        self.scene, self.count, self.run = scene, len(pictures), len(pictures)
        self._pictures, self._depth, self._picture = pictures, depth, picture

    def load(self, frames: Sequence[int]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Reads frames; see `Footage.load`."""
        return [self._picture(self._pictures[t]) for t in frames], [self._depth(t) for t in frames]


@dataclass(frozen=True)
class Split:
    """What is learnt from, and what is held out.

    Attributes:
        training, held_out: Of different scenes.
        facts: What decides them, for the identity of a run.
        origins: The folders they are from; none for procedural scenes.
    """

    training: tuple[Footage, ...]
    held_out: tuple[Footage, ...]
    facts: tuple[str, ...]
    origins: tuple[Path, ...]


def procedural(folder: Path, seed: int, count: int, frames: int, size: tuple[int, int]) -> Split:
    """Procedural scenes; those held out are the same whatever the seed.

    Args:
        folder: Cache of rendered scenes.
        seed: Of those to learn from.
        count: How many.
        frames: Of each.
        size: (height, width) of the training.
    """
    large = (round(size[0] * _MARGIN / _SIDE) * _SIDE, round(size[1] * _MARGIN / _SIDE) * _SIDE)
    first = (1 + seed) * 1_000_000

    def scenes(start: int, number: int) -> tuple[Footage, ...]:
        return tuple(Rendered(folder, start + k, frames, large) for k in range(number))

    said = (f"procedural {first}+{count} {frames} {large}",)
    return Split(scenes(first, count), scenes(HELD_OUT, max(2, count // SHARE)), said, ())


def split(clips: Sequence[Footage], origin: Path) -> Split:
    """Holds out one scene in ten, one at least, none of a single one; which ones follows from their names.

    Args:
        clips: Of one folder.
        origin: The folder.
    """
    names = sorted({clip.scene for clip in clips})
    held = set(names[:: max(2, min(SHARE, len(names)))]) if len(names) > 1 else set()
    return Split(
        tuple(clip for clip in clips if clip.scene not in held),
        tuple(clip for clip in clips if clip.scene in held),
        tuple(f"{clip.scene} {clip.count}" for clip in clips),
        (origin,),
    )


def joined(splits: Sequence[Split]) -> Split:
    """Several as one.

    Args:
        splits: One at least.

    Raises:
        InputError: each is of a single scene.
    """
    if not any(part.held_out for part in splits):
        names = ", ".join(clip.scene for part in splits for clip in part.training)
        places = " and ".join(str(path) for part in splits for path in part.origins)
        raise InputError(
            f"{places} {'holds' if len(splits) == 1 else 'each hold'} one scene only, {names}: "
            "nothing could be held out.",
            "Give folders of several scenes.",
        )
    return Split(
        tuple(clip for part in splits for clip in part.training),
        tuple(clip for part in splits for clip in part.held_out),
        tuple(fact for part in splits for fact in part.facts),
        tuple(path for part in splits for path in part.origins),
    )


def usable(footage: Footage, size: tuple[int, int]) -> bool:
    """Whether anything of a clip can be learnt: a latent pixel of any frame whose depth is known.

    Args:
        footage: The clip.
        size: (height, width) of the training.

    Raises:
        InputError: a file cannot be read.
    """
    for frame in range(footage.count):
        (disparity,) = whole(footage, [frame], size).disparity
        known = torch.from_numpy(np.isfinite(disparity))[None]
        if bool(known_latents(known, SCALE).any()) and bool((disparity > 0).any()):
            return True
    return False


def cut(footage: Footage, frames: Sequence[int], size: tuple[int, int], rng: np.random.Generator,
        degrade: bool) -> Snippet:  # fmt: skip
    """A snippet to learn from: one random part of the pictures, mirrored in half of the cases.

    Args:
        footage: The clip.
        frames: Which.
        size: (height, width) of the result.
        rng: Decides.
        degrade: Change colours, noise and compression too.
    """
    pictures, truths = footage.load(frames)
    place = augment.place(pictures[0].shape[:2], *size, rng)
    seed = int(rng.integers(2**62))

    def changed(number: int, picture: np.ndarray) -> np.ndarray:
        if not degrade:
            return picture.transpose(2, 0, 1).astype(np.float32) / 255
        return augment.degrade(
            picture, np.random.default_rng((seed, 0)), np.random.default_rng((seed, 1 + number))
        )

    rgb = [changed(t, place.picture(picture)) for t, picture in enumerate(pictures)]
    return Snippet(np.stack(rgb), np.stack([place.truth(truth) for truth in truths]))


def whole(footage: Footage, frames: Sequence[int], size: tuple[int, int]) -> Snippet:
    """A snippet to be scored: as much of the pictures as the size's aspect shows, unchanged.

    Args:
        footage: The clip.
        frames: Which.
        size: (height, width) of the result.
    """
    pictures, truths = footage.load(frames)
    rows, columns = pictures[0].shape[:2]
    aspect = size[1] / size[0]
    h, w = (rows, min(columns, round(rows * aspect))) if columns >= rows * aspect else (
        min(rows, round(columns / aspect)), columns)  # fmt: skip
    place = augment.Place((rows - h) // 2, (columns - w) // 2, h, w, *size, mirrored=False)
    rgb = [place.picture(picture).transpose(2, 0, 1).astype(np.float32) / 255 for picture in pictures]
    return Snippet(np.stack(rgb), np.stack([place.truth(truth) for truth in truths]))
