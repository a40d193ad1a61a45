"""Finds models by name (entry points ``vdepth_core.models``) or by file (its keys say which family it is)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, cast

from ..errors import UsageError, WeightsError
from ..types import DepthModel, ModelSpec
from ..weights.loading import load_state_dict
from ..weights.location import find_weights
from .network_model import Family

_log = logging.getLogger(__name__)

GROUP = "vdepth_core.models"
Device = Literal["cuda", "mps", "cpu"]
Load = Callable[[Path | None, str, str], DepthModel]


@dataclass(frozen=True)
class ModelEntry:
    """One known model, without loading it.

    Attributes:
        name: What ``--model`` takes.
        installed: Whether its weights are there.
        spec: What it is; None for a plug-in that does not say.
        path: Its weights file, None when not installed or not known.
        hint: How to get the weights when they are not installed.
    """

    name: str
    installed: bool
    spec: ModelSpec | None = None
    path: Path | None = None
    hint: str = ""


def load_model(name_or_path: str | Path, device: str = "cpu", dtype: str = "fp32") -> DepthModel:
    """Loads a registered model, or a weights file of a known family.

    Args:
        name_or_path: A name of `list_models`, or the path of a weights file.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        dtype: ``fp32``, ``fp16`` or ``bf16``: what an accelerator computes in; CPUs take ``fp32`` for
        ``fp16``.

    Raises:
        UsageError: no such model, device or dtype.
        WeightsError: the weights are missing, damaged or of an unknown layout.
    """
    device = pick_device(device)
    loaders = _loaders()
    if isinstance(name_or_path, str) and name_or_path in loaders:
        return loaders[name_or_path](None, device, dtype)
    path = Path(name_or_path).expanduser()
    looks_like_file = isinstance(name_or_path, Path) or path.is_file() or len(path.parts) > 1 or path.suffix
    if not looks_like_file:
        raise UsageError(
            f"There is no model {name_or_path}.",
            f"Choose one of {', '.join(sorted(loaders))}, or give a weights file.",
        )
    return _family_of(path, loaders)(path, device, dtype)


def list_models() -> list[ModelEntry]:
    """Every registered model, the embedded one first, then by name; reads no weights and imports no torch."""
    entries = []
    for name, load in _loaders().items():
        spec = load.spec if isinstance(load, Family) else getattr(load, "spec", None)
        if not isinstance(load, Family):
            entries.append(ModelEntry(name, True, spec))  # a plug-in looks after its own weights
            continue
        try:
            entries.append(ModelEntry(name, True, spec, find_weights(name)))
        except WeightsError as error:
            entries.append(ModelEntry(name, False, spec, hint=error.hint))
    return sorted(entries, key=lambda entry: (entry.name != "embedded", entry.name))


def installed_models() -> tuple[str, ...]:
    """Names of the models whose weights are there."""
    return tuple(entry.name for entry in list_models() if entry.installed)


def pick_device(device: str = "auto") -> Device:
    """The device to run on: what was asked for, checked, or the best there is.

    Raises:
        UsageError: the device does not exist here.
    """
    import torch

    there: dict[str, bool] = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        return cast(Device, next(name for name, available in there.items() if available))
    kind, _, number = device.partition(":")
    if kind not in there or (number and not number.isdigit()):
        raise UsageError(f"There is no device {device}.", f"Choose one of auto, {', '.join(there)}.")
    if not there[kind] or (kind == "cuda" and number and int(number) >= torch.cuda.device_count()):
        raise UsageError(
            f"The device {device} is not available on this machine.", "Use --device auto or cpu."
        )
    return cast(Device, device)


def _loaders() -> dict[str, Load]:
    found: dict[str, Load] = {}
    for point in entry_points(group=GROUP):
        try:
            load: Any = point.load()
        except Exception as error:  # whatever a plug-in does wrong, the others go on
            _log.warning("The model plug-in %s (%s) does not load: %s", point.name, point.value, error)
            continue
        if not callable(load):
            _log.warning("The model plug-in %s (%s) is not callable.", point.name, point.value)
            continue
        found[point.name] = load
    return found


def _family_of(path: Path, loaders: dict[str, Load]) -> Family:
    keys = load_state_dict(path).keys()
    for name in sorted(
        loaders, key=lambda name: name == "tcmonodepth-large"
    ):  # midas-v21 stands for the layout
        family = loaders[name]
        if isinstance(family, Family) and family.matches(keys):
            return family
    raise WeightsError(
        f"{path.name} holds the weights of no network known here (its first entry is {next(iter(keys))}).",
        f"Known families: {', '.join(sorted(loaders))}.",
    )
