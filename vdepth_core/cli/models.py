"""``vdepth models``: which models there are, what they predict and under which licence."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .model_table import ModelRow, print_table

if TYPE_CHECKING:
    from ..models.registry import ModelEntry


def models(json_: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False) -> None:
    """List the models: installed or not, size, what they predict, licence; then methods and formats."""
    from ..models.registry import list_models

    entries = list_models()
    if json_:
        typer.echo(json.dumps([_facts(entry) for entry in entries], indent=1))
        return
    print_table(
        [_row(entry) for entry in entries if entry.spec],
        "Affine: up to scale and shift. Install one with vdepth weights install NAME.",
    )
    typer.echo(_runtime_line([entry.name for entry in entries]))
    for entry in entries:
        if not entry.spec:
            typer.echo(f"{entry.name}: a plug-in that does not say what it is.")
    _print_seams()


def _print_seams() -> None:
    """What else is registered, and which plug-ins do not work."""
    from ..adaptation.recipes import RECIPES
    from ..jobs.config import EstimateConfig  # noqa: F401  (refuses options whose names are taken)
    from ..methods.registry import METHODS
    from ..output.exports.registry import EXPORTERS
    from ..refiners.registry import REFINERS

    for title, seam in (
        ("Methods", METHODS),
        ("Refiners", REFINERS),
        ("Export formats", EXPORTERS),
        ("Recipes", RECIPES),
    ):
        broken = seam.broken()
        names = [name for name in seam.names() if name not in broken]
        typer.echo(f"{title}: {', '.join(names) or 'none'}.")
        for reason in broken.values():
            typer.echo(reason, err=True)


def _runtime_line(names: list[str]) -> str:
    """What runs them on a CPU."""
    from ..choices import listed
    from ..models.registry import runs_on_onnx
    from ..models.runtime import WORTH_FRAMES, onnx_runtime

    able, found = listed([name for name in names if runs_on_onnx(name)]), onnx_runtime()
    if found is None:
        return f"On a CPU torch runs all; {able} faster on ONNX Runtime (pip install 'vdepth[fast]')."
    return f"On a CPU {found} runs {able}, from {WORTH_FRAMES} frames on; torch the others."


def _row(entry: ModelEntry) -> ModelRow:
    spec = entry.spec
    assert spec is not None
    installed = "yes" if entry.installed else "no"
    return ModelRow(
        entry.name, installed, entry.size, spec.quantity, spec.space, spec.license, spec.commercial
    )


def _facts(entry: ModelEntry) -> dict[str, Any]:
    from ..models.registry import runs_on_onnx
    from ..models.runtime import onnx_runtime

    return {
        "name": entry.name,
        "runtime": (onnx_runtime() if runs_on_onnx(entry.name) else None) or "torch",
        "installed": entry.installed,
        "path": str(entry.path) if entry.path else None,
        "size": entry.size,
        "spec": asdict(entry.spec) if entry.spec else None,
        "hint": entry.hint,
    }
