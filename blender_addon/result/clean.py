# SPDX-License-Identifier: GPL-3.0-or-later
"""A shot's clean plate on disk, as ``vdepth fuse`` writes it. No bpy in here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from .manifest import Result, ResultError

FOLDER, FILE = "clean", "clean.json"


@dataclass(frozen=True)
class CleanPlate:
    """The background of each frame, fused from all frames of its shot.

    Attributes:
        folder: Where its files lie.
        depth, color: File patterns with ``####``.
        width, height: Of the plate.
        margin_x, margin_y: Pixels that its pictures reach past the plate on each side.
        still: A sentence for each shot whose camera does not move, which has no clean plate.
    """

    folder: Path
    depth: str
    color: str
    width: int
    height: int
    margin_x: int
    margin_y: int
    still: tuple[str, ...]

    def first(self, pattern: str, result: Result) -> Path | None:
        """The first file of a pattern that is there."""
        paths = (self.folder / pattern.replace("####", f"{number:04d}") for number in result.numbers)
        return next((path for path in paths if path.is_file()), None)


def clean_file(result: Result) -> Path:
    """The file that says what the clean plate is, which may not be there."""
    return result.manifest.parent / FOLDER / FILE


def is_of(result: Result) -> bool:
    """Whether there is a clean plate, made of this very result: the folder may hold another job by now."""
    try:
        made = json.loads(clean_file(result).read_text(encoding="utf-8"))["job"]
        return bool(made == json.loads(result.manifest.read_text(encoding="utf-8"))["job"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read_clean(result: Result) -> CleanPlate:
    """The clean plate of a result.

    Raises:
        ResultError: there is none, or it is not of this result.
    """
    path, stem = clean_file(result), result.sequences.get("depth", "").removesuffix("_depth.####.exr")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        still = tuple(
            f"Frames {shot['first']} to {shot['last']}: {shot['reason']}"
            for shot in data["shots"]
            if not shot["moves"]
        )
        found = CleanPlate(
            path.parent, f"{stem}_clean_depth.####.exr", f"{stem}_clean_color.####.png", int(data["width"]),
            int(data["height"]), int(data["margin_x"]), int(data["margin_y"]), still,
        )  # fmt: skip
    except FileNotFoundError:
        raise ResultError(f"{path} is gone: press Use Clean Plate again.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultError(f"{path.name} is no clean plate ({error}): delete its folder.") from error
    if (found.width, found.height) != (result.width, result.height):
        raise ResultError(f"{path.name} is of another plate's size: delete its folder.")
    return found
