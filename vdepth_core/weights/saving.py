"""Writes safetensors files that appear whole, and that whoever may read the folder may read."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ..files import atomic_path

if TYPE_CHECKING:
    from torch import Tensor

_OS_ERROR = re.compile(r"\(os error (\d+)\)")  # what safetensors says of a full disk


def save_tensors(
    tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None
) -> None:
    """Writes dense, contiguous tensors to ``path``.

    safetensors makes files that only their owner may read; here they get the mode the umask says.

    Args:
        tensors: By key.
        path: The safetensors file.
        metadata: Text for its header; None: none.

    Raises:
        ResourceError: the disk is full or the folder cannot be written.
        SafetensorError, ValueError: the tensors cannot be stored.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with atomic_path(path) as temporary:
        mode = temporary.stat().st_mode
        try:
            save_file(dict(tensors), temporary, dict(metadata) if metadata is not None else None)
        except SafetensorError as error:
            if found := _OS_ERROR.search(str(error)):
                raise OSError(int(found[1]), os.strerror(int(found[1]))) from error
            raise
        temporary.chmod(mode)
