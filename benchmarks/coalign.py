"""Co-alignment of snippets: the solver of `rolling` against the published loop of 2000 steps of Adam.

    python benchmarks/coalign.py [CLIP] [--full] [--device cpu]

Both solve the same sets in the same process, on one thread (with more, whatever else runs decides): ours in
float64, the loop in float32 as published, after the published preprocessing (less the smallest value).

- `rendered`: exact disparity of procedural clips; every snippet has a random scale and shift, 1 % of noise,
  and 3 % of its pixels are outliers. What counts is the merged disparity's error.
- `clip`: the embedded model on a real clip, each snippet normalised to its own range. Long dilations see the
  picture mirrored, so that predictions of a frame differ as a model's do. There is no truth here, so what
  counts is the spread: mean |y − m| / μ over all rows y of a frame with mean m, and μ = mean |m|, after both
  solutions are brought to mean scale 1 and mean shift 0.
- `rollingdepth`: the same for a RollingDepth of random weights.

Shorter sets keep the default run short, never fewer steps. The ratios reported are the worst of all sets.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from footage import machine

from vdepth_core.align.joint import CoAlignment, Snippets, coalign
from vdepth_core.align.scale_shift import fit_scale_shift
from vdepth_core.clip import ShotView, open_clip
from vdepth_core.demo import demo_clip
from vdepth_core.methods.frames import to_disparity
from vdepth_core.methods.rolling.plan import SnippetPlan, plan_snippets
from vdepth_core.methods.spill import sample_grid
from vdepth_core.models.registry import load_model
from vdepth_core.models.sizing import frames_to_tensor, network_size
from vdepth_core.scenes.clip import render_clip

NOISE, OUTLIERS = 0.01, 0.03
PIXELS = 400  # of a frame, unless --full: the loop of Adam takes minutes otherwise
REPEATS = 3


@dataclass(frozen=True)
class Case:
    """A set of snippets, and the exact disparity (N, P) where it is known."""

    name: str
    snippets: Snippets
    truth: np.ndarray | None


def rendered(seed: int, layout: str, count: int, dilations: tuple[int, ...], pixels: int) -> Case:
    """Snippets of a procedural clip, each in a random chart."""
    clip = render_clip(seed, count, 96, 128, layout, noise=False)
    truth = _sampled(1 / clip.depth, pixels)
    plan = plan_snippets(count, dilations)
    rng = np.random.default_rng(seed)
    low, high = np.quantile(truth, (0.02, 0.98))
    rows = (truth[plan.frames] - low) / (high - low)
    rows += rng.normal(0, NOISE, rows.shape)
    gross = rng.uniform(size=rows.shape) < OUTLIERS
    rows[gross] = rng.uniform(0, 1, int(gross.sum()))
    scale = np.exp(rng.uniform(-0.4, 0.4, (len(plan), 1, 1)))
    rows = (rows - rng.uniform(-0.1, 0.1, scale.shape)) / scale
    return Case(f"rendered {layout}", _snippets(plan, rows), truth)


def predicted(path: Path, count: int, dilations: tuple[int, ...], pixels: int) -> Case:
    """Snippets of the embedded model's predictions of a clip, each normalised to its own range."""
    model = load_model("embedded")
    clip = open_clip(path)
    size = network_size(clip.info.width, clip.info.height, clip.info.pixel_aspect, model.spec, None)
    frames = _frames(path, count, size)
    maps = []
    for mirrored in (False, True):
        pictures = frames.flip(-1) if mirrored else frames
        found = np.concatenate([model.predict(part).cpu().numpy() for part in pictures.split(8)])
        disparity = to_disparity(found, model.spec)
        maps.append(_sampled(disparity[..., ::-1] if mirrored else disparity, pixels))
    plan = plan_snippets(len(frames), dilations)
    long = plan.group > 0
    rows = np.where(long[:, None, None], maps[1][plan.frames], maps[0][plan.frames])
    low, high = (end(rows, axis=(1, 2), keepdims=True) for end in (np.min, np.max))
    return Case(f"clip {path.name}", _snippets(plan, (rows - low) / np.maximum(high - low, 1e-6)), None)


def random_rollingdepth(path: Path, count: int, dilations: tuple[int, ...], pixels: int) -> Case:
    """Snippets of a small RollingDepth of random weights on a clip."""
    from vdepth_core.models.diffusion.rollingdepth import load_rollingdepth
    from vdepth_core.models.tiny import make_tiny

    size = (96, 160)
    frames = _frames(path, count, size)
    plan = plan_snippets(len(frames), dilations)
    with tempfile.TemporaryDirectory() as folder:
        make_tiny("rollingdepth", Path(folder) / "tiny")
        model = load_rollingdepth(Path(folder) / "tiny", dtype="fp32")
        latents, noise = model.encode(frames), model.noise(*size, 0)
        parts = torch.from_numpy(plan.frames).split(8)
        maps = torch.cat([model.predict_snippets(latents[part], noise) for part in parts]).numpy()
    return Case("rollingdepth, random", _snippets(plan, _sampled(maps, pixels)), None)


