"""Models that are folders: which kind it is, and which of its files are the model."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Literal

from ..errors import WeightsError
from .catalogue import is_inside
from .configs import read_json
from .reading import AGAIN

PREPROCESSOR = "preprocessor_config.json"
SUFFIXES = (".safetensors", ".bin", ".json")
CHECKPOINTS = (".safetensors", ".pth", ".pt", ".tar", ".ckpt", ".bin")  # the first is taken where it can be
PARTS = ("encoder", "depth")  # the files of a depth network that training code saves in two
# Computed from the other files, on this machine.
DERIVED = ("empty_prompt.safetensors", "zero_image.safetensors")
_SINGLE = ("model.safetensors", "pytorch_model.bin")


def folder_kind(folder: Path) -> Literal["diffusers", "transformers", "checkpoints"]:
    """Whose layout a folder has: that of a library, or of training code that saves checkpoints.

    Args:
        folder: Of a model.

    Raises:
        WeightsError: nobody's.
    """
    if (folder / "model_index.json").is_file() or (folder / "unet").is_dir():
        return "diffusers"
    if (folder / "config.json").is_file():
        return "diffusers" if "_class_name" in read_json(folder / "config.json") else "transformers"
    if holds_checkpoints(folder):
        return "checkpoints"
    raise WeightsError(
        f"The folder {folder} holds no model: neither config.json nor model_index.json is there.",
        "Give the folder that save_pretrained or a download of the repository made.",
    )


def holds_checkpoints(folder: Path) -> bool:
    """Whether a folder has weights files and nothing of a library that would say what they are.

    Args:
        folder: It need not exist.
    """
    libraries = ("model_index.json", "config.json", "unet")
    if not folder.is_dir() or any((folder / name).exists() for name in libraries):
        return False
    return any(path.suffix in CHECKPOINTS and path.name not in DERIVED for path in folder.iterdir())


def model_files(folder: Path) -> list[Path]:
    """All files of a folder that decide what its model says.

    Of a transformers model the weights that are loaded, and its configurations; of a folder of checkpoints
    those of the depth network; else all weights and configurations, but for hidden ones (a download's notes)
    and what was computed from the others.

    Args:
        folder: Of a model, of either layout.

    Raises:
        WeightsError: there are none, or an index of them is damaged.
    """
    if holds_checkpoints(folder):
        return depth_files(folder.iterdir(), folder)
    if (folder / "config.json").is_file() and folder_kind(folder) == "transformers":
        configs = (folder / "config.json", folder / PREPROCESSOR)
        return [*weight_files(folder), *(path for path in configs if path.is_file())]
    files = [
        path
        for path in folder.rglob("*")
        if path.suffix in SUFFIXES
        and path.name not in DERIVED
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    if not files:
        raise WeightsError(f"The folder {folder} holds no weights.", "Check the path given with --model.")
    return files


def depth_files(paths: Iterable[Path], source: Path, parts: Collection[str] = PARTS) -> list[Path]:
    """Which files of a training run are the depth network: ``encoder`` and ``depth``, or the only one.

    Pose networks and optimisers that lie beside it are no part of it.

    Args:
        paths: The files there are.
        source: The folder or archive they are from, for the message.
        parts: The names without their endings, where a network is saved in several files.

    Raises:
        WeightsError: it cannot be told which.
    """
    found: dict[str, Path] = {}
    for path in sorted(paths, key=lambda path: (path.suffix not in CHECKPOINTS[:1], path.name)):
        if path.suffix in CHECKPOINTS and not path.name.startswith("."):
            found.setdefault(path.name.split(".")[0], path)
    if all(part in found for part in parts):
        return [found[part] for part in parts]
    others = [path for name, path in found.items() if "pose" not in name and name != "adam"]
    if len(others) == 1 and parts == PARTS:
        return others
    names = ", ".join(path.name for path in others[:3]) or "none"
    raise WeightsError(
        f"{source} does not hold the weights {' and '.join(parts)}; what is there: {names}.",
        "Give the folder of one training run, or one file of it.",
    )


def weight_files(folder: Path) -> list[Path]:
    """The weights files of a transformers folder: one, or the parts an index names; safetensors first.

    Args:
        folder: Of a transformers model.

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


def _parts(index: Path) -> list[Path]:
    table = read_json(index).get("weight_map")
    names = set(table.values()) if isinstance(table, dict) and all(map(_is_name, table.values())) else set()
    if not names:
        raise WeightsError(f"{index} names no files of its folder.", AGAIN)
    paths = [index.with_name(name) for name in sorted(names)]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise WeightsError(f"{index.parent} lacks {', '.join(missing[:3])}, which its index names.", AGAIN)
    return paths


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value == Path(value).name and is_inside(value)
