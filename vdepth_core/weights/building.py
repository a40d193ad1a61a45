"""Builds a network as long as it can be that of its weights: a configuration alone allocates nothing.

First the network is made on torch's meta device, where tensors have sizes but no memory; one that has more
tensors or numbers than its weights can fill is given up while it is still being made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import WeightsError
from .reading import AGAIN

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

Network = TypeVar("Network", bound="nn.Module")

# Published checkpoints lack at most a few tensors that nothing reads (`transformers_weights`).
_TIMES, _MORE_TENSORS, _MORE_NUMBERS = 2, 1000, 1_000_000
_MOST_MODULES = 100_000  # RollingDepth's UNet has 1,400
_MOST_BUFFERS = 64_000_000  # numbers that are computed and not loaded, as tables of relative positions


@dataclass(frozen=True)
class Report:
    """How weights fitted a network of transformers': names of tensors."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[str, ...]


def load_transformers(
    kind: Any, settings: Any, state: Mapping[str, Tensor], folder: Path, dtype: torch.dtype
) -> tuple[Any, Report]:
    """A network of transformers', with its weights, on the CPU.

    `from_pretrained` fills what a checkpoint lacks with random numbers: the caller looks at the report. It is
    never given the folder, so nothing it holds can run code or ask a server for more.

    Args:
        kind: The network's class.
        settings: Its configuration, from `configs.transformers_config`.
        state: Its weights.
        folder: Where they are from.
        dtype: What it computes in.

    Raises:
        WeightsError: they do not make a network.
    """
    import torch

    if any(value.dtype in (torch.int8, torch.uint8) for value in state.values()):
        raise WeightsError(
            f"The weights in {folder} are quantised.",
            "Get plain ones (fp32, fp16 or bf16) from their publisher.",
        )
    with quiet_transformers():
        try:
            build_empty(lambda: kind(settings), state)
            network, found = kind.from_pretrained(
                None,
                config=settings,
                state_dict=dict(state),
                dtype=dtype,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported
            )
        except Exception as error:  # a configuration can be wrong in many ways
            raise cannot_build(folder, error) from error
    return network, Report(
        tuple(sorted(found["missing_keys"])),
        tuple(sorted(found["unexpected_keys"])),
        tuple(sorted(key for key, *_ in found["mismatched_keys"])),
    )


def cannot_build(where: Path, error: Exception) -> WeightsError:
    """The sentence for whatever a library raised while it built the network of ``where``.

    Args:
        where: File or folder of the weights.
        error: What the library raised.
    """
    reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
    return WeightsError(f"The network in {where} cannot be built: {reason}.", AGAIN)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keeps transformers' progress bars and reports from the terminal; its settings are left as found."""
    from transformers.utils import logging

    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


class TooLarge(ValueError):
    """The network is not that of its weights: it would be far larger."""


def build_empty(make: Callable[[], Network], state: Mapping[str, Tensor]) -> Network:
    """What ``make`` makes, on the meta device.

    Args:
        make: Builds the network.
        state: The weights' tensors by key.

    Raises:
        TooLarge: it is larger than ``state`` can be the weights of.
    """
    import torch

    with torch.device("meta"), _bounded(state):
        network = make()
    computed = sum(buffer.numel() for buffer in network.buffers())
    if computed > _TIMES * _numbers(state) + _MOST_BUFFERS:
        raise TooLarge(f"it would compute tables of {computed:,} numbers")
    return network


@contextmanager
def _bounded(state: Mapping[str, Tensor]) -> Iterator[None]:
    """Counts what this thread builds, and stops it."""
    from torch.nn.modules import module as hooks

    numbers, tensors = _TIMES * _numbers(state) + _MORE_NUMBERS, _TIMES * len(state) + _MORE_TENSORS
    thread, count, total, modules = threading.get_ident(), 0, 0, 0

    def parameter(owner: nn.Module, name: str, value: torch.nn.Parameter | None) -> None:
        nonlocal count, total
        if value is None or threading.get_ident() != thread:
            return
        count, total = count + 1, total + value.numel()
        if count > tensors or total > numbers:
            raise TooLarge(
                f"it would have more than {count:,} tensors of {total:,} numbers; its weights have "
                f"{len(state):,} of {_numbers(state):,}"
            )

    def child(owner: nn.Module, name: str, value: nn.Module | None) -> None:
        nonlocal modules
        if threading.get_ident() != thread:
            return
        modules += 1
        if modules > _MOST_MODULES:
            raise TooLarge(f"it would have more than {_MOST_MODULES:,} parts")

    registered = (
        hooks.register_module_parameter_registration_hook(parameter),
        hooks.register_module_module_registration_hook(child),
    )
    try:
        yield
    finally:
        for hook in registered:
            hook.remove()


def _numbers(state: Mapping[str, Tensor]) -> int:
    return sum(value.numel() for value in state.values())
