"""The published co-alignment: 2000 steps of Adam (RollingDepth, Ke et al., 2024). A reference, not the way.

With y = s x + t, z = 1 / max(y, 1e-3), and per frame the means m of y and of z over the covering snippets and
μ = mean |m| over the pixels, all of them held fixed within a step, the objective is

    mean |y − m| / μ + mean |z − m| / μ + Σ over dilations (0.1 mean max(0, 1 − s)² + 10 mean t²).

The first two means run over a dense array, slots of all dilations x N frames x pixels, whose empty cells
count as 0: that sets the balance with the regularisers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from .snippets import FrameRows, Snippets

if TYPE_CHECKING:
    from torch import Tensor

_RATE, _BETAS = 1e-3, (0.5, 0.9)
_NEAREST = 1e-3  # y below it are not inverted
_SHRINK, _SHIFT = 0.1, 10.0  # weights of the regularisers
_TINY = 1e-30  # for frames without any valid pixel


class Published:
    """The published objective of one shot, all rows in memory."""

    def __init__(self, snippets: Snippets, trust: np.ndarray, device: str, dtype: str) -> None:
        """``trust`` (K,) weighs snippets; all 1 as published."""
        import torch

        kind = {"fp32": torch.float32, "fp64": torch.float64}[dtype]
        rows = FrameRows(snippets, chunk_bytes=2**62)
        (chunk,) = rows
        used = rows.snippet >= 0
        weight = np.where(used, trust[rows.snippet], 0)[..., None]
        known = used[..., None] if chunk.known is None else chunk.known
        self._values = torch.from_numpy(chunk.values).to(device, kind)  # (N, C, P)
        self._snippet = torch.from_numpy(np.maximum(rows.snippet, 0)).to(device)  # (N, C)
        self._known = torch.from_numpy(known).to(device, kind)  # (N, C, 1 or P)
        self._cover = self._known.sum(1).clamp_min(1)  # (N, 1 or P)
        slots = sum(
            int((snippets.frames[snippets.group == group] >= 0).any(axis=0).sum())
            for group in np.unique(snippets.group)
        )
        cells = slots * snippets.count * chunk.values.shape[2]
        self._weight = torch.from_numpy(weight).to(device, kind) * self._known / cells
        share = 1 / np.bincount(snippets.group)[snippets.group]
        self._share = torch.from_numpy(share).to(device, kind)  # (K,), of its dilation's means

    def objective(self, scale: Tensor, shift: Tensor) -> Tensor:
        """The objective at scale and shift (K,), a scalar with gradient.

        Args:
            scale, shift: One a snippet.
        """
        y = scale[self._snippet][..., None] * self._values + shift[self._snippet][..., None]
        loss = self._disagreement(y) + self._disagreement(1 / y.clamp_min(_NEAREST))
        regular = _SHRINK * (1 - scale).clamp_min(0) ** 2 + _SHIFT * shift**2
        return loss + (self._share * regular).sum()

    def descend(
        self, steps: int, check: Callable[[], None] = lambda: None
    ) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
        """Scale and shift (K,) after ``steps`` steps from 1 and 0, and the objective before each.

        Args:
            steps: Of Adam.
            check: Called before each step; may raise to stop.
        """
        import torch

        scale = torch.ones_like(self._share, requires_grad=True)
        shift = torch.zeros_like(self._share, requires_grad=True)
        optimiser = torch.optim.Adam([scale, shift], lr=_RATE, betas=_BETAS)
        history = []
        for _ in range(steps):
            check()
            optimiser.zero_grad()
            loss = self.objective(scale, shift)
            loss.backward()
            optimiser.step()
            history.append(loss.detach())
        found = torch.stack([scale, shift]).detach().cpu().double().numpy()
        return found[0], found[1], tuple(torch.stack(history).tolist())

    def _disagreement(self, rows: Tensor) -> Tensor:
        """Weighted |rows − m| / μ of (N, C, P)."""
        import torch

        with torch.no_grad():
            mean = (rows * self._known).sum(1) / self._cover
            size = mean.abs().mean(-1).clamp_min(_TINY)
        loss: Tensor = ((rows - mean[:, None]).abs() * (self._weight / size[:, None, None])).sum()
        return loss
