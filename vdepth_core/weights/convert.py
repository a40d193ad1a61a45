"""Turns checkpoints into safetensors, once, at install: nothing that could run is stored or loaded later.

Reading goes through `read_weights` alone. The same checkpoint gives the same bytes: safetensors orders
tensors by itself but not its metadata, so all facts go into one entry of sorted JSON.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..errors import WeightsError
from ..files import atomic_path, make_folder
from .archive import WEIGHTS, extract
from .loading import OURS, check_safetensors, read_weights
from .saving import save_tensors

if TYPE_CHECKING:
    from torch import Tensor

_PLAIN = "Ask its publisher for a safetensors file."


def convert(source: Path, folder: Path, name: str, facts: Mapping[str, str]) -> list[str]:
    """Converts one published file.

    Args:
        source: A checkpoint of PyTorch's, or a zip archive of checkpoints.
        folder: Where the result goes; it is created.
        name: The result's path in ``folder``, ending in ``.safetensors``. An archive with several weights
            files gives one file each, named as in the archive.
        facts: What to write into the metadata.

    Returns:
        The paths written, below ``folder``.

    Raises:
        WeightsError: the file is damaged or dangerous, or holds more than tensors.
        ResourceError: the disk is full or the folder cannot be written.
    """
    if source.suffix != ".zip":
        to_safetensors(source, folder / name, facts)
        return [name]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacked-") as unpacked:
        members = extract(source, Path(unpacked))
        names = [name] if len(members) == 1 else [_stem(path, Path(unpacked)) for path in members]
        if len(set(names)) < len(names):
            raise WeightsError(
                f"{source.name} holds weights files whose names differ in their ending only.",
                "Get it again from its publisher.",
            )
        for member, target in zip(members, names, strict=True):
            to_safetensors(member, folder / target, facts)
            member.unlink()
    return names


def to_safetensors(source: Path, target: Path, facts: Mapping[str, str]) -> None:
    """Converts one weights file; ``target`` appears when it is whole. A safetensors file is copied as it is.

    Args:
        source: A checkpoint of any format that `load_state_dict` reads.
        target: The safetensors file.
        facts: Text to write into a converted file's header.

    Raises:
        WeightsError: the file is damaged or dangerous, or holds more than dense tensors.
        ResourceError: the disk is full or the folder cannot be written.
    """
    make_folder(target.parent)
    if source.suffix == ".safetensors":
        check_safetensors(source)
        with atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)
    else:
        weights = read_weights(source)  # what a checkpoint says beside its tensors is kept
        _save(weights.state, target, {**weights.metadata, **facts}, source.name)


def _save(state: dict[str, Tensor], target: Path, facts: Mapping[str, str], name: str) -> None:
    import torch
    from safetensors import SafetensorError

    tensors: dict[str, Tensor] = {}
    storages: set[int] = set()
    for key in list(state):  # taken out one by one, so that a copy does not keep its original alive
        tensor = state.pop(key).detach()
        if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_meta:
            raise WeightsError(f"{name} holds a tensor that is not plain ({key}).", _PLAIN)
        if tensor.untyped_storage().data_ptr() in storages or not tensor.is_contiguous():
            tensor = tensor.clone(memory_format=torch.contiguous_format)
        storages.add(tensor.untyped_storage().data_ptr())
        tensors[key] = tensor
    try:
        if "__metadata__" in tensors:
            raise ValueError("an entry has the name that safetensors keeps for itself")
        save_tensors(tensors, target, {OURS: json.dumps(dict(facts), sort_keys=True)})
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise WeightsError(f"{name} cannot be converted: {error}.", _PLAIN) from error


def _stem(path: Path, folder: Path) -> str:
    name = PurePosixPath(path.relative_to(folder).as_posix())
    while name.suffix in WEIGHTS:
        name = name.with_suffix("")
    return f"{name}.safetensors"
