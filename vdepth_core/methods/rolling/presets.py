"""The published presets of RollingDepth (Ke et al., 2024), by their published names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RollingPresetName = Literal["fast", "fast1024", "full", "paper"]

# Common to all presets, as is stride 1.
SNIPPET_LENGTH = 3  # frames
DENOISING_STEPS = 1  # of a snippet
REFINE_LENGTH = 3  # frames a refinement step sees at once
REFINE_DILATION = 6  # of the first refinement step

MOST_STEPS, MOST_LENGTH = 50, 24  # what the options allow: each costs that many times the time, or memory


@dataclass(frozen=True)
class RollingPreset:
    """One row of the published table.

    Attributes:
        longest_edge: The longer side of the network's input, pixels.
        dtype: What the network computes in.
        dilations: Frame steps within a snippet.
        cap: Shorten dilations that are too long for the shot.
        refine_steps: Denoising steps of the refinement; 0: none.
    """

    longest_edge: int
    dtype: Literal["fp16", "fp32"]
    dilations: tuple[int, ...]
    cap: bool
    refine_steps: int


PRESETS: dict[str, RollingPreset] = {
    "fast": RollingPreset(768, "fp16", (1, 25), True, 0),
    "fast1024": RollingPreset(1024, "fp16", (1, 25), True, 0),
    "full": RollingPreset(1024, "fp16", (1, 10, 25), True, 10),
    "paper": RollingPreset(768, "fp32", (1, 10, 25), False, 10),
}
