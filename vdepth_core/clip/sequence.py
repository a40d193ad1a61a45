"""Image sequences: numbered files, display-referred or scene-linear, at a constant rate."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from ..budget import MB, at_most
from ..errors import InputError
from ..types import ClipInfo, Frame
from .base import MIN_SIDE, THUMBNAIL, Clip
from .colour import Declared, settle_colour
from .display import ExposureMeter, log_picture, show
from .images import ImageFacts, image_facts, read_image, to_display8
from .naming import find_sequence
from .scan import Probe

_DEFAULT_RATE = Fraction(24)
_READERS = min(4, os.cpu_count() or 1)  # threads; decoders release the interpreter
_READERS_BYTES = 768 * MB


class SequenceClip(Clip):
    """Numbered images as a clip; keeps their numbers."""

    def __init__(
        self,
        path: Path,
        rate: Fraction | None = None,
        transfer: str | None = None,
        colorspace: str | None = None,
    ) -> None:
        """Finds the files and reads the first one.

        Args:
            path: Folder, pattern, or one file.
            rate: Frames per second; by default the EXR's own, else 24.
            transfer: The transfer characteristic, where the files do not say or are wrong.
            colorspace: The colour space, likewise.

        Raises:
            UsageError: no such transfer or colour space.
            InputError: files are missing, or the first one cannot be read or is too small.
        """
        super().__init__(path)
        sequence = find_sequence(path)
        self.files = sequence.files
        facts = image_facts(self.files[0])
        if min(facts.width, facts.height) < MIN_SIDE:
            raise InputError(
                f"{self.files[0]} is {facts.width} x {facts.height} pixels; "
                f"depth needs at least {MIN_SIDE} pixels a side.",
                "Give larger images.",
            )
        self._float, self._reducible = facts.linear, facts.codec == "mjpeg"
        # a file's bytes, its pixels as stored and as shown, in one thread and once more waiting
        each = 2 * facts.width * facts.height * (3 + 2 * 3 * facts.bit_depth // 8)
        self._readers = at_most(_READERS, each, _READERS_BYTES)
        colour = settle_colour(_declared(facts), transfer, colorspace)
        self._light = colour.light
        notes = []
        if facts.alpha:
            notes.append("The alpha channel is dropped; depth is estimated for the whole picture.")
        self.info = ClipInfo(
            path=self.files[0],
            kind="sequence",
            name=sequence.name,
            width=facts.width,
            height=facts.height,
            pixel_aspect=facts.pixel_aspect or Fraction(1),
            rate=rate or facts.rate or _DEFAULT_RATE,
            first_number=sequence.first,
            timecode=None if facts.timecode is None else str(facts.timecode),
            codec=facts.codec,
            pixel_format=facts.pixel_format,
            bit_depth=facts.bit_depth,
            transfer=colour.transfer,
            colorspace=colour.colorspace,
            colour=colour.identity,
            has_alpha=facts.alpha,
            frames_declared=len(self.files),
            notes=(*notes, *colour.notes),
        )

    def read(
        self, start: int = 0, stop: int | None = None, *, exposure: float = 1.0, max_side: int | None = None
    ) -> Generator[Frame]:
        """See `Clip.read`; files are read by several threads, a few ahead."""
        stop = len(self.files) if stop is None else min(stop, len(self.files))
        work = partial(self._display, exposure, max_side)
        for index, picture in _ahead(work, range(start, stop), self._readers):
            yield Frame(index, index / self.info.rate, self._number(index), picture)

    def probes(self, start: int, stop: int | None, warnings: list[str]) -> Generator[Probe]:
        """See `Clip.probes`."""
        stop = len(self.files) if stop is None else min(stop, len(self.files))
        for index in range(min(start, stop)):
            yield Probe(index / self.info.rate, self._number(index))
        for index, (picture, light) in _ahead(self._thumbnail, range(start, stop), self._readers):
            yield Probe(index / self.info.rate, self._number(index), picture, light)

    def _number(self, index: int) -> int:
        return (self.info.first_number or 0) + index

    def _display(self, exposure: float, max_side: int | None, index: int) -> np.ndarray:
        pixels = self._pixels(index, max_side)
        return show(pixels, self._light, exposure) if self._light else to_display8(pixels)

    def _thumbnail(self, index: int) -> tuple[np.ndarray, np.ndarray | None]:
        pixels = self._pixels(index, THUMBNAIL)
        if self._light is None:
            return cv2.cvtColor(to_display8(pixels), cv2.COLOR_RGB2BGR), None
        linear = self._light(pixels)
        picture = to_display8(pixels) if self._light.perceptual else log_picture(linear)
        return cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), ExposureMeter.measure(linear)

    def _pixels(self, index: int, max_side: int | None) -> np.ndarray:
        width, height = self.info.width, self.info.height
        scale = min(1.0, (max_side or 1 << 30) / max(width, height))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        reduce = next((step for step in (8, 4, 2) if self._reducible and step * scale <= 1), 1)
        pixels = read_image(self.files[index], reduce)
        expected = -(-height // reduce), -(-width // reduce)
        if pixels.shape[:2] != expected:
            height, width = (side * reduce for side in pixels.shape[:2])
            raise InputError(
                f"{self.files[index]} is {width} x {height} pixels, but the sequence starts with "
                f"{self.info.width} x {self.info.height}.",
                "All images of a sequence must have the same size.",
            )
        if (pixels.dtype.kind == "f") != self._float:
            raise InputError(
                f"{self.files[index]} mixes integer and floating-point images in one sequence.",
                "All images of a sequence must be of the same kind.",
            )
        if pixels.shape[1::-1] == size:
            return pixels
        if self._float:
            pixels = np.nan_to_num(pixels.astype(np.float32), nan=0.0, posinf=65504.0, neginf=0.0)
        return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _declared(facts: ImageFacts) -> Declared:
    transfer = "linear" if facts.linear else "log100" if facts.log else ""
    return Declared(transfer, "iec61966-2-1", facts.chromaticities)


def _ahead(work: object, indices: Iterable[int], threads: int) -> Generator:
    """Yields (index, work(index)) in order, computed by threads a few ahead; closing it stops them."""
    waiting: deque[tuple[int, Future]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="vdepth-images") as pool:
        try:
            for index in indices:
                waiting.append((index, pool.submit(work, index)))  # type: ignore[arg-type]
                if len(waiting) > threads:
                    done, future = waiting.popleft()
                    yield done, future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        finally:
            for _, future in waiting:
                future.cancel()
