"""Tiny checkpoints of the published layouts, for tests of the models."""

from collections.abc import Callable
from pathlib import Path

import pytest

from vdepth_core.models.tiny import make_tiny


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of the tiny checkpoint of a family; not to be changed."""
    made: dict[str, Path] = {}

    def folder(family: str) -> Path:
        if family not in made:
            made[family] = tmp_path_factory.mktemp("tiny") / family
            make_tiny(family, made[family])
        return made[family]

    return folder
