"""Loads the network of a transformers folder strictly, safely and quietly.

`from_pretrained` fills what a checkpoint lacks with random numbers and only warns; here that is an error. It
is never given the folder: our own loader reads the weights (tensors only, see `vdepth_core.weights.loading`)
and the configuration is plain JSON, so nothing a folder holds can run code or ask a server for more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ..errors import WeightsError
from ..weights.loading import load_state_dict
from ..weights.prepare import quiet_transformers

if TYPE_CHECKING:
    from torch import Tensor, nn

_SINGLE = ("model.safetensors", "pytorch_model.bin")
_AGAIN = "Get the folder again from its publisher."
# In every network, but read by none at inference; Intel's DPT checkpoints and others are published without.
_NEVER_READ = re.compile(r"(fusion_stage\.(layers|intermediate)\.0\.residual_layer1\.|\.mask_token$)")


def weight_files(folder: Path) -> list[Path]:
    """The weights files of a transformers folder: one, or the parts an index names; safetensors first.

    Raises:
        WeightsError: there are none, or the index is damaged.
    """
    for name in _SINGLE:
        if (folder / name).is_file():
            return [folder / name]
        index = folder / f"{name}.index.json"
        if index.is_file():
            return _parts(index)
    raise WeightsError(f"The folder {folder} holds no weights.", f"It should hold {' or '.join(_SINGLE)}.")


def load_network(folder: Path, files: Iterable[Path], config: dict[str, Any]) -> nn.Module:
    """Builds the depth network of a configuration, with the weights of ``files``, in fp32 on the CPU.

    Raises:
        WeightsError: the configuration or the weights are damaged, or do not fit each other.
    """
    import torch
    from transformers import CONFIG_MAPPING, MODEL_FOR_DEPTH_ESTIMATION_MAPPING

    state: dict[str, Tensor] = {}
    for file in files:
        state |= load_state_dict(file)
    with quiet_transformers():
        try:
            settings = CONFIG_MAPPING[config["model_type"]].from_dict(config)
            networks: Any = MODEL_FOR_DEPTH_ESTIMATION_MAPPING
            network, report = networks[type(settings)].from_pretrained(
                None,
                config=settings,
                state_dict=state,
                dtype=torch.float32,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported below
            )
        except Exception as error:  # a configuration can be wrong in many ways
            reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
            raise WeightsError(f"The network in {folder} cannot be built: {reason}.", _AGAIN) from error
    _check(folder, report)
    return cast("nn.Module", network)


def _parts(index: Path) -> list[Path]:
    try:
        names = set(json.loads(index.read_bytes())["weight_map"].values())
        outside = [name for name in names if name != Path(name).name]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{index} is damaged.", _AGAIN) from error
    if outside or not names:
        problem = "names files outside its folder" if outside else "names no files"
        raise WeightsError(f"{index} {problem}.", _AGAIN)
    paths = [index.with_name(name) for name in sorted(names)]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise WeightsError(f"{index.parent} lacks {', '.join(missing[:3])}, which its index names.", _AGAIN)
    return paths


def _check(folder: Path, report: dict[str, Any]) -> None:
    missing = [key for key in report["missing_keys"] if not _NEVER_READ.search(key)]
    wrong = [key for key, *_ in report["mismatched_keys"]]
    for problem, keys in (
        ("lack", missing),
        ("have wrong shapes for", wrong),
        ("have unknown", report["unexpected_keys"]),
    ):
        if keys:
            some = ", ".join(sorted(keys)[:3]) + (" …" if len(keys) > 3 else "")
            raise WeightsError(
                f"The weights in {folder} do not fit config.json: they {problem} {len(keys)} keys ({some}).",
                _AGAIN,
            )
