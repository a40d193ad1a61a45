"""Our own small merge network, with weights of ``vdepth train-merge``."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from ....networks.merge_small import MULTIPLE, REACH, MergeSmall
from ....weights.loading import Weights, load_into, read_weights
from .transfer import Transfer, standardised

_TILE = 1024  # pixels a side: an 8K map needs no more memory than this


class Learned:
    """Detail transfer, and a small network that goes on from there; a `Merge` of maps of any size."""

    name = "learned"

    def __init__(self, weights: Weights, device: str = "cpu") -> None:
        """Puts the network on a device.

        Args:
            weights: What ``vdepth train-merge`` wrote.
            device: As torch spells it.

        Raises:
            WeightsError: they are of another layout.
        """
        network = MergeSmall()
        load_into(network, weights.state, weights.path)
        self._network = network.float().eval().requires_grad_(False).to(device)
        self._device = device
        self._transfer = Transfer()

    @classmethod
    def load(cls, device: str, path: Path) -> Learned:
        """The merge with the weights of a file.

        Args:
            device: As torch spells it.
            path: The file.

        Raises:
            WeightsError: it is of another layout.
        """
        return cls(read_weights(path), device)

    def __call__(self, low: Tensor, high: Tensor) -> Tensor:
        """Gives ``low`` the edges of ``high``, as the network learnt it.

        Args:
            low: (N, 1, H, W) float32.
            high: (N, 1, H, W) float32, in any scale and shift.

        Returns:
            (N, 1, H, W) float32 in the terms of ``low``, on its device.
        """
        with torch.inference_mode():
            unit, centre, spread = standardised(low)
            guide, _, _ = standardised(high)
            sharp = self._transfer(unit, guide)
            sharp = self._tiled(torch.cat((unit, guide, sharp), 1))
            return sharp.to(low.device) * spread + centre

    def _tiled(self, maps: Tensor) -> Tensor:
        """The network, a tile after the other; each sees what is around it."""
        height, width = maps.shape[-2:]
        pads = [-side % MULTIPLE for side in (width, height)]
        maps = functional.pad(maps, (0, pads[0], 0, pads[1]), mode="replicate")
        merged = maps.new_empty((len(maps), 1, *maps.shape[-2:]))
        for top in range(0, maps.shape[-2], _TILE):
            for left in range(0, maps.shape[-1], _TILE):
                y, x = max(top - REACH, 0), max(left - REACH, 0)
                tile = maps[..., y : top + _TILE + REACH, x : left + _TILE + REACH].to(self._device)
                done = self._network(tile)[..., top - y :, left - x :][..., :_TILE, :_TILE]
                merged[..., top : top + _TILE, left : left + _TILE] = done
        return merged[..., :height, :width]
