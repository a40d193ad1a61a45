"""Adapting the embedded model to recorded RGB-D clips with a moving camera: nearer to the sensor or left.

    python benchmarks/adapt_rgbd.py [--clips FOLDER] [--recipes monodepth2 tc] [--steps 150]

AbsRel and rTC under `clip-lstsq` before and after, on the parts of ``gt_hololens_office_A`` and
``train_hololens_office`` (their lens given, their poses not). A run that changed nothing counts as it is.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from embedded import _flow, predictor
from footage import machine

from vdepth_core.adaptation.adapt import adapt
from vdepth_core.errors import InputError
from vdepth_core.evaluation.accuracy import DISPARITY_FLOOR, evaluate_clip
from vdepth_core.evaluation.temporal import consistency

PARTS = (
    ("gt_hololens_office_A", 0, 36),
    ("train_hololens_office", 40, 76),
    ("train_hololens_office", 110, 146),
)
NEAR, FAR, PER_METRE = 0.2, 10.0, 1000.0


def files(folder: Path, first: int, stop: int) -> tuple[list[Path], list[Path]]:
    """Pictures and depth maps of a part."""
    colour, depth = (sorted((folder / part).glob("*"))[first:stop] for part in ("color", "depth"))
    return colour, depth


def score(weights: str, colour: Sequence[Path], depth: Sequence[Path]) -> tuple[float, float]:
    """AbsRel and rTC@1.05."""
    pictures = [cv2.imread(str(path))[..., ::-1] for path in colour]
    truth = [cv2.imread(str(path), -1).astype(np.float32) / PER_METRE for path in depth]
    model = predictor(weights)
    maps = [model(picture) for picture in pictures]
    errors = evaluate_clip(maps, truth, min_depth=NEAR, max_depth=FAR)
    small = [cv2.resize(p, maps[0].shape[::-1], interpolation=cv2.INTER_AREA) for p in pictures]
    aligned = [np.maximum(errors.scale * m + errors.shift, DISPARITY_FLOOR) for m in maps]
    steady = consistency([np.clip(1 / d, NEAR, FAR) for d in aligned], small, _flow)
    return errors.abs_rel, steady.rtc[1.05]


def main() -> None:
    """Prints a row a run and one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path, default=Path(__file__).parents[2] / "shared" / "clips")
    parser.add_argument("--recipes", nargs="+", default=["monodepth2", "tc"])
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--parts", type=int, default=len(PARTS))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    ratios: dict[str, list[float]] = {}
    for name, first, stop in PARTS[: options.parts]:
        colour, depth = files(options.clips / name, first, stop)
        K = np.loadtxt(options.clips / name / "K.txt").reshape(3, 3)
        height, width = cv2.imread(str(colour[0])).shape[:2]
        before = score("embedded", colour, depth)
        for recipe in options.recipes:
            with tempfile.TemporaryDirectory() as folder:
                plate, lens = Path(folder) / "plate", Path(folder) / "lens.json"
                plate.mkdir()
                for number, path in enumerate(colour):
                    (plate / f"{number:03d}{path.suffix}").symlink_to(path.resolve())
                lens.write_text(json.dumps({"K": K.tolist(), "width": width, "height": height}))
                known = {} if recipe == "tc" else {"intrinsics": lens}
                started = time.monotonic()
                try:
                    done = adapt(
                        plate, Path(folder) / "w.safetensors", recipe=recipe, steps=options.steps,
                        device="cpu", rate="8", **known,
                    )  # fmt: skip
                except InputError as error:
                    print(f"{name} {first}-{stop - 1} {recipe}: refused: {error.message}", flush=True)
                    continue
                minutes = (time.monotonic() - started) / 60
                after = score(str(done.weights), colour, depth)
            ratios.setdefault(recipe, []).append(after[0] / before[0])
            print(
                f"{name} {first}-{stop - 1} {recipe}: AbsRel {before[0]:.4f} -> {after[0]:.4f}, "
                f"rTC@1.05 {before[1]:.4f} -> {after[1]:.4f}, {'changed' if done.changed else 'as it was'}, "
                f"{minutes:.1f} min",
                flush=True,
            )
    print(
        json.dumps(
            {
                "benchmark": "adapt_rgbd",
                "ratio": round(float(np.mean([np.mean(each) for each in ratios.values()])), 4),
                "ratios": {name: round(float(np.mean(each)), 4) for name, each in ratios.items()},
                "worst": round(float(max(max(each) for each in ratios.values())), 4),
                "unit": "AbsRel after over before",
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
