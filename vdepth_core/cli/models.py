"""``vdepth models``: which models there are, what they predict and under which licence."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ..models.registry import ModelEntry


def models(json_: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False) -> None:
    """List the models: installed or not, size, what they predict, licence."""
    from ..models.registry import list_models

    entries = list_models()
    if json_:
        typer.echo(json.dumps([_facts(entry) for entry in entries], indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(
        box=None,
        pad_edge=False,
        caption="Size: parameters. Affine: up to scale and shift.",
        caption_justify="left",
    )
    for title in ("Name", "Installed", "Size", "Predicts", "Licence", "Commercial"):
        table.add_column(title, overflow="fold")
    for entry in entries:
        table.add_row(entry.name, "yes" if entry.installed else "no", *_cells(entry))
    console = Console(highlight=False)
    console.print(table)
    for entry in entries:
        if not entry.installed:
            console.print(f"\n{entry.name}: {entry.hint}", soft_wrap=True, markup=False)


def _cells(entry: ModelEntry) -> tuple[str, str, str, str]:
    spec = entry.spec
    if spec is None:
        return "?", "?", "?", "?"
    size = f"{spec.parameters / 1e6:.1f} M"
    predicts = f"{spec.space.replace('_invariant', '')} {spec.quantity}"  # short, to fit eighty columns
    return size, predicts, spec.license, "yes" if spec.commercial else "no"


def _facts(entry: ModelEntry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "installed": entry.installed,
        "path": str(entry.path) if entry.path else None,
        "spec": asdict(entry.spec) if entry.spec else None,
        "hint": entry.hint,
    }
