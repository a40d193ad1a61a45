"""Which frames are predicted together: the snippets of RollingDepth (Ke et al., 2024), and who can do it.

A snippet of dilation d is the frames (s, s + d, s + 2d); every start s with all its frames inside the shot is
used. Dilation 1 says how neighbours relate, long dilations hold the far ends of the shot together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .presets import SNIPPET_LENGTH

if TYPE_CHECKING:
    pass


@dataclass(frozen=True)
class SnippetPlan:
    """All snippets of a shot, in the order they are predicted.

    Attributes:
        count: Frames of the shot, N.
        frames: (K, L) int64 frame indices.
        group: (K,) int64: which of ``dilations`` a snippet belongs to.
        dilations: The dilations used, after capping.
    """

    count: int
    frames: np.ndarray
    group: np.ndarray
    dilations: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def length(self) -> int:
        """Frames a snippet, L."""
        return int(self.frames.shape[1])

    def share_of(self, frames: range, batch: int) -> range:
        """The snippets that are as large a share of all as frames are of the shot, in whole batches.

        Those of frames that follow each other do so too.

        Args:
            frames: Of the shot.
            batch: Snippets a forward pass.
        """
        first, last = (
            len(self) if frame == self.count else len(self) * frame // self.count // batch * batch
            for frame in (frames.start, frames.stop)
        )
        return range(first, last)

    def seen_by(self, snippets: range) -> set[int]:
        """The frames that some snippets are of.

        Args:
            snippets: Their numbers.
        """
        return set(self.frames[snippets.start : snippets.stop].ravel().tolist())

    def covering(self) -> list[np.ndarray]:
        """Per frame, the slots k·L + l that predict it, ascending: frame f = ``frames.flat[slot]``."""
        flat = self.frames.reshape(-1)
        order = np.argsort(flat, kind="stable")
        return np.split(order, np.searchsorted(flat[order], np.arange(1, self.count)))


def plan_snippets(
    count: int,
    dilations: Sequence[int],
    *,
    length: int = SNIPPET_LENGTH,
    cap: bool = True,
    strict: bool = False,
) -> SnippetPlan:
    """Plans the snippets of a shot; every frame is covered.

    Args:
        count: Frames of the shot, N ≥ 1. A shot shorter than ``length`` is one snippet.
        dilations: Wanted dilations, 1 among them.
        length: Frames a snippet, L.
        cap: Shorten a dilation to `longest_dilation`.
        strict: As published: dilations that became equal are computed once each.

    Raises:
        ValueError: ``count`` is not positive, or 1 is not among the dilations.
    """
    if count < 1 or 1 not in dilations:
        raise ValueError(f"no snippets for {count} frames and dilations {tuple(dilations)}")
    if count < length:
        return SnippetPlan(count, np.arange(count)[None], np.zeros(1, np.int64), (1,))
    most = longest_dilation(count, length)
    used = [min(dilation, most) if cap else dilation for dilation in dilations]
    if not strict:
        used = list(dict.fromkeys(used))
    found = [(dilation, snippets_of(count, dilation, length)) for dilation in used]
    found = [(dilation, frames) for dilation, frames in found if len(frames)]
    return SnippetPlan(
        count,
        np.concatenate([frames for _, frames in found]),
        np.repeat(np.arange(len(found)), [len(frames) for _, frames in found]),
        tuple(dilation for dilation, _ in found),
    )


def longest_dilation(count: int, length: int = SNIPPET_LENGTH) -> int:
    """The published cap on dilations, ⌊N/L⌋ − 1: snippets of it reach every frame. At least 1.

    Args:
        count: Frames N of the shot.
        length: Frames L of a snippet.
    """
    return max(1, count // length - 1)


def snippets_of(count: int, dilation: int, length: int = SNIPPET_LENGTH) -> np.ndarray:
    """Frames (K, L) int64 of all snippets of one dilation; a shot shorter than ``length`` is one snippet.

    K is 0 where the dilation does not fit into the shot.

    Args:
        count: Frames of the shot.
        dilation: Frames from one of a snippet to the next, 1: neighbours.
        length: Frames L of a snippet.
    """
    if count < length:
        return np.arange(count)[None]
    starts = np.arange(max(0, count - (length - 1) * dilation))
    return np.asarray(starts[:, None] + dilation * np.arange(length))


def refinement_dilations(steps: int, first: int) -> tuple[int, ...]:
    """The dilation of each refinement step, from ``first`` down to 1.

    Published as int((1 − i/R)(g − 1)) + 1 in floating point, whose truncation is part of the schedule:
    R = 10, g = 6 gives 6, 5, 5, 4, 4, 3, 3, 2, 1, 1 (1 − 0.8 is a little less than 0.2).

    A short shot caps ``first``, once, before the schedule is made.

    Args:
        steps: R.
        first: g.
    """
    return tuple(int((1 - step / steps) * (first - 1)) + 1 for step in range(steps))
