"""For tests of the diffusion models: tiny checkpoints to change and to break, and the time they take."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

WEIGHTS = "diffusion_pytorch_model.safetensors"


def change_json(path: Path, **facts: Any) -> None:
    """Sets entries of a configuration."""
    path.write_text(json.dumps(json.loads(path.read_text()) | facts))


def change_weights(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Lets ``change`` edit the tensors of a safetensors file."""
    state = load_file(path)
    change(state)
    save_file(state, path)


@contextmanager
def one_thread() -> Iterator[None]:
    """One CPU thread: with these sizes several mostly wait for each other, for seconds on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
