"""Small modules put around parts of published networks; imported only where torch already is."""

from __future__ import annotations

from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn


class FullPrecision(nn.Module):
    """Runs a module in fp32 inside autocast.

    Depth is read off the last layer. Rounded to bf16 it has 128 steps an octave, and MiDaS' disparities, in
    the thousands, have steps of 2 in fp16: terraces on every slope. With only the last layer in fp32 the
    rounding of its many inputs averages out, at no cost worth naming (a random metric Depth Anything in bf16:
    4895 different values in a picture instead of 92, and a fifth of the error in the slopes).
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """What the module says of its inputs in full precision.

        Args:
            *inputs, **named: Of the module; tensors in them, at any depth of lists, become float32.
        """
        kind = next(chain(self.module.parameters(), self.module.buffers())).device.type
        with torch.autocast(kind, enabled=False):
            return self.module(*map(_full, inputs), **{name: _full(value) for name, value in named.items()})


class OneByOne(nn.Module):
    """Runs a ZoeDepth head of several domains on each picture alone.

    As published, all pictures of a batch vote on one domain together, so a frame's depth would depend on the
    frames that happen to share its batch.
    """

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(
        self,
        outconv_activation: Tensor,
        bottleneck: Tensor,
        feature_blocks: list[Tensor],
        relative_depth: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """The head's answers, as for one batch.

        Args:
            outconv_activation, bottleneck, feature_blocks, relative_depth: Of the head, each with the
                pictures along its first axis.
        """
        answers = [
            self.head(
                outconv_activation=outconv_activation[i : i + 1],
                bottleneck=bottleneck[i : i + 1],
                feature_blocks=[block[i : i + 1] for block in feature_blocks],
                relative_depth=relative_depth[i : i + 1],
            )
            for i in range(len(bottleneck))
        ]
        depth, logits = (torch.cat(parts) for parts in zip(*answers, strict=True))
        return depth, logits


def keep_full_precision(network: nn.Module, name: str) -> None:
    """Puts the submodule ``name`` of ``network`` into `FullPrecision`.

    Args:
        network: Changed in place.
        name: Dotted.
    """
    parent, _, child = name.rpartition(".")
    owner = network.get_submodule(parent)
    setattr(owner, child, FullPrecision(getattr(owner, child)))


def _full(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.float() if value.is_floating_point() else value
    return [_full(part) for part in value] if isinstance(value, list | tuple) else value
