# SPDX-License-Identifier: GPL-3.0-or-later
"""What the core says of its options: words, defaults, choices and limits. No bpy in here.

``options.json`` is generated from the core (``tools/addon_options.py`` in the repository), so that nothing of
it is written twice; the panel adds only what is its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_INWARDS = 1e-3  # Blender's limits may be reached, some of the core's not


@dataclass(frozen=True)
class Option:
    """An option of ``vdepth estimate``.

    Attributes:
        help: One sentence, as the command line shows it.
        default: What it is unless given; None where the preset, clip or machine decides.
        choices: Words it takes; empty if it takes others.
        minimum, maximum: Limits of a number, which may be reached.
        above, below: Limits which may not.
        cost: How much longer an estimate takes with it; empty where it hardly matters.
    """

    help: str
    default: Any = None
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    cost: str = ""

    @property
    def tooltip(self) -> str:
        """The help as Blender writes its own: no full stop, no default, which it shows; and the cost."""
        text = re.sub(r"\s*\((default|alone)[^)]*\)", "", self.help).removesuffix(".")
        return f"{text}; takes {self.cost}" if self.cost else text

    @property
    def least(self) -> float:
        """The smallest number to offer."""
        return self.minimum if self.minimum is not None else _inwards(self.above, 1)

    @property
    def most(self) -> float:
        """The largest number to offer."""
        return self.maximum if self.maximum is not None else _inwards(self.below, -1)

    def items(self, words: Mapping[str, tuple[str, str]]) -> tuple[tuple[str, str, str], ...]:
        """Entries of a menu: every choice, with label and tooltip where there are some for it."""
        return tuple((choice, *words.get(choice, (choice.title(), ""))) for choice in self.choices)


def _inwards(end: float | None, sign: int) -> float:
    if end is None:
        raise ValueError("the option has no such limit")
    return end * (1 + sign * _INWARDS)


def _read() -> dict[str, Option]:
    entries = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return {
        name: Option(**facts | {"choices": tuple(facts.get("choices", ()))})
        for name, facts in entries.items()
    }


OPTIONS = _read()
"""By the names that the command line has, with underscores."""
