"""The embedded model against tcmonodepth-small and a vertical ramp: accuracy, steadiness, speed.

    python benchmarks/embedded.py [--clips FOLDER] [--model NAME|WEIGHTS ...] [--scenes 48] [--validation]

Accuracy is AbsRel / δ1 under `clip-lstsq` at each model's native size, on every ground-truth folder of
``--clips`` (``gt_*`` with color/ and depth/; truth 0.2 to 10 m, LiDAR to 80 m) and on procedural clips of
seeds never trained on. Steadiness is rTC@1.05 and aTC of the same aligned predictions, wherever frames follow
each other. ``--validation`` scores only what no figure is quoted from: the last fifth of
``train_hololens_office`` and other procedural seeds. Speed is one frame,
models in turn, medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from footage import machine

from vdepth_core.errors import InputError
from vdepth_core.evaluation.accuracy import DISPARITY_FLOOR, evaluate_clip
from vdepth_core.evaluation.temporal import consistency
from vdepth_core.flow.dis import DisFlow
from vdepth_core.models.registry import load_model
from vdepth_core.models.sizing import frames_to_tensor, network_size
from vdepth_core.scenes import render_clip

TEST, CHECK = 950_000_000, 940_000_000  # first seeds of the procedural clips: quoted, and to choose by
FRAMES, HEIGHT, WIDTH = 8, 216, 320
Clip = tuple[list[np.ndarray], list[np.ndarray]]  # pictures uint8, depth in metres, 0 or inf where unknown
Model = Callable[[np.ndarray], np.ndarray]


def ramp(picture: np.ndarray) -> np.ndarray:
    """What a model must beat to know anything: nearer towards the bottom edge."""
    height, width = picture.shape[:2]
    return np.repeat(np.linspace(0, 1, height, dtype=np.float32)[:, None], width, 1)


def predictor(name: str) -> Model:
    """A model's disparity at its native network size."""
    model = load_model(name)

    def predict(picture: np.ndarray) -> np.ndarray:
        size = network_size(picture.shape[1], picture.shape[0], 1, model.spec)
        return model.predict(frames_to_tensor([picture], size))[0].numpy()

    return predict


def recorded(folder: Path) -> Iterator[tuple[str, float, list[Clip]]]:
    """Every ground-truth folder: its name, farthest depth, and clips."""
    for place in sorted(folder.glob("gt_*")):
        colour = sorted((place / "color").glob("*")) or sorted(place.glob("*_color.*"))
        depth = sorted((place / "depth").glob("*")) or sorted(place.glob("*_depth.*"))
        per_metre, far = 1000.0, 10.0
        if "lidar" in place.name:
            per_metre, far = 256.0, 80.0
            colour, depth = ([p for p in paths if "CAMERA_01" in p.name] for paths in (colour, depth))
        elif "shelf" in place.name:
            per_metre = 10_000.0
        elif "kinect" in place.name:
            per_metre = 5000.0
        yield place.name, far, [read(colour, depth, per_metre)]


def read(colour: list[Path], depth: list[Path], per_metre: float) -> Clip:
    """Pictures and depth files as a clip."""
    pictures = [cv2.imread(str(path))[..., ::-1] for path in colour]
    return pictures, [cv2.imread(str(path), -1).astype(np.float32) / per_metre for path in depth]


def procedural(first: int, count: int) -> list[Clip]:
    """Clips of the generator."""
    clips = []
    for seed in range(first, first + count):
        clip = render_clip(seed, FRAMES, HEIGHT, WIDTH)
        pictures = np.round(clip.rgb.transpose(0, 2, 3, 1) * 255).astype(np.uint8)
        clips.append((list(pictures), list(clip.depth)))
    return clips


