"""What `--sharpen` does to silhouettes, accuracy and steadiness: whole jobs with and without.

    python benchmarks/sharpen.py [--cycles DIR] [--rgbd DIR] [--scenes N] [--clips CLIP ...] [--boost]
                                 [--model NAME|WEIGHTS ...]

Pictures with truth are had and scored as in `boost_accuracy.py`: procedural ones (``--scenes``), path-traced
ones (``--cycles``), frames of depth cameras (``--rgbd``). ``--clips``: rTC of the first ``--frames`` frames,
`temporal`, as in `boost_video.py`. ``--boost``: of boosted maps. The line of JSON is of the first kind of
picture and the first model: boundary F1 with over without, and the least ratio of rTC@1.05 of all clips and
models.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from boost_accuracy import Row, Still, compare, cycles, procedural, rgbd
from boost_video import measure
from footage import machine

import vdepth_core
from vdepth_core.clip import ShotView, open_clip
from vdepth_core.types import Shot

WAYS: dict[str, dict[str, object]] = {"plain": {"sharpen": False}, "sharpened": {}}


def steadiness(path: Path, frames: int, model: str, boosted: dict[str, object]) -> float:
    """Prints the rTC of a clip; returns rTC@1.05 with over without."""
    clip = open_clip(path)
    rgb = [frame.rgb for frame in ShotView(clip, Shot(0, 0, frames)).frames()]
    first, found = clip.info.first_number or 0, {}
    with tempfile.TemporaryDirectory() as folder:
        for way, options in WAYS.items():
            vdepth_core.estimate(
                path,
                Path(folder) / way,
                {"model": model, "method": "temporal", "frames": f"{first}-{first + len(rgb) - 1}",
                 "shots": False, "far": 10.0, **boosted, **options},
            )  # fmt: skip
            found[way] = measure(vdepth_core.read_sequence(Path(folder) / way), rgb).rtc
            shares = "  ".join(f"{found[way][t]:.4f}" for t in (1.01, 1.05))
            print(f"{path.name:24} {Path(model).stem[:18]:18} {way:10} rTC@1.01, 1.05  {shares}", flush=True)
    return found["sharpened"][1.05] / found["plain"][1.05]


def kinds(options: argparse.Namespace) -> Iterator[tuple[str, Iterator[Still]]]:
    """What was asked for, and how it is called."""
    if options.cycles:
        yield "path-traced", cycles(options.cycles)
    if options.scenes:
        yield "procedural", procedural(options.scenes, 1080, 1920)
    if options.rgbd:
        yield "recorded", rgbd(options.rgbd, options.each)


def main() -> None:
    """Prints the tables and one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cycles", type=Path)
    parser.add_argument("--rgbd", type=Path)
    parser.add_argument("--each", type=int, default=2)
    parser.add_argument("--scenes", type=int, default=4)
    parser.add_argument("--clips", type=Path, nargs="*", default=[])
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--boost", action="store_true")
    parser.add_argument("--model", nargs="+", default=["embedded"])
    options = parser.parse_args()
    boosted: dict[str, object] = {"boost": "shot"} if options.boost else {}
    ways = {way: {**boosted, **more} for way, more in WAYS.items()}
    means = {title: compare(stills, options.model, ways, title) for title, stills in kinds(options)}
    ratios = [
        steadiness(path, options.frames, model, boosted) for path in options.clips for model in options.model
    ]
    facts: dict[str, object] = {"benchmark": "sharpen"}
    for title, rows in list(means.items())[:1]:
        plain, ours = (Row(*rows[options.model[0], way]) for way in WAYS)
        facts |= {
            "ratio": round(ours.f1 / plain.f1, 3),
            "ours": round(ours.f1, 4),
            "baseline": round(plain.f1, 4),
            "unit": f"boundary F1, {title}, {Path(options.model[0]).stem}",
            "d3r_ratio": round(ours.d3r / plain.d3r, 4),
            "recall_ratio": round(ours.recall / plain.recall, 3),
            "abs_rel_ratio": round(ours.abs_rel / plain.abs_rel, 4),
        }
    if ratios:
        facts["rtc_ratio"] = round(float(np.min(ratios)), 4)
    print(json.dumps({**facts, "machine": machine()}))


if __name__ == "__main__":
    main()
