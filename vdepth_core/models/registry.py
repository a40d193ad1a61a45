"""Finds models by name (the catalogue's, or other packages' by entry points ``vdepth_core.models``), by file
(its keys say which family it is) or by folder (a transformers or diffusers model).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, cast, get_args

from ..choices import Predicts, Runtime, one_of
from ..errors import UsageError, WeightsError
from ..plugins import Plugin, answering, entry_points
from ..protocols import DepthModel, SnippetModel
from ..types import ModelSpec, Quantity, Space
from ..weights.catalogue import published_models
from ..weights.folders import folder_kind
from ..weights.loading import Weights
from ..weights.location import find_weights
from ..weights.parts import read_network
from ..weights.reading import unreadable
from .device import pick_device
from .embedded import refuse_former
from .network_model import Family, NetworkModel
from .runtime import LARGEST, run_on_onnx

_log = logging.getLogger(__name__)

GROUP = "vdepth_core.models"
Load = Callable[[Path | None, str, str], DepthModel]
_FOLDERS = {
    "transformers": "transformers.folder:load_folder",
    "diffusers": "diffusion.folder:load_diffusers_folder",
}
_FAMILIES = {  # a family of the catalogue -> what loads it: ``load(path, device, dtype, spec)``
    "embedded": "embedded:HYBRID",
    "lite-depth": "embedded:LITE",
    "tcmonodepth-small": "tcmonodepth:SMALL",
    "midas": "tcmonodepth:LARGE",
    "midas-small": "midas_small:FAMILY",
    "zipdepth": "zipdepth:FAMILY",
    **{
        name: f"{name}:FAMILY"
        for name in ("monodepth2", "sfmlearner", "featdepth", "packnet", "diffnet", "ddv", "leftright")
    },
    "video-depth-anything": "video_depth_anything:FAMILY",
    "depth-anything-v2": "depth_anything_v2:FAMILY",
    **dict.fromkeys(("dpt", "depth-anything", "depth-pro", "zoedepth", "tipsv2"), _FOLDERS["transformers"]),
    **dict.fromkeys(("chronodepth", "marigold", "rollingdepth"), _FOLDERS["diffusers"]),
}
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
    runtime: Runtime = "torch",
) -> DepthModel:
    """Loads a registered model, or weights of a known family.

    Args:
        name_or_path: A name of `list_models`, or the path of a weights file, of the archive or folder of a
            network saved in parts, or of the folder of a transformers depth model, of Marigold, of
            RollingDepth or of ChronoDepth.
        device: ``auto``, ``cpu``, ``mps``, ``cuda``, or one of several: ``cuda:1``.
        dtype: ``fp32``, ``fp16`` or ``bf16``: what an accelerator computes in; CPUs take ``fp32`` for
            ``fp16``.
        predicts: What the numbers of weights given by their path mean, where it is not what their family's
            usually do (a DPT fine-tuned to metric depth).
        compile: Compile the network with `torch.compile`; where that fails it runs as it is, with a warning.
        runtime: ``onnx``: have ONNX Runtime run it, on a CPU only; ``auto``: where it can.

    Raises:
        UsageError: no such model, device, dtype or meaning, or ONNX Runtime cannot run it.
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
    entry = published_models().get(name_or_path) if isinstance(name_or_path, str) else None
    plugin = plugins().get(name_or_path) if entry is None and isinstance(name_or_path, str) else None
    if predicts is not None and (entry or plugin):
        raise UsageError(
            f"What {name_or_path} predicts is known; --predicts is for weights given by their path.",
            "Leave --predicts out.",
        )
    if plugin is not None:
        with answering(plugin_of(str(name_or_path))):
            model = plugin(None, device, dtype)
            if not isinstance(model, DepthModel | SnippetModel) or not isinstance(model.spec, ModelSpec):
                raise TypeError(f"what it loads is no model but {type(model).__name__}")
    elif entry is not None:
        load = _loader(_FAMILIES[entry.family])
        model = load(find_weights(entry.name), device, dtype, entry.spec(str(name_or_path)))
    else:
        try:
            model = _load_path(_as_path(name_or_path), device, dtype)
        except OSError as error:
            raise unreadable(Path(error.filename or name_or_path), error) from error
        if predicts is not None:
            model.spec = _meaning(model.spec, predicts)
    if runtime != "torch":
        run_on_onnx(model, asked=runtime == "onnx")
    if compile:
        _compile(model)
    return model


def list_models() -> list[ModelEntry]:
    """Every known model, the embedded one first, then by name; reads no weights and imports no torch.

    Examples:
        >>> import vdepth_core
        >>> entry = vdepth_core.list_models()[0]
        >>> entry.name, entry.installed, entry.spec.commercial
        ('embedded', True, True)
    """
    entries = [
        ModelEntry(name, True, getattr(load, "spec", None))  # a plug-in looks after its own weights
        for name, load in plugins().items()
    ]
    for name, published in published_models().items():
        spec, size = published.spec(name), published.size
        try:
            entries.append(ModelEntry(name, True, spec, find_weights(published.name), size=size))
        except WeightsError as error:
            entries.append(ModelEntry(name, False, spec, hint=error.hint, size=size))
    return sorted(entries, key=lambda entry: (entry.name != "embedded", entry.name))


