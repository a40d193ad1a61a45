"""One torch thread: two measured numbers of threads could differ, and then so could the last bits."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_probing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vdepth_core.adaptation.adapt.probe_threads", lambda model, size: 1)
