# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a result's files: a quick look at the folder, or into every file. No bpy in here."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from .exr import is_whole
from .manifest import Result

_checked: dict[Path, tuple[tuple[float, ...], list[str]]] = {}


def problems(result: Result) -> list[str]:
    """Sentences about missing or damaged files, from the last `check` or from a look at the folder."""
    folder = result.manifest.parent
    known = _checked.get(result.manifest)
    if known and known[0] == _stamp(folder, result.manifest):
        return known[1]
    return _remember(result, _missing(result))


def check(result: Result, tell: Callable[[int, int], object] = lambda done, total: None) -> list[str]:
    """As `problems`, but looks into every file.

    Args:
        result: The clip's depth.
        tell: Called with the files looked at and their number.
    """
    found, looked = _missing(result), 0
    for kind in result.sequences:
        damaged = []
        for number in result.numbers:
            path = result.path(kind, number)
            if path.is_file() and not is_whole(path):
                damaged.append(path)
            looked += 1
            tell(looked, result.count * len(result.sequences))
        if damaged:
            found.append(
                f"{len(damaged)} of {result.count} {kind} files are damaged, first {damaged[0].name}."
            )
    return _remember(result, found)


def _missing(result: Result) -> list[str]:
    try:
        there = {entry.name for entry in os.scandir(result.manifest.parent)}
    except OSError:
        return [f"{result.manifest.parent} is gone."]
    found = []
    for kind in result.sequences:
        lost = [path.name for n in result.numbers if (path := result.path(kind, n)).name not in there]
        if lost:
            found.append(f"{len(lost)} of {result.count} {kind} files are missing, first {lost[0]}.")
    return found


def _remember(result: Result, found: list[str]) -> list[str]:
    _checked[result.manifest] = (_stamp(result.manifest.parent, result.manifest), found)
    return found


def _stamp(*paths: Path) -> tuple[float, ...]:
    """Changes when files come or go; a panel may ask at every redraw."""
    try:
        return tuple(path.stat().st_mtime for path in paths)
    except OSError:
        return ()
