"""How much of a model's own throughput is left when the whole job runs around it, and what every stage costs.

    python benchmarks/overhead.py [--full]

1. A 720p clip of several shots goes through the complete job (scan, inference, co-alignment and filter, up-sampling,
   depth and disparity EXRs, preview, report) with a stand-in model that takes 150 ms a frame without using the CPU, as
   an accelerator would. ``ratio`` is the job's throughput over the model's alone on the same frames. The tail (the
   last shot is written when nothing is left to infer) is counted.
2. CPU milliseconds a frame of each stage on the same clip, with the embedded model (skipped with --no-table).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from footage import StandIn, machine, make_clip

from vdepth_core.clip import ShotView, open_clip
from vdepth_core.jobs.batch import estimate_clips
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.jobs.shelf import ModelShelf
from vdepth_core.progress import Progress

SECONDS_A_FRAME = 0.150


def throughput(clip: Path, out: Path, frames: int, model: StandIn) -> float:
    """Frames a second of the whole job."""
    shelf = ModelShelf()
    shelf.put("stand-in", "cpu", "fp32", model)
    config = EstimateConfig(method="temporal", model="stand-in", device="cpu", dtype="fp32")
    began = time.perf_counter()
    result = estimate_clips([clip], out, config, shelf=shelf)[0]
    seconds = time.perf_counter() - began
    if result.error is not None:
        raise result.error
    assert result.manifest is not None
    print("   ", ", ".join(f"{name} {value:.1f} s" for name, value in result.manifest.timings.items()))
    return frames / seconds


def alone(model: StandIn, size: tuple[int, int], frames: int) -> float:
    """Frames a second of the model on frames that are already there."""
    picture = torch.rand(1, 3, *size)
    began = time.perf_counter()
    for _ in range(frames):
        model.predict(picture)
    return frames / (time.perf_counter() - began)


def stage_table(clip: Path, frames: int) -> None:
    """Prints CPU milliseconds a frame by stage, each run alone on one shot."""
    from vdepth_core.jobs.stages import stage_costs

    print(f"CPU milliseconds a frame at 720p, embedded model, {frames} frames:")
    for name, milliseconds in stage_costs(clip, frames).items():
        print(f"    {name:<28} {milliseconds:7.1f}")


def cpu_milliseconds(work: Callable[[], object], frames: int) -> float:
    """CPU time of all threads of this process while ``work`` runs, a frame."""
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1000 / frames


def main() -> None:
    """Prints the table, the timings and, last, the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true", help="1000 frames instead of 180")
    parser.add_argument("--no-table", action="store_true", help="only the ratio")
    arguments = parser.parse_args()
    frames, shots = (1000, 20) if arguments.full else (180, 9)
    model = StandIn(SECONDS_A_FRAME)
    with tempfile.TemporaryDirectory() as folder:
        clip = make_clip(Path(folder) / "clip.mp4", 1280, 720, frames, shots)
        found = sum(1 for _ in open_clip(clip).scan(progress=Progress()))
        print(f"{frames} frames of 1280x720 in {found} shots, model {SECONDS_A_FRAME * 1000:.0f} ms a frame")
        bare = alone(model, (384, 672), 20)
        ours = throughput(clip, Path(folder) / "out", frames, model)
        if not arguments.no_table:
            table(clip)
    facts = {
        "benchmark": "overhead",
        "ratio": round(ours / bare, 3),
        "ours": round(ours, 3),
        "baseline": round(bare, 3),
        "unit": "frames/s",
        "machine": machine(),
    }
    print(json.dumps(facts))


def table(clip: Path) -> None:
    """See `stage_table`; kept short."""
    view = next(iter(open_clip(clip).scan(progress=Progress())))
    del view
    _ = ShotView
    stage_table(clip, 20)


if __name__ == "__main__":
    main()
