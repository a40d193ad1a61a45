"""A small random checkpoint of boosting's published merge network: the same keys and depth, fewer planes."""

from __future__ import annotations

from pathlib import Path

FAMILIES = ("boost-merge-pix2pix",)
"""What `make_tiny` can make."""

_WIDTH = 2  # planes after the first convolution; published: 64
_FILE = "latest_net_G.pth"


def make_tiny(family: str, folder: Path, seed: int = 0) -> None:
    """Writes a small random checkpoint of a family into ``folder``; the same seed gives the same numbers.

    Args:
        family: One of `FAMILIES`.
        folder: Made if needed.
        seed: Of the weights.
    """
    import torch

    from ...networks.merge_pix2pix import MergePix2Pix

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = MergePix2Pix(_WIDTH)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(network.state_dict(), folder / _FILE)
