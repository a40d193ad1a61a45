"""Which shards a training may use from which step on: a table beside the weights.

Shards are often rendered while a training runs. A run that goes on takes what has come since, from the step
it goes on at; the table says so, and with it the same training can be made again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from ..errors import InputError
from ..files import write_bytes
from .sources import Shards, Source

COLUMNS = ("from step", "kind", "shard")


def enlist(sources: Sequence[Source], out: Path, step: int, given: Path | None = None) -> None:
    """Tells the sources what they may use, and writes the table: ``out`` with the suffix ``.shards.csv``.

    Args:
        sources: Those made of shards are told.
        out: The weights file.
        step: The run begins at; 0: anew, with all shards there are.
        given: A table to keep to, as an earlier run wrote it; what it does not list is not used.

    Raises:
        InputError: a table cannot be read, or a shard it lists is gone.
    """
    path = out.with_suffix(".shards.csv")
    known = _read(given) if given else _read(path) if step and path.is_file() else {}
    began = given is not None or not step or path.is_file()  # runs of former versions had no table
    rows: list[tuple[int, str, str]] = []
    for source in sources:
        if isinstance(source, Shards):
            since = source.enlist(known.get(source.kind, {}), step if began else 0, closed=given is not None)
            rows += [(start, source.kind, name) for name, start in since.items()]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows(sorted(rows))
    write_bytes(path, text.getvalue().encode())


def _read(path: Path) -> dict[str, dict[str, int]]:
    """The steps by kind and shard."""
    known: dict[str, dict[str, int]] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                known.setdefault(row["kind"], {})[row["shard"]] = int(row["from step"])
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"{path} is no table of shards: {error}.", "Give one that a training wrote."
        ) from error
    return known
