"""Small random checkpoints of every published layout, to try and test a code path without its weights."""

from __future__ import annotations

from pathlib import Path


def tiny_families() -> tuple[str, ...]:
    """What `make_tiny` can make."""
    from . import (
        chronodepth,
        depth_anything,
        diffusion,
        merges,
        self_supervised,
        small_networks,
        transformers,
    )

    rooms = (transformers, diffusion, chronodepth, merges, self_supervised, depth_anything, small_networks)
    return tuple(family for room in rooms for family in room.FAMILIES)


def make_tiny(family: str, folder: Path, seed: int = 0) -> None:
    """Writes a small random checkpoint of a family into ``folder``; the same seed gives the same bytes.

    Args:
        family: One of `tiny_families`.
        folder: New or empty.
        seed: Of the weights.

    Raises:
        UsageError: there is no such family.
    """
    from . import (
        chronodepth,
        depth_anything,
        diffusion,
        merges,
        self_supervised,
        small_networks,
        transformers,
    )

    rooms = (diffusion, chronodepth, merges, self_supervised, depth_anything, small_networks)
    make = next((room.make_tiny for room in rooms if family in room.FAMILIES), transformers.make_tiny)
    make(family, folder, seed)
    for path in folder.rglob("*.safetensors"):  # which safetensors makes readable for their owner only
        path.chmod(path.with_name("config.json").stat().st_mode)
