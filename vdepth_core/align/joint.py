"""Co-alignment: scale and shift of all snippets of a shot at once (RollingDepth, Ke et al., 2024).

Wanted are s_k > 0 and t_k such that y = s x + t of all snippets that cover a frame agree. Published is a loop
of Adam over Σ|y − m|, m the frame's mean; it is kept as a reference (`published`). The solver of our own
(`irls`) wants the same agreement, but does not minimise that sum: predictions are noisy on *both* sides, and
the least residuals are reached by shrinking, where contrast fades away from wherever the gauge holds it.
(Measured on rendered clips of 60 to 150 frames with 1 % noise: re-weighted least squares on y − m ends at
merged errors of 3 to 40 %. The published loop goes the same way, it only stops before.)

So two symmetric questions are asked, as for pairs of frames (`scale_shift.fit_pair`): what contrast, and what
level, does a row have relative to its frame's mean, weighing down pixels where it is an outlier? In the
logarithm of the contrast nothing is gained by shrinking. The answers are weighed by how well they are known
and solved on the graph of snippets and frames (`graph`), again and again until the merged depth stands still.

The published 1/y term is left to the reference: next to this one it has nothing to add on clean pixels, and
under outliers it made every solver tried worse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from . import irls
from .graph import connected_parts
from .published import Published
from .snippets import FrameRows, Snippets

__all__ = ["CoAlignment", "Snippets", "coalign"]

Solver = Literal["irls", "adam"]

CHUNK_BYTES = 128 << 20
STEPS: dict[Solver, int] = {"irls": 20, "adam": 2000}
TOLERANCE = 5e-4  # of the shot's contrast: by less than this the merged depth moved


@dataclass(frozen=True)
class CoAlignment:
    """The joint solution for K snippets over N frames: y = scale · values + shift.

    "irls" leaves every connected part with mean scale 1 and mean shift 0, where the published regularisers
    would have them.

    Attributes:
        scale, shift: (K,) float64; "irls": scale > 0.
        objective: Before each iteration: mean |y − m| / mean |m| ("irls"), or the published sum ("adam").
        flat: (K,) bool: without contrast; their scale is a convention.
        parts: (N,) int64, connected part of every frame, −1 where no snippet covers it.
        notes: Sentences for the report.
    """

    scale: np.ndarray
    shift: np.ndarray
    objective: tuple[float, ...]
    flat: np.ndarray
    parts: np.ndarray
    notes: tuple[str, ...]

    @property
    def iterations(self) -> int:
        """How many were made."""
        return len(self.objective)


def coalign(
    snippets: Snippets,
    *,
    solver: Solver = "irls",
    device: str = "cpu",
    dtype: Literal["fp32", "fp64"] = "fp64",
    emphasis: Sequence[float] | None = None,
    steps: int | None = None,
    tolerance: float = TOLERANCE,
    chunk_bytes: int = CHUNK_BYTES,
    check: Callable[[], None] = lambda: None,
) -> CoAlignment:
    """Solves scale and shift of all snippets.

    Values are taken as they are. Published preprocessing subtracts the smallest value of the whole maps
    first, which only the caller has; for "irls" that changes nothing but the gauge.

    Args:
        snippets: What to align. A chunk of rows is in memory at a time; "adam" holds them all.
        solver: "irls", or the published loop, "adam".
        device: Where pixels are worked on, as torch spells it.
        dtype: In which precision; graphs are always solved in float64.
        emphasis: (G,) positive weights of the dilations; None: all alike, as published.
        steps: At most so many iterations ("irls"), exactly so many ("adam"); None: 20 and 2000.
        tolerance: "irls" stops once the merged depth moves by less, relative to the shot's contrast.
        chunk_bytes: Bound of the rows in memory; a shot that fits is read once.
        check: Called once an iteration; may raise to stop.

    Raises:
        ValueError: ``emphasis`` does not fit the groups, or ``steps`` is not positive.
    """
    groups = int(snippets.group.max()) + 1
    weights = np.ones(groups) if emphasis is None else np.asarray(emphasis, np.float64)
    most = STEPS[solver] if steps is None else steps
    if weights.shape != (groups,) or not (weights > 0).all() or most < 1:
        raise ValueError(f"{groups} groups do not fit emphasis {emphasis}, or {steps} steps are none")
    trust = weights[snippets.group]
    parts, part = _parts(snippets)
    rows = FrameRows(snippets, chunk_bytes)
    if solver == "adam":
        flat = irls.flat_snippets(rows, len(snippets))
        scale, shift, history = Published(snippets, trust, device, dtype).descend(most, check)
        return CoAlignment(scale, shift, history, flat, parts, _notes(parts, flat))
    found = irls.solve(
        rows, trust, part, device=device, dtype=dtype, steps=most, tolerance=tolerance, check=check
    )
    notes = _notes(parts, found.flat)
    if found.alone.any():
        count = int(found.alone.sum())
        who, its = ("1 snippet looks", "its") if count == 1 else (f"{count} snippets look", "their")
        notes += (f"{who} like no other; only {its} contrast was matched.",)
    if not found.settled:
        notes += (f"The co-alignment did not settle within {most} iterations.",)
    return CoAlignment(found.scale, found.shift, found.objective, found.flat, parts, notes)


def _parts(snippets: Snippets) -> tuple[np.ndarray, np.ndarray]:
    """Connected part of every frame (N,), −1 where no snippet covers it, and of every snippet (K,)."""
    frames = snippets.frames
    used = frames >= 0
    first = frames[np.arange(len(frames)), used.argmax(axis=1)]
    nodes = connected_parts(snippets.count, np.repeat(first, used.sum(axis=1)), frames[used])
    covered = np.zeros(snippets.count, bool)
    covered[frames[used]] = True
    parts = np.where(covered, np.searchsorted(np.unique(nodes[covered]), nodes), -1)
    return parts, parts[first]


def _notes(parts: np.ndarray, flat: np.ndarray) -> tuple[str, ...]:
    notes = []
    if parts.max() > 0:
        notes.append(
            f"The frames fall into {parts.max() + 1} parts that no snippet connects; each keeps a scale and "
            "shift of its own."
        )
    if (parts < 0).any():
        count = int((parts < 0).sum())
        notes.append(f"No snippet covers {count} frame{'s' * (count != 1)}.")
    if flat.any():
        count = int(flat.sum())
        who, its = ("1 snippet is", "its") if count == 1 else (f"{count} snippets are", "their")
        notes.append(f"{who} flat; {its} scale could not be measured.")
    return tuple(notes)
