"""What fine-tuning takes by option: memory computed for published sizes, memory and step time of tiny ones.

    python benchmarks/diffusion_memory.py

Computed: weights, gradients, moments and average from the number of parameters, and what autograd keeps of
the largest pass (three frames of 480x640 for RollingDepth, five of 448x640 for ChronoDepth), on torch's meta
device. The image coder (0.3 GiB) and the libraries come on top. Eight-bit moments are timed as those of bf16.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from vdepth_core.learning.diffusion.adapters import choose
from vdepth_core.learning.diffusion.memory import Plan, plan
from vdepth_core.learning.diffusion.moments import make_optimiser
from vdepth_core.learning.loop import parameter_groups
from vdepth_core.models.tiny import make_tiny
from vdepth_core.training.diffusion.request import read_settings

_WIDTHS = {"block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2, "cross_attention_dim": 1024}
_CHANNELS = {"in_channels": 8, "out_channels": 4, "sample_size": 96}
PUBLISHED: dict[str, dict[str, Any]] = {
    "rolling": _WIDTHS
    | _CHANNELS
    | {
        "down_block_types": [*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"],
        "up_block_types": ["UpBlock2D", *["CrossAttnUpBlock2D"] * 3],
        "attention_head_dim": [5, 10, 20, 20],
        "use_linear_projection": True,
    },
    "chrono": _WIDTHS
    | _CHANNELS
    | {
        "down_block_types": [*["CrossAttnDownBlockSpatioTemporal"] * 3, "DownBlockSpatioTemporal"],
        "up_block_types": ["UpBlockSpatioTemporal", *["CrossAttnUpBlockSpatioTemporal"] * 3],
        "num_attention_heads": [5, 10, 20, 20],
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 768,
        "num_frames": 10,
    },
}
LEAST = "`--lora 16 --precision bf16 --checkpointing`"
OPTIONS: dict[str, dict[str, Any]] = {
    "everything, fp32": {},
    "`--checkpointing`": {"checkpointing": True},
    "`--checkpointing --precision bf16`": {"checkpointing": True, "half": True},
    "`--checkpointing --precision bf16 --moments bf16`": {
        "checkpointing": True,
        "half": True,
        "moments": "bf16",
    },
    "`--checkpointing --precision bf16 --moments 8bit`": {
        "checkpointing": True,
        "half": True,
        "moments": "8bit",
    },
    "`--lora 16 --precision bf16`": {"rank": 16, "half": True},
    LEAST: {"rank": 16, "half": True, "checkpointing": True},
}
TINY = {"rolling": ("rollingdepth", "unet"), "chrono": ("chronodepth", ".")}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found: dict[Any, Plan] = {}
    with tempfile.TemporaryDirectory() as folder:
        for recipe, config in PUBLISHED.items():
            path = Path(folder) / f"{recipe}.json"
            path.write_text(json.dumps(config))
            found |= table(recipe, path, Path(folder) / recipe, arguments.repeats)
    ours, baseline = (found["rolling", name] for name in (LEAST, "everything, fp32"))
    print(
        json.dumps(
            {
                "benchmark": "diffusion_memory",
                "ratio": round(ours.total / baseline.total, 3),
                "ours": round(ours.total / 2**30, 2),
                "baseline": round(baseline.total / 2**30, 2),
                "unit": "GiB, computed",
                "machine": platform.processor() or platform.machine(),
            }
        )
    )


def table(recipe: str, published: Path, folder: Path, repeats: int) -> dict[Any, Plan]:
    """Prints a row an option and stage."""
    _, chosen, _ = read_settings(recipe, {})
    family, part = TINY[recipe]
    make_tiny(family, folder)
    print(f"\n{recipe}, {chosen.size[1]}x{chosen.size[0]}; tiny: 64x64\n")
    print(
        "| option | stage | trained | weights, GiB | gradients, moments, average | activations | in all | "
        "tiny: in all, MiB | tiny: ms a step |\n|---|---|---|---|---|---|---|---|---|"
    )
    found = {}
    for name, options in OPTIONS.items():
        for stage in chosen.stages(1):
            whole = plan(chosen, stage, published, chosen.size, **options)
            found[recipe, name] = whole
            small = plan(chosen, stage, folder / part / "config.json", (64, 64), **options)
            spent = step_time(chosen, stage, folder / part / "config.json", options, repeats)
            tiny = f"{small.total / 2**20:.1f} | {spent:.0f}"
            print(f"| {name} | {stage.name} | {whole.row()} | {tiny} |", flush=True)
    return found


def step_time(recipe: Any, stage: Any, config: Path, options: dict[str, Any], repeats: int) -> float:
    """Milliseconds of processor time of a pass there and back and the optimiser's step, the least of all."""
    unet = recipe.empty(config)
    trained = choose(unet, stage.trains, options.get("rank"))
    if options.get("checkpointing"):
        unet.enable_gradient_checkpointing()
    moments = options.get("moments", "fp32")
    groups = parameter_groups(trained.parameters(), 1e-4, 0.01)
    optimiser = make_optimiser([g for g in groups if g["params"]], "bf16" if moments == "8bit" else moments)
    sample, times = torch.randn(1, stage.longest, 8, 8, 8), torch.zeros(1, stage.longest)
    best = float("inf")
    for _ in range(repeats):
        started = time.process_time()
        with torch.autocast("cpu", torch.bfloat16, enabled=bool(options.get("half"))):
            answer = recipe.answer(unet, sample, times, torch.zeros(1, 1, 16))
        answer.float().square().mean().backward()
        optimiser.step()
        optimiser.zero_grad()
        best = min(best, time.process_time() - started)
    return 1000 * best


if __name__ == "__main__":
    main()
