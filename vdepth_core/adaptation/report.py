"""What an adaptation did, as one HTML file to be looked at: pictures before and after, figures, curves.

No dates and no scripts: the same run gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import jinja2
import numpy as np

from .. import output
from ..errors import InputError
from ..evaluation.temporal import Consistency, consistency
from ..files import write_bytes
from ..flow.dis import DisFlow
from ..output.chart import line_chart
from ..output.preview import colour_map
from ..output.report import jpeg
from .outlines import outlines_kept

if TYPE_CHECKING:
    from ..learning.checkpoint import Counters
    from ..progress import Progress
    from .footage import Footage

GENERATOR = b'content="vdepth adapt"'  # how a report of ours is told from a file of the user's
STAGE = "report"
SHOWN = 3  # frames
RUN = 48  # frames in a row, of the longest shot, that steadiness is measured on
FAR = 0.01  # least disparity for rTC, of the clip's largest: files have near 1 and far 100, too
_PLATE = 360  # pixels, the shown pictures' largest width
_HEAD = 300  # bytes of a report that say what wrote it
_SAMPLES = 64  # pixels a side that ranges are taken of

Disparity = Callable[[int], np.ndarray]


@dataclass(frozen=True)
class Look:
    """What a model says of a clip, as far as the report shows it.

    Attributes:
        maps: Frame number within the adapted range -> (h, w) disparity, of the frames shown.
        steadiness: Along the optical flow; None: it is not defined for the clip.
    """

    maps: dict[int, np.ndarray]
    steadiness: Consistency | None


def is_report(path: Path) -> bool:
    """Whether a file, and no link, is a report that `write_report` wrote.

    Args:
        path: Anything, or nothing.
    """
    try:
        with path.open("rb") as file:
            return not path.is_symlink() and GENERATOR in file.read(_HEAD)
    except OSError:
        return False


def look(footage: Footage, disparity: Disparity, progress: Progress) -> Look:
    """Looks at some frames of a clip, and at a run of others for its steadiness.

    Args:
        footage: Its frames.
        disparity: (h, w) of a frame, by its number.
        progress: Stage ``report``; may cancel.

    Raises:
        Cancelled: the user asked to stop.
    """
    maps = {index: disparity(index) for index in shown_frames(footage.count)}
    largest = max(float(np.quantile(np.concatenate([_thin(d) for d in maps.values()]), 0.99)), 1e-12)
    longest = max(footage.shots, key=len)
    start = longest.start + max(0, len(longest) - RUN) // 2
    run = range(start, min(start + RUN, longest.stop))
    estimator = DisFlow("medium")

    def depths() -> Iterator[np.ndarray]:
        for index in run:
            with progress.step(STAGE):
                own = disparity(index)
            yield np.maximum(own / largest, 0) + FAR

    def flow(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return estimator.flow(*(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (one, other)))

    progress.stage(STAGE, len(run))
    try:
        return Look(maps, consistency(depths(), (footage.frames.read(index)[0] for index in run), flow))
    except InputError:  # nothing is seen twice
        return Look(maps, None)


def shown_frames(count: int) -> list[int]:
    """Frames of the report, spread over the clip.

    Args:
        count: Frames of it.
    """
    spread = np.linspace(0, count - 1, SHOWN + 2).round()[1:-1]
    return [int(index) for index in np.unique(spread)]


def outlines(looks: tuple[Look, Look]) -> float | None:
    """How much contrast the outlines of the shown frames keep, on the mean; None: there are none.

    Args:
        looks: Before and after.
    """
    before, after = (each.maps for each in looks)
    kept = [outlines_kept(was, _plain(after[index], was)) for index, was in before.items()]
    known = [share for share in kept if share is not None]
    return float(np.mean(known)) if known else None


def write_report(
    path: Path,
    title: str,
    verdict: str,
    footage: Footage,
    numbers: Sequence[int],
    looks: tuple[Look, Look],
    counters: Counters,
    facts: Sequence[tuple[str, str]],
    warnings: Sequence[str],
) -> None:
    """Writes the report atomically.

    Args:
        path: The HTML file.
        title, verdict: Its first two lines.
        footage: The clip.
        numbers: Of its frames, as the user counts them.
        looks: Before and after.
        counters: The run's losses.
        facts: What else there is to know, by name.
        warnings: Sentences.

    Raises:
        ResourceError: the disk is full or the folder cannot be written.
    """
    places = [Path(__file__).parent, Path(output.__file__).parent]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(places),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    page = environment.get_template("report.html.j2").render(
        title=title,
        verdict=verdict,
        warnings=warnings,
        pictures=[_row(footage, index, numbers[index], looks) for index in looks[0].maps],
        figures=list(_figures(counters, looks)),
        charts=list(_charts(counters)),
        facts=facts,
    )
    write_bytes(path, page.encode())


def _row(footage: Footage, index: int, number: int, looks: tuple[Look, Look]) -> dict[str, object]:
    plate = footage.frames.read(index)[0]
    before, after = (_plain(each.maps[index], looks[0].maps[index]) for each in looks)
    low, high = np.quantile(_thin(before), (0.01, 0.99))
    span = max(float(high - low), 1e-12)
    maps = [colour_map(np.clip((d - low) / span, 0, 1).astype(np.float32)) for d in (before, after)]
    scale = min(1.0, _PLATE / plate.shape[1])
    size = max(1, round(plate.shape[1] * scale)), max(1, round(plate.shape[0] * scale))
    pictures = [jpeg(cv2.resize(p, size, interpolation=cv2.INTER_AREA)) for p in (plate, *maps)]
    return {"number": number, "pictures": pictures, "words": ("Plate", "Depth before", "Depth after")}


def _plain(disparity: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """On the reference's scale and shift: an affine-invariant model may have changed both."""
    x, y = _thin(disparity), _thin(reference)
    spread = float(x.std())
    if spread < 1e-12:
        return disparity
    slope = max(float(((x - x.mean()) * (y - y.mean())).mean()) / spread**2, 0.0)
    aligned: np.ndarray = slope * (disparity - float(x.mean())) + float(y.mean())
    return aligned


def _figures(counters: Counters, looks: tuple[Look, Look]) -> Iterator[tuple[str, str, str]]:
    untouched = counters.history[0][1]
    best = min(counters.history, key=lambda entry: sum(entry[1].values()))[1]
    for name, before in untouched.items():
        yield f"Held-out {name} error", f"{before:.4f}", f"{best[name]:.4f}"
    before_, after = (each.steadiness for each in looks)
    if before_ is not None and after is not None:
        yield "rTC at 1.05 (1: steady)", f"{before_.rtc[1.05]:.4f}", f"{after.rtc[1.05]:.4f}"
        yield "aTC (0: steady)", f"{before_.atc:.4f}", f"{after.atc:.4f}"
    kept = outlines(looks)
    if kept is not None:
        yield "Contrast of outlines", "1.00", f"{kept:.2f}"


def _charts(counters: Counters) -> Iterator[tuple[str, str]]:
    steps = list(range(1, len(counters.losses) + 1))
    if steps:
        yield "Loss", line_chart(counters.losses, steps)
    for name in counters.history[0][1]:
        numbers = [step for step, _ in counters.history]
        yield f"Held-out {name} error", line_chart([e[name] for _, e in counters.history], numbers)


def _thin(maps: np.ndarray) -> np.ndarray:
    step = max(1, min(maps.shape) // _SAMPLES)
    return maps[::step, ::step].ravel()
