"""How many full-size pictures may be in memory: bounded by bytes, so that 8K needs no more than HD."""

from __future__ import annotations

MB = 1 << 20


def at_most(count: int, each: int, budget: int) -> int:
    """How many of ``count`` things of ``each`` bytes fit into ``budget`` bytes; one always does."""
    return max(1, min(count, budget // max(each, 1)))
