"""What a method keeps on the disk beside a shot's store until the shot is settled."""

from __future__ import annotations

import json
import shutil
import zlib
from pathlib import Path
from typing import Any

from ..files import require_space, write_bytes

BORDER, STEP = 2, 10  # pixels left out at the border, and from one sample to the next; as published
_FEWEST = 32  # samples along the shorter side, where the picture has them

Grid = tuple[slice, slice]


class SpillFolder:
    """The folder below a shot's store that holds the spilled files; nothing of it outlives the shot."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def need(self, size: int, what: str) -> None:
        """Makes the folder; refuses to start what cannot fit, goes on with what was started.

        Args:
            size: Bytes that its files will take.
            what: Needs them, as the beginning of a sentence.

        Raises:
            ResourceError: less than ``size`` bytes are free.
        """
        if self.path.is_dir():
            return
        require_space(
            self.path.parent,
            size,
            what,
            "Free some space, choose a shorter range with --frames, a smaller --size, or another disk.",
        )
        self.path.mkdir()

    def load(self, name: str) -> Any:
        """A JSON file of the folder, or None.

        Args:
            name: Of the file.
        """
        return load_json(self.path / name)

    def save(self, name: str, value: Any) -> None:
        """Writes a JSON file of the folder atomically.

        Args:
            name: Of the file.
            value: Anything JSON holds.
        """
        save_json(self.path / name, value)

    def drop(self) -> None:
        """Deletes everything; the files must be closed."""
        shutil.rmtree(self.path, ignore_errors=True)


def sample_grid(height: int, width: int, *, strict: bool = False) -> Grid:
    """Which pixels of a map the co-alignment sees: every tenth both ways, without the border.

    Small maps are sampled more densely, and the smallest up to their border.

    Args:
        height, width: Of the maps, in pixels.
        strict: Whether to keep to the published step and border.
    """
    shorter = min(height, width)
    border = BORDER if shorter > 4 * BORDER or strict else 0
    step = STEP if strict else max(1, min(STEP, (shorter - 2 * border) // _FEWEST))
    return slice(border, height - border, step), slice(border, width - border, step)


def load_json(path: Path) -> Any:
    """The value `save_json` wrote; None where it is missing or damaged.

    Args:
        path: The file, which need not be there.
    """
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        return saved["value"] if saved["crc"] == _checksum(saved["value"]) else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def save_json(path: Path, value: Any) -> None:
    """Writes a value atomically, with a checksum. Floats come back bit for bit.

    Args:
        path: The file, replaced if it is there.
        value: Anything JSON holds.
    """
    write_bytes(path, json.dumps({"crc": _checksum(value), "value": value}).encode())


def _checksum(value: Any) -> int:
    return zlib.crc32(json.dumps(value).encode())
