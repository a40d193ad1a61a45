"""How much memory a training takes, computed from shapes alone: nothing is allocated, no weights are read.

The UNet is built on torch's meta device and run once; autograd says which tensors it would keep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.overrides import TorchFunctionMode

from ...choices import Moments
from ...models.diffusion.parts import LATENT_CHANNELS, SCALE, quiet_diffusers
from .adapters import choose
from .moments import BYTES
from .recipe import DiffusionRecipe, Stage

_GIB = 1 << 30


@dataclass(frozen=True)
class Plan:
    """What a stage of a training takes, in bytes where nothing else is said.

    Attributes:
        parameters: Of the UNet, a number.
        trained: How many of them, or of the low-rank matrices beside them, are trained.
        weights: The UNet's.
        gradients: Of what is trained.
        moments: The optimiser's.
        average: The moving average of what is trained.
        activations: What is kept for the way back, of the largest pass.
    """

    parameters: int
    trained: int
    weights: int
    gradients: int
    moments: int
    average: int
    activations: int

    @property
    def total(self) -> int:
        """All of it; the image coder and the libraries' own memory come on top."""
        return sum(getattr(self, field.name) for field in fields(self)[2:])

    def row(self) -> str:
        """The plan in one line."""
        sizes = (self.weights, self.gradients + self.moments + self.average, self.activations, self.total)
        said = " | ".join(f"{size / _GIB:.2f}" for size in sizes)
        return f"{self.trained / 1e6:.1f} of {self.parameters / 1e6:.0f} M | {said}"


def plan(
    recipe: DiffusionRecipe,
    stage: Stage,
    config: Path,
    size: tuple[int, int],
    *,
    at_once: int = 1,
    rank: int | None = None,
    checkpointing: bool = False,
    moments: Moments = "fp32",
    half: bool = False,
) -> Plan:
    """What a stage takes.

    Args:
        recipe: How it is trained.
        stage: The part of its course.
        config: The UNet's configuration file.
        size: (height, width) of the pictures.
        at_once: Snippets of a pass.
        rank: Of low-rank matrices; None: there are none.
        checkpointing: Whether activations are computed twice.
        moments: How the optimiser keeps its own.
        half: Whether it is computed in half precision.

    Raises:
        WeightsError: the configuration is damaged.
        UsageError: nothing is trained, or LoRA's library is not installed.
    """
    # Weights in full are cast for computing in half, and the casts are kept for the way back.
    each = 2 if half and rank else 6 if half else 4
    with torch.device("meta"):
        unet = recipe.empty(config)
        count = sum(parameter.numel() for parameter in unet.parameters())
        trained = choose(unet, stage.trains, rank).count()
        activations = _activations(recipe, unet, stage, size, at_once, checkpointing, half)
    return Plan(
        count, trained, count * each + (4 * trained if rank else 0), 4 * trained,
        int(BYTES[moments] * trained), 4 * trained, activations,
    )  # fmt: skip


def _activations(
    recipe: DiffusionRecipe, unet: Any, stage: Stage, size: tuple[int, int], at_once: int,
    checkpointing: bool, half: bool,
) -> int:  # fmt: skip
    with quiet_diffusers():
        unet.to("meta", torch.bfloat16 if half else torch.float32)  # some make numbers that know no device
    kept = Kept(unet)
    if checkpointing:
        unet.enable_gradient_checkpointing(kept.segment)
    shape = (at_once, stage.longest, 2 * LATENT_CHANNELS, size[0] // SCALE, size[1] // SCALE)
    sample = torch.zeros(shape, dtype=unet.dtype)
    prompt = torch.zeros((1, 1, unet.config.cross_attention_dim), dtype=unet.dtype)
    with kept.counting(), _NoMatrix():
        recipe.answer(unet, sample, torch.zeros(shape[:2]), prompt)
    return kept.total


class Kept:
    """Counts what autograd keeps of a pass, each piece of memory once, parameters not at all."""

    def __init__(self, network: nn.Module) -> None:
        """``network``: whose parameters are there anyway."""
        self._seen: dict[int, Tensor] = {_key(value): value for value in network.parameters()}
        self._bytes, self._segment = 0, 0

    @property
    def total(self) -> int:
        """Bytes, with those of the largest segment that is computed a second time."""
        return self._bytes + self._segment

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Counts what is kept meanwhile."""
        with saved_tensors_hooks(self._pack, lambda value: value):
            yield

    def segment(self, run: Callable[..., Any], *inputs: Any) -> Any:
        """Runs what would be computed twice: its inputs are kept, and for a while what it keeps itself.

        Args:
            run: The segment.
            *inputs: Its arguments.
        """
        for value in inputs:
            if isinstance(value, Tensor):
                self._pack(value)
        inner = Kept(nn.Module())
        inner._seen = dict(self._seen)
        with inner.counting():
            answer = run(*inputs)
        self._segment = max(self._segment, inner.total)
        return answer

    def _pack(self, value: Tensor) -> Tensor:
        if _key(value) not in self._seen:
            self._seen[_key(value)] = value  # held, so that nothing else gets its address
            self._bytes += value.untyped_storage().nbytes()
        return value


class _NoMatrix(TorchFunctionMode):
    """Has attention keep no matrix, as its kernels for real devices do; the one for shapes alone does."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.scaled_dot_product_attention:
            return _Attention.apply(*args[:3])  # type: ignore[no-untyped-call]
        return func(*args, **(kwargs or {}))


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        answer = query.new_empty((*query.shape[:-1], value.shape[-1]))
        ctx.save_for_backward(query, key, value, answer, query.new_empty(query.shape[:-1]).float())
        return answer


def _key(value: Tensor) -> int:
    address: int = value.untyped_storage()._cdata
    return address
