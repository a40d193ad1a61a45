"""The recipes a model can be adapted by, by name; adding one is a file like `tc`, and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..choices import one_of
from ..errors import UsageError
from ..options import read_options, user_names, written_options
from ..types import Recipe
from .tc import Tc

RECIPES: dict[str, type[Recipe]] = {recipe.name: recipe for recipe in (Tc,)}


def create_recipe(name: str, options: Mapping[str, Any]) -> tuple[Recipe, dict[str, Any]]:
    """A recipe ready to build, and all its options by the user's names, defaults too.

    Args:
        name: One of `RECIPES`.
        options: By the user's names; those left out are at their defaults.

    Raises:
        UsageError: there is no such recipe, or it has no such options.
    """
    if name not in RECIPES:
        raise UsageError(f"There is no recipe {name}.", one_of(name, RECIPES))
    recipe = RECIPES[name]
    known = user_names(name, recipe.Options)
    for option in options:
        if option not in known:
            raise UsageError(f"The recipe {name} has no option {option}.", one_of(option, known))
    chosen = read_options(name, recipe.Options, options)
    return recipe(chosen), written_options(name, chosen)
