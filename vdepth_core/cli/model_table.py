"""The table of models and of weights: the same columns, in eighty characters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from ..types import Quantity, Space

_TITLES = ("Name", "Installed", "Size", "Predicts", "Licence", "Commercial")
_OTHER_COLUMNS = 60  # what the columns after the name take, with the space between
_NARROWEST = 16


class ModelRow(NamedTuple):
    """One line: what `print_table` shows; of weights that predict nothing, ``quantity`` is None."""

    name: str
    installed: str
    size: int | None
    quantity: Quantity | None
    space: Space | None
    license: str
    commercial: bool


def print_table(rows: Iterable[ModelRow], caption: str = "") -> None:
    """Prints the table to stdout, as wide as the terminal allows.

    Args:
        rows: One a model.
        caption: What stands below it.
    """
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), caption=caption, caption_justify="left")
    for title in _TITLES:
        table.add_column(title, overflow="fold", max_width=12 if title == "Licence" else None)
    for row in rows:
        table.add_row(
            _folded(row.name, max(console.width - _OTHER_COLUMNS, _NARROWEST)),
            row.installed,
            size_in_words(row.size) if row.size else "?",
            _meaning(row),
            row.license,
            "yes" if row.commercial else "no",
        )
    console.print(table)


def size_in_words(count: int) -> str:
    """Bytes as a person reads them: ``4.4 MB``.

    Args:
        count: Bytes.
    """
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _meaning(row: ModelRow) -> str:
    if row.space is None:
        return "nothing: merges"
    return f"{row.space.replace('_invariant', '')} {row.quantity}"  # short, to fit eighty columns


def _folded(name: str, width: int) -> str:
    """``name`` on lines of at most ``width``, broken behind hyphens."""
    lines = [""]
    for part in re.findall(r"[^-]*-?", name):
        if len(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)
