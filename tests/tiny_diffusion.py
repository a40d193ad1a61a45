"""For tests of the diffusion models: tiny checkpoints to change and to break."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
