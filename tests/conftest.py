"""The way to the shared material, for tests of every room."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

try:
    import torch
except ModuleNotFoundError:  # Blender's environment, which the core is not in; see blender/conftest.py
    torch = None  # type: ignore[assignment]


def pytest_collection_finish() -> None:
    """The collected tests stay to the end: collecting garbage need not walk through them each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real clips and weights beside the checkout."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("no ../shared folder with real clips beside the checkout")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither see the user's weights nor write into the user's cache; subprocesses inherit it."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        patch.setenv("VDEPTH_WEIGHTS", str(home / "weights"))
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """Only a power cut needs what is flushed, and no test makes one; a job of 24 frames waits 100 times.

    Other processes flush, and what cannot be flushed at all still fails.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)
        yield


@pytest.fixture(scope="session", autouse=True)
def _few_threads() -> Iterator[None]:
    """With pictures this small several threads mostly wait for each other, for seconds on a busy machine.

    Nor need jobs measure that for every model and size: they predict eight frames for it, often of clips of
    two.
    """
    with pytest.MonkeyPatch.context() as patch:
        if torch:
            torch.set_num_threads(1)
            patch.setattr("vdepth_core.models.device._cores", lambda: 1)
        yield


@pytest.fixture(autouse=True)
def _same_threads() -> Iterator[None]:
    """A job sets what it measured as best; the next test should not find it."""
    yield
    if torch:
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of the tiny checkpoint of a family; not to be changed."""
    from vdepth_core.models.tiny import make_tiny

    made: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in made:
            made[family] = tmp_path_factory.mktemp("tiny") / family
            make_tiny(family, made[family])
        return made[family]

    return folder


@pytest.fixture(scope="session")
def random_small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random checkpoint of tcmonodepth-small's published layout; not to be changed."""
    from generated import random_network

    path = tmp_path_factory.mktemp("random") / "mine.pt.tar"
    torch.save({"state_dict": {f"module.{k}": v for k, v in random_network(0).state_dict().items()}}, path)
    return path
