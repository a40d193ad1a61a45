"""Pixels of float plates that are no numbers: broken renders, found while the clip is cut into shots."""

from __future__ import annotations

import numpy as np

from ..runs import in_words, runs

_MANY = 0.01  # share of a picture; fireflies are fewer


class Unlit:
    """Collects what pictures lack; frames may come in any order, from several threads."""

    def __init__(self) -> None:
        self._shares: dict[int, float] = {}

    def look(self, number: int, pixels: np.ndarray) -> None:
        """Notes a picture whose pixels are no numbers.

        Args:
            number: Of the frame.
            pixels: (H, W, 3) floats as they are stored.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            if np.isfinite(pixels.sum(dtype=np.float64)):
                return
        share = 1 - float(np.isfinite(pixels).all(-1).mean())
        if share > _MANY:
            self._shares[number] = share

    def sentences(self) -> list[str]:
        """What to say, of all frames together."""
        if not self._shares:
            return []
        numbers = sorted(self._shares)
        shown = [in_words(run) for run in runs(numbers)]
        more = f" and {len(shown) - 4} more" if len(shown) > 4 else ""
        most = max(self._shares.values())
        return [
            f"Frame{'s' * (len(numbers) != 1)} {', '.join(shown[:4])}{more}: up to {most:.0%} of the pixels "
            "are NaN or infinite; they are taken as black or white, and their depth means nothing."
        ]
