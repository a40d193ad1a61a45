"""What makes a figure doubtful although it could be computed: said beside it, nothing is corrected."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from .accuracy import DISPARITY_FLOOR, Accuracy
from .depth_maps import PNG_UNITS

if TYPE_CHECKING:
    from .depth_maps import DepthMaps

_FLOORED = 0.01  # share of the pixels from which on the floor decides a fit
_BEYOND = 0.5  # share of the truth outside of the range
_SPARSE = 0.25  # share of the truth with a neighbour, below which outlines cannot be told
_STRETCHED = 1.05  # ratio of two aspect ratios


@dataclass
class Seen:
    """What passes by while maps are read.

    Attributes:
        shapes: (H, W) of every frame.
        known: Pixels with a positive, finite value.
        beyond: Those of them that are not below ``farthest``.
        touching: Those whose neighbour to the right has a value too.
    """

    farthest: float
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    known: int = 0
    beyond: int = 0
    touching: int = 0

    @property
    def one_size(self) -> bool:
        """Whether all frames are of one size."""
        return len(set(self.shapes)) <= 1

    def watch(self, maps: DepthMaps, check: Callable[[], None]) -> Iterator[np.ndarray]:
        """The frames, looked at when they pass for the first time.

        Args:
            maps: What to read.
            check: Called before every frame; may raise.
        """
        for index, values in enumerate(maps):
            check()
            if index >= len(self.shapes):
                self.shapes.append(values.shape)
                with np.errstate(invalid="ignore"):
                    known = np.isfinite(values) & (values > 0)
                    self.beyond += int(np.count_nonzero(known & (values >= self.farthest)))
                self.known += int(np.count_nonzero(known))
                self.touching += int(np.count_nonzero(known[..., 1:] & known[..., :-1]))
            yield values


def remarks(
    predicted: DepthMaps, known: DepthMaps, seen: tuple[Seen, Seen], accuracy: Accuracy, fit: Accuracy
) -> list[str]:
    """Sentences, most important first.

    Args:
        predicted: The prediction.
        known: The truth.
        seen: Of prediction and truth.
        accuracy: What was scored.
        fit: Of one scale and shift for the clip.
    """
    said = []
    if fit.protocol != "none" and fit.scale < 0:
        said.append(
            f"The fitted scale is negative: the prediction is no {predicted.quantity}, or it is upside down."
        )
    share = accuracy.floored / max(accuracy.pixels, 1)
    if share > _FLOORED:
        said.append(
            f"{share:.0%} of the predicted disparity is below {DISPARITY_FLOOR:g}, where the protocol cuts "
            "it off: bring it to positive numbers around 1."
        )
    if accuracy.protocol == "none":
        said += [
            f"{maps.name} holds relative depth, not metres: the protocol none says nothing of it."
            for maps in (predicted, known)
            if maps.relative
        ]
    elif known.relative:
        said.append(f"{known.name} holds relative depth, not metres: it is no truth.")
    if seen[1].beyond > _BEYOND * max(seen[1].known, 1):
        said.append(
            f"{seen[1].beyond / seen[1].known:.0%} of the truth is at {seen[1].farthest:g} m or beyond and "
            "does not count: are its units (--gt-scale) and --max-depth right?"
        )
    if seen[1].touching < _SPARSE * seen[1].known:
        said.append("The truth is scattered points, hardly two of them neighbours: boundaries say nothing.")
    if accuracy.protocol == "eigen" and known.note.endswith(f"{PNG_UNITS:g} units a metre"):
        said.append(f"The truth was read as {PNG_UNITS:g} units a metre; KITTI has 256 (--gt-scale 256).")
    return said + _stretched(seen) + _paired(predicted, known)


def _stretched(seen: tuple[Seen, Seen]) -> list[str]:
    for (rows, columns), (height, width) in zip(seen[0].shapes, seen[1].shapes, strict=False):
        ratio = columns * height / (rows * width)
        if max(ratio, 1 / ratio) > _STRETCHED:
            return [
                f"Predictions of {columns}x{rows} pixels were stretched to truth of {width}x{height}: do "
                "both show the same part of the picture?"
            ]
    return []


def _paired(predicted: DepthMaps, known: DepthMaps) -> list[str]:
    if predicted.numbers is None or known.numbers is None:
        return []
    pairs = list(zip(predicted.numbers, known.numbers, strict=False))
    apart = [ours - theirs for ours, theirs in pairs]
    for pair, step in zip(pairs, apart, strict=True):
        if step != apart[0]:
            return [
                f"Frames are paired in order, but {pair[0]} of the prediction stands against {pair[1]} of "
                f"the truth, and {pairs[0][0]} against {pairs[0][1]}."
            ]
    if apart and apart[0]:
        return [f"Frames are paired in order: {pairs[0][0]} stands against {pairs[0][1]} of the truth."]
    return []
