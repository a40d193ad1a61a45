# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes ``blender_addon/options.json``: what ``vdepth estimate`` says of the options that the add-on shows.

python tools/addon_options.py

The add-on runs in Blender's Python, where there is no core to import; with the file, help, defaults, choices
and limits are still written once, in the core. ``tests/addon/test_options.py`` says when it is out of date.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any, get_args

from vdepth_core.choices import Preset
from vdepth_core.cli.estimate import estimate
from vdepth_core.jobs.config import FAR, NEAR, EstimateConfig
from vdepth_core.methods.registry import METHODS
from vdepth_core.output.exports.registry import EXPORTERS

FILE = Path(__file__).parents[1] / "blender_addon" / "options.json"
SHOWN = (
    *("preset", "method", "model", "boost", "size", "near", "far", "fov"),
    *("normals", "sky", "non_commercial", "overwrite"),
)
RESOLVED = {"near": NEAR, "far": FAR}  # what None stands for, whatever the machine
LIMITS = {
    "minimum": "minimum",
    "maximum": "maximum",
    "exclusiveMinimum": "above",
    "exclusiveMaximum": "below",
}


def described(name: str) -> dict[str, Any]:
    """What the core says of an option: help, and default, choices and limits where it has them."""
    facts: dict[str, Any] = {"help": _help(name)}
    if (choices := _choices(name)) is not None:
        facts["choices"] = choices
    field = EstimateConfig.model_fields.get(name)
    if field is None:  # of the command, not of the job
        return facts
    default = RESOLVED.get(name, field.default)
    if default is not None:
        facts["default"] = default
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "cost" in extra:
        facts["cost"] = extra["cost"]
    schema = EstimateConfig.model_json_schema()["properties"][name]
    for kind in schema.get("anyOf", [schema]):
        facts |= {ours: kind[theirs] for theirs, ours in LIMITS.items() if theirs in kind}
    return facts


def text() -> str:
    """The file's text."""
    formats = {"to": {"help": "Format of the exported files.", "choices": sorted(EXPORTERS.ours)}}
    return json.dumps({name: described(name) for name in SHOWN} | formats, indent=2) + "\n"


def _help(name: str) -> str:
    if name in EstimateConfig.model_fields:
        return str(EstimateConfig.model_fields[name].description)
    annotation = inspect.signature(estimate, eval_str=True).parameters[name].annotation
    (option,) = annotation.__metadata__
    return str(option.help)


def _choices(name: str) -> list[str] | None:
    if name == "preset":
        return list(get_args(Preset))
    if name == "method":  # ours; a plug-in's are not everybody's
        return sorted(METHODS.ours)
    return None


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
