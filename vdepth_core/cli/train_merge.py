"""``vdepth train-merge``: train a merge network for boosting on procedural scenes and the user's pictures."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np

_PICTURES = 12  # of a clip


def train_merge(
    out: Annotated[Path, typer.Option("-o", "--out", help="Weights file to write (.safetensors).")],
    minutes: Annotated[float, typer.Option(help="Training time, minutes over all runs.")] = 25.0,
    steps: Annotated[
        int | None, typer.Option(help="Train this many steps instead; makes the run repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of scenes, weights and crops, below 400.")] = 0,
    model: Annotated[
        str, typer.Option(help="Model or weights file whose estimates are to be merged.")
    ] = "embedded",
    clips: Annotated[
        list[Path] | None, typer.Option(help="Clip or picture to learn from too; may be repeated.")
    ] = None,
    scenes: Annotated[int, typer.Option(help="Most procedural scenes to render.")] = 400,
    threads: Annotated[int, typer.Option(help="Torch threads.")] = 1,
    batch: Annotated[int, typer.Option(help="Crops a step.")] = 6,
    cache: Annotated[
        Path | None, typer.Option(help="Folder of crops, a cache (default: beside OUT).")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint beside OUT.")] = False,
) -> None:
    """Train a merge network for boosting: what becomes of a soft estimate and a sharp one."""
    from ..errors import UsageError

    if out.suffix != ".safetensors":
        raise UsageError(f"{out.name} is no name for weights.", "Let it end in .safetensors.")
    if minutes <= 0 or (steps is not None and steps <= 0) or min(threads, batch, scenes) <= 0:
        raise UsageError(
            "Minutes, steps, scenes, threads and batch must be positive.",
            "Leave the option out for its default.",
        )
    if not 0 <= seed < 400:
        raise UsageError(f"The seed {seed} is not in 0..399.", "Seeds above are kept for validation.")
    if not out.parent.is_dir():
        raise UsageError(f"The folder {out.parent} does not exist.", "Make it first.")
    import cv2

    from ..models.registry import load_model
    from ..progress import Progress, cancelling
    from ..training.merge.train import MergeConfig, train

    cv2.setNumThreads(1)  # the trainer's threads are counted by the option
    for room in ("learning", "training"):
        logging.getLogger(f"vdepth_core.{room}").setLevel(logging.INFO)
    config = MergeConfig(seed=seed, minutes=minutes, steps=steps, batch=batch, threads=threads, scenes=scenes)
    pictures = [picture for clip in clips or [] for picture in _pictures(clip)]
    progress = Progress()
    with cancelling(progress):
        folder = cache or out.with_suffix(".cache")
        train(out, load_model(model), pictures, config, folder, progress, resume=resume)
    typer.echo(f"Weights: {out}")


def _pictures(path: Path) -> list[np.ndarray]:
    """Some pictures of a clip, evenly over its length."""
    from ..clip import ShotView, open_clip

    clip = open_clip(path)
    (shot,) = clip.scan(shots=False)
    stride = -(-len(shot) // _PICTURES)
    frames = enumerate(ShotView(clip, shot).frames())
    return [frame.rgb for number, frame in frames if number % stride == 0]
