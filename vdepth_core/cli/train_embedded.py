"""``vdepth train-embedded``: train the embedded model from nothing, on procedural scenes."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer


def train_embedded(
    out: Annotated[Path, typer.Option("-o", "--out", help="Weights file to write (.safetensors).")],
    minutes: Annotated[float, typer.Option(help="Training time, minutes over all runs.")] = 75.0,
    steps: Annotated[
        int | None, typer.Option(help="Train this many steps instead; makes the run repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of scenes, weights and augmentation.")] = 0,
    threads: Annotated[int, typer.Option(help="Torch threads.")] = 1,
    renderers: Annotated[int, typer.Option(help="Processes that render scenes beside the training.")] = 1,
    batch: Annotated[int, typer.Option(help="Samples a step.")] = 12,
    pool: Annotated[
        Path | None, typer.Option(help="Folder of rendered scenes, a cache (default: beside OUT).")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint beside OUT.")] = False,
) -> None:
    """Train the embedded model on procedural scenes."""
    from ..errors import UsageError

    if out.suffix != ".safetensors":
        raise UsageError(f"{out.name} is no name for weights.", "Let it end in .safetensors.")
    if minutes <= 0 or (steps is not None and steps < 1) or threads < 1 or renderers < 0 or batch < 1:
        raise UsageError(
            "Minutes, steps, threads and batch must be positive.", "Leave the option out for its default."
        )
    if not out.parent.is_dir():
        raise UsageError(f"The folder {out.parent} does not exist.", "Make it first.")
    import cv2

    from ..training.train import TrainConfig, train

    cv2.setNumThreads(1)  # the trainer's threads are counted by the option
    logging.getLogger("vdepth_core.training").setLevel(logging.INFO)
    config = TrainConfig(
        seed=seed, minutes=minutes, steps=steps, threads=threads, renderers=renderers, batch=batch
    )
    train(out, pool or out.with_suffix(".scenes"), config, resume=resume)
    typer.echo(f"Weights: {out}")
