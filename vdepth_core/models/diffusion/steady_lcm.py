"""The LCM scheduler with noise that is the same for every frame and on every device."""

from __future__ import annotations

from typing import Any

import torch
from diffusers.schedulers.scheduling_lcm import LCMScheduler
from torch import Tensor


class SteadyLCMScheduler(LCMScheduler):
    """Draws the noise between two steps from a seed, once for all frames of a batch.

    Stock, it comes from the device's global state: a frame's depth would depend on what ran before it and on
    its place in the batch, and the noise would flicker from frame to frame.

    Attributes:
        seed: Of the noise; each step has its own.
    """

    seed = 0

    def step(
        self,
        model_output: Tensor,
        timestep: Any,
        sample: Tensor,
        generator: Any = None,
        return_dict: bool = True,
    ) -> Any:
        """As `LCMScheduler.step`, with noise of its own.

        Args:
            model_output, timestep, sample: As there.
            generator: Not used.
            return_dict: As there.
        """
        seed = self.seed + 1 + (self.step_index or 0)  # the seed itself is the first latents'
        own: Any = [torch.Generator().manual_seed(seed) for _ in range(len(model_output))]
        return super().step(model_output, timestep, sample, own, return_dict)
