"""Random checkpoints of small published networks, at their own size: the layouts have no narrower one."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ...choices import one_of
from ...errors import UsageError

if TYPE_CHECKING:
    from torch import nn

_GAIN = math.sqrt(2)  # He et al. 2015: what a ReLU takes away
_BIAS, _OPEN = 0.05, 1.5  # the last ReLU lets most pixels through


def make_tiny(family: str, folder: Path, seed: int = 0) -> None:
    """Writes the file of a random network; the same family and seed give the same bytes.

    Args:
        family: One of `FAMILIES`.
        folder: Where to write; made where it is missing.
        seed: Of the random weights.

    Raises:
        UsageError: there is no such family.
    """
    if family not in FAMILIES:
        raise UsageError(f"There is no tiny {family}.", one_of(family, FAMILIES))
    import torch

    name, make, last, wrapper = _FAMILIES[family]
    with torch.random.fork_rng(devices=[]):
        network = make()
    _draw(network, last, torch.Generator().manual_seed(seed))
    folder.mkdir(parents=True, exist_ok=True)
    state = dict(network.state_dict())
    torch.save({wrapper: state} if wrapper else state, folder / name)


def _draw(network: nn.Module, last: str, source: object) -> None:
    """Weights that keep the size of what passes; residual branches add little to it."""
    import torch

    with torch.no_grad():
        for module in network.modules():
            weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
            if weight is not None and weight.ndim > 1:
                deviation = _GAIN / math.sqrt(weight[0].numel())
                weight.copy_(torch.randn(weight.shape, generator=source) * deviation)  # type: ignore[call-overload]
                if bias is not None:
                    bias.copy_(torch.randn(bias.shape, generator=source) * _BIAS)  # type: ignore[call-overload]
            elif weight is not None:
                weight.fill_(0.5)
        head = network.get_submodule(last)
        head.get_parameter("weight").mul_(0.2)
        head.get_parameter("bias").fill_(_OPEN)


def _zipdepth(blend: bool) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        from ...networks.zipdepth import ZipDepth

        return ZipDepth(blend)

    return make


def _midas_small() -> nn.Module:
    from ...networks.midas_small import MidasSmallNet

    return MidasSmallNet()


_FAMILIES: dict[str, tuple[str, Callable[[], nn.Module], str, str]] = {
    "zipdepth": ("zipdepth_base.pth", _zipdepth(False), "decoder.head_half", "model_state_dict"),
    "zipdepth-npu": ("zipdepth_base_npu.pth", _zipdepth(True), "decoder.head_half", "model_state_dict"),
    "midas-v21-small": ("midas_v21_small_256.pt", _midas_small, "scratch.output_conv.4", ""),
}

FAMILIES: tuple[str, ...] = tuple(_FAMILIES)
"""What `make_tiny` can make."""
