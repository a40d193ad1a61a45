"""Random worlds of users' files, links and old jobs around a job's folder: does anything foreign ever change?

    python benchmarks/folder_rule.py [--worlds 500] [--first 1000]

Each world gets three commands with random options, endings (done, cancelled, killed at a random act on a
file) and changes by the user in between; see tests/jobs/folder_worlds.py. Stops at the first violation and
says how the world came about.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

import torch
from footage import machine

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from jobs.folder_worlds import Clips, World


def main() -> None:
    """Runs the worlds and prints what became of their commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=500)
    parser.add_argument("--first", type=int, default=1000, help="seed of the first world")
    options = parser.parse_args()
    torch.set_num_threads(1)
    told: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        clips = Clips(Path(folder) / "made")
        for seed in range(options.first, options.first + options.worlds):
            World(Path(folder) / str(seed), clips, seed, told).live(turns=3)
    print(", ".join(f"{code}: {count}" for code, count in sorted(told.items())))
    print(
        json.dumps(
            {
                "benchmark": "folder_rule", "ratio": 0.0, "ours": 0, "baseline": options.worlds,
                "unit": "worlds with a foreign file changed", "machine": machine(),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
