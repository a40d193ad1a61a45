"""rTC and aTC of `temporal` against `framewise`: same clips, same model, same raw predictions.

    python benchmarks/consistency.py [CLIP...] [--model NAME] [--size N] [--far 10]

Protocol `clip-range`: of each method's disparities over the whole shot the 1 % and 99 % quantiles become
far and near; clipped to that range, depth is 1 / (d (1/near - 1/far) + 1/far) with near 1 and far 10 (rTC
is the same for depth and for its reciprocal). One scale and shift a shot, never a frame. The metric's flow
is DIS "medium" between neighbours at the network's full size; the filter uses DIS "fast" at a smaller one.
Only the longest shot of a clip counts. A constant video would score 1: read accuracy beside it.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from footage import machine

from vdepth_core.clip import ShotView, open_clip
from vdepth_core.demo import demo_clip
from vdepth_core.evaluation.temporal import Consistency, consistency
from vdepth_core.flow.dis import DisFlow
from vdepth_core.methods.framewise import Framewise
from vdepth_core.methods.temporal.method import Temporal
from vdepth_core.methods.temporal.options import TemporalOptions
from vdepth_core.models.registry import load_model
from vdepth_core.models.sizing import network_size
from vdepth_core.progress import Progress
from vdepth_core.protocols import DepthModel, Method, ShotFrames
from vdepth_core.store import DepthStore
from vdepth_core.types import Shot


def _depths(store: DepthStore, far: float) -> Iterator[np.ndarray]:
    part = np.concatenate([store.final.read(index)[:, ::4, ::4] for index in range(0, store.count, 2)])
    low, high = np.quantile(part, (0.01, 0.99))
    for index in range(store.count):
        d = np.clip((store.final.read(index)[0] - low) / max(high - low, 1e-9), 0, 1)
        yield 1 / (d * (1 - 1 / far) + 1 / far)


def _pictures(shot: ShotFrames, store: DepthStore) -> Iterator[np.ndarray]:
    for frame in shot.frames():
        yield cv2.resize(frame.rgb, (store.width, store.height), interpolation=cv2.INTER_AREA)


def _measure(shot: ShotFrames, store: DepthStore, far: float) -> Consistency:
    estimator = DisFlow("medium")

    def flow(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return estimator.flow(*(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (a, b)))

    return consistency(_depths(store, far), _pictures(shot, store), flow)


def _settled(
    folder: Path, like: DepthStore, method: Method, shot: Shot, model: DepthModel
) -> tuple[DepthStore, float]:
    """A store with ``like``'s raw predictions settled by ``method``, and its CPU milliseconds a frame."""
    store = DepthStore(folder, like.count, like.height, like.width)
    for index in range(like.count):
        store.raw.write(index, like.raw.read(index))
        store.luma.write(index, like.luma.read(index))
    start = time.process_time()
    method.settle(shot, model.spec, store, Progress())
    return store, (time.process_time() - start) / like.count * 1e3


def run(path: Path, model: DepthModel, size: int | None, far: float) -> dict[str, Consistency]:
    """Prints the table of one clip and returns its rows."""
    clip = open_clip(path)
    shot = max(clip.scan(), key=len)
    view = ShotView(clip, shot)
    info = clip.info
    height, width = network_size(info.width, info.height, info.pixel_aspect, model.spec, size)
    rows = {}
    print(f"{path.name}: {len(shot)} frames at {width}x{height}; rTC at 1.01, 1.05, 1.1, 1.25")
    with (
        tempfile.TemporaryDirectory() as folder,
        DepthStore(Path(folder) / "raw", len(shot), height, width) as raw,
    ):
        Framewise().run(view, model, raw, Progress())
        methods: dict[str, Method] = {
            "framewise": Framewise(),
            "align": Temporal(TemporalOptions(stabilize="align")),
            "temporal": Temporal(),
        }
        for name, method in methods.items():
            store, cost = _settled(Path(folder) / name, raw, method, shot, model)
            with store:
                rows[name] = _measure(view, store, far)
            shares = "  ".join(f"{share:.4f}" for share in rows[name].rtc.values())
            print(f"  {name:10s} rTC {shares}   aTC {rows[name].atc:.4f}   {cost:.1f} CPU ms/frame")
    return rows


def main() -> None:
    """Prints a table a clip and, last, the JSON line of the clip where `temporal` gains least."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="*", type=Path, help="movies; default: the bundled demo clip")
    parser.add_argument("--model", default="embedded", help="name or weights file")
    parser.add_argument(
        "--size", type=int, help="shorter side of the network input; default: the model's own"
    )
    parser.add_argument("--far", type=float, default=10.0, help="far over near")
    options = parser.parse_args()
    clips = options.clips or [demo_clip()]
    model = load_model(options.model)
    worst: tuple[float, float, float] | None = None
    for path in clips:
        rows = run(path, model, options.size, options.far)
        ours, baseline = rows["temporal"].rtc[1.05], rows["framewise"].rtc[1.05]
        if worst is None or ours / max(baseline, 1e-9) < worst[0]:
            worst = (ours / max(baseline, 1e-9), ours, baseline)
    assert worst is not None
    print(
        json.dumps(
            {
                "benchmark": "consistency",
                "ratio": round(worst[0], 4),
                "ours": round(worst[1], 4),
                "baseline": round(worst[2], 4),
                "unit": "rTC@1.05",
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
