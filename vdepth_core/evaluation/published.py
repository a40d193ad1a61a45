"""Published figures to stand beside a result, each with its source and the protocol it was measured under.

``published.toml`` is the one place that holds them; it is read strictly. A figure says nothing beside another
protocol's, so `rows_under` gives those of one protocol only.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field

from ..choices import Protocol, one_of
from ..errors import UsageError

TABLE = Path(__file__).with_name("published.toml")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PublishedRow(_Strict):
    """What one system scored on one set of data.

    Attributes:
        system: The system, and its variant.
        protocol: How the prediction was aligned, by our name.
        data: What it was measured on.
        conditions: The rest of the protocol: crop, range, what is not noted.
        source: Who published it.
        training: What it learnt from, where that is noted.
        size: Of the network's input, width x height, where that is noted.
        figures: Name -> figure, in the units of `vdepth_core.evaluation.accuracy`; only what was published.
    """

    system: str
    protocol: Protocol
    data: str
    conditions: str
    source: str
    training: str
    size: str
    figures: dict[str, float]


class _System(_Strict):
    system: str
    training: str = ""
    size: str = ""
    values: tuple[float, ...] = Field(min_length=1)
    tae: float | None = None


class _Table(_Strict):
    protocol: Protocol
    data: str
    conditions: str
    source: str
    rows: tuple[_System, ...]


class _File(_Strict):
    figures: tuple[str, ...]
    lacking: tuple[str, ...]
    tables: tuple[_Table, ...]


def published_rows() -> tuple[PublishedRow, ...]:
    """Every row there is, in the file's order."""
    file = _read()
    return tuple(
        PublishedRow(
            **table.model_dump(exclude={"rows"}), **row.model_dump(exclude={"values", "tae"}),
            figures=_figures(file.figures, row),
        )
        for table in file.tables for row in table.rows
    )  # fmt: skip


def rows_under(protocol: str) -> tuple[PublishedRow, ...]:
    """The rows that may stand beside a result.

    Args:
        protocol: What the result was measured under.

    Raises:
        UsageError: there is no such protocol.
    """
    if protocol not in get_args(Protocol):
        raise UsageError(
            f"There is no evaluation protocol {protocol!r}.", one_of(protocol, get_args(Protocol))
        )
    return tuple(row for row in published_rows() if row.protocol == protocol)


def lacking() -> tuple[str, ...]:
    """Systems one would look for, of which no figure is at hand."""
    return _read().lacking


def published_lines(rows: tuple[PublishedRow, ...]) -> list[str]:
    """Rows as text, a block for each set of data, every source below its block.

    Args:
        rows: What to show, rows of one set of data in succession.
    """
    lines: list[str] = []
    for (protocol, data), block in groupby(rows, lambda row: (row.protocol, row.data)):
        lines += [*([""] if lines else []), *_block(f"Published under {protocol}: {data}", list(block))]
    return lines


def to_dict(rows: tuple[PublishedRow, ...]) -> dict[str, Any]:
    """Plain values, for JSON.

    Args:
        rows: What to tell.
    """
    return {"published": [row.model_dump() for row in rows], "lacking": list(lacking())}


@lru_cache(maxsize=1)
def _read() -> _File:
    return _File.model_validate(tomllib.loads(TABLE.read_text(encoding="utf-8")))


def _figures(names: tuple[str, ...], row: _System) -> dict[str, float]:
    named = zip(names[: len(row.values)], row.values, strict=True)
    found = {name: value for name, value in named if not math.isnan(value)}
    return found if row.tae is None else {**found, "tae": row.tae}


_HEADS = {"abs_rel": "AbsRel", "sq_rel": "SqRel", "rmse": "RMSE", "rmse_log": "RMSElog", "delta1": "δ1",
          "delta2": "δ2", "delta3": "δ3", "tae": "TAE %"}  # fmt: skip


def _block(title: str, rows: list[PublishedRow]) -> Iterator[str]:
    shown = [name for name in _HEADS if any(name in row.figures for row in rows)]
    notes = list(dict.fromkeys((row.source, row.conditions) for row in rows))
    named = [" ".join(filter(None, (row.system, row.training, row.size))) for row in rows]
    width = max(map(len, named))
    yield title
    yield f"  {'':{width}}" + "".join(f"  {_HEADS[name]:>7}" for name in shown) + "  source"
    for name, row in zip(named, rows, strict=True):
        figures = "".join(
            f"  {row.figures[key]:7.3f}" if key in row.figures else f"  {'-':>7}" for key in shown
        )
        yield f"  {name:{width}}{figures}  [{notes.index((row.source, row.conditions)) + 1}]"
    yield from (f"  [{index}] {source}: {conditions}" for index, (source, conditions) in enumerate(notes, 1))
