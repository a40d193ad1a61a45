"""What a fine-tuning writes: a folder in the layout of the model it started from, and a card beside it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ...files import atomic_path, write_bytes
from ...learning.diffusion.adapters import merged
from ...learning.diffusion.recipe import CONFIG, DiffusionRecipe, Net
from ...models.licence import CLAIM, PERMISSIVE
from ...version import __version__
from ...weights.folders import DERIVED, SUFFIXES
from ...weights.saving import save_tensors
from ..card import licences_of
from .footage import PROCEDURAL

if TYPE_CHECKING:
    from ...learning.checkpoint import Counters

WEIGHTS = "diffusion_pytorch_model.safetensors"
_PARTS = ("vae", "scheduler", "text_encoder", "tokenizer", "image_encoder", "feature_extractor")
_INDEX = "model_index.json"
FINISHED = (_INDEX, "scheduler/scheduler_config.json")  # what a recipe may add behind the copying
_OURS = "Apache-2.0"  # of procedural scenes


def parts_of(start: Path, recipe: DiffusionRecipe, net: Net) -> dict[str, Path]:
    """What is not trained of a model, by the names it gets in the folder of the result.

    Args:
        start: Of the model that the training starts from.
        recipe: Says where the UNet lies.
        net: Loaded from ``start``.
    """
    files = [start / name for name in (_INDEX, *DERIVED)]
    for part in _PARTS:
        files += sorted(path for path in (start / part).glob("*") if path.suffix in (*SUFFIXES, ".txt"))
    found = {path.relative_to(start).as_posix(): path for path in files if path.is_file()}
    return found | {(Path(recipe.unet) / CONFIG).as_posix(): net.config}


def copy_parts(parts: Mapping[str, Path], out: Path, recipe: DiffusionRecipe) -> None:
    """Copies what is not trained into the folder of the result.

    Args:
        parts: As of `parts_of`.
        out: Of the result.
        recipe: Changes what it must.
    """
    for name, path in parts.items():
        _copy(path, out / name)
    recipe.finish(out)


def write_unet(net: Net, out: Path, recipe: DiffusionRecipe) -> None:
    """Writes the UNet as it is now, whole, atomically.

    Args:
        net: In training.
        out: Folder of the result.
        recipe: Says where it lies, and in which precision it is published.
    """
    dtype = torch.float16 if recipe.halves else torch.float32
    weights = {key: value.to(dtype).cpu().contiguous() for key, value in merged(net.parts.unet).items()}
    save_tensors(weights, out / recipe.unet / WEIGHTS, {"format": "pt"})


def write_card(
    out: Path, recipe: str, start: tuple[str | Path, str], data: Sequence[Path],
    stages: Mapping[str, Counters], facts: Mapping[str, Any], trained: int,
) -> None:  # fmt: skip
    """Writes ``README.md``: licences first, for whoever loads the folder, then how it was made.

    Args:
        out: Folder of the result.
        recipe: Its name.
        start: What the training started from, and its licence.
        data: Folders that were learnt from; none where scenes were procedural.
        stages: How far each part of the course is.
        facts: All options.
        trained: How many values are trained.
    """
    base = start[1].removesuffix(CLAIM)
    licences = {path.name: licences_of(path) for path in data}
    others = sorted({name for name in licences.values() if name not in PERMISSIVE.values()})
    front = {"license": next((key for key, name in PERMISSIVE.items() if name == base), "other")}
    if others:
        front = {"license": "other", "license_name": f"{base}; data: {', '.join(others)}"}
    elif front["license"] == "other":
        front["license_name"] = base
    rows = [f"| {name} | {licence} |" for name, licence in licences.items()]
    lines = [
        "---",
        *(f"{key}: {json.dumps(value)}" for key, value in front.items()),
        "---",
        f"# {out.resolve().name}",
        "",
        "| | |",
        "|---|---|",
        f"| Recipe | {recipe} |",
        f"| Started from | {Path(start[0]).name} ({base}) |",
        f"| Parameters trained | {trained:,} |",
        *(
            f"| Stage {name} | {counters.step} steps, {counters.elapsed / 3600:.2f} hours |"
            for name, counters in stages.items()
        ),
        f"| Made with | vdepth {__version__}, torch {torch.__version__} |",
        *(f"| `--{key.replace('_', '-')}` | {value} |" for key, value in facts.items() if value is not None),
        "",
        "## Data",
        "",
        "| what | licence |",
        "|---|---|",
        *(rows or [f"| {PROCEDURAL} scenes | {_OURS} |"]),
        "",
        "## Held-out error",
        "",
        "Mean relative error of depth under `clip-lstsq`, on scenes that were never trained on.",
        "",
        "| stage | step | AbsRel |",
        "|---|---|---|",
        *(
            f"| {name} | {step} | {errors['abs_rel']:.4f} |"
            for name, counters in stages.items()
            for step, errors in _ends(counters)
        ),
    ]
    write_bytes(out / "README.md", ("\n".join(lines) + "\n").encode())


def _ends(counters: Counters) -> list[tuple[int, dict[str, float]]]:
    """The first and the last entry of what was held out."""
    return counters.history[:1] + counters.history[1:][-1:]


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(to) as temporary:
        shutil.copyfile(path, temporary)
