"""Which frames are looked from, and at which others: sources at the shot's gap, never across a cut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .footage import Split

PERIOD = 8  # frames; one of so many is held out as a target: others see it as their source, nobody else


def split_targets(shots: Sequence[range]) -> Split:
    """Holds out single frames, spread over the clip, one at least; of two frames both parts have both.

    Args:
        shots: Frame numbers of each shot.
    """
    every = [frame for shot in shots for frame in shot]
    held = [frame for shot in shots for place, frame in enumerate(shot) if place % PERIOD == PERIOD // 2]
    if not held:
        held = [every[len(every) // 2]] if len(every) > 2 else every
    kept = [frame for frame in every if frame not in set(held)] or every
    return Split(tuple(kept), tuple(held))


def sources_of(target: int, shot: range, gap: int) -> tuple[int, int]:
    """Two sources of a frame: before and after it, or both on one side at the shot's ends.

    Args:
        target: Frame number.
        shot: Its shot, of two frames at least.
        gap: Frames between target and source; made smaller for short shots.
    """
    gap = max(1, min(gap, (len(shot) - 1) // 2))
    first, last = shot[0], shot[-1]
    if target - gap < first:
        return target + gap, min(target + 2 * gap, last)
    if target + gap > last:
        return target - gap, max(target - 2 * gap, first)
    return target - gap, target + gap


def trusted_spans(
    shots: Sequence[range], gaps: Sequence[int], trusted: Sequence[bool] | np.ndarray
) -> tuple[list[range], list[int]]:
    """Runs of frames whose cameras are known, of two frames at least, and the gap of each.

    Args:
        shots: Frame numbers of each.
        gaps: Of each shot.
        trusted: Whether the camera of a frame is known, by its number.
    """
    spans, own = [], []
    for shot, gap in zip(shots, gaps, strict=True):
        start = shot.start
        for index in range(shot.start, shot.stop + 1):
            if index == shot.stop or not trusted[index]:
                if index - start > 1:
                    spans.append(range(start, index))
                    own.append(gap)
                start = index + 1
    return spans, own


def gaps_around(gap: int, length: int) -> list[int]:
    """Gaps that depth is triangulated over: half, one and two of the shot's, as far as it reaches.

    Args:
        gap: The shot's.
        length: Its frames.
    """
    most = max(1, length // 2)
    return sorted({max(1, min(step, most)) for step in (gap // 2, gap, 2 * gap)})


def drawn_gap(gap: int, rng: np.random.Generator | None) -> int:
    """One or two gaps, by chance; for the held-out frames always one.

    Args:
        gap: The shot's.
        rng: None: no chance.
    """
    return gap if rng is None else gap * int(rng.integers(1, 3))
