"""Stereo clips with both eyes in every picture: each half is a clip of its own."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction

import numpy as np

from ..choices import StereoLayout
from ..errors import InputError
from ..progress import Progress
from ..types import Frame, Shot
from .base import MIN_SIDE, Clip
from .facts import ClipScan, Probe


def split_eyes(clip: Clip, layout: StereoLayout) -> tuple[Half, Half]:
    """The clip of the left eye and that of the right one; a scan of one is a scan of both.

    Args:
        clip: Both eyes side by side, the left one first, or on top of each other, the left one above.
        layout: Which; ``half-…``: squeezed into the room of one picture.

    Raises:
        InputError: its pictures do not divide by two, or the halves are too small.
    """
    side = "height" if layout.endswith("top-bottom") else "width"
    pixels = getattr(clip.info, side)
    if pixels % 2 or pixels < 2 * MIN_SIDE:
        raise InputError(
            f"{clip.source.name} has a {side} of {pixels} pixels, which cannot be two eyes.",
            "Give the eyes as two clips, or leave --stereo out.",
        )
    return Half(clip, layout, 0), Half(clip, layout, 1)


class Half(Clip):
    """One eye of a clip that has both in every picture."""

    def __init__(self, whole: Clip, layout: StereoLayout, number: int) -> None:
        """``number``: 0 is the left or upper half, 1 the other."""
        super().__init__(whole.source)
        self.files = whole.files
        self._whole, self._number, self._above = whole, number, layout.endswith("top-bottom")
        info, squeezed = whole.info, Fraction(2 if layout.startswith("half-") else 1)
        if self._above:
            self.info = replace(info, height=info.height // 2, pixel_aspect=info.pixel_aspect / squeezed)
        else:
            self.info = replace(info, width=info.width // 2, pixel_aspect=info.pixel_aspect * squeezed)

    @property
    def facts(self) -> ClipScan | None:
        """Those of the whole clip."""
        return self._whole.facts

    @facts.setter
    def facts(self, facts: ClipScan) -> None:
        self._whole.facts = facts

    def read(
        self, start: int = 0, stop: int | None = None, *, exposure: float = 1.0, max_side: int | None = None
    ) -> Generator[Frame]:
        """See `Clip.read`."""
        with closing(self._whole.read(start, stop, exposure=exposure, max_side=max_side)) as frames:
            for frame in frames:
                yield replace(frame, rgb=self._cut(frame.rgb))

    def probes(self, start: int, stop: int | None, warnings: list[str]) -> Generator[Probe]:
        """Those of the whole clip: a cut is one in both eyes; see `Clip.probes`."""
        yield from self._whole.probes(start, stop, warnings)

    def scan(
        self, *, shots: bool = True, start: int = 0, stop: int | None = None, progress: Progress | None = None
    ) -> Iterator[Shot]:
        """That of the whole clip, so that one exposure holds for both eyes; see `Clip.scan`."""
        yield from self._whole.scan(shots=shots, start=start, stop=stop, progress=progress)

    def glances(self, count: int, start: int, stop: int | None, max_side: int) -> Generator[np.ndarray]:
        """See `Clip.glances`."""
        with closing(self._whole.glances(count, start, stop, max_side)) as found:
            for rgb in found:
                yield self._cut(rgb)

    def _cut(self, rgb: np.ndarray) -> np.ndarray:
        middle = rgb.shape[0 if self._above else 1] // 2
        half = slice(middle) if self._number == 0 else slice(middle, 2 * middle)
        return np.ascontiguousarray(rgb[half] if self._above else rgb[:, half])
