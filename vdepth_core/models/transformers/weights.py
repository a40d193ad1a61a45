"""Loads the network of a transformers folder strictly, safely and quietly.

`from_pretrained` fills what a checkpoint lacks with random numbers and only warns; here that is an error. Our
own loader reads the weights (tensors only, see `vdepth_core.weights.loading`), and of the configuration only
what describes the network is used (`vdepth_core.weights.configs`), so nothing a folder holds can run code or
ask a server for more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ...errors import WeightsError
from ...weights.building import Report, load_transformers, quiet_transformers
from ...weights.configs import transformers_config
from ...weights.loading import load_state_dict
from ...weights.reading import AGAIN

if TYPE_CHECKING:
    from torch import Tensor, nn

# In every network, but read by none at inference; Intel's DPT checkpoints and others are published without.
_NEVER_READ = re.compile(r"(fusion_stage\.(layers|intermediate)\.0\.residual_layer1\.|\.mask_token$)")


def load_network(folder: Path, files: Iterable[Path], config: dict[str, Any]) -> nn.Module:
    """Builds the depth network of a configuration, with the weights of ``files``, in fp32 on the CPU.

    Args:
        folder: Of the model, for messages.
        files: Its weights, each with a part of the keys.
        config: What its ``config.json`` holds.

    Raises:
        WeightsError: the configuration or the weights are damaged, or do not fit each other.
    """
    import torch
    from transformers import MODEL_FOR_DEPTH_ESTIMATION_MAPPING

    with quiet_transformers():
        settings = transformers_config(config, folder / "config.json")
    state: dict[str, Tensor] = {}
    for file in files:
        state |= load_state_dict(file)
    networks: Any = MODEL_FOR_DEPTH_ESTIMATION_MAPPING
    network, report = load_transformers(networks[type(settings)], settings, state, folder, torch.float32)
    _check(folder, report)
    return cast("nn.Module", network)


def _check(folder: Path, report: Report) -> None:
    missing = [key for key in report.missing if not _NEVER_READ.search(key)]
    for problem, keys in (
        ("lack", missing),
        ("have wrong shapes for", report.mismatched),
        ("have unknown", report.unexpected),
    ):
        if keys:
            some = ", ".join(keys[:3]) + (" …" if len(keys) > 3 else "")
            raise WeightsError(
                f"The weights in {folder} do not fit config.json: they {problem} {len(keys)} "
                f"key{'s' * (len(keys) != 1)} ({some}).",
                AGAIN,
            )
