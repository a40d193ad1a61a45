"""A folder as `save_pretrained` of transformers writes it, or as the hub serves it, as a model of ours."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WeightsError
from ..types import DepthModel, ModelSpec
from . import depth_pro, dpt_family, zoedepth
from .folder_hash import files_sha256
from .processing import FILE as PREPROCESSOR
from .processing import Processing, read_processing
from .transformers_weights import load_network, weight_files

if TYPE_CHECKING:
    from torch import nn

_log = logging.getLogger(__name__)

# Licences that allow any use, as the hub spells them, and their SPDX names.
_PERMISSIVE = {
    "apache-2.0": "Apache-2.0",
    "mit": "MIT",
    "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "cc0-1.0": "CC0-1.0",
    "cc-by-4.0": "CC-BY-4.0",
}


@dataclass(frozen=True)
class _Family:
    """How networks of one ``model_type`` are read.

    Attributes:
        defaults: The published preprocessing, for what a folder does not say.
        describe: From the configuration to `ModelSpec` fields.
        build: Puts the model around the loaded network.
    """

    defaults: Processing
    describe: Callable[[Any, Processing], dict[str, Any]]
    build: Callable[[nn.Module, ModelSpec, str, str, Processing], DepthModel]


_FAMILIES = {
    "depth_anything": _Family(
        dpt_family.DEPTH_ANYTHING, dpt_family.describe_depth_anything, dpt_family.DenseDepth
    ),
    "dpt": _Family(dpt_family.DPT, dpt_family.describe_dpt, dpt_family.DenseDepth),
    "glpn": _Family(dpt_family.GLPN, dpt_family.describe_glpn, dpt_family.DenseDepth),
    "depth_pro": _Family(depth_pro.DEPTH_PRO, depth_pro.describe, depth_pro.build),
    "zoedepth": _Family(zoedepth.ZOEDEPTH, zoedepth.describe, zoedepth.ZoeDepth),
}


def load_folder(path: Path, device: str = "cpu", dtype: str = "fp32") -> DepthModel:
    """Loads the depth model in a transformers folder.

    The configuration says which family it is and what its numbers mean; the name is the folder's, and the
    licence what the front matter of its README says.

    Args:
        path: Folder of ``config.json``, the weights and, usually, ``preprocessor_config.json``.
        device: Where it runs, as torch spells it.
        dtype: See `NetworkModel`.

    Raises:
        WeightsError: the folder holds no depth model known here, or is incomplete or damaged.
        UsageError: ``dtype`` does not exist.
    """
    config = _read_config(path)
    family = _FAMILIES[config["model_type"]]
    if not (path / PREPROCESSOR).is_file():
        _log.warning("%s has no %s; its family's published preprocessing is used.", path.name, PREPROCESSOR)
    processing = read_processing(path, family.defaults)
    files = weight_files(path)
    network = load_network(path, files, config)
    license_, commercial = _licence(path)
    spec = ModelSpec(
        name=path.resolve().name,
        license=license_,
        commercial=commercial,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        weights_sha256=files_sha256(path, [*files, *_configs(path)]),
        **family.describe(network.config, processing),
    )
    return family.build(network, spec, device, dtype, processing)


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    known = f"Known are {', '.join(sorted(_FAMILIES))}."
    try:
        config = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise WeightsError(
            f"The folder {folder} holds no config.json.", "Give the folder of a transformers depth model."
        ) from error
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} is damaged.", "Get the folder again from its publisher.") from error
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind not in _FAMILIES:
        raise WeightsError(f"{path} describes no depth model known here, but: {kind or 'nothing'}.", known)
    if config.get("backbone"):  # a name on the hub, whose configuration transformers would download
        raise WeightsError(
            f"{path} leaves its backbone to be downloaded ({config['backbone']}).",
            "Save the model again with a transformers release that writes backbone_config.",
        )
    return dict(config)


def _configs(folder: Path) -> list[Path]:
    return [path for name in ("config.json", PREPROCESSOR) if (path := folder / name).is_file()]


def _licence(folder: Path) -> tuple[str, bool]:
    """Name of the licence and whether it allows commercial use; only what is known to be permissive does."""
    path = folder / "README.md"
    if not path.is_file():
        return "unknown", False
    from huggingface_hub import metadata_load

    try:
        card = metadata_load(path) or {}
    except Exception as error:  # whatever the front matter holds, the model is no worse for it
        _log.warning("The front matter of %s cannot be read: %s", path, " ".join(str(error).split()))
        return "unknown", False
    license_ = card.get("license")
    if license_ == "other":
        license_ = card.get("license_name") or license_
    if not isinstance(license_, str):
        return "unknown", False
    known = _PERMISSIVE.get(license_.lower())
    return (known, True) if known else (license_, False)
