"""The published merge (Miangoleh et al., CVPR 2021), with weights that the user brings."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from ....errors import WeightsError
from ....networks.merge_pix2pix import SIDE, MergePix2Pix
from ....weights.loading import Weights, load_into, read_weights
from ....weights.location import find_weights
from .weights import PIX2PIX

_FIRST = "model.model.0.weight"


class Pix2Pix:
    """The published merge: a U-Net on maps of 1024 x 1024; a `Merge`.

    Maps of that size go in as they are, others are resized to it and back.
    """

    name = "pix2pix"

    def __init__(self, weights: Weights, device: str = "cpu") -> None:
        """Puts the network on a device.

        Args:
            weights: Of the published layout, as wide as they say.
            device: As torch spells it.

        Raises:
            WeightsError: they are of another layout.
        """
        first = weights.state.get(_FIRST)
        if first is None or first.ndim != 4 or not len(first):
            raise WeightsError(
                f"{weights.path.name} holds no merge network: it has no {_FIRST}.",
                "Get latest_net_G.pth from its authors.",
            )
        network = MergePix2Pix(len(first))
        load_into(network, weights.state, weights.path)
        self._network = network.float().eval().requires_grad_(False).to(device)
        self._device = device

    @classmethod
    def load(cls, device: str = "cpu", path: Path | None = None) -> Pix2Pix:
        """The merge with installed weights, or with those of a file.

        Args:
            device: As torch spells it.
            path: A weights file; None: what is installed.

        Raises:
            WeightsError: they are missing or of another layout.
        """
        return cls(read_weights(path or find_weights(PIX2PIX)), device)

    def __call__(self, low: Tensor, high: Tensor) -> Tensor:
        """Gives ``low`` the details of ``high``, as the network learnt it.

        Args:
            low: (N, 1, H, W) float32.
            high: (N, 1, H, W) float32.

        Returns:
            (N, 1, H, W) float32 on ``low``'s device; the network's 0..1 become the range of ``low``.
        """
        with torch.inference_mode():
            pairs = (_resized(maps, (SIDE, SIDE)).to(self._device) for maps in (low, high))
            both = torch.cat([_unit(maps) * 2 - 1 for maps in pairs], 1)
            # One after the other: a picture takes 1.5 GB on its way through.
            merged = torch.cat([(self._network(pair[None]) + 1) / 2 for pair in both])
            bottom, top = low.amin((2, 3), keepdim=True), low.amax((2, 3), keepdim=True)
            size = (low.shape[-2], low.shape[-1])
            return _resized(merged, size).to(low.device) * (top - bottom) + bottom


def _unit(maps: Tensor) -> Tensor:
    """Each map stretched to 0..1 on its own; a flat one is 0."""
    bottom, top = maps.amin((2, 3), keepdim=True), maps.amax((2, 3), keepdim=True)
    return (maps - bottom) / (top - bottom).clamp(min=torch.finfo(maps.dtype).tiny)


def _resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(maps.shape[-2:]) == size:
        return maps
    return functional.interpolate(maps, size=size, mode="bicubic", align_corners=False, antialias=True)
