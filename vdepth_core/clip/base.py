"""What every kind of clip offers, whatever it is stored in (the model is PySceneDetect's `VideoStream`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np

from ..progress import Progress
from ..types import ClipInfo, Frame, Shot
from .facts import ClipScan, ClipTimes, Probe
from .scan import scan_frames

MIN_SIDE = 16  # pixels; nothing smaller holds a scene
THUMBNAIL = 256  # pixels on the longer side: what PySceneDetect works on


class Clip(ABC):
    """A movie or an image sequence, opened and understood but not decoded yet.

    Safe to read from several threads at once: every `read` has a decoder of its own.

    Attributes:
        info: What is known without a pass over the frames.
        source: What the user named: the file, folder or pattern.
        files: The files it is read from.
    """

    info: ClipInfo

    def __init__(self, source: Path) -> None:
        self.source = source
        self.files: tuple[Path, ...] = (source,)
        self._facts: ClipScan | None = None
        self._seen = ClipTimes()  # a scan under way adds to it, times before timestamps; `read` looks at it
        self._sound = True

    @property
    def facts(self) -> ClipScan | None:
        """What the last complete `scan` found; assign a saved one to go without a scan."""
        return self._facts

    @facts.setter
    def facts(self, facts: ClipScan) -> None:
        self._facts = facts
        self._seen = ClipTimes(list(facts.times), list(facts.pts), list(facts.warnings))
        self._sound = not facts.warnings

    @abstractmethod
    def read(
        self, start: int = 0, stop: int | None = None, *, exposure: float = 1.0, max_side: int | None = None
    ) -> Generator[Frame]:
        """Yields frames [start, stop) in presentation order; the same frames whatever ``start`` is.

        Args:
            start: First clip frame index.
            stop: One past the last; None reads to the end. Reading past the end just ends.
            exposure: Linear gain for scene-linear and HDR sources (`Shot.exposure`); others ignore it.
            max_side: Shrink the picture, cheaply, so that no side is longer than this.

        Raises:
            InputError: a picture cannot be read.
        """

    @abstractmethod
    def probes(self, start: int, stop: int | None, warnings: list[str]) -> Generator[Probe]:
        """Yields what the scan needs of frames [0, stop), with pictures from ``start`` on.

        Args:
            start, stop: Pictures of frames [start, stop); stop None: to the clip's end.
            warnings: Sentences about what is wrong with the clip are added here.
        """

    def scan(
        self, *, shots: bool = True, start: int = 0, stop: int | None = None, progress: Progress | None = None
    ) -> Iterator[Shot]:
        """Passes once over the clip and yields each shot of [start, stop) as soon as it is complete.

        The shots cover the range exactly; with ``shots`` False there is one. When the pass is over, `facts`
        is set.

        Args:
            shots: Whether to look for cuts.
            start, stop: Frames of the clip; stop None: to its end.
            progress: Told of each frame; may cancel.

        Raises:
            InputError: no frame decodes.
            UsageError: the range starts beyond the clip's end.
            Cancelled: ``progress`` says so.
        """
        self._seen, self._sound = ClipTimes(), True
        seen = self._seen
        yield from scan_frames(
            self.info,
            self.probes(start, stop, seen.warnings),
            seen,
            shots=shots,
            start=start,
            stop=stop,
            progress=progress or Progress(),
            finish=self._found,
        )

    def glances(self, count: int, start: int, stop: int | None, max_side: int) -> Generator[np.ndarray]:
        """Yields at most ``count`` pictures spread over [start, stop), in order, without a pass over it all.

        A first opinion of a clip, not its frames: where they cannot be had cheaply they are fewer, or none.

        Args:
            count: Pictures wanted, two at least.
            start, stop: Frames of the clip; stop None: to its end.
            max_side: As `read` takes it.

        Yields:
            (h, w, 3) uint8, as `read` shows them.

        Raises:
            InputError: a picture cannot be read.
        """
        yield from ()

    def _found(self, facts: ClipScan) -> None:
        self.facts = facts
