"""Which frames `chrono` denoises together, and which it decodes together."""

from __future__ import annotations

from dataclasses import dataclass

WINDOW, NEW = 10, 5  # frames the network sees at once, and how many of them are new after the first window
CHUNK, OVERLAP = 8, 4  # frames decoded at once, as published; how many two chunks share, which is ours


@dataclass(frozen=True)
class Window:
    """Frames [first, stop) of a shot, seen together; those before ``start`` were done before."""

    first: int
    start: int
    stop: int

    @property
    def context(self) -> int:
        """How many were done before."""
        return self.start - self.first

    @property
    def new(self) -> int:
        """How many are new."""
        return self.stop - self.start


def plan_windows(count: int, window: int = WINDOW, new: int = NEW) -> tuple[Window, ...]:
    """The windows of a shot, as published: one from nothing, then ``new`` frames at a time.

    Every window but the first has as many frames before it as make it full: 11 frames give one of 10 and one
    of 9 + 1.

    Args:
        count: Frames of the shot.
        window: Frames the network sees at once.
        new: How many of them are new after the first window.

    Raises:
        ValueError: there are no frames, or the sizes do not fit each other.
    """
    if count < 1 or not 1 <= new <= window:
        raise ValueError(f"no windows of {window} with {new} new frames for {count}")
    found = [Window(0, 0, min(count, window))]
    while (start := found[-1].stop) < count:
        stop = min(count, start + new)
        found.append(Window(stop - window, start, stop))
    return tuple(found)


def plan_chunks(count: int, overlap: int = OVERLAP, chunk: int = CHUNK) -> tuple[tuple[int, int], ...]:
    """Runs [start, stop) of frames that are decoded at once; each shares ``overlap`` frames with the next.

    Args:
        count: Frames of the shot, at least 1.
        overlap: 0, as published, up to half a chunk: no frame is in three.
        chunk: Frames at once.

    Raises:
        ValueError: the overlap is too long.
    """
    if not 0 <= overlap <= chunk // 2:
        raise ValueError(f"chunks of {chunk} cannot share {overlap} frames")
    starts = range(0, max(1, count - overlap), chunk - overlap)
    return tuple((start, min(count, start + chunk)) for start in starts)
