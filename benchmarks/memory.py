"""Peak anonymous memory of a whole job at 800 frames over that at 100: streaming keeps the ratio near 1.

    python benchmarks/memory.py [--full]      (--full: 4000 frames against 100)

Each job runs in a process of its own; RssAnon is sampled from /proc every 20 ms (Linux only). Temporal
method, all outputs, one long shot, a stand-in network, so what is measured is the pipeline and not a
network's activations.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from footage import StandIn, machine, make_clip


def _anonymous_kib() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def _job(clip: Path, out: Path) -> int:
    """Runs one job in this process and returns its peak RssAnon in KiB."""
    from vdepth_core.jobs.batch import estimate_clips
    from vdepth_core.jobs.config import EstimateConfig
    from vdepth_core.jobs.shelf import ModelShelf

    peak, stop = 0, threading.Event()

    def sample() -> None:
        nonlocal peak
        while not stop.wait(0.02):
            peak = max(peak, _anonymous_kib())

    watcher = threading.Thread(target=sample)
    watcher.start()
    shelf = ModelShelf()
    config = EstimateConfig(method="temporal", model="stand-in", device="cpu", dtype="fp32", size=96)
    shelf.put("stand-in", "cpu", "fp32", StandIn(0.0))
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
    parser.add_argument("--job", nargs=2, type=Path, metavar=("CLIP", "OUT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        print(_job(*arguments.job))
        return
    counts = (100, 4000 if arguments.full else 800)
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            clip = make_clip(Path(folder) / f"{count}.mp4", 320, 180, count)
            command = [sys.executable, __file__, "--job", str(clip), str(Path(folder) / f"out{count}")]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            peaks.append(int(done.stdout.split()[-1]) / 1024)
            print(f"{count:5d} frames: peak RssAnon {peaks[-1]:.1f} MiB")
    facts = {
        "benchmark": "memory",
        "ratio": round(peaks[1] / peaks[0], 3),
        "ours": round(peaks[1], 1),
        "baseline": round(peaks[0], 1),
        "unit": "MiB",
        "machine": machine(),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
