"""The spec of a published model: what it predicts, and under which licence, only the catalogue says."""

from __future__ import annotations

from typing import Any

from ..types import ModelSpec
from ..weights.catalogue import find_entry


def published_spec(name: str, **facts: Any) -> ModelSpec:
    """The spec of the catalogue entry ``name``; ``facts`` are the `ModelSpec` fields it does not hold.

    Raises:
        UsageError: there is no such entry.
    """
    entry = find_entry(name)
    return ModelSpec(entry.name, entry.quantity, entry.space, entry.license, entry.commercial, **facts)
