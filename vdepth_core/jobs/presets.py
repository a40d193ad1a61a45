"""Presets: which method, model and size a word stands for on this machine.

A preset never takes weights that may not be used commercially unless it is told that it may: nobody should
find out after delivery what a word chose.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from ..choices import Dtype, Preset
from ..methods.registry import METHODS
from ..methods.windowed.plan import WINDOW
from ..models.device import kind_of
from ..models.registry import ModelEntry
from ..options import written_options
from .config import EstimateConfig


class _Choice(NamedTuple):
    method: str
    models: tuple[str, ...]  # the first installed one is taken
    size: int | None  # None: the model's native size


# Best first, by what was measured. Zero-shot AbsRel on KITTI and NYUv2 in the paper of Depth Anything V2:
# large .074 and .045, base .078 and .049, small .078 and .053. MiDaS v3 (DPT) is on average 21 % more
# accurate than v2.1, says its README, the large one most. tcmonodepth-large is MiDaS v2.1's network trained
# for steadiness; no accuracy is published. On the mean of its card's six sets the embedded model is better
# than tcmonodepth-small at every size: no preset takes the other one. On a CPU a draft runs at 256 whatever
# the picture, in half the time of 384.
_SMALL = ("embedded",)
_LARGE = ("dpt-large", "dpt-hybrid", "midas-v21", "tcmonodepth-large", *_SMALL)
# What sees 32 frames at once is steadier than frames aligned afterwards: wherever one is installed it is
# taken. Of the sizes, what is said of the per-frame networks they grew from holds.
_VIDEO: dict[Preset, tuple[str, ...]] = {
    "draft": (),
    "balanced": ("video-depth-anything-small",),
    "best": tuple(f"video-depth-anything-{size}" for size in ("large", "base", "small")),
}
_VIDEO_SIZE_CPU = 280  # of balanced, where the native size takes seconds a frame
# Transformers are worth their seconds a frame on an accelerator, or where the best is asked for.
_ACCELERATOR: dict[Preset, _Choice] = {
    "draft": _Choice("framewise", _SMALL, None),
    "balanced": _Choice(
        "temporal", ("depth-anything-v2-small", "midas-v21", "tcmonodepth-large", *_SMALL), None
    ),
    "best": _Choice(
        "temporal",
        ("depth-anything-v2-large", "depth-anything-v2-base", "depth-anything-v2-small", *_LARGE),
        None,
    ),
}
_CPU: dict[Preset, _Choice] = {
    "draft": _Choice("framewise", _SMALL, 256),
    "balanced": _Choice("temporal", _SMALL, None),
    "best": _Choice("temporal", ("depth-anything-v2-base", "depth-anything-v2-small", *_LARGE), None),
}


def usual_dtype(device: str) -> Dtype:
    """The precision where neither the user nor the method says one.

    Args:
        device: As torch spells it.
    """
    return "fp16" if kind_of(device) == "cuda" else "fp32"


def resolve(
    config: EstimateConfig, models: Collection[ModelEntry], device: str, *, windows: bool = False
) -> EstimateConfig:
    """Fills in what the configuration leaves to the preset; what the user said always wins.

    Args:
        config: The configuration as given.
        models: The registered models.
        device: The device the network will run on.
        windows: The model given is weights of the user's own that see windows, as `windowed` wants them.

    Returns:
        The configuration with ``method``, ``model``, ``device``, ``dtype`` and the method's options decided.

    Raises:
        UsageError: there is no such method, or its options do not go together.
    """
    kind = kind_of(device)
    choice = (_CPU if kind == "cpu" else _ACCELERATOR)[config.preset]
    allowed = {
        entry.name
        for entry in models
        if entry.installed and entry.spec and (entry.spec.commercial or config.non_commercial)
    }
    video = next((model for model in _VIDEO[config.preset] if model in allowed), None)
    if config.model is not None:
        spec = next((entry.spec for entry in models if entry.name == config.model), None)
        windows = windows or (spec is not None and spec.window == WINDOW)
    elif config.method is None and video is not None:
        size = _VIDEO_SIZE_CPU if kind == "cpu" and config.preset == "balanced" else None
        choice, windows = _Choice("windowed", (video,), size), True
    name = config.method or ("windowed" if windows else choice.method)
    method = METHODS.create(name, config.model_copy(update={"method": name}).method_options())
    wanted = (*choice.models, *method.models) if name == choice.method else (*method.models, *choice.models)
    preferred = next((model for model in wanted if model in allowed), "embedded")
    dtype = config.dtype
    if dtype == "auto":
        dtype = method.dtype(kind) or usual_dtype(device)
    return config.model_copy(
        update={
            **written_options(name, method.options),
            "method": name,
            "model": config.model or preferred,
            "size": config.size or (choice.size if config.model is None else None),
            "device": device,
            "dtype": dtype,
        }
    )