def plugins() -> dict[str, Load]:
    """What loads each model of other packages, by name; one that is broken is reported and left out."""
    found: dict[str, Load] = {}
    for point in entry_points(group=GROUP):
        load = _plugin(point)
        if isinstance(load, str):
            _log.info("%s", load)
        elif load is not None:
            found[point.name] = load
    return found


def plugin_of(name: str | None) -> Plugin | None:
    """The plug-in that a model's name stands for, broken or not; None: it is ours, or there is none.

    Args:
        name: What ``--model`` takes.
    """
    points = (point for point in entry_points(group=GROUP) if point.name == name)
    found = next((point for point in points if not point.value.startswith(f"{__package__}.")), None)
    return None if found is None or name in published_models() else Plugin("model", found)


def broken_plugins() -> dict[str, str]:
    """Names of the plug-ins that do not work -> a sentence each."""
    found = ((point.name, _plugin(point)) for point in entry_points(group=GROUP))
    return {name: reason for name, reason in found if isinstance(reason, str)}


def file_families() -> list[Family]:
    """The families whose models are one file."""
    return [_loader(place) for place in dict.fromkeys(_FAMILIES.values()) if place not in _FOLDERS.values()]


def family_of(model: str) -> Family | None:
    """The family of a published model that is one file; None: of another model.

    Args:
        model: Name in the catalogue.
    """
    entry = published_models().get(model)
    place = _FAMILIES[entry.family] if entry is not None else None
    return None if place is None or place in _FOLDERS.values() else cast(Family, _loader(place))


def runs_on_onnx(model: str) -> bool:
    """Whether ONNX Runtime runs a published model on a CPU, where it is installed.

    Args:
        model: Name in the catalogue.
    """
    family, entry = family_of(model), published_models().get(model)
    return (
        family is not None
        and family.portable
        and entry is not None
        and (entry.spec(model).parameters <= LARGEST)
    )


def match_family(keys: Collection[str]) -> Family | None:
    """The family that a weights file with these keys belongs to.

    Args:
        keys: Names of its tensors.
    """
    return next((family for family in file_families() if family.matches(keys)), None)


def read_family(path: Path) -> tuple[Family | None, Weights]:
    """Reads a weights file, or a folder of some, and the family it belongs to; None: to none of ours.

    Args:
        path: The file or folder.

    Raises:
        WeightsError: it is missing or damaged, or of a network that is gone.
    """
    weights = read_network(path)
    family = match_family(weights.state)
    if family is None:
        refuse_former(path, weights.state)
    return family, weights


def _loader(place: str) -> Any:
    """Imports what ``place``, a value of `_FAMILIES`, names."""
    module, name = place.split(":")
    return getattr(import_module(f".{module}", __package__), name)


def _plugin(point: EntryPoint) -> Load | str | None:
    """What loads a plug-in, or what is wrong with it; None: an older vdepth's own, in stale metadata."""
    if point.value.startswith(f"{__package__}."):
        return None
    what = str(Plugin("model", point))
    if point.name in published_models():
        return f"{what} is shadowed by vdepth's own."
    try:
        load: Any = point.load()
    except Exception as error:  # whatever a plug-in does wrong, the others go on
        return f"{what} does not load: {str(error).rstrip('.') or type(error).__name__}."
    if not isinstance(getattr(load, "spec", None), ModelSpec | None):
        return f"{what} does not load: its spec is no ModelSpec."
    return cast(Load, load) if callable(load) else f"{what} does not load: it is not callable."


def _as_path(name_or_path: str | Path) -> Path:
    path = Path(name_or_path).expanduser()
    if isinstance(name_or_path, Path) or path.exists() or len(path.parts) > 1 or path.suffix:
        return path
    broken, plugin = broken_plugins().get(str(name_or_path)), plugin_of(str(name_or_path))
    if broken is not None and plugin is not None:
        raise UsageError(broken, plugin.hint)
    known = [*published_models(), *plugins()]
    raise UsageError(
        f"There is no model {name_or_path}.",
        f"{one_of(str(name_or_path), known)[:-1]}, or give a weights file or folder.",
    )


def _load_path(path: Path, device: str, dtype: str) -> DepthModel:
    """A user's own: what it is, its keys or its configuration say."""
    if path.is_dir() and (kind := folder_kind(path)) in _FOLDERS:
        load: Load = _loader(_FOLDERS[kind])
        return load(path, device, dtype)
    family, weights = read_family(path)
    if family is None:
        raise WeightsError(
            f"{path.name} holds the weights of no network known here "
            f"(its first entry is {next(iter(weights.state))}).",
            f"Known families: {', '.join(sorted(published_models()))}.",
        )
    return family.load(weights, device, dtype)


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
