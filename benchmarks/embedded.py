"""The embedded model against tcmonodepth-small, a constant and two ramps: accuracy, edges, steadiness, speed.

    python benchmarks/embedded.py [--clips FOLDER] [--cycles FOLDER] [--model NAME|WEIGHTS ...] [--scenes 48]
                                  [--sizes 256 384] [--validation] [--quick]

Accuracy is AbsRel / δ1 under `clip-lstsq` and boundary F1 of the aligned maps, with ``--sizes`` pixels on the
shorter side (default: each model's native size), on every ground-truth folder of ``--clips`` (``gt_*`` with
color/ and depth/; truth 0.2 to 10 m, LiDAR to 80 m), on procedural clips of seeds never trained on, and with
``--cycles`` on the shards held out there (``held-*.npz``). Steadiness is rTC@1.05 and aTC of the same aligned
predictions, wherever frames follow each other. ``--validation`` scores only what no figure is quoted from:
the last fifth of ``train_hololens_office`` and other procedural seeds. Speed is one frame, models in turn,
medians. ``--quick`` leaves out steadiness and speed.
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
from vdepth_core.evaluation.boundaries import boundary_f1
from vdepth_core.evaluation.temporal import consistency
from vdepth_core.flow.dis import DisFlow
from vdepth_core.models.registry import load_model
from vdepth_core.models.sizing import frames_to_tensor, network_size
from vdepth_core.scenes import render_clip
from vdepth_core.training.shards import load_shard

TEST, CHECK = 950_000_000, 940_000_000  # first seeds of the procedural clips: quoted, and to choose by
FRAMES, HEIGHT, WIDTH = 8, 216, 320
Clip = tuple[list[np.ndarray], list[np.ndarray]]  # pictures uint8, depth in metres, 0 or inf where unknown
Model = Callable[[np.ndarray], np.ndarray]


def ramp(picture: np.ndarray) -> np.ndarray:
    """What a model must beat to know anything: nearer towards the bottom edge."""
    height, width = picture.shape[:2]
    return np.repeat(np.linspace(0, 1, height, dtype=np.float32)[:, None], width, 1)


def sideways(picture: np.ndarray) -> np.ndarray:
    """Nearer towards one side; the alignment says which."""
    height, width = picture.shape[:2]
    return np.repeat(np.linspace(0, 1, width, dtype=np.float32)[None], height, 0)


def constant(picture: np.ndarray) -> np.ndarray:
    """All as far as the mean."""
    return np.ones(picture.shape[:2], np.float32)


BASELINES: dict[str, Model] = {"ramp": ramp, "sideways": sideways, "constant": constant}


def predictor(name: str, shorter: int | None = None) -> Model:
    """A model's disparity, with ``shorter`` pixels on the shorter side; None: its native size."""
    model = load_model(name)

    def predict(picture: np.ndarray) -> np.ndarray:
        size = network_size(picture.shape[1], picture.shape[0], 1, model.spec, shorter)
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


def held(folder: Path) -> list[Clip]:
    """The shards of a folder that nobody trains on."""
    clips = []
    for path in sorted(folder.glob("held-*.npz")):
        rgb, disparity = load_shard(path)
        with np.errstate(divide="ignore"):
            clips.append((list(rgb), list(np.where(disparity > 0, 1 / disparity, 0))))
    return clips


def score(
    predictions: list[list[np.ndarray]], clips: list[Clip], far: float, steadiness: bool = True
) -> tuple[float, ...]:
    """AbsRel, δ1, boundary F1, rTC@1.05 and aTC, means over clips; the last two of those that move."""
    rows = []
    for maps, (pictures, truth) in zip(predictions, clips, strict=True):
        known = [np.where(np.isfinite(depth), depth, 0) for depth in truth]
        near = 0.2 if far <= 10 else 1e-3
        errors = evaluate_clip(maps, known, min_depth=near, max_depth=far)
        small = [cv2.resize(p, maps[0].shape[::-1], interpolation=cv2.INTER_AREA) for p in pictures]
        aligned = [np.maximum(errors.scale * m + errors.shift, DISPARITY_FLOOR) for m in maps]
        edges = float(np.mean([_f1(m, depth, near, far) for m, depth in zip(aligned, known, strict=True)]))
        try:
            if not steadiness:
                raise InputError("not asked for", "")
            steady = consistency([np.clip(1 / d, near, far) for d in aligned], small, _flow)
            rows.append((errors.abs_rel, errors.delta1, edges, steady.rtc[1.05], steady.atc))
        except InputError:  # stills
            rows.append((errors.abs_rel, errors.delta1, edges, np.nan, np.nan))
    return tuple(map(float, np.mean(rows, 0)))


def _f1(disparity: np.ndarray, truth: np.ndarray, near: float, far: float) -> float:
    """Boundary F1 of an aligned map at the size of the truth."""
    shown = cv2.resize(disparity, truth.shape[::-1], interpolation=cv2.INTER_LINEAR)
    depth = np.clip(1 / np.maximum(shown, DISPARITY_FLOOR), near, far)
    return boundary_f1(depth, np.clip(truth, near, far), (truth > near) & (truth < far)).f1


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
    parser.add_argument("--cycles", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[None])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    models = dict(BASELINES)
    for name in options.model:
        for size in options.sizes:
            models[f"{name} {size}" if size else name] = predictor(name, size)
    sets: list[tuple[str, float, list[Clip]]] = []
    if options.validation:
        office = options.clips / "train_hololens_office"
        parts = [sorted((office / part).glob("*"))[-38:] for part in ("color", "depth")]
        sets.append(("train_hololens_office, last fifth", 10.0, [read(parts[0], parts[1], 1000.0)]))
    elif options.clips.is_dir():
        sets += recorded(options.clips)
    sets.append(("procedural", 80.0, procedural(CHECK if options.validation else TEST, options.scenes)))
    if options.cycles:
        sets.append(("path-traced", 80.0, held(options.cycles)))
    means: dict[str, list[float]] = {name: [] for name in models}
    for title, far, clips in sets:
        for name, model in models.items():
            maps = [[model(picture) for picture in pictures] for pictures, _ in clips]
            abs_rel, delta, edges, rtc, atc = score(maps, clips, far, not options.quick)
            means[name].append(abs_rel)
            accuracy, steadiness = f"{abs_rel:.4f} / {delta:.4f}", f"rTC@1.05 {rtc:.4f}  aTC {atc:.4f}"
            print(f"{title:34} {Path(name).name:24} {accuracy}  F1 {edges:.4f}  {steadiness}", flush=True)
    for name, values in means.items():
        print(f"{'mean AbsRel':34} {Path(name).name:24} {np.mean(values):.4f}")
    times = {} if options.quick else speed(options.model, 256, 448)
    print("one frame of 256x448:", ", ".join(f"{Path(n).stem} {t:.1f} ms" for n, t in times.items()))
    last = f" {options.sizes[-1]}" if options.sizes[-1] else ""
    ours, baseline = options.model[0] + last, options.model[-1] + last
    print(
        json.dumps(
            {
                "benchmark": "embedded",
                "ratio": round(float(np.mean(means[ours]) / np.mean(means[baseline])), 4),
                "ours": round(float(np.mean(means[ours])), 4),
                "baseline": round(float(np.mean(means[baseline])), 4),
                "unit": "mean AbsRel",
                **(
                    {"speed_ratio": round(times[options.model[0]] / times[options.model[-1]], 3)}
                    if times
                    else {}
                ),
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
