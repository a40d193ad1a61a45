"""Writes safetensors files that appear whole, and that whoever may read the folder may read."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files import atomic_path

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

_OS_ERROR = re.compile(r"\(os error (\d+)\)")  # what safetensors says of a full disk


def save_tensors(
    tensors: Mapping[str, Tensor | np.ndarray], path: Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Writes dense, contiguous tensors to ``path``.

    safetensors makes files that only their owner may read; here they get the mode the umask says.

    Args:
        tensors: By key. Of thousands arrays are written eight times as fast, to the same bytes, but nobody
            looks whether they share memory.
        path: The safetensors file.
        metadata: Text for its header; None: none.

    Raises:
        ResourceError: the disk is full or the folder cannot be written.
        SafetensorError, ValueError: the tensors cannot be stored.
    """
    from safetensors import SafetensorError, numpy, torch

    given: dict[str, Any] = dict(tensors)
    arrays = all(hasattr(value, "__array_interface__") for value in given.values())
    save_file = numpy.save_file if arrays else torch.save_file

    with atomic_path(path) as temporary:
        mode = temporary.stat().st_mode
        try:
            save_file(given, temporary, dict(metadata) if metadata is not None else None)
        except SafetensorError as error:
            if found := _OS_ERROR.search(str(error)):
                raise OSError(int(found[1]), os.strerror(int(found[1]))) from error
            raise
        temporary.chmod(mode)
