"""What `rolling` keeps on the disk beside a shot's store until the shot is settled.

Latents, every predicted map, and the sparse samples the co-alignment reads: all on disk, so that memory does
not depend on the shot's length. Checksums make each of them resumable, as in the store.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...store import FrameArray
from ..spill import Grid
from .plan import SnippetPlan

FOLDER = "snippets"  # below the store's
NEEDS = "until it is aligned, the snippets of this shot need"
_ROOM = 1.02  # checksums and file system


@dataclass(frozen=True)
class SnippetFiles:
    """The open files of a shot's snippets.

    Attributes:
        latents: (N, 4, ⌈H/8⌉, ⌈W/8⌉) of the pictures.
        maps: (K·L, H, W) inverse depth, slot k·L + l is frame ``plan.frames[k, l]``.
        samples: (K, L, P): the maps at the sampling grid.
        lows: (K,) each snippet's smallest value.
    """

    latents: FrameArray
    maps: FrameArray
    samples: FrameArray
    lows: FrameArray

    def done(self, snippet: int) -> bool:
        """Whether a snippet is predicted.

        Args:
            snippet: Its number in the plan.
        """
        length = self.samples.shape[0]
        slots = range(snippet * length, (snippet + 1) * length)
        return (
            self.samples.done(snippet)
            and self.lows.done(snippet)
            and all(self.maps.done(slot) for slot in slots)
        )


@contextmanager
def open_snippets(
    folder: Path, plan: SnippetPlan, height: int, width: int, grid: Grid, dtype: str
) -> Iterator[SnippetFiles]:
    """Opens or creates the files of a shot.

    Args:
        folder: The store's.
        plan: Which frames make a snippet.
        height, width: Of a map.
        grid: Where a map is sampled.
        dtype: Of latents and maps.
    """
    with ExitStack() as stack:

        def array(name: str, count: int, shape: tuple[int, ...]) -> FrameArray:
            return stack.enter_context(FrameArray(folder / name, count, shape, dtype))

        yield SnippetFiles(
            array("latents", plan.count, (4, -(-height // 8), -(-width // 8))),
            array("maps", len(plan) * plan.length, (height, width)),
            array("samples", len(plan), (plan.length, _pixels(grid, height, width))),
            array("lows", len(plan), ()),
        )


def spilled_bytes(plan: SnippetPlan, height: int, width: int, grid: Grid, *, refine: bool) -> int:
    """Disk a shot's snippets need until it is settled, in bytes.

    Args:
        plan: Which frames make a snippet.
        height, width: Of a map.
        grid: Where a map is sampled.
        refine: Whether the shot is refined.
    """
    slots = len(plan) * plan.length
    pixels = height * width * (slots + (plan.count if refine else 0))  # refinement keeps the merged maps
    latents = 4 * -(-height // 8) * -(-width // 8) * plan.count * (3 if refine else 1)
    return int(_ROOM * 4 * (pixels + latents + slots * _pixels(grid, height, width)))


def _pixels(grid: Grid, height: int, width: int) -> int:
    return len(range(*grid[0].indices(height))) * len(range(*grid[1].indices(width)))
