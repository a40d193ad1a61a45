"""One torch thread: two measured numbers of threads could differ, and then so could the last bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _no_probing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vdepth_core.adaptation.adapt.probe_threads", lambda model, size: 1)


@pytest.fixture(scope="session")
def net(tiny: Callable[[str], Path]) -> Path:
    """A small random network, for tests of what is the same for every network: a seventh of the time."""
    return tiny("sfmlearner")
