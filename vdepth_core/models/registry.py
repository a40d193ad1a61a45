"""Finds models by name (entry points ``vdepth_core.models``), by file (its keys say which family it is) or by
folder (a transformers or diffusers model).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, cast, get_args

from ..choices import Predicts, one_of
from ..errors import UsageError, WeightsError
from ..types import DepthModel, ModelSpec, Quantity, Space
from ..weights.catalogue import catalogue
from ..weights.loading import load_state_dict
from ..weights.location import find_weights
from ..weights.reading import unreadable
from .device import pick_device
from .network_model import Family, NetworkModel

_log = logging.getLogger(__name__)

GROUP = "vdepth_core.models"
Load = Callable[[Path | None, str, str], DepthModel]
_SPACES: dict[str, Space] = {"affine": "affine_invariant", "scale": "scale_invariant", "metric": "metric"}


@dataclass(frozen=True)
class ModelEntry:
    """One known model, without loading it.

    Attributes:
        name: What ``--model`` takes.
        installed: Whether its weights are there.
        spec: What it is; None for a plug-in that does not say.
        path: Its weights file or folder, None when not installed or not known.
        hint: How to get the weights when they are not installed.
        size: Bytes of the weights as published; None for a plug-in's.
    """

    name: str
    installed: bool
    spec: ModelSpec | None = None
    path: Path | None = None
    hint: str = ""
    size: int | None = None


def load_model(
    name_or_path: str | Path,
    device: str = "cpu",
    dtype: str = "fp32",
    *,
    predicts: Predicts | None = None,
    compile: bool = False,
) -> DepthModel:
    """Loads a registered model, or weights of a known family.

    Args:
        name_or_path: A name of `list_models`, or the path of a weights file, or of the folder of a
            transformers depth model, of Marigold or of RollingDepth.
        device: ``auto``, ``cpu``, ``mps``, ``cuda``, or one of several: ``cuda:1``.
        dtype: ``fp32``, ``fp16`` or ``bf16``: what an accelerator computes in; CPUs take ``fp32`` for
            ``fp16``.
        predicts: What the numbers of weights given by their path mean, where it is not what their family's
            usually do (a DPT fine-tuned to metric depth).
        compile: Compile the network with `torch.compile`; where that fails it runs as it is, with a warning.

    Raises:
        UsageError: no such model, device, dtype or meaning.
        WeightsError: the weights are missing, damaged or of an unknown layout.

    Examples:
        >>> import torch, vdepth_core
        >>> model = vdepth_core.load_model("embedded")
        >>> model.spec.quantity, model.spec.space, model.spec.license
        ('disparity', 'affine_invariant', 'Apache-2.0 AND MIT')
        >>> model.predict(torch.zeros(1, 3, 64, 96)).shape
        torch.Size([1, 64, 96])
    """
    device = pick_device(device)
    loaders = registered_loaders()
    if isinstance(name_or_path, str) and name_or_path in loaders:
        if predicts is not None:
            raise UsageError(
                f"What {name_or_path} predicts is known; --predicts is for weights given by their path.",
                "Leave --predicts out.",
            )
        model = loaders[name_or_path](None, device, dtype)
    else:
        try:
            model = _load_path(_as_path(name_or_path, loaders), loaders, device, dtype)
        except OSError as error:
            raise unreadable(Path(error.filename or name_or_path), error) from error
        if predicts is not None:
            model.spec = _meaning(model.spec, predicts)
    if compile:
        _compile(model)
    return model


def list_models() -> list[ModelEntry]:
    """Every registered model, the embedded one first, then by name; reads no weights and imports no torch.

    Examples:
        >>> import vdepth_core
        >>> entry = vdepth_core.list_models()[0]
        >>> entry.name, entry.installed, entry.spec.commercial
        ('embedded', True, True)
    """
    entries = []
    for name, load in registered_loaders().items():
        spec = getattr(load, "spec", None)
        weights = getattr(load, "weights", name)
        published = catalogue().get(weights)
        if published is None:
            entries.append(ModelEntry(name, True, spec))  # a plug-in looks after its own weights
            continue
        try:
            entries.append(ModelEntry(name, True, spec, find_weights(weights), size=published.size))
        except WeightsError as error:
            entries.append(ModelEntry(name, False, spec, hint=error.hint, size=published.size))
    return sorted(entries, key=lambda entry: (entry.name != "embedded", entry.name))


def registered_loaders() -> dict[str, Load]:
    """What loads each registered model, by name; a plug-in that is broken is reported and left out."""
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


def match_family(keys: Collection[str], loaders: Mapping[str, Load]) -> Family | None:
    """The family among ``loaders`` that a weights file with these keys belongs to.

    midas-v21 and tcmonodepth-large share a layout; the first stands for it.
    """
    for name in sorted(loaders, key=lambda name: (name == "tcmonodepth-large", name)):
        family = loaders[name]
        if isinstance(family, Family) and family.matches(keys):
            return family
    return None


def _as_path(name_or_path: str | Path, loaders: dict[str, Load]) -> Path:
    path = Path(name_or_path).expanduser()
    if isinstance(name_or_path, Path) or path.exists() or len(path.parts) > 1 or path.suffix:
        return path
    raise UsageError(
        f"There is no model {name_or_path}.",
        f"{one_of(str(name_or_path), loaders)[:-1]}, or give a weights file or folder.",
    )


def _load_path(path: Path, loaders: dict[str, Load], device: str, dtype: str) -> DepthModel:
    if not path.is_dir():
        return _family_of(path, loaders)(path, device, dtype)
    if (path / "model_index.json").is_file() or (path / "unet").is_dir():
        from .diffusion.folder import load_diffusers_folder

        return load_diffusers_folder(path, device, dtype)
    if (path / "config.json").is_file():
        from .transformers.folder import load_folder

        return load_folder(path, device, dtype)
    raise WeightsError(
        f"The folder {path} holds no model: neither config.json nor model_index.json is there.",
        "Give the folder that save_pretrained or a download of the repository made.",
    )


def _meaning(spec: ModelSpec, predicts: Predicts) -> ModelSpec:
    if predicts not in get_args(Predicts):
        raise UsageError(
            f"--predicts {predicts} is unknown.", f"Choose one of {', '.join(get_args(Predicts))}."
        )
    space, quantity = predicts.split("-")
    return replace(spec, space=_SPACES[space], quantity=cast(Quantity, quantity), canonical=False)


def _compile(model: DepthModel) -> None:
    if not isinstance(model, NetworkModel):
        _log.warning("The model %s cannot be compiled; it runs as it is.", model.spec.name)
        return
    model.compile()


def _family_of(path: Path, loaders: dict[str, Load]) -> Family:
    keys = load_state_dict(path).keys()
    family = match_family(keys, loaders)
    if family is None:
        raise WeightsError(
            f"{path.name} holds the weights of no network known here "
            f"(its first entry is {next(iter(keys))}).",
            f"Known families: {', '.join(sorted(loaders))}.",
        )
    return family
