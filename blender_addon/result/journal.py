# SPDX-License-Identifier: GPL-3.0-or-later
"""The core's notes on the files it wrote, ``.vdepth/journal.jsonl``, one a line. No bpy in here."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

WORK = ".vdepth"
"""The folder in a job's folder that is the core's own."""
JOURNAL = "journal.jsonl"
MOST = 2_000_000
"""Lines or names; no job has more files."""
Entry = tuple[str, int]
"""SHA-256 and size of a file as it was written."""


def read_journal(folder: Path) -> list[tuple[str, Entry]]:
    """Names and contents that the core noted; nothing where there is no journal, or only a link to one."""
    work = folder / WORK
    if work.is_symlink() or (work / JOURNAL).is_symlink():
        return []
    found: list[tuple[str, Entry]] = []
    with suppress(OSError), (work / JOURNAL).open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file):
            if number > MOST:
                break
            with suppress(ValueError, KeyError, TypeError, AttributeError):  # a torn line says nothing
                facts = json.loads(line)
                found.append((str(facts["name"]), read_entry(facts)))
    return found


def read_entry(facts: Any) -> Entry:
    """What the core noted of a file, here or in the manifest."""
    return str(facts["sha256"]), int(facts["size"])
