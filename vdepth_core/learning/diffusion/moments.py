"""Optimisers by how they keep their moments: in full, in half (rounded at random), or in eight bits.

Of a large UNet the two moments of AdamW take twice as much memory as the weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from ...choices import Moments
from ...errors import UsageError

BYTES: dict[str, float] = {"fp32": 8, "bf16": 4, "8bit": 2}  # of both moments of a value
_LOW_BITS = 1 << 16  # of a float32 that a bfloat16 has not


class HalfMoments(torch.optim.AdamW):
    """AdamW with both moments in bfloat16.

    A thousandth of a change, which is what the second moment sees of a step, is less than bfloat16 can hold;
    so moments are rounded up or down at random, by how near they are, and right on average. What is drawn
    follows from the step and the parameter's place, so that a run can be resumed.
    """

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One step, a parameter at a time: only its own moments are ever there in full.

        Args:
            closure: Not taken.
        """
        place = 0
        for group in self.param_groups:
            for parameter in group["params"]:
                place += 1
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    half = torch.zeros_like(parameter, dtype=torch.bfloat16)
                    state |= {"step": torch.tensor(0.0), "exp_avg": half, "exp_avg_sq": half.clone()}
                full = [state[key].to(parameter.dtype) for key in ("exp_avg", "exp_avg_sq")]
                adamw(
                    [parameter], [parameter.grad], [full[0]], [full[1]], [], [state["step"]],
                    foreach=False, amsgrad=False, beta1=group["betas"][0], beta2=group["betas"][1],
                    lr=group["lr"], weight_decay=group["weight_decay"], eps=group["eps"], maximize=False,
                )  # fmt: skip
                source = torch.Generator(parameter.device).manual_seed((int(state["step"]) << 20) + place)
                for key, value in zip(("exp_avg", "exp_avg_sq"), full, strict=True):
                    state[key].copy_(rounded(value, source))


def rounded(values: Tensor, source: torch.Generator) -> Tensor:
    """Values in bfloat16, each rounded up or down with a chance that makes it right on average.

    Args:
        values: Any shape, float32.
        source: Of the numbers drawn, on the same device.
    """
    bits = values.float().contiguous().view(torch.int32)
    drawn = torch.randint(0, _LOW_BITS, bits.shape, generator=source, dtype=torch.int32, device=bits.device)
    kept = (bits + drawn).bitwise_and_(-_LOW_BITS)
    return kept.view(torch.float32).to(torch.bfloat16)


def make_optimiser(groups: Iterable[dict[str, Any]] | Iterable[nn.Parameter], moments: Moments) -> Any:
    """AdamW that keeps its moments in a precision.

    Args:
        groups: Of parameters, as of `learning.loop.parameter_groups`.
        moments: fp32, bf16, or 8bit, which bitsandbytes does where it is installed.

    Raises:
        UsageError: it is not.
    """
    if moments == "fp32":
        return torch.optim.AdamW(groups)
    if moments == "bf16":
        return HalfMoments(groups)
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError as error:
        raise UsageError(
            "Moments of eight bits need the package bitsandbytes, which is not installed.",
            "Install it, or use --moments bf16.",
        ) from error
    return AdamW8bit(groups)
