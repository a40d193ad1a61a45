"""How much of a model's own throughput is left when the whole job runs around it, and what every stage costs.

    python benchmarks/overhead.py [--full] [--model-ms 15] [--no-table | --no-job]

1. A 720p clip in shots of eight frames goes through the complete job (scan, inference, co-alignment and
   filter, up-sampling, depth and disparity EXRs, preview, report) with a stand-in model that takes 150 ms
   a frame (``--model-ms``) without using the CPU, as an accelerator would. ``ratio`` is the job's throughput
   over the model's alone. Shots overlap: one is settled and written while the next is predicted. What nothing
   can overlap is counted too: opening the clip, and the tail, when the last shot is settled and written.
   Short shots keep the tail of this short run small; a lone clip of one long shot is all tail (add up the
   stage table), and a batch of such clips overlaps clip by clip instead.
2. CPU milliseconds a frame of each stage at 720p and 1080p, all threads counted, frame by frame as the job
   does them, without the network's own; beside them what the code before the house was rebuilt took, by the
   same measure on the machine named in `BEFORE`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from fractions import Fraction
from pathlib import Path

import torch
from footage import StandIn, machine, make_clip

from vdepth_core.budget import keep_pages
from vdepth_core.clip import ShotView, open_clip
from vdepth_core.files import make_folder
from vdepth_core.jobs.accelerator import ModelShelf
from vdepth_core.jobs.batch import estimate_clips
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.methods.frames import luma_of
from vdepth_core.methods.temporal.method import Temporal
from vdepth_core.models.device import cpu_threads, set_threads
from vdepth_core.models.registry import load_model
from vdepth_core.models.sizing import prepare
from vdepth_core.output.channels import channels_of
from vdepth_core.output.exr import write_exr
from vdepth_core.output.finish import DepthMapping, Upsampler, fit_mapping
from vdepth_core.output.journal import Journal
from vdepth_core.output.naming import frame_path
from vdepth_core.output.preview import PreviewWriter
from vdepth_core.output.report import ReportCollector
from vdepth_core.output.sharpen import reach_of, sharpened
from vdepth_core.progress import Progress
from vdepth_core.store import DepthStore


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


# Commit f299d53, best of three runs in turn with three of today's code, on 2 cores of a virtual machine on
# which others worked too.
BEFORE: dict[str, tuple[float, float]] = {  # at 720p and at 1080p
    "scan": (2.6, 4.5),
    "network input, luma": (9.6, 15.7),
    "decode, twice": (4.2, 10.4),
    "match, store": (5.9, 10.8),
    "co-align, filter": (21.0, 24.5),
    "range of the shot": (0.8, 0.8),
    "up-sample": (37.6, 63.0),
    "sharpen": (0.0, 0.0),  # there was none
    "disparity to depth": (2.3, 4.6),
    "EXR, journal": (108.0, 234.5),
    "preview": (12.0, 14.1),
    "report": (2.6, 3.6),
}


class Costs:
    """CPU milliseconds by stage, summed."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """Adds what its body takes, in all threads."""
        began = time.process_time()
        yield
        self.spent[stage] = self.spent.get(stage, 0.0) + (time.process_time() - began) * 1000


def stages(clip: Path, folder: Path) -> dict[str, float]:
    """CPU milliseconds a frame of every stage of a one-shot clip."""
    keep_pages()  # as every job does
    costs, opened = Costs(), open_clip(clip)
    with costs.of("scan"):
        (shot,) = opened.scan(shots=False, progress=Progress())
    view, count, info = ShotView(opened, shot), len(shot), opened.info
    model, method = load_model("embedded", "cpu", "fp32"), Temporal(Temporal.Options())
    set_threads(1)
    size = method.input_size(info, model.spec, None)
    tensors = []
    with closing(view.frames()) as frames:
        for frame in frames:
            with costs.of("network input, luma"):
                tensors.append(prepare(model, torch.from_numpy(frame.rgb)[None], size))
                luma_of(tensors[-1])
    with costs.of("decode, twice"):
        for _ in range(2):
            for _ in view.frames():
                pass
    with DepthStore(folder / "store", count, *size) as store:
        began = time.process_time()
        method.run(view, model, store, Progress())
        run = (time.process_time() - began) * 1000
        began = time.process_time()
        with torch.inference_mode():
            for tensor in tensors:
                model.predict(tensor)
        network = (time.process_time() - began) * 1000
        known = costs.spent["decode, twice"] / 2 + costs.spent["network input, luma"]
        costs.spent["match, store"] = run - network - known
        with costs.of("co-align, filter"):
            method.settle(shot, model.spec, store, Progress())
        with costs.of("range of the shot"):
            mapping = fit_mapping(store.final, model.spec.space).lifted()
        _finish(view, store, mapping, folder, costs)
    return {stage: spent / count for stage, spent in costs.spent.items()}


def _finish(view: ShotView, store: DepthStore, mapping: DepthMapping, folder: Path, costs: Costs) -> None:
    """What becomes of settled frames, one by one, as the job's threads do it."""
    info, out = view.info, folder / "out"
    (out / ".vdepth").mkdir(parents=True)
    journal = Journal(out)
    journal.open()
    journal.begin("0" * 16)
    span = mapping.range.hi - mapping.range.lo
    upsampler, report = Upsampler(span), ReportCollector()
    names = {kind: frame_path(out, "clip", kind, 1001) for kind in ("depth", "disparity")}
    with PreviewWriter(out / "p.mp4", Fraction(24), (info.width, info.height)) as film:
        for frame in view.frames():
            disparity = mapping.disparity(store.final.read(frame.index - view.shot.start)[0])
            with costs.of("up-sample"):
                full = upsampler(disparity, frame.rgb)
            with costs.of("sharpen"):
                full = sharpened(full, frame.rgb, span, reach_of(info.width / disparity.shape[1]))
            with costs.of("disparity to depth"):
                depth, d = mapping.maps(full)
            with costs.of("EXR, journal"):
                for kind, path in names.items():
                    channels = channels_of(kind, {"depth": depth, "disparity": full})
                    write_exr(path, channels, {}, "pxr24", journal.place)
                    journal.owned(path.name)
            with costs.of("preview"):
                film.write(frame.rgb, d, frame.time)
            with costs.of("report"):
                report.add(frame.index, frame.rgb, d)
    journal.close()


