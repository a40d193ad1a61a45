"""Local servers for downloads; the machine's proxies and Hugging Face settings stay outside."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from weights.file_server import FakeHub, FileServer

from vdepth_core.weights.fetch import http as network


@pytest.fixture
def server(quiet_network: None) -> Iterator[FileServer]:
    """A host of plain files."""
    with FileServer() as server:
        yield server


@pytest.fixture
def hub(server: FileServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A model hub that ``HF_ENDPOINT`` names; its large files lie on ``server``."""
    with FakeHub(server) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.fixture
def quiet_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No settings from outside, no long waits."""
    from huggingface_hub import close_session, constants

    for name in list(os.environ):
        if name.upper().endswith("_PROXY") or name.upper().startswith(("HF_", "HUGGING", "TRANSFORMERS_OFF")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(network, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(network, "READ_TIMEOUT_S", 5.0)
    close_session()
    yield
    close_session()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The slices of time the code would have slept."""
    slices: list[float] = []
    monkeypatch.setattr(network, "sleep", slices.append)
    return slices


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where a download goes."""
    return tmp_path / "weights" / "w.bin"
