"""Small pictures for tests that train the embedded model's networks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

SHAPES = ((64, 96), (96, 64))


@pytest.fixture(scope="module")
def small_pictures() -> Iterator[None]:
    """In all phases of a training, and to validate on; its number of threads is not left behind."""
    before = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SHAPES", "COARSE", "BROAD"):
            patch.setattr(f"vdepth_core.training.train.{name}", SHAPES)
        patch.setattr("vdepth_core.training.sources.VALIDATION", SHAPES[0])
        yield
    torch.set_num_threads(before)
