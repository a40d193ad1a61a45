"""Predictions of snippets as the co-alignment sees them, and how they are read: by frame, in bounded memory.

A frame's rows are the predictions of all snippets that cover it. Values come in slices of snippets, and a
chunk of consecutive frames with all their rows is in memory at a time; a clip that fits one chunk is read
once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from ..runs import batches, runs

_SLICE_BYTES = 8 << 20


class Values(Protocol):
    """Anything that answers slices along its first axis as an array: numpy arrays, memmaps, files."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(K, L, P)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Floating point."""

    def __getitem__(self, which: slice, /) -> np.ndarray:
        """Snippets (k, L, P) of a slice."""


@dataclass(frozen=True)
class Snippets:
    """K snippets of up to L frames over a shot of N.

    Attributes:
        count: N.
        frames: (K, L) int64, the frame of each slot, −1 where a snippet is shorter than L.
        values: (K, L, P) floats, sliced along K, never copied whole: inverse depth at P pixels, the same of
            every frame; NaN or infinite where invalid. Each snippet has an unknown scale and shift.
        group: (K,) int64, which dilation a snippet belongs to, 0 … G − 1.
    """

    count: int
    frames: np.ndarray
    values: Values
    group: np.ndarray

    def __post_init__(self) -> None:
        frames, shape = self.frames, tuple(self.values.shape)
        if frames.ndim != 2 or len(shape) != 3 or shape[:2] != frames.shape or not shape[2]:
            raise ValueError(f"frames {frames.shape} and values {shape} do not fit")
        if not len(frames) or self.group.shape != (len(frames),) or self.group.min() < 0:
            raise ValueError(f"group {self.group.shape} does not fit {len(frames)} snippets")
        if frames.min() < -1 or frames.max() >= self.count or (frames < 0).all(axis=1).any():
            raise ValueError(f"snippets with frames outside of 0 … {self.count - 1}, or without any")

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True)
class Chunk:
    """The rows of frames [start, start + B).

    Attributes:
        start: Their first frame.
        values: (B, C, P); 0 in unused rows and where not known.
        known: (B, C, P) bool; None where all pixels of all used rows are.
    """

    start: int
    values: np.ndarray
    known: np.ndarray | None


class FrameRows:
    """The rows of a shot frame by frame, those of a frame in the order of group, slot and snippet.

    Attributes:
        snippet: (N, C) int64, the snippets that cover each frame, −1 where unused.
        slot: (N, C) int64, which of its frames it is to them.
        pixels: P.
    """

    def __init__(self, snippets: Snippets, chunk_bytes: int) -> None:
        """``chunk_bytes`` bounds the rows in memory; at least one frame is."""
        self._values = snippets.values
        length = snippets.frames.shape[1]
        frame = snippets.frames.reshape(-1)
        owner, slot = np.divmod(np.arange(frame.size), length)
        order = np.lexsort((owner, slot, snippets.group[owner], frame))
        order = order[frame[order] >= 0]
        frame, owner, slot = frame[order], owner[order], slot[order]
        cover = np.bincount(frame, minlength=snippets.count)
        place = np.arange(len(frame)) - np.repeat(np.cumsum(cover) - cover, cover)
        self.snippet = np.full((snippets.count, int(cover.max())), -1)
        self.slot = np.zeros_like(self.snippet)
        self.snippet[frame, place], self.slot[frame, place] = owner, slot
        self.pixels = snippets.values.shape[2]
        row = self.pixels * snippets.values.dtype.itemsize
        self._frames = max(1, chunk_bytes // (row * self.snippet.shape[1]))
        self._slice = max(1, _SLICE_BYTES // (row * length))

    def __iter__(self) -> Iterator[Chunk]:
        count = len(self.snippet)
        if count <= self._frames:
            yield self._whole
            return
        for start in range(0, count, self._frames):
            yield self._read(start, min(start + self._frames, count))

    @cached_property
    def _whole(self) -> Chunk:
        return self._read(0, len(self.snippet))

    def _read(self, start: int, stop: int) -> Chunk:
        snippet, slot = self.snippet[start:stop], self.slot[start:stop]
        out = np.zeros((*snippet.shape, self.pixels), self._values.dtype)
        at = np.flatnonzero(snippet.ravel() >= 0)
        at = at[np.argsort(snippet.ravel()[at], kind="stable")]
        owner, slot = snippet.ravel()[at], slot.ravel()[at]
        rows = out.reshape(-1, self.pixels)
        for first, last in batches(runs(np.unique(owner).tolist()), self._slice):
            which = slice(*np.searchsorted(owner, (first, last)))
            rows[at[which]] = np.asarray(self._values[first:last])[owner[which] - first, slot[which]]
        known = np.isfinite(out)
        if known.all():
            return Chunk(start, out, None)
        out[~known] = 0
        return Chunk(start, out, known & (snippet[..., None] >= 0))
