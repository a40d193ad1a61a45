"""Writes rendered clips with their truth to disk, one file a seed, as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..files import atomic_path
from .clip import render_clip
from .truth import SceneClip

_FARTHEST = float(np.finfo(np.float16).max)


def stream_shards(
    folder: Path,
    first_seed: int,
    count: int,
    frames: int,
    height: int,
    width: int,
    moving: bool | None = None,
    clean: bool = False,
    device: str = "cpu",
) -> Iterator[Path]:
    """Renders clips into a folder of shards and yields each file as soon as it is there.

    ``train-SEED.npz`` holds ``rgb`` (T, H, W, 3) uint8, ``disparity`` (T, H, W) float16 in 1/m with 0 for the
    sky, ``flow`` (T − 1, H, W, 2) float16 in pixels, ``visible`` (T − 1, H, W) bool, ``K`` (3, 3) and
    ``poses`` (T, 4, 4) float64 cam_to_world. A file appears only when whole, and one that is there stays:
    the same call continues an interrupted one, and several processes may share a folder.

    Args:
        folder: Made if needed.
        first_seed, count: Seeds first_seed, …, first_seed + count − 1.
        frames, height, width: Of each clip.
        moving, clean, device: As `render_clip` takes them.

    Raises:
        ValueError: there is nothing to render.
        ResourceError: the folder cannot be written or the disk is full.
    """
    if min(count, frames, height, width) < 1:
        raise ValueError(f"{count} clips of {frames} frames of {width}x{height} pixels are none")
    return _stream(
        folder, range(first_seed, first_seed + count), (frames, height, width), moving, clean, device
    )


def _stream(
    folder: Path, seeds: range, size: tuple[int, int, int], moving: bool | None, clean: bool, device: str
) -> Iterator[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        path = folder / f"train-{seed:09d}.npz"
        if not path.exists():
            _write(path, render_clip(seed, *size, moving=moving, clean=clean, device=device))
        yield path


def _write(path: Path, clip: SceneClip) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            rgb=np.round(clip.rgb.transpose(0, 2, 3, 1) * 255).astype(np.uint8),
            disparity=(1 / clip.depth).astype(np.float16),
            flow=np.clip(clip.flow, -_FARTHEST, _FARTHEST).astype(np.float16),
            visible=clip.visible,
            K=clip.K,
            poses=clip.poses,
        )
