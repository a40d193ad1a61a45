"""Twelve short clips on a Ray cluster of this machine: the same bytes as without it, and how much faster.

    python benchmarks/scale.py [--clips 12] [--frames 24] [--model-ms 150] [--workers 2]

The model takes 150 ms a frame without using the CPU, as an accelerator would. 1. All clips one after the
other in one process, as ``vdepth estimate`` does them. 2. The same on a cluster of two workers: ``ratio``
is the first time over this one, with Ray's own start and end in it; ``working`` leaves these aside. 3. Once
more into another folder: a worker gets SIGKILL twice, then the command itself, and it is given again.
``identical`` says whether 2 and 3 left the bytes of 1. POSIX only.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import psutil
from footage import StandIn, machine, make_clip
from kills import digest

from vdepth_core.jobs.accelerator import ModelShelf
from vdepth_core.jobs.batch import estimate_clips
from vdepth_core.jobs.cluster import LOCAL, RayCrew
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.jobs.events import Event, FrameDone
from vdepth_core.jobs.fleet.run import Fleet
from vdepth_core.models.device import cpu_threads
from vdepth_core.progress import Progress

CONFIG = EstimateConfig(method="temporal", model="stand-in", device="cpu", dtype="fp32", size=128)


def shelf() -> ModelShelf:
    made = ModelShelf()
    made.put("stand-in", "cpu", "fp32", StandIn(float(os.environ["MODEL_MS"]) / 1000))
    return made


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    """Actors of the cluster that a process began."""
    return [
        child for child in process.children(recursive=True) if "VdepthWorker" in " ".join(child.cmdline())
    ]


def alone(clips: list[Path], out: Path) -> float:
    """Seconds of all clips in this process."""
    began = time.perf_counter()
    for result in estimate_clips(clips, out, CONFIG, shelf=shelf()):
        if result.error is not None:
            raise result.error
    return time.perf_counter() - began


def on_cluster(clips: list[Path], out: Path, workers: int, kills: int = 0) -> tuple[float, float]:
    """Seconds of all, and without Ray's start and end; kills so many workers on the way."""
    seen, struck = 0, 0

    def heard(event: Event) -> None:
        nonlocal seen, struck
        seen += isinstance(event, FrameDone)
        if struck < kills and seen >= 20 * (struck + 1):
            struck += 1
            workers_of(psutil.Process())[0].kill()
        if kills and isinstance(event, FrameDone):
            print(event.path, flush=True)  # for who kills this process

    began = time.perf_counter()
    fleet = Fleet(clips, out, CONFIG, heard)
    crew = RayCrew(LOCAL, replace(fleet.setup, shelf=shelf), workers=workers)
    there = time.perf_counter()
    results = fleet.run(crew)
    failed = [result.error for result in results if result.error is not None]
    if failed:
        raise failed[0]
    ended = max(path.stat().st_mtime for path in out.glob("*/manifest.json"))
    return time.perf_counter() - began, ended - (time.time() - (time.perf_counter() - there))


def tortured(words: list[str], out: Path) -> int:
    """Runs a command whose workers are killed, kills it too, runs it again; returns its exit code."""
    command = [sys.executable, __file__, *words, "--drive", str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        for number, _ in enumerate(first.stdout):
            if number == 60:
                break
        first.send_signal(signal.SIGKILL)
    return subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode


def main() -> None:
    """Runs all three and prints the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=12)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--model-ms", type=float, default=150.0, help="what the stand-in takes a frame")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--drive", help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["MODEL_MS"] = str(options.model_ms)  # the workers', too
    with tempfile.TemporaryDirectory() as made:
        root = Path(options.folder or made)
        clips = [root / f"clip_{number:02d}.mp4" for number in range(options.clips)]
        if options.drive:
            on_cluster(clips, Path(options.drive), options.workers, kills=2)
            return
        for clip in clips:
            make_clip(clip, 320, 180, options.frames)
        cpu_threads(shelf().get("stand-in", "cpu", "fp32"), (128, 224), Progress())  # measured once a machine
        baseline = alone(clips, root / "alone")
        print(f"alone: {baseline:.1f} s")
        ours, working = on_cluster(clips, root / "cluster", options.workers)
        print(
            f"{options.workers} workers: {ours:.1f} s, of which {working:.1f} s between Ray's start and end"
        )
        words = [
            f"--{name.replace('_', '-')}={getattr(options, name)}"
            for name in ("clips", "frames", "model_ms", "workers")
        ]
        code = tortured([*words, f"--folder={root}"], root / "tortured")
        expected = digest(root / "alone")
        same = [digest(root / name) == expected for name in ("cluster", "tortured")]
        print(f"same bytes: {same[0]}; with two workers and the command killed: {same[1]}, exit code {code}")
    facts = {
        "benchmark": "scale",
        "ratio": round(baseline / ours, 3),
        "working": round(baseline / working, 3),
        "identical": all(same),
        "ours": round(ours, 2),
        "baseline": round(baseline, 2),
        "unit": "s",
        "model_ms": options.model_ms,
        "machine": machine(),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
