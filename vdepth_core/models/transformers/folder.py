"""A folder as `save_pretrained` of transformers writes it, or as the hub serves it, as a model of ours."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import WeightsError
from ...protocols import DepthModel
from ...types import ModelSpec
from ...weights.catalogue import find_entry
from ...weights.configs import read_json
from ...weights.folders import PREPROCESSOR, weight_files
from ...weights.hashing import folder_sha256
from ..licence import claim_of_folder
from ..sizing import check_input
from . import dense, depth_pro, zoedepth
from .preprocessor_config import Processing, read_processing
from .weights import load_network

if TYPE_CHECKING:
    from torch import nn

_log = logging.getLogger(__name__)


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
    "depth_anything": _Family(dense.DEPTH_ANYTHING, dense.describe_depth_anything, dense.DenseDepth),
    "dpt": _Family(dense.DPT, dense.describe_dpt, dense.DenseDepth),
    "glpn": _Family(dense.GLPN, dense.describe_glpn, dense.DenseDepth),
    "tipsv2_dpt": _Family(dense.TIPS, dense.describe_tips, dense.DenseDepth),
    "depth_pro": _Family(depth_pro.DEPTH_PRO, depth_pro.describe, depth_pro.build),
    "zoedepth": _Family(zoedepth.ZOEDEPTH, zoedepth.describe, zoedepth.ZoeDepth),
}
_SINCE = {"tipsv2_dpt": "5.14"}  # the release of transformers that has it first


def load_folder(
    path: Path, device: str = "cpu", dtype: str = "fp32", spec: ModelSpec | None = None
) -> DepthModel:
    """Loads the depth model in a transformers folder.

    The configuration says which family it is and what its numbers mean; of a user's own the name is the
    folder's, and the licence what the front matter of its README says.

    Args:
        path: Folder of ``config.json``, the weights and, usually, ``preprocessor_config.json``.
        device: Where it runs, as torch spells it.
        dtype: See `NetworkModel`.
        spec: What the catalogue says the folder holds; None: it is a user's own.

    Raises:
        WeightsError: the folder holds no depth model known here, another one than ``spec`` says, or is
            incomplete or damaged.
        UsageError: ``dtype`` does not exist.
    """
    config = _read_config(path)
    family = _FAMILIES[config["model_type"]]
    check_release(path, config["model_type"])
    if not (path / PREPROCESSOR).is_file():
        _log.warning("%s has no %s; its family's published preprocessing is used.", path.name, PREPROCESSOR)
    processing = read_processing(path, family.defaults)
    files = weight_files(path)
    network = load_network(path, files, config)
    license_, commercial = claim_of_folder(path) if spec is None else (spec.license, spec.commercial)
    found = ModelSpec(
        name=path.resolve().name if spec is None else spec.name,
        license=license_,
        commercial=commercial,
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        weights_sha256=folder_sha256(path),
        **family.describe(network.config, processing),
    )
    check_input(found, path)
    if spec is not None and (found.quantity, found.space) != (spec.quantity, spec.space):
        raise WeightsError(
            f"What is installed as {spec.name} predicts {found.space} {found.quantity}, not {spec.space} "
            f"{spec.quantity}: these are other weights.",
            find_entry(spec.name).how_to_install,
        )
    return family.build(network, found, device, dtype, processing)


def check_release(folder: Path, kind: str) -> None:
    """Refuses a network that the installed transformers does not have: some are younger than vdepth asks for.

    Args:
        folder: Of the model, for messages.
        kind: Its ``model_type``.

    Raises:
        WeightsError: it has not.
    """
    from transformers import CONFIG_MAPPING
    from transformers import __version__ as installed

    if kind not in CONFIG_MAPPING:
        raise WeightsError(
            f"The network in {folder} is a {kind}, which transformers {installed} does not have.",
            f"Install a later one: pip install 'transformers>={_SINCE.get(kind, installed)}'.",
        )


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    config = read_json(path)
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in _FAMILIES:
        raise WeightsError(
            f"{path} describes no depth model known here, but: {str(kind or 'nothing')[:80]}.",
            f"Known are {', '.join(sorted(_FAMILIES))}.",
        )
    return config
