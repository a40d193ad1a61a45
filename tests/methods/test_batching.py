"""Batches are cut as memory allows, halved when it runs out, and put together again."""

from __future__ import annotations

import pytest
import torch
from rolling_fakes import FakeSnippets

from vdepth_core.errors import ResourceError
from vdepth_core.methods.batching import Batcher, Load


def test_all_items_go_through_in_order_in_parts_of_the_batch() -> None:
    seen: list[int] = []

    def function(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        seen.append(len(one))
        return one + other

    batcher = Batcher(FakeSnippets(), Load(3))  # type: ignore[arg-type]
    items = torch.arange(8, dtype=torch.float16)
    out = batcher(function, items, 10 * items)
    assert out.tolist() == [11 * index for index in range(8)]
    assert out.dtype == torch.float32
    assert seen == [3, 3, 2]
    assert batcher.size == 3
    assert batcher(lambda x: x, torch.ones(1, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize(("fits", "parts"), [(4, [4, 4, 2]), (2, [2] * 5), (1, [1] * 10)])
def test_out_of_memory_halves_from_then_on(fits: int, parts: list[int]) -> None:
    seen: list[int] = []

    def function(items: torch.Tensor) -> torch.Tensor:
        if len(items) > fits:
            raise torch.cuda.OutOfMemoryError("no")
        seen.append(len(items))
        return items

    model = FakeSnippets()
    batcher = Batcher(model, Load(8))  # type: ignore[arg-type]
    assert batcher(function, torch.arange(10)).tolist() == list(range(10))
    assert seen == parts
    assert batcher.size == 8
    assert not model.low_memory


def test_low_memory_is_the_last_resort() -> None:
    model = FakeSnippets()
    batcher = Batcher(model, Load(2))  # type: ignore[arg-type]

    def function(items: torch.Tensor) -> torch.Tensor:
        if not model.low_memory or len(items) > 1:
            raise torch.cuda.OutOfMemoryError("no")
        return items

    assert batcher(function, torch.arange(3)).tolist() == [0, 1, 2]
    assert model.low_memory

    def hopeless(items: torch.Tensor) -> torch.Tensor:
        raise torch.cuda.OutOfMemoryError("no")

    with pytest.raises(ResourceError, match="fake-snippets does not fit"):
        batcher(hopeless, torch.arange(3))
    Batcher(model, Load(2))  # type: ignore[arg-type]
    assert not model.low_memory
