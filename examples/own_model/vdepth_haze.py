"""A depth model as a plug-in: haze makes what is far away pale, so saturated and low in the picture is near.

pip install examples/own_model && vdepth estimate shot.mov -o depth/ --model haze

Put a network of yours where `predict` is. What it must keep to: `vdepth_core.protocols.DepthModel`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vdepth_core.types import ModelSpec

if TYPE_CHECKING:
    from torch import Tensor

SPEC = ModelSpec(
    name="haze",
    quantity="disparity",  # bigger is nearer
    space="affine_invariant",  # up to scale and shift
    license="Apache-2.0",  # stamped into every file
    commercial=True,
    multiple=8,  # of the input's sides
    native_size=128,  # the input's shorter side
)


class Haze:
    """The dark channel prior (He et al. 2009), without a network, and a ramp."""

    spec = SPEC

    def __init__(self, device: str) -> None:
        """``device``: as torch spells it."""
        self.device = device

    def predict(self, frames: Tensor) -> Tensor:
        """Frames (T, 3, H, W) in [0, 1] -> disparity (T, H, W) float32."""
        import torch  # here, so that listing the model stays quick

        frames = frames.to(self.device, torch.float32)
        dark = -torch.nn.functional.max_pool2d(-frames.amin(1, keepdim=True), 7, 1, 3)
        ramp = torch.linspace(0, 1, frames.shape[2], device=self.device)[:, None]
        return 1 - dark[:, 0] + ramp


def load(path: Path | None, device: str, dtype: str) -> Haze:
    """What the entry point names: ``path`` is a weights file, None for the model's own."""
    return Haze(device)


load.spec = SPEC  # type: ignore[attr-defined]  # so that `vdepth models` can list it without loading it
