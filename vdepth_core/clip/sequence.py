"""Image sequences: numbered files, display-referred or scene-linear, at a constant rate."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from ..budget import MB, at_most
from ..choices import Shown
from ..errors import InputError
from ..types import ClipInfo, Frame
from .base import MIN_SIDE, THUMBNAIL, Clip
from .colour import Declared, settle_colour
from .display import ExposureMeter, log_picture, show
from .dpx import believed
from .facts import Probe
from .images import ImageFacts, image_facts, read_image, to_display8
from .naming import Sequence
from .smpte import read_timecode
from .timing import Timecode
from .unlit import Unlit

_DEFAULT_RATE = Fraction(24)
_READERS = min(4, os.cpu_count() or 1)  # threads; decoders release the interpreter
_READERS_BYTES = 768 * MB
_T = TypeVar("_T")


class SequenceClip(Clip):
    """Numbered images as a clip; keeps their numbers."""

    def __init__(
        self,
        path: Path,
        sequence: Sequence,
        rate: Fraction | None = None,
        transfer: str | None = None,
        colorspace: str | None = None,
        layer: str | None = None,
        timecode: Timecode | None = None,
        shown: Shown | None = None,
    ) -> None:
        """Reads the first file.

        Args:
            path: What the user named.
            sequence: The files it means.
            rate: Frames per second; by default what the files say, else 24.
            transfer: The transfer characteristic, where the files do not say or are wrong.
            colorspace: The colour space, likewise.
            layer: The layer of an EXR; by default the beauty.
            timecode: The first picture's time code; by default each picture's own.
            shown: How much is done of what the files ask to make their pictures upright.

        Raises:
            UsageError: no such transfer, colour space or layer.
            InputError: the first file cannot be read or is too small.
        """
        super().__init__(path)
        self.files = sequence.files
        facts, self._shown = image_facts(self.files[0], layer, shown), shown
        header, counts = believed(facts.header, self.files, rate)
        facts = replace(facts, header=header)
        if min(facts.width, facts.height) < MIN_SIDE:
            raise InputError(
                f"{self.files[0]} is {facts.width} x {facts.height} pixels; "
                f"depth needs at least {MIN_SIDE} pixels a side.",
                "Give larger images.",
            )
        self._float, self._window = facts.linear, facts.window
        self._stated = timecode is not None or not counts
        # a file's bytes, its pixels as stored and as shown, in one thread and once more waiting
        each = 2 * facts.width * facts.height * (3 + 2 * 3 * facts.bit_depth // 8)
        self._readers = at_most(_READERS, each, _READERS_BYTES)
        colour = settle_colour(_declared(facts), transfer, colorspace)
        self._light = colour.light
        turned = facts.asked.shown(shown)
        settled = rate or header.rate or _DEFAULT_RATE
        if timecode is None and header.timecode is not None:
            timecode = read_timecode(header.timecode, settled)
        self.info = ClipInfo(
            path=self.files[0],
            kind="sequence",
            name=sequence.name,
            width=facts.width,
            height=facts.height,
            pixel_aspect=header.pixel_aspect or Fraction(1),
            rate=settled,
            first_number=sequence.first,
            timecode=None if timecode is None else str(timecode),
            codec=facts.codec,
            pixel_format=facts.pixel_format,
            bit_depth=facts.bit_depth,
            transfer=colour.transfer,
            colorspace=colour.colorspace,
            colour=colour.identity,
            rotation=turned.rotation,
            mirrored=turned.mirrored,
            shown=facts.asked.kept(shown),
            has_alpha=facts.alpha,
            origin=(facts.window.x, facts.window.y),
            layer=facts.layer,
            layers=facts.layers,
            frames_declared=len(self.files),
            lens=facts.lens,
            notes=(*sequence.notes, *facts.notes, *_notes(facts, rate), *colour.notes),
        )

    def read(
        self, start: int = 0, stop: int | None = None, *, exposure: float = 1.0, max_side: int | None = None
    ) -> Generator[Frame]:
        """See `Clip.read`; files are read by several threads, a few ahead."""
        stop = len(self.files) if stop is None else min(stop, len(self.files))
        work = partial(self._display, exposure, max_side)
        for index, (picture, timecode) in _ahead(work, range(start, stop), self._readers):
            yield Frame(index, index / self.info.rate, self._number(index), picture, timecode)

    def probes(self, start: int, stop: int | None, warnings: list[str]) -> Generator[Probe]:
        """See `Clip.probes`."""
        stop = len(self.files) if stop is None else min(stop, len(self.files))
        for index in range(min(start, stop)):
            yield Probe(index / self.info.rate, self._number(index))
        unlit = Unlit()
        work = partial(self._thumbnail, unlit)
        for index, (picture, light) in _ahead(work, range(start, stop), self._readers):
            yield Probe(index / self.info.rate, self._number(index), picture, light)
        warnings.extend(unlit.sentences())

    def glances(self, count: int, start: int, stop: int | None, max_side: int) -> Generator[np.ndarray]:
        """See `Clip.glances`."""
        stop = len(self.files) if stop is None else min(stop, len(self.files))
        for index in np.linspace(start, stop - 1, count).round().astype(int).tolist():
            with closing(self.read(index, index + 1, max_side=max_side)) as frames:
                for frame in frames:
                    yield frame.rgb

    def _number(self, index: int) -> int:
        return (self.info.first_number or 0) + index

    def _display(self, exposure: float, max_side: int | None, index: int) -> tuple[np.ndarray, str | None]:
        pixels, word = self._pixels(index, max_side)
        own = None if self._stated or word is None else read_timecode(word, self.info.rate)
        shown = show(pixels, self._light, exposure) if self._light else to_display8(pixels)
        return shown, None if own is None else str(own)

    def _thumbnail(self, unlit: Unlit, index: int) -> tuple[np.ndarray, np.ndarray | None]:
        pixels, _ = self._pixels(index, THUMBNAIL, unlit)
        if self._light is None:
            return cv2.cvtColor(to_display8(pixels), cv2.COLOR_RGB2BGR), None
        linear = self._light(pixels)
        picture = to_display8(pixels) if self._light.perceptual else log_picture(linear)
        return cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), ExposureMeter.measure(linear)

    def _pixels(
        self, index: int, max_side: int | None, unlit: Unlit | None = None
    ) -> tuple[np.ndarray, int | None]:
        """One picture as stored, no larger than asked for, and its packed time code."""
        read = read_image(self.files[index], self.info.layer or None, self._shown)
        pixels = read.pixels
        if pixels.shape[:2] != (self.info.height, self.info.width):
            raise InputError(
                f"{self.files[index]} is {pixels.shape[1]} x {pixels.shape[0]} pixels, but the sequence "
                f"starts with {self.info.width} x {self.info.height}.",
                "All images of a sequence must have the same size.",
            )
        if read.window != self._window:
            raise InputError(
                f"The display window of {self.files[index]} begins at {read.window.x}, {read.window.y}, but "
                f"that of the sequence's first image at {self._window.x}, {self._window.y}.",
                "All images of a sequence must have the same display window.",
            )
        if (pixels.dtype.kind == "f") != self._float:
            raise InputError(
                f"{self.files[index]} mixes integer and floating-point images in one sequence.",
                "All images of a sequence must be of the same kind.",
            )
        if unlit is not None and self._float:
            unlit.look(self._number(index), pixels)
        scale = min(1.0, (max_side or 1 << 30) / max(self.info.width, self.info.height))
        size = max(1, round(self.info.width * scale)), max(1, round(self.info.height * scale))
        if pixels.shape[1::-1] != size:
            if self._float:
                pixels = np.nan_to_num(pixels.astype(np.float32), nan=0.0, posinf=65504.0, neginf=0.0)
            pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        return pixels, read.timecode


def _declared(facts: ImageFacts) -> Declared:
    transfer = "linear" if facts.linear else facts.header.transfer
    return Declared(transfer, "iec61966-2-1", facts.header.chromaticities, facts.header.colorspace)


def _notes(facts: ImageFacts, rate: Fraction | None) -> list[str]:
    notes = []
    if facts.alpha:
        notes.append("The alpha channel is dropped; depth is estimated for the whole picture.")
    if facts.overscan:
        notes.append(
            f"The images have overscan ({facts.overscan[0]} x {facts.overscan[1]} pixels of data); depth "
            f"covers their display window only, {facts.width} x {facts.height}."
        )
    if facts.header.timecode is not None and not (rate or facts.header.rate):
        notes.append(
            f"The images have time codes but no frame rate; {_DEFAULT_RATE} frames per second are assumed, "
            "and each frame keeps its own time code. --rate states the rate."
        )
    return notes


def _ahead(work: Callable[[int], _T], indices: Iterable[int], threads: int) -> Generator[tuple[int, _T]]:
    """Yields (index, work(index)) in order, computed by threads a few ahead; closing it stops them."""
    waiting: deque[tuple[int, Future[_T]]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="vdepth-images") as pool:
        try:
            for index in indices:
                waiting.append((index, pool.submit(work, index)))
                if len(waiting) > threads:
                    done, future = waiting.popleft()
                    yield done, future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        finally:
            for _, future in waiting:
                future.cancel()
