"""Snippets a second of a latent video model in batches, over one at a time as published.

    python benchmarks/rolling_batch.py [--device cuda] [--dtype fp16] [--model FOLDER] [--size HxW]

Without --model a small random checkpoint in the published layout runs: on a CPU that measures what a call
costs besides its arithmetic, which is what batches save. With the published weights on an accelerator it is
the real thing, and the batch is what fits the free memory.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import torch
from footage import machine

from vdepth_core.methods.batching import Batcher, Load, choose_load
from vdepth_core.models.diffusion.rollingdepth import RollingDepthModel, load_rollingdepth
from vdepth_core.models.tiny.diffusion import make_tiny

LENGTH = 3
CPU_BATCH = 8
ROUNDS = 5


def throughput(model: RollingDepthModel, load: Load, height: int, width: int, count: int) -> float:
    """Snippets a second; the best of `ROUNDS`, as others use the machine too."""
    noise = model.noise(height, width, 0)
    latents = torch.randn((count, LENGTH, *noise.shape[1:]), generator=torch.Generator().manual_seed(1))
    batcher = Batcher(model, load)
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for start in range(0, count, load.batch):
            part = latents[start : start + load.batch]
            batcher(lambda part: model.predict_snippets(part.to(noise), noise), part)
        best = min(best, time.perf_counter() - began)
    return count / best


def main() -> None:
    """Prints both figures and, last, the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="fp32")
    parser.add_argument("--model", type=Path, help="folder of the weights; default a small random model")
    parser.add_argument("--size", default="96x160", help="of the pictures, HxW")
    arguments = parser.parse_args()
    height, width = (int(side) for side in arguments.size.split("x"))
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if arguments.model is None:
            make_tiny("rollingdepth", Path(folder))
        model = load_rollingdepth(arguments.model or Path(folder), arguments.device, arguments.dtype)
    load = choose_load(model, height, width, LENGTH)
    load = load if arguments.device.startswith("cuda") else Load(CPU_BATCH)
    ours = throughput(model, load, height, width, 4 * load.batch)
    single = throughput(model, Load(1), height, width, 4 * load.batch)
    print(f"{load.batch} snippets at once: {ours:.1f} snippets/s; one at a time: {single:.1f}")
    facts = {
        "benchmark": "rolling_batch",
        "ratio": round(ours / single, 3),
        "ours": round(ours, 2),
        "baseline": round(single, 2),
        "unit": "snippets/s",
        "machine": f"{machine()}, one thread"
        if arguments.device == "cpu"
        else torch.cuda.get_device_name(arguments.device),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
