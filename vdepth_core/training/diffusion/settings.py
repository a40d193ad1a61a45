"""What `train-diffusion` is told beside its recipe and its data; nothing heavy loads with it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from ...choices import Device, Moments
from ...options import Options

_PUBLISHED = "(default: as published)"


class Settings(Options):
    """Course, memory and machine of a training."""

    height: int | None = Field(
        None,
        ge=64,
        le=2048,
        multiple_of=8,
        description="Of the pictures, pixels (default: 480; chrono: 448).",
    )
    width: int | None = Field(
        None, ge=64, le=2048, multiple_of=8, description="Of the pictures, pixels (default: 640)."
    )
    steps: int | None = Field(None, ge=1, description=f"How long, of each stage {_PUBLISHED}.")
    batch: int | None = Field(None, ge=1, description=f"Snippets a step {_PUBLISHED}.")
    at_once: int = Field(
        1, ge=1, description="Snippets the network sees at once; a step adds up the gradients of its batch."
    )
    rate: float | None = Field(None, gt=0, description=f"Learning rate of AdamW {_PUBLISHED}.")
    decay: float = Field(0.01, ge=0, description="Weight decay of the matrices.")
    clip: float = Field(1.0, gt=0, description="Largest norm of the gradient.")
    average: float = Field(
        0.999,
        ge=0,
        lt=1,
        description="Decay of the moving average of the weights, which is written; 0: none.",
    )
    lora: int | None = Field(
        None, ge=1, le=256, description="Train low-rank matrices of this rank beside the attention instead."
    )
    checkpointing: bool = Field(
        False, description="Compute activations a second time instead of keeping them: less memory."
    )
    moments: Moments = Field("fp32", description="How the optimiser keeps its moments.")
    precision: Literal["fp32", "bf16"] = Field(
        "fp32", description="What the network computes in; with --lora its own weights lie in it too."
    )
    degrade: bool = Field(
        True,
        description="Change colours, noise and compression of the pictures at random.",
        json_schema_extra={"off": "Leave the pictures as they are."},
    )
    scenes: int = Field(400, ge=2, description="procedural: how many scenes to learn from.")
    frames: int = Field(8, ge=1, le=64, description="procedural: frames of a scene.")
    max_depth: float = Field(80.0, gt=0, description="Held-out error: farthest truth that counts, metres.")
    every: int = Field(500, ge=1, description="Steps between held-out errors and sample pictures.")
    held_out: int = Field(4, ge=1, description="Most held-out clips that are scored.")
    seed: int = Field(0, ge=0, lt=800, description="Seed of scenes, snippets and noise.")
    device: Device | str = Field("auto", description="Where it trains; cuda:1 is the second GPU.")
    threads: int | None = Field(None, ge=1, description="Torch threads on a CPU (default: torch's own).")
    cache: Path | None = Field(
        None, description="procedural: folder of rendered scenes, a cache (default: in OUT)."
    )
    save: float = Field(600.0, ge=0, description="Seconds between checkpoints.")

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the pictures, once the recipe's stand where nothing was said."""
        assert self.height is not None
        assert self.width is not None
        return self.height, self.width
