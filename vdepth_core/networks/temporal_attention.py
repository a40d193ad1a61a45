"""Attention of a pixel over time, and what it keeps of frames that come one by one (Video Depth Anything).

Published, a frame looks at the first frame of the clip, the one 41 before it, the 29 before it, and itself,
at positions 0 to 31; before the clip began there was its first frame. What is kept there is what keys and
values are made of, and they are made again for all 31 frames at every frame. They are linear: the key of
``z + position`` is the sum of both keys. So here keys and values are kept, and the positions' part is added
to the logits and to the answer.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

WINDOW = 32  # frames
_HEADS = 8
FARTHEST, NEAR = 41, 29  # frames back: the one that is seen alone, and the first of those in a row
_RING = FARTHEST + 1  # that many, and the frame itself


class TemporalAttention(nn.Module):
    """Attention of a pixel over time, both ways.

    Attributes:
        heads: How many.
    """

    heads = _HEADS

    def __init__(self, planes: int) -> None:
        super().__init__()
        self.to_q, self.to_k, self.to_v = (nn.Linear(planes, planes, bias=False) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(planes, planes)])
        self.pos_encoder = _Positions(planes)

    def forward(self, z: Tensor) -> Tensor:
        """(n, T, planes) -> the same."""
        z = z + self.pos_encoder.pe[:, : z.shape[1]]
        q, k, v = (
            to(z).unflatten(2, (_HEADS, -1)).transpose(1, 2) for to in (self.to_q, self.to_k, self.to_v)
        )
        mixed = scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        out: Tensor = self.to_out[0](mixed)
        return out


class _Positions(nn.Module):
    pe: Tensor

    def __init__(self, planes: int) -> None:
        super().__init__()
        self.register_buffer("pe", positions(planes))


Attend = Callable[[TemporalAttention, Tensor], Tensor]
"""Says of the next frame (n, 1, planes) what an attention says of it and those before: `KeptFrames`."""


class KeptFrames:
    """Keys and values of the frames that one attention still looks at, of one clip at one size.

    They lie in a ring, behind those of the first frame, which stays; until others have come, the ring holds
    the first frame's too.

    Attributes:
        count: Frames seen.
    """

    def __init__(self) -> None:
        self.count = 0
        self._keys = self._values = torch.empty(0)  # (pixels · heads, 1 + ring, planes of a head)

    def __call__(self, attention: TemporalAttention, z: Tensor) -> Tensor:
        """What an attention says of the next frame.

        Args:
            attention: The same at every frame.
            z: (pixels, 1, planes), without its position.

        Returns:
            (pixels, 1, planes).
        """
        pixels, _, planes = z.shape
        table = attention.pos_encoder.pe[0]
        order = self.positions()
        position = order[1 + self.count % _RING]

        def by_head(projected: Tensor) -> Tensor:  # (n, planes) -> (n · heads, 1, planes of a head)
            return projected.reshape(len(projected) * attention.heads, 1, -1)

        self._keep(by_head(attention.to_k(z[:, 0])), by_head(attention.to_v(z[:, 0])))
        query = by_head(attention.to_q(z[:, 0] + table[position])) * (planes // attention.heads) ** -0.5
        # Of the slots' positions: those of no position get no weight.
        seen = torch.tensor([place is not None for place in order], device=z.device)
        rows = table[[place or 0 for place in order]]
        keys, values = (
            to(rows).unflatten(1, (attention.heads, -1)).permute(1, 0, 2)  # (heads, slots, planes of a head)
            for to in (attention.to_k, attention.to_v)
        )
        logits = torch.bmm(query, self._keys.mT).unflatten(0, (pixels, -1))[:, :, 0]
        logits = logits + torch.einsum("phd,hsd->phs", query.view(pixels, attention.heads, -1), keys)
        weights = logits.masked_fill(~seen, -torch.inf).softmax(-1).to(self._values.dtype)
        mixed = torch.bmm(weights.flatten(0, 1)[:, None], self._values).view(pixels, attention.heads, -1)
        mixed = mixed + torch.einsum("phs,hsd->phd", weights, values)
        out: Tensor = attention.to_out[0](mixed.reshape(pixels, 1, planes))
        self.count += 1
        return out

    def positions(self) -> list[int | None]:
        """The position of each slot in the window of the frame that comes next; None: it is not seen."""
        order: list[int | None] = [None] * (1 + _RING)
        now = self.count
        if now == 0:
            order[1] = 0
            return order
        seen = [now - FARTHEST, *range(now - NEAR, now), now]
        order[0] = 0
        for position, frame in enumerate(seen, 1):
            order[1 + frame % _RING] = position
        return order

    def _keep(self, keys: Tensor, values: Tensor) -> None:
        if self.count == 0:
            self._keys, self._values = (part.repeat(1, 1 + _RING, 1) for part in (keys, values))
        elif keys.shape[0] != self._keys.shape[0]:
            raise ValueError(f"frame {self.count} of a stream is of another size than those before")
        else:
            slot = 1 + self.count % _RING
            self._keys[:, slot : slot + 1], self._values[:, slot : slot + 1] = keys, values


def positions(planes: int) -> Tensor:
    """The published table of positions in a window, (1, 32, planes): sine and cosine by turns.

    Args:
        planes: Even.
    """
    time = torch.arange(WINDOW, dtype=torch.float32)[:, None]
    rate = torch.exp(torch.arange(0, planes, 2) * (-torch.log(torch.tensor(10000.0)) / planes))
    table = torch.zeros(1, WINDOW, planes)
    table[0, :, 0::2], table[0, :, 1::2] = torch.sin(time * rate), torch.cos(time * rate)
    return table
