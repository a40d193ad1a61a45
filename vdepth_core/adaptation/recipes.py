"""The recipes a model can be adapted by, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..choices import TemporalForm
from ..errors import UsageError
from ..learning.loop import Objective
from .footage import Footage
from .supervision import Supervision
from .tc import TcConfig, TemporalConsistency

Build = Callable[[Footage, Supervision, TemporalForm, str], Objective]


@dataclass(frozen=True)
class Recipe:
    """One way to adapt.

    Attributes:
        name: What ``--recipe`` takes.
        summary: What it does, in a few words.
        build: From footage, supervision, form of the temporal loss and device to what is minimised.
        forms: Forms of the temporal loss it knows, the default first.
    """

    name: str
    summary: str
    build: Build
    forms: tuple[TemporalForm, ...]


def _tc(footage: Footage, supervision: Supervision, form: TemporalForm, device: str) -> Objective:
    return TemporalConsistency(footage, supervision, TcConfig(form=form), device)


RECIPES = {
    recipe.name: recipe
    for recipe in (Recipe("tc", "temporal consistency (Li et al. 2021)", _tc, ("residual", "plain")),)
}


def find_recipe(name: str) -> Recipe:
    """The recipe ``name``.

    Raises:
        UsageError: there is none.
    """
    if name not in RECIPES:
        raise UsageError(f"There is no recipe {name}.", f"Choose one of {', '.join(RECIPES)}.")
    return RECIPES[name]
