"""What a training set of video is: targets, each with the other pictures of it that it is explained from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

HELD_OUT = 20  # one in so many targets, where no list says which


@dataclass(frozen=True)
class Sample:
    """One target and its sources, at the size of the training.

    Attributes:
        pictures: (1 + S, h, w, 3) uint8, the target first, then the neighbours in time in the order of the
            gallery's ``offsets``, then the stereo partner, if there is one.
        K: (3, 3) float64 of all of them, for pixel indices.
        left: Whether the target is the left one of a stereo pair; None: there is no partner.
        measured: (T, 3) float64, how far the camera really moved to each neighbour in time; None: not known.
    """

    pictures: np.ndarray
    K: np.ndarray
    left: bool | None = None
    measured: np.ndarray | None = None


class Gallery(ABC):
    """A training set.

    Attributes:
        size: (height, width) of its pictures.
        offsets: Of the sources in time, in frames; negative ones are earlier.
        training, validation: Numbers of the targets to learn from, and of those held out.
        facts: What decides its samples, for the identity of a run.
    """

    size: tuple[int, int]
    offsets: tuple[int, ...]
    training: Sequence[int]
    validation: Sequence[int]
    facts: dict[str, object]

    @abstractmethod
    def load(self, number: int) -> Sample:
        """Reads a sample; may be called from several threads.

        Args:
            number: Of a target.

        Raises:
            InputError: a picture cannot be read.
        """

    def close(self) -> None:  # noqa: B027 (most have nothing open)
        """Gives back what is open."""
