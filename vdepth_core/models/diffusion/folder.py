"""A folder as diffusers writes it, as a model of ours: its ``model_index.json`` or its UNet says which."""

from __future__ import annotations

from pathlib import Path

from ...errors import WeightsError
from ...protocols import DepthModel
from ...types import ModelSpec
from ...weights.configs import read_json
from .chronodepth import UNET, load_chronodepth
from .marigold import PIPELINE as MARIGOLD
from .marigold import load_marigold
from .rollingdepth import load_rollingdepth

ROLLINGDEPTH = "RollingDepthPipeline"  # of its own repository's code; diffusers does not know it


def load_diffusers_folder(
    path: Path, device: str = "cpu", dtype: str = "fp32", spec: ModelSpec | None = None
) -> DepthModel:
    """Loads Marigold, RollingDepth or ChronoDepth from a folder of parts.

    A folder without ``model_index.json`` is taken for RollingDepth, whose parts are loaded one by one. With
    a UNet beside the subfolders it is ChronoDepth, even if an index of Stable Video Diffusion came along.

    Args:
        path: The folder.
        device: Where it runs, as torch spells it.
        dtype: ``fp32``, ``fp16`` or ``bf16``; CPUs take ``fp32`` for ``fp16``.
        spec: What the catalogue says the folder holds; None: it is a user's own.

    Raises:
        WeightsError: the folder holds neither, or is incomplete or damaged.
        UsageError: ``dtype`` does not exist.
    """
    root = path / "config.json"
    if root.is_file() and read_json(root).get("_class_name") == UNET:
        return load_chronodepth(path, device, dtype, spec)
    index = path / "model_index.json"
    kind = read_json(index).get("_class_name") if index.is_file() else ROLLINGDEPTH
    if kind == MARIGOLD:
        return load_marigold(path, device, dtype, spec)
    if kind == ROLLINGDEPTH:
        return load_rollingdepth(path, device, dtype, spec)
    raise WeightsError(
        f"{index} describes a {str(kind or 'nameless pipeline')[:80]}, which is no depth model known here.",
        f"Known are {MARIGOLD} and {ROLLINGDEPTH}, and ChronoDepth by the UNet at its root.",
    )
