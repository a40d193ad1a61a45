"""What a folder's configuration may say about its network: kinds and sizes, and nothing else.

Configurations of transformers and diffusers can also name code and other places: kernels of the hub for
attention or experts, classes of the repository, a backbone of timm's, quantisers. vdepth runs the plain
network, so of a configuration only the fields of the network itself are handed on, at every depth; what
cannot be left out without running another network is refused. Sizes are bounded before anything is built;
`building` holds the network against its weights then.
"""

from __future__ import annotations

import inspect
import json
import logging
import math
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..errors import WeightsError
from .reading import AGAIN, unreadable

_log = logging.getLogger(__name__)

BACKBONES = ("beit", "bit", "dinov2", "dinov2_with_registers", "swinv2", "tipsv2_vision_model")
"""What a depth network's features may come from: transformers' own, and no other library's."""

LARGEST = 65_536
"""No number of a network's architecture is larger; the published ones stay below 10,000."""

_MOST_BYTES = 8 << 20  # of a configuration; published ones have a few thousand
_MOST_ITEMS = 4096  # of a list
_DEEPEST = 8
# Of the features of a backbone; every one is written under one of these names, which are no fields.
_FEATURES = frozenset({"out_features", "out_indices", "segmentation_indices"})


def read_json(path: Path) -> dict[str, Any]:
    """Reads a configuration.

    Args:
        path: A ``config.json`` of a model's folder.

    Raises:
        WeightsError: it is missing, may not be read, is absurdly large, or no table.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise WeightsError(f"{path} is no configuration: it is larger than any.", AGAIN)
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise WeightsError(f"{path} is damaged: {reason}.", AGAIN) from error
    if not isinstance(content, dict):
        raise WeightsError(f"{path} is damaged: it holds no table.", AGAIN)
    return content


def transformers_config(config: Mapping[str, Any], path: Path) -> Any:
    """The transformers configuration of a network, made of what `config` says about its architecture.

    Args:
        config: What the file ``path`` holds; its ``model_type`` is one the caller knows.
        path: The file, for messages.

    Raises:
        WeightsError: a part of the network is to come from elsewhere, a size is absurd, or the fields do not
            make a configuration.
    """
    from transformers import CONFIG_MAPPING

    kind = CONFIG_MAPPING[config["model_type"]]
    kept = _network_fields(config, kind, path)
    try:
        made = kind.from_dict(kept)
    except Exception as error:  # a configuration can be wrong in many ways
        raise _wrong(path, error) from error
    made._attn_implementation = None  # transformers then takes sdpa, or eager where a network has no sdpa
    return made


def init_arguments(config: Mapping[str, Any], kind: Any, path: Path) -> dict[str, Any]:
    """What ``config`` says about the arguments of a diffusers class ``kind``; the rest is left out.

    Args:
        config: What the file ``path`` holds.
        kind: The class that is to be made.
        path: For messages.

    Raises:
        WeightsError: a size is absurd.
    """
    known = set(inspect.signature(kind.__init__).parameters) - {"self", "kwargs"}
    kept = {key: value for key, value in config.items() if key in known}
    _left_out(config, kept, path)
    check_sizes(kept, path)
    return kept


def check_sizes(value: Any, path: Path, name: str = "", depth: int = 0) -> None:
    """Refuses numbers, lists and nestings that no network has.

    Args:
        value: Anything JSON holds.
        path: The file, for messages.
        name: Of the value within the file, dotted.
        depth: Nestings around the value.

    Raises:
        WeightsError: there is one; it is named.
    """
    inner: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        inner = [(f"{name}.{key}" if name else str(key), item) for key, item in value.items()]
    elif isinstance(value, list | tuple):
        inner = [(name, item) for item in value]
    absurd = isinstance(value, int) and not isinstance(value, bool) and abs(value) > LARGEST
    absurd = absurd or (isinstance(value, float) and not math.isfinite(value))
    if absurd or len(inner) > _MOST_ITEMS or depth > _DEEPEST:
        what = f"is {value}"[:40] if absurd else "is absurdly long or deep"
        raise WeightsError(
            f"{path} describes no network that could be run: {name[:80]} {what}.",
            "Do not trust this folder; get it again from its publisher.",
        )
    for key, item in inner:
        check_sizes(item, path, key, depth + 1)


def _network_fields(config: Mapping[str, Any], kind: Any, path: Path) -> dict[str, Any]:
    """The fields of the configuration class ``kind``, less those that every one has, and its sub-configs'."""
    from transformers import PretrainedConfig

    common = {field.name for field in fields(PretrainedConfig)}
    own = {field.name for field in fields(kind)} - common | set(kind.attribute_map) | _FEATURES
    kept = {key: value for key, value in config.items() if key in own and not key.startswith("_")}
    _left_out(config, kept, path)
    parts = {key: kept.pop(key) for key in kind.sub_configs_defaults if isinstance(kept.get(key), dict)}
    if config.get("backbone") and "backbone_config" not in parts:
        raise WeightsError(
            f"{path} leaves its backbone to be downloaded ({str(config['backbone'])[:80]}).",
            "Save the model again with a transformers release that writes backbone_config.",
        )
    check_sizes(kept, path)
    for key, part in parts.items():
        kept[key] = _part(part, kind.sub_configs_defaults[key], path, key)
    return kept


def _part(config: Mapping[str, Any], default: Any, path: Path, name: str) -> dict[str, Any]:
    from transformers import CONFIG_MAPPING

    kind = config.get("model_type", default.model_type)
    if kind not in BACKBONES or kind not in CONFIG_MAPPING:
        raise WeightsError(
            f"{path} takes its {name} from elsewhere ({str(kind)[:80]}), which is not known here.",
            f"Known are {', '.join(BACKBONES)}.",
        )
    return {"model_type": kind, **_network_fields(config, CONFIG_MAPPING[kind], path)}


def _left_out(config: Mapping[str, Any], kept: Mapping[str, Any], path: Path) -> None:
    _log.debug("%s: left out %s", path, ", ".join(sorted(str(key) for key in config if key not in kept)))


def _wrong(path: Path, error: Exception) -> WeightsError:
    reason = " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
    return WeightsError(f"{path} describes no usable network: {reason}.", AGAIN)