def measure(case: Case, device: str) -> tuple[float, float, float]:
    """Prints one set's figures; returns seconds ours and theirs, and the ratio of errors or spreads."""
    snippets = case.snippets
    runs = [_timed(lambda: coalign(snippets, device=device)) for _ in range(REPEATS)]
    ours, seconds = runs[0][0], statistics.median(run[1] for run in runs)
    theirs, published = _timed(lambda: coalign(snippets, solver="adam", device=device, dtype="fp32"))
    print(
        f"{case.name}: {snippets.count} frames, {len(snippets)} snippets of {snippets.values.shape[2]} pixels"
    )
    quality = "spread" if case.truth is None else "error"
    values = [
        spread(snippets, found) if case.truth is None else error(snippets, found, case.truth)
        for found in (ours, theirs)
    ]
    for name, took, value, found in (
        ("ours", seconds, values[0], ours),
        ("Adam", published, values[1], theirs),
    ):
        print(f"    {name}: {took:8.3f} s   {quality} {value:.5f}   {found.iterations} iterations")
    return seconds, published, values[0] / max(values[1], 1e-12)


def error(snippets: Snippets, found: CoAlignment, truth: np.ndarray) -> float:
    """Mean error of the merged disparity after one least-squares fit for the clip, over its mean."""
    merged = _merged(snippets, found.scale, found.shift)[0]
    scale, shift = fit_scale_shift(merged, truth)
    return float(np.abs(scale * merged + shift - truth).mean() / truth.mean())


def spread(snippets: Snippets, found: CoAlignment) -> float:
    """Mean |y − m| / μ with mean scale 1 and mean shift 0."""
    scale, shift = found.scale / found.scale.mean(), found.shift / found.scale.mean()
    merged, rows = _merged(snippets, scale, shift - shift.mean())
    off = np.abs(rows - merged[snippets.frames]) / np.abs(merged).mean(axis=1)[snippets.frames][..., None]
    return float(off.mean())


def _merged(snippets: Snippets, scale: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean (N, P) of all aligned rows of every frame, and the rows (K, L, P)."""
    rows = scale[:, None, None] * np.asarray(snippets.values[:], np.float64) + shift[:, None, None]
    total = np.zeros((snippets.count, rows.shape[2]))
    np.add.at(total, snippets.frames, rows)
    return total / np.bincount(snippets.frames.ravel())[:, None], rows


def _sampled(maps: np.ndarray, pixels: int) -> np.ndarray:
    """Samples (…, P) of maps (…, H, W), about ``pixels`` of them."""
    rows = maps[..., *sample_grid(*maps.shape[-2:])].reshape(*maps.shape[:-2], -1)
    return rows[..., :: max(1, rows.shape[-1] // pixels)]


def _snippets(plan: SnippetPlan, rows: np.ndarray) -> Snippets:
    return Snippets(plan.count, plan.frames, (rows - rows.min()).astype(np.float32), plan.group)


def _frames(path: Path, count: int, size: tuple[int, int]) -> torch.Tensor:
    """Up to ``count`` frames (T, 3, *size) of a clip's longest shot."""
    clip = open_clip(path)
    view = ShotView(clip, max(clip.scan(), key=len))
    pictures = [
        cv2.resize(frame.rgb, size[::-1], interpolation=cv2.INTER_AREA)
        for frame in islice(view.frames(), count)
    ]
    return frames_to_tensor(pictures, size)


def _timed(work: Callable[[], CoAlignment]) -> tuple[CoAlignment, float]:
    began = time.perf_counter()
    found = work()
    return found, time.perf_counter() - began


def main() -> None:
    """Prints each set's figures and, last, the JSON line with the worst ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", nargs="?", type=Path, help="movie; default: the bundled demo clip")
    parser.add_argument(
        "--full", action="store_true", help="more frames, and all of their pixels: takes an hour"
    )
    parser.add_argument("--device", default="cpu", help="where both solvers run")
    options = parser.parse_args()
    path, times = options.clip or demo_clip(), 3 if options.full else 1
    pixels = 10**9 if options.full else PIXELS
    torch.set_num_threads(1)
    sets: list[Callable[[], Case]] = [
        lambda: rendered(5, "room", 80 * times, (1, 25), pixels),
        lambda: rendered(1, "street", 40 * times, (1, 10, 25), pixels),
        lambda: predicted(path, 48 * times, (1, 25), pixels),
        lambda: random_rollingdepth(path, 24 * times, (1, 25), pixels),
    ]
    warm = rendered(0, "room", 5, (1,), pixels).snippets
    for solver in ("irls", "adam"):  # what is loaded once
        coalign(warm, solver=solver, device=options.device, steps=1)
    worst = {"error": 0.0, "spread": 0.0}
    slowest: tuple[float, float] | None = None
    for build in sets:
        case = build()
        seconds, published, ratio = measure(case, options.device)
        quality = "spread" if case.truth is None else "error"
        worst[quality] = max(worst[quality], ratio)
        if slowest is None or published / seconds < slowest[1] / slowest[0]:
            slowest = seconds, published
    assert slowest is not None
    facts = {
        "benchmark": "coalign",
        "ratio": round(slowest[1] / slowest[0], 1),
        "error_ratio": round(worst["error"], 4),
        "spread_ratio": round(worst["spread"], 4),
        "ours": round(slowest[0], 4),
        "baseline": round(slowest[1], 2),
        "unit": "s",
        "machine": machine(),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
