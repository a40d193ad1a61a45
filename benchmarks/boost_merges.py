"""The merges against each other: two estimates of a large picture in one map, on scenes nobody trained on.

    python benchmarks/boost_merges.py [--scenes 6] [--model embedded] [--merge NAME|WEIGHTS ...]

The soft estimate is the model's at its native size, the sharp one at 2.5 times that; both are enlarged to the
picture's 1920x1080 and merged whole, without patches. Maps are aligned to the truth by one least-squares
scale and shift each. Time is the merge of one such pair.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from footage import machine

from vdepth_core.evaluation.accuracy import DISPARITY_FLOOR, evaluate_clip
from vdepth_core.evaluation.boundaries import boundary_f1
from vdepth_core.evaluation.ordinal import ordinal_errors
from vdepth_core.models.registry import load_model
from vdepth_core.models.sizing import frames_to_tensor, network_size
from vdepth_core.refiners.boost.merges.registry import load_merge
from vdepth_core.scenes import render_clip

FIRST = 950_000_100  # seeds that nothing is trained or chosen on
HEIGHT, WIDTH, FAR = 1080, 1920, 200.0
TIMES = 2.5


def main() -> None:
    """Prints the table and one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=6)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--merge", nargs="+", default=["transfer", "poisson"])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    model, merges = load_model(options.model), {name: load_merge(name) for name in options.merge}
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in ("soft", "sharp", *merges)}
    for seed in range(FIRST, FIRST + options.scenes):
        clip = render_clip(seed, 1, HEIGHT, WIDTH)
        rgb = np.round(clip.rgb[0].transpose(1, 2, 0) * 255).astype(np.uint8)
        low, high = (estimate(model, rgb, times) for times in (1.0, TIMES))
        depth = np.minimum(clip.depth[0], FAR)
        rows["soft"].append((*score(low, depth), 0.0))
        rows["sharp"].append((*score(high, depth), 0.0))
        for name, merge in merges.items():
            started = time.perf_counter()
            merged = merge(*(torch.from_numpy(maps)[None, None] for maps in (low, high)))[0, 0].numpy()
            rows[name].append((*score(merged, depth), time.perf_counter() - started))
    print(f"{'':24} boundary F1  D3R (slic)     ORD  AbsRel       s")
    means = {name: np.mean(values, 0) for name, values in rows.items()}
    for name, (f1, d3r, order, wrong, seconds) in means.items():
        print(f"{Path(name).stem:24} {f1:11.4f} {d3r:11.4f} {order:7.4f} {wrong:7.4f} {seconds:7.2f}")
    ours, plain = float(means[options.merge[0]][0]), float(means["soft"][0])
    found = {"benchmark": "boost_merges", "ratio": round(ours / plain, 2), "ours": round(ours, 4)}
    print(json.dumps({**found, "baseline": round(plain, 4), "unit": "boundary F1", "machine": machine()}))


def estimate(model, rgb: np.ndarray, times: float) -> np.ndarray:
    """Disparity (H, W) of the network seeing the picture ``times`` its native size."""
    size = network_size(rgb.shape[1], rgb.shape[0], 1, model.spec, round(times * model.spec.native_size))
    small = model.predict(frames_to_tensor([rgb], size))[0].numpy()
    return cv2.resize(small, (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_CUBIC)


def score(disparity: np.ndarray, truth: np.ndarray) -> tuple[float, float, float, float]:
    """Boundary F1, D3R, ORD and AbsRel after a least-squares scale and shift."""
    errors = evaluate_clip([disparity], [truth], min_depth=1e-3, max_depth=FAR)
    depth = 1 / np.maximum(errors.scale * disparity + errors.shift, max(DISPARITY_FLOOR, 1 / FAR))
    found = ordinal_errors(depth, truth, np.ones(truth.shape, bool))
    assert found is not None
    return boundary_f1(depth, truth).f1, found.d3r, found.ord, errors.abs_rel


if __name__ == "__main__":
    main()
