"""What a training loop must keep to go on to the same bytes: weights, the optimiser's moments, facts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn

from ..weights.saving import save_tensors

Weights = dict[str, Tensor]

_OPTIMISER = "optimiser"
_DIGEST = "sha256"  # of all the rest: a disk may give back other bytes than it was given


def write_state(
    path: Path,
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    more: Mapping[str, Weights],
    facts: dict[str, str],
) -> None:
    """Writes what a training needs to go on, atomically.

    Args:
        path: The file.
        network: As it is trained.
        optimiser: Its optimiser.
        more: Other weights, by name.
        facts: What else there is to know, by name.

    Raises:
        ResourceError: it cannot be written.
    """
    sets = {"network": network.state_dict(), **more}
    tensors = {f"{name}.{key}": value for name, weights in sets.items() for key, value in weights.items()}
    for name, parameter in network.named_parameters():
        for key, value in optimiser.state.get(parameter, {}).items():
            tensors[f"{_OPTIMISER}.{key}.{name}"] = torch.as_tensor(value)  # some count steps without one
    # copies: some networks keep one tensor under two keys
    copies = {key: value.detach().cpu().clone().contiguous() for key, value in tensors.items()}
    facts = {**facts, _DIGEST: _digest(copies, facts)}
    if any(value.dtype == torch.bfloat16 for value in copies.values()):  # NumPy has none
        save_tensors(copies, path, facts)
    else:
        save_tensors({key: value.numpy() for key, value in copies.items()}, path, facts)


def read_facts(path: Path) -> dict[str, str]:
    """The facts of a state.

    Args:
        path: What `write_state` wrote.

    Raises:
        OSError, SafetensorError: it is missing or damaged.
    """
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata() or {})


def read_tensors(path: Path) -> Weights:
    """All tensors of a state, for `restore_state`.

    Args:
        path: What `write_state` wrote.

    Raises:
        OSError, SafetensorError: it is missing or damaged.
    """
    with safe_open(path, framework="pt") as file:
        facts = dict(file.metadata() or {})
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    written = facts.pop(_DIGEST, None)  # those of former versions say nothing
    if written is not None and written != _digest(tensors, facts):
        raise OSError("its content is not what was written")
    return tensors


def restore_state(
    tensors: Weights, network: nn.Module, optimiser: torch.optim.Optimizer, *names: str
) -> tuple[Weights, ...]:
    """Puts a state back into ``network`` and ``optimiser``; returns the further weights ``names``.

    Args:
        tensors: What `read_tensors` gave.
        network: Changed in place, on its own device.
        optimiser: Of its parameters; changed in place.
        *names: Of further sets of weights in the state.
    """
    device = next(network.parameters()).device

    def part(name: str) -> Weights:
        return {key: value.to(device) for key, value in parts_of(tensors, name).items()}

    network.load_state_dict(part("network"))
    parameters = dict(network.named_parameters())
    for key, value in parts_of(tensors, _OPTIMISER).items():
        moment, _, name = key.partition(".")
        found: Tensor | int = value.to(device)
        if moment == "step":  # torch's own is a number in main memory
            found = value if value.is_floating_point() else int(value)
        optimiser.state[parameters[name]][moment] = found
    return tuple(part(name) for name in names)


def parts_of(tensors: Weights, name: str) -> Weights:
    """Those of ``tensors`` that belong to ``name``, under their own keys there.

    Args:
        tensors: What `read_tensors` gave.
        name: ``network``, or that of a further set.
    """
    prefix = f"{name}."
    return {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}


def _digest(tensors: Weights, facts: Mapping[str, str]) -> str:
    """SHA-256 of contiguous tensors on the CPU, their names and shapes, and the facts."""
    digest = hashlib.sha256(repr(sorted(facts.items())).encode())
    for key, value in sorted(tensors.items()):
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
