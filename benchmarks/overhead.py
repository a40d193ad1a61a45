"""How much of a model's own throughput is left when the whole job runs around it, and what every stage costs.

    python benchmarks/overhead.py [--full]

1. A 720p clip in shots of eight frames goes through the complete job (scan, inference, co-alignment and
   filter, up-sampling, depth and disparity EXRs, preview, report) with a stand-in model that takes 150 ms
   a frame without using the CPU, as an accelerator would. ``ratio`` is the job's throughput over the
   model's alone. Shots overlap: one is settled and written while the next is predicted. What nothing can
   overlap is counted too: opening the clip, and the tail, when the last shot is settled and written.
   Short shots keep the tail of this short run small; a lone clip of one long shot is all tail (add up the
   stage table), and a batch of such clips overlaps clip by clip instead.
2. CPU milliseconds a frame of each stage on the same clip, with the embedded model (not with --no-table).
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from footage import StandIn, machine, make_clip

from vdepth_core.clip import ShotView, open_clip
from vdepth_core.jobs.accelerator import ModelShelf
from vdepth_core.jobs.batch import estimate_clips
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.methods.temporal.method import Temporal
from vdepth_core.models.device import cpu_threads, set_threads
from vdepth_core.models.registry import load_model
from vdepth_core.models.sizing import network_size
from vdepth_core.output.exr import write_exr
from vdepth_core.output.finish import DepthMapping, Upsampler, fit_mapping
from vdepth_core.output.preview import PreviewWriter
from vdepth_core.progress import Progress
from vdepth_core.store import DepthStore
from vdepth_core.types import Frame, Shot, ShotAlignment

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


def stage_table(clip: Path, folder: Path) -> None:
    """Prints CPU milliseconds a frame by stage, all threads counted, each stage alone on the first shot."""
    opened = open_clip(clip)
    shots: list[Shot] = []
    rows = {"scan (decode, cuts)": _cpu(lambda: shots.extend(opened.scan(progress=Progress())))}
    frames = sum(len(shot) for shot in shots)
    rows = {name: seconds * 1000 / frames for name, seconds in rows.items()}
    shot = shots[0]
    view, count = ShotView(opened, shot), len(shot)
    pictures: list[Frame] = []
    rows["decode"] = _cpu(lambda: pictures.extend(view.frames())) * 1000 / count
    model = load_model("embedded", "cpu", "fp32")
    size = network_size(1280, 720, Fraction(1), model.spec, None)
    set_threads(1)
    method = Temporal()
    with DepthStore(folder / "store", count, *size) as store:
        whole = _cpu(lambda: method.run(view, model, store, Progress())) * 1000 / count
        rows[f"predict {size[1]}x{size[0]}, match"] = whole - rows["decode"]
        alignment: list[ShotAlignment] = []
        settle = _cpu(lambda: alignment.append(method.settle(shot, model.spec, store, Progress())))
        rows["co-align and filter"] = settle * 1000 / count
        mapping: list[DepthMapping] = []
        fit = _cpu(lambda: mapping.append(fit_mapping(store.final, model.spec.space)))
        rows["range of the shot"] = fit * 1000 / count
        disparity = [store.final.read(index)[0] for index in range(count)]
    upsampler = Upsampler(mapping[0].range.hi - mapping[0].range.lo)
    full: list[np.ndarray] = []
    work = zip(disparity, pictures, strict=True)
    rows["up-sample"] = _cpu(lambda: full.extend(upsampler(d, f.rgb) for d, f in work)) * 1000 / count
    depth: list[np.ndarray] = []
    rows["disparity to depth"] = _cpu(lambda: depth.extend(map(mapping[0].depth, full))) * 1000 / count

    def write() -> None:
        for z, y in zip(depth, full, strict=True):
            write_exr(folder / "depth.exr", {"Z": z, "Y": z}, {})
            write_exr(folder / "disparity.exr", {"Y": y}, {})

    rows["EXR depth and disparity"] = _cpu(write) * 1000 / count

    def preview() -> None:
        with PreviewWriter(folder / "preview.mp4", Fraction(24), (1280, 720)) as film:
            for frame, y in zip(pictures, full, strict=True):
                film.write(frame.rgb, mapping[0].normalised(y), frame.time)

    rows["preview"] = _cpu(preview) * 1000 / count
    print("CPU milliseconds a frame at 720p, embedded model, all threads counted:")
    for name, milliseconds in rows.items():
        print(f"    {name:<26} {milliseconds:7.1f}")


def _cpu(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    """Prints the table, the timings and, last, the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true", help="1000 frames of longer shots instead of 240")
    parser.add_argument("--no-table", action="store_true", help="only the ratio")
    arguments = parser.parse_args()
    frames, shots = (1000, 50) if arguments.full else (240, 30)
    model = StandIn(SECONDS_A_FRAME)
    with tempfile.TemporaryDirectory() as folder:
        clip = make_clip(Path(folder) / "clip.mp4", 1280, 720, frames, shots)
        found = sum(1 for _ in open_clip(clip).scan(progress=Progress()))
        print(f"{frames} frames of 1280x720 in {found} shots, model {SECONDS_A_FRAME * 1000:.0f} ms a frame")
        cpu_threads(model, (384, 672), Progress())  # measured once a machine, for models on the CPU only
        bare = alone(model, (384, 672), 10)
        ours = throughput(clip, Path(folder) / "out", frames, model)
        if not arguments.no_table:
            stage_table(clip, Path(folder))
    facts = {
        "benchmark": "overhead",
        "ratio": round(ours / bare, 3),
        "ours": round(ours, 3),
        "baseline": round(bare, 3),
        "unit": "frames/s",
        "machine": machine(),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
