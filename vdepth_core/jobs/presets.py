"""Presets: which method, model and size a word stands for on this machine."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple

from .config import EstimateConfig, Preset


class _Choice(NamedTuple):
    method: str
    models: tuple[str, ...]  # the first installed one is taken
    size: int | None  # None: the model's native size


# The large model is worth its hundred million parameters only where an accelerator runs it.
_ACCELERATOR: dict[Preset, _Choice] = {
    "draft": _Choice("framewise", ("tcmonodepth-small", "embedded"), None),
    "balanced": _Choice(
        "temporal", ("tcmonodepth-large", "midas-v21", "tcmonodepth-small", "embedded"), None
    ),
    "best": _Choice("temporal", ("midas-v21", "tcmonodepth-large", "tcmonodepth-small", "embedded"), None),
}
_CPU: dict[Preset, _Choice] = {
    "draft": _Choice("framewise", ("embedded",), 192),
    "balanced": _Choice("temporal", ("tcmonodepth-small", "embedded"), None),
    "best": _Choice("temporal", ("midas-v21", "tcmonodepth-large", "tcmonodepth-small", "embedded"), None),
}


def resolve(
    config: EstimateConfig, installed: Collection[str], device: Literal["cuda", "mps", "cpu"]
) -> EstimateConfig:
    """Fills in what the configuration leaves to the preset; what the user said always wins.

    Args:
        config: The configuration as given.
        installed: Names of the installed models.
        device: The device the network will run on.

    Returns:
        The configuration with ``method``, ``model``, ``device`` and ``dtype`` decided.
    """
    choice = (_CPU if device == "cpu" else _ACCELERATOR)[config.preset]
    preferred = next((name for name in choice.models if name in installed), "embedded")
    dtype = config.dtype
    if dtype == "auto":
        dtype = "fp16" if device == "cuda" else "fp32"
    return config.model_copy(
        update={
            "method": config.method or choice.method,
            "model": config.model or preferred,
            "size": config.size or (choice.size if config.model is None else None),
            "device": device,
            "dtype": dtype,
        }
    )
