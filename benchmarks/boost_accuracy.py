"""What boosting does to edges and to accuracy: plain against every merge, through whole jobs.

    python benchmarks/boost_accuracy.py [--cycles DIR] [--rgbd DIR] [--scenes N] [--model NAME|WEIGHTS ...]
                                        [--merge NAME ...] [--no-sharpen]

Every picture is estimated as a still into EXR, with and without ``--boost``, so *plain* has been brought to
the plate's size by finishing's own edge-aware up-sampling and has been sharpened (``--no-sharpen``: neither
has); then its disparity is scored against truth of 0.2 to 80 m: boundary F1 and recall, D3R (slic), ORD, and
AbsRel after a scale and a shift in disparity.

``--cycles``: path-traced pictures of seeds never trained on, made by

    python tools/cycles_scenes/stills.py DIR --catalogues *.sh3f

``--rgbd``: a folder of ``gt_*`` recordings, as `embedded.py` reads them; at most ``--each`` frames of each;
sparse truth (LiDAR) has no boundaries and counts for AbsRel alone. ``--scenes``: procedural pictures of other
seeds, 1920 x 1080. A model of random weights takes the way too, unscored. The line of JSON is of the last
kind.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from embedded import TEST, recorded
from footage import machine

import vdepth_core
from vdepth_core.errors import WeightsError
from vdepth_core.evaluation.evaluate import Evaluation
from vdepth_core.evaluation.map_files import load_map
from vdepth_core.models.tiny import make_tiny
from vdepth_core.refiners.boost.merges.registry import MERGES, load_merge
from vdepth_core.scenes import render_clip

NEAR, FAR = 0.2, 80.0
DENSE = 0.1  # share of pixels with truth, below which it has no neighbours to jump to


class Still(NamedTuple):
    """A picture and its truth: RGB (H, W, 3) uint8; depth (H, W) in metres, 0 where unknown."""

    name: str
    rgb: np.ndarray
    depth: np.ndarray


class Row(NamedTuple):
    """Scores of one picture; F1 and recall up is better, the others down."""

    f1: float
    recall: float
    d3r: float
    ord: float
    abs_rel: float
    seconds: float


def cycles(folder: Path) -> Iterator[Still]:
    """What `tools/cycles_scenes/stills.py` rendered."""
    for path in sorted((folder / "color").glob("*.png")):
        depth = load_map(folder / "depth" / f"{path.stem}.exr")[0]
        yield Still(path.stem, cv2.imread(str(path))[..., ::-1], np.where(np.isfinite(depth), depth, 0))


def procedural(count: int, height: int, width: int) -> Iterator[Still]:
    """Pictures of the generator."""
    for seed in range(TEST, TEST + count):
        clip = render_clip(seed, 1, height, width)
        rgb = np.round(clip.rgb[0].transpose(1, 2, 0) * 255).astype(np.uint8)
        yield Still(f"scene_{seed - TEST}", rgb, np.where(np.isfinite(clip.depth[0]), clip.depth[0], 0))


def rgbd(folder: Path, each: int) -> Iterator[Still]:
    """Some frames of every recording, evenly spaced."""
    for name, far, [(pictures, truth)] in recorded(folder):
        step = max(1, len(pictures) // each)
        for index in range(0, len(pictures), step)[:each]:
            depth = np.where(truth[index] < far, truth[index], 0)
            yield Still(f"{name}_{index}", pictures[index], depth)


def scored(job: Path, still: Still, dense: bool, seconds: float) -> Row:
    """The scores of a finished job of a still."""
    found: Evaluation = vdepth_core.evaluate(
        job, still.depth[None], min_depth=NEAR, max_depth=FAR, ordinal=dense
    )
    if not dense:
        return Row(*[np.nan] * 4, found.accuracy.abs_rel, seconds)
    jumps = found.ordinal
    d3r, order = (jumps.d3r, jumps.ord) if jumps and jumps.jumps else (np.nan, np.nan)
    return Row(found.boundaries.f1, found.boundaries.recall, d3r, order, found.accuracy.abs_rel, seconds)


def estimate(still: Still, out: Path, **options: object) -> float:
    """Runs a job on a still; returns its seconds."""
    picture = out.with_suffix(".png")
    cv2.imwrite(str(picture), np.ascontiguousarray(still.rgb[..., ::-1]))
    began = time.monotonic()
    vdepth_core.estimate(picture, out, {"method": "framewise", "still": True, **options})
    return time.monotonic() - began


def ways(published: bool, merges: Iterable[str], sharpen: bool) -> dict[str, dict[str, object]]:
    """Names and options of what is compared; merges whose weights are not installed are left out."""
    found: dict[str, dict[str, object]] = {"plain": {"sharpen": sharpen}}
    for merge in merges:
        try:
            load_merge(merge)
        except WeightsError:
            print(f"{merge}: no weights", flush=True)
            continue
        found[merge] = {"refiner": "boost", "boost_merge": merge, "sharpen": sharpen}
        if published:
            found[f"published, {merge}"] = {**found[merge], "boost": "published"}
    return found


def compare(
    stills: Iterator[Still], models: list[str], compared: dict[str, dict[str, object]], title: str
) -> dict[tuple[str, str], np.ndarray]:
    """Scores every way of every model; prints a row a picture, then the means."""
    rows: dict[tuple[str, str], list[Row]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for still in stills:
            dense = float((still.depth > 0).mean()) >= DENSE
            for model in models:
                for way, options in compared.items():
                    out = Path(folder) / f"{still.name}_{Path(model).stem}_{way}".replace(", ", "_")
                    row = scored(out, still, dense, estimate(still, out, model=model, **options))
                    rows.setdefault((model, way), []).append(row)
                    print(_line(still.name, model, way, row), flush=True)
    means = {key: np.nanmean(values, axis=0) for key, values in rows.items()}
    print(f"\n{title}, means", flush=True)
    for (model, way), values in means.items():
        print(_line("mean", model, way, Row(*values)), flush=True)
        if way != "plain":
            ratios = values / means[model, "plain"]
            print(_line("", "", "over plain", Row(*ratios)), flush=True)
    return means


def _line(name: str, model: str, way: str, row: Row) -> str:
    return (
        f"{name:24} {Path(model).stem[:18]:18} {way:20} F1 {row.f1:.4f}  recall {row.recall:.4f}  "
        f"D3R (slic) {row.d3r:.4f}  ORD {row.ord:.4f}  AbsRel {row.abs_rel:.4f}  {row.seconds:.1f} s"
    )


def code_path(still: Still) -> None:
    """A transformer of random weights goes the whole way: what it says means nothing."""
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "weights"
        make_tiny("depth-anything", weights)
        for way, options in (("plain", {}), ("boosted", {"refiner": "boost"})):
            seconds = estimate(still, Path(folder) / way, model=str(weights), **options)
            print(f"random depth-anything, {way}: {seconds:.1f} s", flush=True)


def main() -> None:
    """Prints the tables and one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cycles", type=Path)
    parser.add_argument("--rgbd", type=Path)
    parser.add_argument("--each", type=int, default=2)
    parser.add_argument("--scenes", type=int, default=4)
    parser.add_argument("--model", nargs="+", default=["embedded"])
    parser.add_argument("--published", action="store_true")
    parser.add_argument("--merge", nargs="+", default=list(MERGES))
    parser.add_argument("--no-sharpen", action="store_true")
    options = parser.parse_args()
    compared, means = ways(options.published, options.merge, not options.no_sharpen), {}
    if options.scenes:
        stills = procedural(options.scenes, 1080, 1920)
        means["procedural"] = compare(stills, options.model, compared, "Procedural")
    if options.rgbd:
        means["rgbd"] = compare(rgbd(options.rgbd, options.each), options.model, compared, "Recorded")
    if options.cycles:
        means["cycles"] = compare(cycles(options.cycles), options.model, compared, "Path-traced")
    if not options.no_sharpen:
        code_path(next(procedural(1, 540, 960)))
    last = list(means)[-1]
    plain, ours = (Row(*means[last][options.model[0], way]) for way in ("plain", options.merge[0]))
    print(
        json.dumps(
            {
                "benchmark": "boost_accuracy",
                "ratio": round(ours.f1 / plain.f1, 3),
                "ours": round(ours.f1, 4),
                "baseline": round(plain.f1, 4),
                "unit": f"boundary F1, {last}, {Path(options.model[0]).stem}",
                "recall_ratio": round(ours.recall / plain.recall, 3),
                "d3r_ratio": round(ours.d3r / plain.d3r, 3),
                "abs_rel_ratio": round(ours.abs_rel / plain.abs_rel, 4),
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
