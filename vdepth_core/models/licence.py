"""What a user's own weights say about their licence: a claim, since anybody can write anything there."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

_log = logging.getLogger(__name__)

CLAIM = " (the file's own claim)"
UNKNOWN = ("unknown", False)
_LONGEST = 120  # characters of a claim
_MOST_BYTES = 1 << 20  # of a README whose front matter is read

PERMISSIVE = {  # licences that allow any use, as the hub spells them, and their SPDX names
    "apache-2.0": "Apache-2.0",
    "mit": "MIT",
    "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "cc0-1.0": "CC0-1.0",
    "cc-by-4.0": "CC-BY-4.0",
}


def claimed(text: str) -> str:
    """A licence's name as a file gives it: one short line of printable characters, marked as a claim.

    A mark that is there already, in weights that were adapted from such, is not doubled.

    Args:
        text: As the file has it, perhaps with line breaks or nothing at all.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in text.replace(CLAIM, "")).split())
    if not line or line == UNKNOWN[0]:
        return UNKNOWN[0]
    return (line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…") + CLAIM


def claim_of_file(facts: Mapping[str, str]) -> tuple[str, bool]:
    """Name of the licence that a weights file's metadata claim, and whether they allow commercial use.

    Args:
        facts: The file's metadata.
    """
    return claimed(facts.get("license", "")), facts.get("commercial") == "true"


def claim_of_folder(folder: Path) -> tuple[str, bool]:
    """The same of a folder, from the front matter of its README; only a permissive licence is commercial.

    Args:
        folder: Of a model.
    """
    path = folder / "README.md"
    try:
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            return UNKNOWN
        from huggingface_hub import metadata_load

        card = metadata_load(path) or {}
    except Exception as error:  # whatever the front matter holds, the model is no worse for it
        _log.warning("The front matter of %s cannot be read: %s", path, " ".join(str(error).split())[:200])
        return UNKNOWN
    name = card.get("license")
    if name == "other":
        name = card.get("license_name") or name
    if not isinstance(name, str):
        return UNKNOWN
    known = PERMISSIVE.get(name.lower())
    return (claimed(known), True) if known else (claimed(name), False)