def score(
    predictions: list[list[np.ndarray]], clips: list[Clip], far: float
) -> tuple[float, float, float, float]:
    """AbsRel, δ1, rTC@1.05 and aTC: means over clips; the last two of those with several frames."""
    rows = []
    for maps, (pictures, truth) in zip(predictions, clips, strict=True):
        known = [np.where(np.isfinite(depth), depth, 0) for depth in truth]
        near = 0.2 if far <= 10 else 1e-3
        errors = evaluate_clip(maps, known, min_depth=near, max_depth=far)
        small = [cv2.resize(p, maps[0].shape[::-1], interpolation=cv2.INTER_AREA) for p in pictures]
        aligned = [np.maximum(errors.scale * m + errors.shift, DISPARITY_FLOOR) for m in maps]
        try:
            steady = consistency([np.clip(1 / d, near, far) for d in aligned], small, _flow)
            rows.append((errors.abs_rel, errors.delta1, steady.rtc[1.05], steady.atc))
        except InputError:  # stills
            rows.append((errors.abs_rel, errors.delta1, np.nan, np.nan))
    first, second, third, fourth = np.mean(rows, 0)
    return float(first), float(second), float(third), float(fourth)


def _flow(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return DisFlow("medium").flow(*(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (a, b)))


def speed(names: list[str], height: int, width: int, repeats: int = 15) -> dict[str, float]:
    """Milliseconds a frame, medians over rounds in which the models take turns."""
    models = {name: load_model(name) for name in names}
    picture, taken = torch.rand(1, 3, height, width), {name: [] for name in names}
    for _ in range(repeats + 2):
        for name, model in models.items():
            started = time.perf_counter()
            model.predict(picture)
            taken[name].append(1000 * (time.perf_counter() - started))
    return {name: statistics.median(times[2:]) for name, times in taken.items()}


def main() -> None:
    """Prints the table and one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path, default=Path(__file__).parents[2] / "shared" / "clips")
    parser.add_argument("--model", nargs="+", default=["embedded", "tcmonodepth-small"])
    parser.add_argument("--scenes", type=int, default=48)
    parser.add_argument("--validation", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    models = {"ramp": ramp, **{name: predictor(name) for name in options.model}}
    sets: list[tuple[str, float, list[Clip]]] = []
    if options.validation:
        office = options.clips / "train_hololens_office"
        parts = [sorted((office / part).glob("*"))[-38:] for part in ("color", "depth")]
        sets.append(("train_hololens_office, last fifth", 10.0, [read(parts[0], parts[1], 1000.0)]))
    elif options.clips.is_dir():
        sets += recorded(options.clips)
    sets.append(("procedural", 80.0, procedural(CHECK if options.validation else TEST, options.scenes)))
    means: dict[str, list[float]] = {name: [] for name in models}
    for title, far, clips in sets:
        for name, model in models.items():
            maps = [[model(picture) for picture in pictures] for pictures, _ in clips]
            abs_rel, delta, rtc, atc = score(maps, clips, far)
            means[name].append(abs_rel)
            accuracy, steadiness = f"{abs_rel:.4f} / {delta:.4f}", f"rTC@1.05 {rtc:.4f}  aTC {atc:.4f}"
            print(f"{title:34} {Path(name).stem:18} {accuracy}  {steadiness}", flush=True)
    for name, values in means.items():
        print(f"{'mean AbsRel':36} {Path(name).stem:20} {np.mean(values):.4f}")
    times = speed(options.model, 256, 448)
    print("one frame of 256x448:", ", ".join(f"{Path(n).stem} {t:.1f} ms" for n, t in times.items()))
    ours, baseline = options.model[0], options.model[-1]
    print(
        json.dumps(
            {
                "benchmark": "embedded",
                "ratio": round(float(np.mean(means[ours]) / np.mean(means[baseline])), 4),
                "ours": round(float(np.mean(means[ours])), 4),
                "baseline": round(float(np.mean(means[baseline])), 4),
                "unit": "mean AbsRel",
                "speed_ratio": round(times[ours] / times[baseline], 3),
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
