"""What `train-selfsup` is told beside its data and its system; nothing heavy loads with it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from ...choices import Device
from ...options import Options

_PUBLISHED = "(default: as published)"


class Settings(Options):
    """Data, networks, course and machine of a training."""

    network: str | None = Field(None, description=f"Depth network, new, by its name {_PUBLISHED}.")
    init: str | None = Field(None, description="Start from a model or weights file instead of a new network.")
    encoder: Path | None = Field(
        None, description="ImageNet weights in torchvision's or HRNet's layout to start new encoders from."
    )
    pose: str | None = Field(None, description=f"Pose network: separate, cnn, shared or joint {_PUBLISHED}.")
    predictive_mask: bool = Field(
        False, description="Learn what a still world explains, in place of the auto-mask (monodepth2)."
    )
    split: Path | None = Field(
        None, description="KITTI raw: list of training targets, a line each: folder, frame, side."
    )
    val_split: Path | None = Field(
        None, description="KITTI raw: list of held-out targets (default: the last twentieth of --split)."
    )
    use: Literal["mono", "stereo", "both"] = Field(
        "mono",
        description="Sources: neighbours in time, the stereo partner (KITTI raw; left, right), or both.",
    )
    camera: Literal["nominal", "calibrated"] | None = Field(
        None, description=f"KITTI raw: one nominal camera, or each day's calibration {_PUBLISHED}."
    )
    velocity: bool = Field(False, description="KITTI raw: learn the scale from measured motion (packnet).")
    fov: float | None = Field(
        None,
        gt=0,
        lt=180,
        description="Clips: horizontal field of view in degrees of all without a camera file.",
    )
    intrinsics: Path | None = Field(
        None, description="Clips: camera file (JSON) of all without one of their own."
    )
    gap: int | None = Field(
        None,
        ge=1,
        description="Clips: frames to a source (default: until the picture moves by 4.5 % of its width).",
    )
    height: int | None = Field(
        None, ge=32, le=4096, description=f"Of the network's input, pixels {_PUBLISHED}."
    )
    width: int | None = Field(
        None, ge=32, le=4096, description=f"Of the network's input, pixels {_PUBLISHED}."
    )
    batch: int | None = Field(None, ge=1, description=f"Targets a step {_PUBLISHED}.")
    rate: float | None = Field(None, gt=0, description=f"Learning rate of Adam {_PUBLISHED}.")
    epochs: int | None = Field(
        None, ge=1, description=f"How long: passes over the training set, mostly {_PUBLISHED}."
    )
    steps: int | None = Field(None, ge=1, description="Train this many steps, whatever the epochs.")
    release: Literal["best", "last"] = Field(
        "best", description="Which weights are written: the best on what is held out, or the last."
    )
    every: int | None = Field(
        None, ge=1, description="Steps between validations (default: an epoch, at most 1000)."
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="Seed of weights, order and augmentation.")
    device: Device | str = Field("auto", description="Where it trains; cuda:1 is the second GPU.")
    workers: int = Field(2, ge=1, description="Threads that read and change pictures beside the training.")
    threads: int | None = Field(None, ge=1, description="Torch threads on a CPU (default: torch's own).")
    cache: Path | None = Field(
        None, description="Clips: folder of decoded frames, a cache (default: in OUT)."
    )
    save: float = Field(600.0, ge=0, description="Seconds between checkpoints.")
