"""Reads weights files safely: tensors only, never code.

Pickles go through torch's restricted unpickler (``weights_only=True``); a file that wants anything but
tensors is refused before it can run.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WeightsError
from .archive import check_not_a_bomb
from .hashing import file_sha256, folder_sha256
from .reading import check_readable, unreadable

if TYPE_CHECKING:
    from torch import Tensor, nn

PICKLES = (".pt", ".pth", ".tar", ".ckpt", ".bin")
OURS = "vdepth"  # the one metadata entry of files we convert: several come out in random order
_WRAPPERS = ("state_dict", "model_state_dict", "model")  # what training scripts put around the tensors
_PREFIXES = re.compile(r"^((module|_orig_mod)\.)+")  # what parallel and compiled networks put before names
_INERT = ((OrderedDict, "yacs.config.CfgNode"),)  # PackNet's checkpoints hold their configuration: a table
_AGAIN = "Get the file again from its publisher, or choose another model."


@dataclass(frozen=True)
class Weights:
    """What a weights file holds, read once.

    Attributes:
        path: The file, or the archive or folder of the files.
        state: Key -> tensor on the CPU, in the file's order.
        metadata: What `read_metadata` says of it; of a checkpoint the plain numbers and words that lie
            beside its tensors, as text (Monodepth2's ``height`` and ``width``).
    """

    path: Path
    state: dict[str, Tensor]
    metadata: dict[str, str]

    @property
    def sha256(self) -> str:
        """SHA-256 of the file or folder; see `hashing.file_sha256` for what it raises."""
        return folder_sha256(self.path) if self.path.is_dir() else file_sha256(self.path)


def load_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file; see `read_weights`.

    Args:
        path: safetensors, or a checkpoint of torch.
    """
    return read_weights(path).state


def read_weights(path: Path) -> Weights:
    """Reads a weights file, which is opened once.

    Args:
        path: A ``.safetensors`` file, or a PyTorch checkpoint (``.pt``, ``.pth``, ``.pt.tar``, ``.ckpt``,
            ``.bin``), whose tensors may lie under ``state_dict`` or ``model`` and carry the prefix
            ``module.`` or ``_orig_mod.``, however often.

    Raises:
        WeightsError: the file is missing, may not be read, is damaged, of an unknown type, or holds something
            other than tensors and plain numbers or words beside them.
    """
    if path.suffix == ".safetensors":
        content, metadata = _read_safetensors(path)
        return Weights(path, _plain(content, path)[0], metadata)
    if path.suffix in PICKLES:
        return Weights(path, *_plain(_read_pickle(path), path))
    check_readable(path)
    raise WeightsError(
        f"{path.name} is no weights file by its name.", f"Known endings: .safetensors, {', '.join(PICKLES)}."
    )


def on_cpu(network: nn.Module) -> nn.Module:
    """Gives a network of the meta device memory on the CPU, in which anything may stand.

    `torch.nn.Module.to_empty` does the same, and loads half of torch's compiler for it: a second of every
    process.

    Args:
        network: Changed in place.

    Returns:
        The same.
    """
    import torch

    network._apply(lambda tensor: torch.empty(tensor.shape, dtype=tensor.dtype))
    return network


def load_into(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Copies ``state`` into ``network``, strictly: every key must match in name and shape.

    Args:
        network: Changed in place.
        state: Tensors by key.
        path: The weights file, for messages.

    Raises:
        WeightsError: see `check_fit`.
    """
    check_fit(network, state, path)
    network.load_state_dict(dict(state), strict=True)


def check_fit(network: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Checks that every key of ``state`` matches in name and shape; the network may be on the meta device.

    Args:
        network: What the weights are for.
        state: Tensors by key.
        path: The weights file, for messages.

    Raises:
        WeightsError: keys are missing, left over, or of another shape.
    """
    own = network.state_dict()
    missing, extra = [k for k in own if k not in state], [k for k in state if k not in own]
    wrong = [k for k in own if k in state and own[k].shape != state[k].shape]
    problems = [
        f"{problem} {len(keys)} key{'s' * (len(keys) != 1)} "
        f"({', '.join(keys[:3]) + (' …' if len(keys) > 3 else '')})"
        for problem, keys in (("lacks", missing), ("has unknown", extra), ("has wrong shapes for", wrong))
        if keys
    ]
    if problems:
        raise WeightsError(
            f"{path.name} does not fit {type(network).__name__}: it {' and '.join(problems)}.", _AGAIN
        )


def read_metadata(path: Path) -> dict[str, str]:
    """The text facts a safetensors file carries; empty for other files and for damaged ones.

    Of a file that vdepth converted: ``source``, ``sha256`` (of the source), ``license``, ``commercial``.

    Args:
        path: Any weights file.
    """
    if path.suffix != ".safetensors":
        return {}
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return _said(file.metadata())
    except (OSError, SafetensorError, ValueError):
        return {}


def check_safetensors(path: Path) -> None:
    """Checks that a file is whole by its header, without reading the tensors.

    Args:
        path: A safetensors file.

    Raises:
        WeightsError: it is not, or cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    check_readable(path)
    try:
        with safe_open(path, framework="pt") as file:
            file.keys()
    except (OSError, SafetensorError, ValueError) as error:
        raise WeightsError(f"The weights file {path.name} is damaged: {_line(error)}.", _AGAIN) from error


def _read_safetensors(path: Path) -> tuple[Any, dict[str, str]]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {key: file.get_tensor(key) for key in file.offset_keys()}, _said(file.metadata())
    except (OSError, SafetensorError, ValueError) as error:
        check_readable(path)  # the library calls every failure damage
        raise WeightsError(f"The weights file {path.name} is damaged: {_line(error)}.", _AGAIN) from error


def _said(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """What the metadata of a safetensors file say, ours among it."""
    facts = dict(metadata or {})
    try:
        ours = json.loads(facts.pop(OURS, "{}"))
    except ValueError:
        return {}
    return facts | ({str(k): str(v) for k, v in ours.items()} if isinstance(ours, dict) else {})


def _read_pickle(path: Path) -> Any:
    import pickle

    import torch

    try:
        file = path.open("rb")
    except OSError as error:
        raise unreadable(path, error) from error
    with file:
        check_not_a_bomb(path, file)
        try:
            with torch.serialization.safe_globals(list(_INERT)):  # read as a plain table, no code of its own
                return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise WeightsError(
                f"The weights file {path.name} is damaged, or holds more than tensors and could run code.",
                "Ask its publisher for a safetensors file.",
            ) from error
        except Exception as error:  # a damaged archive fails in many ways
            raise WeightsError(f"The weights file {path.name} is damaged: {_line(error)}.", _AGAIN) from error


def _plain(content: Any, path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors, and what lies beside them in words."""
    from torch import Tensor

    for _ in _WRAPPERS:  # wrappers may be nested
        inner = next(
            (
                content[k]
                for k in _WRAPPERS
                if isinstance(content, Mapping) and isinstance(content.get(k), Mapping)
            ),
            None,
        )
        if inner is None:
            break
        content = inner
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{path.name} holds no table of tensors.", _AGAIN)
    tensors = {_PREFIXES.sub("", k): v for k, v in content.items() if _is_entry(k, v, Tensor)}
    strange = [str(k) for k, v in content.items() if not _is_entry(k, v, (Tensor, bool, int, float, str))]
    if strange or not tensors:
        some = ", ".join((strange or [str(k) for k in content])[:3])
        raise WeightsError(f"{path.name} holds entries that are no tensors ({some}).", _AGAIN)
    return tensors, {k: str(v) for k, v in content.items() if not isinstance(v, Tensor)}


def _is_entry(key: Any, value: Any, kinds: Any) -> bool:
    return isinstance(key, str) and isinstance(value, kinds)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
