"""A network for what no network matters to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def net(tiny: Callable[[str], Path]) -> Path:
    """A small random network, for tests of what is the same for every network: a seventh of the time."""
    return tiny("sfmlearner")
