"""What of a UNet is trained: some of its own parameters, or low-rank matrices beside its attention (LoRA).

Only what is trained lies in checkpoints and moving averages. What is written is always a whole UNet: low-rank
matrices are merged into the weights they belong to (Hu et al., ICLR 2022).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from ...errors import UsageError

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")  # the layers that get low-rank matrices
_ADAPTER = "default"
INSTALL = "Install it: pip install 'vdepth[diffusion-training]'."


class Trained(nn.Module):
    """The trained parameters of a network as a module of their own; both hold the very same tensors."""

    def __init__(self, network: nn.Module) -> None:
        """``network``: its parameters that want gradients are taken."""
        super().__init__()
        for name, parameter in network.named_parameters():
            if parameter.requires_grad:
                self.register_parameter(name.replace(".", "/"), parameter)

    def count(self) -> int:
        """Number of values."""
        return sum(parameter.numel() for parameter in self.parameters())


def choose(network: nn.Module, trains: Callable[[str], bool], rank: int | None) -> Trained:
    """Has some of a network's parameters want gradients, and no others.

    Args:
        network: Changed in place.
        trains: Whether a parameter is trained, by its name.
        rank: Of the low-rank matrices that are trained in place of the attention's weights; None: the
            parameters themselves.

    Raises:
        UsageError: nothing is left to train, or LoRA's library is not installed.
    """
    network.requires_grad_(False)
    if rank is None:
        for name, parameter in network.named_parameters():
            parameter.requires_grad_(trains(name))
    else:
        _add_low_rank(network, trains, rank)
    trained = Trained(network)
    if not trained.count():
        raise UsageError("There is nothing to train in this network.", "Leave --lora out.")
    return trained


def merged(network: nn.Module) -> dict[str, Tensor]:
    """All weights of a network under its own keys, with low-rank matrices merged into theirs.

    Args:
        network: Not changed.
    """
    layers = _layers(network)
    weights = {
        key.replace(".base_layer.", "."): value
        for key, value in network.state_dict().items()
        if not any(key.startswith(f"{name}.lora_") for name in layers)
    }
    for name, layer in layers.items():
        base = layer.get_base_layer().weight
        weights[f"{name}.weight"] = base.detach().float() + layer.get_delta_weight(_ADAPTER).detach().float()
    return weights


def fold(network: nn.Module) -> None:
    """Merges low-rank matrices for good; the network has its own layers again.

    Args:
        network: Changed in place.
    """
    for name, layer in _layers(network).items():
        layer.get_base_layer().float()  # where it lies in half precision, that would swallow most of it
        layer.merge()
        parent, _, last = name.rpartition(".")
        setattr(
            network.get_submodule(parent), last, layer.get_base_layer()
        )  # lists know theirs by number too


def _add_low_rank(network: nn.Module, trains: Callable[[str], bool], rank: int) -> None:
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise UsageError("LoRA needs the package peft, which is not installed.", INSTALL) from error
    places = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear) and name.endswith(ATTENTION) and trains(f"{name}.weight")
    ]
    config = LoraConfig(r=rank, lora_alpha=rank, target_modules=places, init_lora_weights="gaussian")
    inject_adapter_in_model(config, network, adapter_name=_ADAPTER)
    for parameter in network.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()  # whatever the network's own lie in


def _layers(network: nn.Module) -> dict[str, Any]:
    """The layers that have low-rank matrices, by name."""
    if not any(".lora_" in name for name, _ in network.named_parameters()):
        return {}
    from peft.tuners.tuners_utils import BaseTunerLayer

    return {name: module for name, module in network.named_modules() if isinstance(module, BaseTunerLayer)}