def stage_table(folder: Path) -> None:
    """Prints the stages of both sizes beside what they took before."""
    for which, (width, height) in enumerate(((1280, 720), (1920, 1080))):
        clip = make_clip(folder / f"{height}.mp4", width, height, 24)
        now = stages(clip, make_folder(folder / str(height)))
        print(f"CPU milliseconds a frame at {height}p, without the network, all threads counted (before):")
        for stage, milliseconds in now.items():
            print(f"    {stage:<22} {milliseconds:7.1f}   ({BEFORE[stage][which]:.1f})")
        total, was = sum(now.values()), sum(both[which] for both in BEFORE.values())
        print(f"    {'total':<22} {total:7.1f}   ({was:.1f}; {total / was:.2f} of it)")


def main() -> None:
    """Prints the table, the timings and, last, the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true", help="1000 frames of longer shots instead of 240")
    parser.add_argument("--model-ms", type=float, default=150.0, help="what the stand-in takes a frame")
    parser.add_argument("--no-table", action="store_true", help="only the ratio")
    parser.add_argument("--no-job", action="store_true", help="only the table")
    arguments = parser.parse_args()
    frames, shots = (1000, 50) if arguments.full else (240, 30)
    with tempfile.TemporaryDirectory() as folder:
        if not arguments.no_table:
            stage_table(Path(folder))
        if arguments.no_job:
            return
        model = StandIn(arguments.model_ms / 1000)
        clip = make_clip(Path(folder) / "clip.mp4", 1280, 720, frames, shots)
        found = sum(1 for _ in open_clip(clip).scan(progress=Progress()))
        print(f"{frames} frames of 1280x720 in {found} shots, model {arguments.model_ms:g} ms a frame")
        cpu_threads(model, (384, 672), Progress())  # measured once a machine, for models on the CPU only
        bare = alone(model, (384, 672), 10)
        ours = throughput(clip, Path(folder) / "out", frames, model)
    facts = {
        "benchmark": "overhead",
        "ratio": round(ours / bare, 3),
        "ours": round(ours, 3),
        "baseline": round(bare, 3),
        "unit": "frames/s",
        "model_ms": arguments.model_ms,
        "machine": machine(),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
