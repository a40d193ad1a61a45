"""Peak anonymous memory of a whole job at 800 frames over that at 100: streaming keeps the ratio near 1.

    python benchmarks/memory.py [--full] [--method rolling|chrono|windowed] [--stream]   (--full: 4000 frames)

Each job runs in a process of its own; RssAnon is sampled from /proc every 20 ms (Linux only). Temporal
method unless asked for another, all outputs, one long shot, a stand-in network, so what is measured is the
pipeline and not a network's activations. `chrono` and `windowed` run their real models, made small and at
random, `chrono` one step a window: what they keep from window to window is more than a stand-in would show.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import torch
from footage import StandIn, machine, make_clip
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from vdepth_core.types import ModelSpec

_TINY = {"chrono": "chronodepth", "windowed": "video-depth-anything"}  # methods that run their own model


def _anonymous_kib() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


class SnippetStandIn:
    """A latent video model without a network: its latents are the small picture, its depth that enlarged."""

    def __init__(self) -> None:
        self.spec = ModelSpec(
            "stand-in", "disparity", "affine_invariant", "none", True, window=3, multiple=8, native_size=384
        )
        self.device, self.low_memory = "cpu", False

    def predict(self, frames: Tensor) -> Tensor:
        """(T, 3, H, W) -> (T, H, W), as the probe for the number of threads asks."""
        return self.decode(self.encode(frames))

    def encode(self, frames: Tensor) -> Tensor:
        """(T, 3, H, W) -> (T, 4, H/8, W/8)."""
        pooled = avg_pool2d(frames, 8)
        return torch.cat([pooled, pooled[:, :1]], 1)

    def noise(self, height: int, width: int, seed: int) -> Tensor:
        """(1, 4, H/8, W/8)."""
        return torch.zeros(1, 4, height // 8, width // 8)

    def predict_snippets(self, latents: Tensor, noise: Tensor, steps: int = 1) -> Tensor:
        """(B, n, 4, h, w) -> (B, n, H, W), every snippet at its own scale."""
        scale = 1 + latents.mean((1, 2, 3, 4))
        return self.decode(latents.flatten(0, 1)).unflatten(0, latents.shape[:2]) * scale[:, None, None, None]

    def start_refinement(self, disparity: Tensor, noise: Tensor, steps: int) -> Tensor:
        """(T, H, W) -> (T, 4, h, w)."""
        return avg_pool2d(disparity[:, None], 8).repeat(1, 4, 1, 1)

    def refine_snippets(self, latents: Tensor, depth_latents: Tensor, step: int, steps: int) -> Tensor:
        """(B, n, 4, h, w) as they are."""
        return depth_latents

    def decode(self, depth_latents: Tensor) -> Tensor:
        """(T, 4, h, w) -> (T, H, W)."""
        return interpolate(depth_latents[:, :1], scale_factor=8, mode="bilinear")[:, 0]


def _job(clip: Path, out: Path, method: str, streams: bool) -> int:
    """Runs one job in this process and returns its peak RssAnon in KiB."""
    from vdepth_core.jobs.accelerator import ModelShelf
    from vdepth_core.jobs.batch import estimate_clips
    from vdepth_core.jobs.config import EstimateConfig
    from vdepth_core.models.tiny import make_tiny

    peak, stop = 0, threading.Event()

    def sample() -> None:
        nonlocal peak
        while not stop.wait(0.02):
            peak = max(peak, _anonymous_kib())

    watcher = threading.Thread(target=sample)
    watcher.start()
    shelf = ModelShelf()
    config = EstimateConfig(method=method, model="stand-in", device="cpu", dtype="fp32", size=96)
    if method in _TINY:
        weights = out.with_name("tiny")
        if not weights.exists():
            make_tiny(_TINY[method], weights)
        chosen = {"method": method, "model": str(weights), "size": 32, "chrono_steps": 1, "stream": streams}
        config = EstimateConfig.parse(**chosen, device="cpu", dtype="fp32")
    shelf.put("stand-in", "cpu", "fp32", StandIn(0.0) if method == "temporal" else SnippetStandIn())
    results = estimate_clips([clip], out, config, shelf=shelf)
    stop.set()
    watcher.join()
    if results[0].error is not None:
        raise results[0].error
    return peak


def main() -> None:
    """Prints the peaks and, last, the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true", help="4000 frames instead of 800")
    parser.add_argument("--method", choices=["temporal", "rolling", *_TINY], default="temporal")
    parser.add_argument("--stream", action="store_true", help="of windowed: frame by frame")
    parser.add_argument("--job", nargs=2, type=Path, metavar=("CLIP", "OUT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        print(_job(*arguments.job, arguments.method, arguments.stream))
        return
    counts = (100, 4000 if arguments.full else 800)
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            clip = make_clip(Path(folder) / f"{count}.mp4", 320, 180, count)
            command = [sys.executable, __file__, "--method", arguments.method, "--job", str(clip)]
            command += [str(Path(folder) / f"out{count}"), *["--stream"] * arguments.stream]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            peaks.append(int(done.stdout.split()[-1]) / 1024)
            print(f"{count:5d} frames: peak RssAnon {peaks[-1]:.1f} MiB")
    names = [arguments.method] * (arguments.method != "temporal") + ["stream"] * arguments.stream
    facts = {
        "benchmark": "_".join(["memory", *names]),
        "ratio": round(peaks[1] / peaks[0], 3),
        "ours": round(peaks[1], 1),
        "baseline": round(peaks[0], 1),
        "unit": "MiB",
        "machine": machine(),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
