"""The networks that can become the embedded model: what each is filled with, and what learns how fast."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UsageError, WeightsError
from ..learning.loop import parameter_groups
from ..networks.hybrid_depth import HybridDepthNet
from ..networks.lite_depth import LiteDepthNet
from ..weights.loading import load_into, load_state_dict, on_cpu
from ..weights.location import find_weights


@dataclass(frozen=True)
class Architecture:
    """A network and how it is trained from published weights.

    Attributes:
        build: Makes the network.
        encoder: Variant of EfficientNet-Lite whose ImageNet weights it begins with.
        trunk: Whether it has a trunk that weights of `TCSmallNet` fill (``load_trunk``).
        published: Prefixes of parameters that training begins with; they may learn slower than the others.
        fixed: Modules whose normalisations keep the published statistics.
        still: Prefixes of parameters that are not trained at all.
    """

    build: Callable[[], nn.Module]
    encoder: str
    trunk: bool = False
    published: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    still: tuple[str, ...] = ()

    def groups(self, network: nn.Module, rate: float, decay: float, published: float) -> list[dict[str, Any]]:
        """The optimiser's groups: parameters by rate and by whether they decay.

        Args:
            network: Of this architecture; what stays still is told to need no gradient.
            rate: Peak learning rate.
            decay: Weight decay.
            published: Factor of the rate for what is published.
        """
        groups: dict[float, list[nn.Parameter]] = {1.0: []}
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(not name.startswith(self.still) if self.still else True)
            factor = published if self.published and name.startswith(self.published) else 1.0
            groups.setdefault(factor, []).append(parameter)
        return [
            group
            for factor, chosen in groups.items()
            for group in parameter_groups(chosen, rate * factor, decay)
        ]

    def set_mode(self, network: nn.Module, settled: bool) -> None:
        """Has normalisations learn, but those that keep their statistics.

        Args:
            network: Of this architecture.
            settled: All keep them.
        """
        network.train(not settled)
        for name in self.fixed:
            network.get_submodule(name).eval()

    def fill(self, network: nn.Module, init: str | Path | None, encoder: Mapping[str, Tensor] | None) -> None:
        """Loads what training starts from.

        Args:
            network: Of this architecture.
            init: Weights of this architecture, or of `TCSmallNet` for a trunk; None: nothing.
            encoder: Published weights of the encoder; None: there are none.

        Raises:
            WeightsError: they are missing, or of another network.
            UsageError: the architecture needs others.
        """
        state, path = {}, Path()
        if init:
            path = init if isinstance(init, Path) else find_weights(init)
            state = load_state_dict(path)
            if _whole(state):
                load_into(network, state, path)
                return
        if encoder is None:
            raise UsageError("The encoder's published weights are missing.", "Give them with --encoder.")
        network.get_submodule("encoder").load_published(encoder)  # type: ignore[operator]
        if not init:
            return
        try:
            if not self.trunk:
                raise KeyError("deep.0.weight")
            network.load_trunk(state)  # type: ignore[operator]
        except KeyError as error:
            raise WeightsError(
                f"{path.name} holds no network to start from: it lacks {error}.",
                "Give weights of the embedded model, or tcmonodepth-small.",
            ) from None


def _early(blocks: int) -> tuple[str, ...]:
    """What of an encoder stays as published: edges and colours at 1/2 and 1/4, a third of a step's time."""
    return ("encoder._conv_stem.", "encoder._bn0.", *(f"encoder._blocks.{k}." for k in range(blocks)))


_PUBLISHED = ("encoder.", "trunk.", "decoder.")
_LITE = partial(Architecture, published=_PUBLISHED[:1], fixed=("encoder",))
_HYBRID = partial(
    Architecture, encoder="lite0", trunk=True, published=_PUBLISHED, fixed=("encoder", "trunk", "decoder")
)
ARCHITECTURES = {
    "lite0": _LITE(partial(LiteDepthNet, "lite0"), "lite0", still=_early(3)),
    "lite2": _LITE(partial(LiteDepthNet, "lite2"), "lite2", still=_early(4)),
    "hybrid": _HYBRID(partial(HybridDepthNet, full=False), still=_early(3)),
    "hybrid-full": _HYBRID(partial(HybridDepthNet, full=True), still=_early(3)),
}
"""By the name ``--architecture`` takes. ``hybrid`` is the network of the weights that come with vdepth."""


def is_whole(init: str | Path) -> bool:
    """Whether weights are of a whole network of `ARCHITECTURES`, not of a trunk alone.

    Args:
        init: Name of an installed model, or its file.

    Raises:
        WeightsError: they are missing, or cannot be read.
    """
    return _whole(load_state_dict(init if isinstance(init, Path) else find_weights(init)))


def empty(architecture: str) -> nn.Module:
    """A network of an architecture to load weights into, in evaluation mode.

    Args:
        architecture: Key of `ARCHITECTURES`.
    """
    with torch.device("meta"):
        network = ARCHITECTURES[architecture].build()
    return on_cpu(network).eval()


def _whole(state: Mapping[str, Tensor]) -> bool:
    return any(key.startswith("deep.") for key in state)
