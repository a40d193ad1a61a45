"""Models that are folders: which kind it is, and which of its files are the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from ..errors import WeightsError
from .catalogue import is_inside
from .configs import read_json
from .reading import AGAIN

PREPROCESSOR = "preprocessor_config.json"
SUFFIXES = (".safetensors", ".bin", ".json")
DERIVED = ("empty_prompt.safetensors",)  # computed from the other files, on this machine
_SINGLE = ("model.safetensors", "pytorch_model.bin")


def folder_kind(folder: Path) -> Literal["diffusers", "transformers"]:
    """Whose libraries' layout a folder has.

    Args:
        folder: Of a model.

    Raises:
        WeightsError: nobody's.
    """
    if (folder / "model_index.json").is_file() or (folder / "unet").is_dir():
        return "diffusers"
    if (folder / "config.json").is_file():
        return "transformers"
    raise WeightsError(
        f"The folder {folder} holds no model: neither config.json nor model_index.json is there.",
        "Give the folder that save_pretrained or a download of the repository made.",
    )


def model_files(folder: Path) -> list[Path]:
    """All files of a folder that decide what its model says.

    Of a transformers model the weights that are loaded, and its configurations; else all weights and
    configurations, but for hidden ones (a download's notes) and what was computed from the others.

    Args:
        folder: Of a model, of either layout.

    Raises:
        WeightsError: there are none, or an index of them is damaged.
    """
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
