"""What a user asked of a fine-tuning: options, the model to start from, the data; what it would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ...choices import one_of
from ...errors import InputError, UsageError
from ...learning.diffusion.memory import Plan, plan
from ...learning.diffusion.recipe import CONFIG, DiffusionRecipe
from ...learning.diffusion.table import RECIPES
from ...options import sentence, user_names, written_options
from ...progress import Progress
from ...weights.location import find_weights
from .footage import PROCEDURAL, Footage, Split, joined, procedural, usable
from .layouts import footage_of
from .settings import Settings


def planned(recipe: str, init: str | Path, **options: Any) -> dict[str, Plan]:
    """What each stage of a training would take, computed: nothing is read but the UNet's configuration.

    Args:
        recipe, init, **options: As of `train_diffusion`.

    Raises:
        UsageError: an option is wrong.
        WeightsError: there is no such model, or its configuration is damaged.
    """
    settings, chosen, _ = read_settings(recipe, options)
    start = find_start(init)
    config = start / chosen.unet / CONFIG
    if not config.is_file():
        config = start / "unet" / CONFIG
    return {
        stage.name: plan(
            chosen,
            stage,
            config,
            settings.size,
            at_once=settings.at_once,
            rank=settings.lora,
            checkpointing=settings.checkpointing,
            moments=settings.moments,
            half=settings.precision == "bf16",
        )
        for stage in chosen.stages(settings.steps)
    }


def read_settings(
    recipe: str, options: Mapping[str, Any]
) -> tuple[Settings, DiffusionRecipe, dict[str, Any]]:
    """Settings, the recipe, and all its options as the user knows them.

    Args:
        recipe: Its name.
        options: By the user's names; those left out are at their defaults.

    Raises:
        UsageError: there is no such recipe or option, or one is wrong.
    """
    model = RECIPES.options_of(recipe)
    known = {*Settings.model_fields, *user_names(recipe, model)}
    for name in options:
        if name not in known:
            raise UsageError(f"The recipe {recipe} has no option {name}.", one_of(name, known))
    try:
        settings = Settings(**{k: v for k, v in options.items() if k in Settings.model_fields})
    except ValidationError as error:
        raise UsageError(sentence(error, Settings), "See vdepth train-diffusion --help.") from error
    own = RECIPES.read(recipe, {k: v for k, v in options.items() if k not in Settings.model_fields})
    chosen = RECIPES.create(recipe, own)
    height, width = settings.height or chosen.size[0], settings.width or chosen.size[1]
    settings = settings.model_copy(update={"height": height, "width": width})
    if height % chosen.multiple or width % chosen.multiple:
        raise UsageError(
            f"{width}x{height} is no size for {recipe}.",
            f"Both sides are multiples of {chosen.multiple}.",
        )
    return settings, chosen, written_options(recipe, own)


def find_start(init: str | Path) -> Path:
    """The folder of the model to start from.

    Args:
        init: A folder, or the name of installed weights.

    Raises:
        UsageError: it is neither.
        WeightsError: they are not installed.
    """
    folder = Path(init).expanduser()
    if folder.is_dir():
        return folder
    found = find_weights(str(init))
    if not found.is_dir():
        raise UsageError(f"{init} is no latent diffusion model.", "Give one, as a folder or by its name.")
    return found


def find_data(data: Sequence[str | Path], settings: Settings, cache: Path, progress: Progress) -> Split:
    """All clips there are to learn from, and those held out; clips of unknown depth are left out.

    Args:
        data: Folders, or the word ``procedural``.
        settings: Of the training.
        cache: Folder of rendered scenes.
        progress: Is warned of what is left out.

    Raises:
        UsageError: there is nothing.
        InputError: a folder is of no known layout, has no known depth, or nothing can be held out.
    """
    if not data:
        raise UsageError("There is nothing to learn from.", f"Give folders with depth, or {PROCEDURAL}.")

    def keep(clips: Sequence[Footage]) -> Sequence[Footage]:
        kept = [clip for clip in clips if usable(clip, settings.size)]
        names = ", ".join(sorted({clip.scene for clip in set(clips) - set(kept)}))
        if names and not kept:
            raise InputError(
                f"Nothing can be learnt from {names}: no depth is known there.",
                "Give depth in metres, 0 where unknown; scattered pixels teach nothing.",
            )
        if names:
            progress.warn(f"No depth is known in {names}: left out.")
        return kept

    return joined(
        [
            procedural(cache, settings.seed, settings.scenes, settings.frames, settings.size)
            if str(place) == PROCEDURAL
            else footage_of(Path(place).expanduser(), keep)
            for place in data
        ]
    )
