"""What `--stream`, and `--stabilize` after windows, do to accuracy and steadiness, on procedural clips.

    python benchmarks/stream_accuracy.py [--minutes 4] [--clips 3] [--weights FILE]

Published weights cannot be had here, and a random network has no accuracy. So a small Video Depth Anything is
trained on windows of procedural clips, as published ones were, and looks at others by windows and frame by
frame: AbsRel and δ1 (one scale and shift a clip), and rTC@1.05, the share of tracked pixels whose depth
changes by less than 5 % (a constant video scores 1: read it beside the others). It is one small network; what
counts is the difference between the rows. ``ratio`` is AbsRel of the stream over that of windows.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from consistency import _measure
from footage import machine

from vdepth_core.evaluation.accuracy import evaluate_clip
from vdepth_core.learning.losses.midas import midas_loss
from vdepth_core.methods.windowed.method import Windowed
from vdepth_core.methods.windowed.options import WindowedOptions
from vdepth_core.models.depth_anything_v2 import imagenet
from vdepth_core.models.registry import load_model
from vdepth_core.models.tiny import make_tiny
from vdepth_core.networks.temporal_attention import WINDOW
from vdepth_core.networks.video_depth_anything import VideoDepthAnything
from vdepth_core.progress import Progress
from vdepth_core.scenes import SceneClip, render_clip
from vdepth_core.store import DepthStore
from vdepth_core.types import ClipInfo, Frame, Shot

SIZE, FRAMES = (84, 112), 64
FAR = 80.0
TRAINING, HELD_OUT = 970_000_000, 971_000_000  # seeds
WAYS = {
    "windows": {},
    "windows, align": {"stabilize": "align"},
    "windows, filter": {"stabilize": "filter"},
    "stream": {"stream": True},
    "stream, filter": {"stream": True, "stabilize": "filter"},
}


class Rendered:
    """A procedural clip as a shot."""

    def __init__(self, clip: SceneClip) -> None:
        rgb = clip.rgb.transpose(0, 2, 3, 1)
        self.rgb = np.ascontiguousarray(np.round(rgb * 255).astype(np.uint8))
        self.truth = np.where(np.isfinite(clip.depth), clip.depth, 0)
        self.shot = Shot(0, 0, len(rgb))
        self.info = ClipInfo(Path("clip"), "movie", "clip", SIZE[1], SIZE[0], Fraction(1), Fraction(24))

    def __len__(self) -> int:
        return len(self.shot)

    def frames(self, start: int = 0, stop: int | None = None) -> Generator[Frame]:
        """Frames [start, stop)."""
        for index in range(start, len(self) if stop is None else stop):
            yield Frame(index, Fraction(index, 24), index, self.rgb[index])


def train(weights: Path, minutes: float) -> None:
    """Trains a small network from random weights: window after window, all of it on one scale and shift."""
    folder = weights.with_suffix(".tiny")
    make_tiny("video-depth-anything", folder)
    state = torch.load(next(folder.iterdir()), weights_only=True)
    network = VideoDepthAnything.for_state(state)
    network.load_state_dict(state)
    rng, clips = np.random.default_rng(0), []
    began, budget, step, losses = time.monotonic(), 60 * minutes, 0, []
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=1e-2)
    while (spent := (time.monotonic() - began) / budget) < 1:
        if len(clips) < 24 and step % 12 == 0:  # a new clip now and then
            clip = render_clip(TRAINING + len(clips), WINDOW + 12, *SIZE, moving=None)
            clips.append((torch.from_numpy(clip.rgb).float(), torch.from_numpy(clip.depth)))
        rgb, depth = clips[rng.integers(len(clips))]
        start, mirrored = rng.integers(len(rgb) - WINDOW + 1), bool(rng.integers(2))
        rgb, depth = rgb[start : start + WINDOW], depth[start : start + WINDOW]
        if mirrored:
            rgb, depth = rgb.flip(3), depth.flip(2)
        known = torch.isfinite(depth) & (depth > 0)
        truth = torch.where(known, 1 / depth.clamp(min=1e-3), 0.0)
        for group in optimiser.param_groups:
            group["lr"] = 1e-3 * min(1.0, (step + 1) / 20) * (1 - spent)
        said = network(imagenet(rgb))
        window = [part.reshape(1, -1, SIZE[1]) for part in (said, truth.float(), known)]
        loss = midas_loss(*window, alpha=0.0)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        losses.append(float(loss))
        step += 1
    print(
        f"{step} steps on {len(clips)} clips, loss {np.mean(losses[:20]):.3f} -> {np.mean(losses[-20:]):.3f}"
    )
    torch.save(network.state_dict(), weights)


def main() -> None:
    """Prints the table and, last, the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=4, help="of training")
    parser.add_argument("--clips", type=int, default=3, help="that are looked at")
    parser.add_argument("--weights", type=Path, help="trained before, or where to keep what is trained")
    arguments = parser.parse_args()
    scores: dict[str, list[tuple[float, float, float]]] = {name: [] for name in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        weights = arguments.weights or Path(folder) / "video.pth"
        if not weights.exists():
            train(weights, arguments.minutes)
        model = load_model(weights)
        for number in range(arguments.clips):
            footage = Rendered(render_clip(HELD_OUT + number, FRAMES, *SIZE, moving=None))
            for name, options in WAYS.items():
                method = Windowed(WindowedOptions.model_validate(options))
                with DepthStore(Path(folder) / f"{number}{name}", FRAMES, *SIZE) as store:
                    method.run(footage, model, store, Progress())
                    method.settle(footage.shot, model.spec, store, Progress())
                    maps = store.final.read(0, FRAMES)
                    right = evaluate_clip(list(maps), list(footage.truth), max_depth=FAR)
                    steady = _measure(footage, store, 10.0).rtc[1.05]
                scores[name].append((right.abs_rel, right.delta1, steady))
            print(f"clip {number}: " + "; ".join(f"{name} {scores[name][-1][0]:.3f}" for name in WAYS))
    means = {name: np.mean(rows, 0) for name, rows in scores.items()}
    for name, (abs_rel, delta, steady) in means.items():
        print(f"{name:16} AbsRel {abs_rel:.4f}  delta1 {delta:.4f}  rTC@1.05 {steady:.4f}")
    ours, baseline = float(means["stream"][0]), float(means["windows"][0])
    facts = {
        "benchmark": "stream_accuracy",
        "ratio": round(ours / baseline, 3),
        "ours": round(ours, 4),
        "baseline": round(baseline, 4),
        "unit": "AbsRel",
        "machine": machine(),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
