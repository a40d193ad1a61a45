"""Embeddings that never change, kept in a file in every precision: their encoder is not loaded again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import WeightsError
from .loading import load_state_dict
from .saving import save_tensors

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_KEY = "embedding"  # and the precision it was computed in


def kept_embedding(path: Path, dtype: torch.dtype, encoder: Path, again: str) -> Tensor | None:
    """What `keep_embedding` wrote, for a model in ``dtype``; None: it has to be computed.

    Args:
        path: The file; it need not exist.
        dtype: Of the model. Where the encoder is gone, the best that was kept is rounded.
        encoder: Folder it could be computed with again.
        again: What a damaged file is computed again from, for the message.

    Raises:
        WeightsError: the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        kept = {key: value for key, value in load_state_dict(path).items() if key.startswith(_KEY)}
    except WeightsError as error:
        raise WeightsError(error.message, f"Delete it: it is computed again from {again}.") from error
    if (found := kept.get(_key(dtype))) is not None:
        return found.clone()  # to where tensors usually lie: the last bits depend on their place in memory
    if kept and not encoder.is_dir():
        return kept[max(kept, key=lambda key: kept[key].element_size())].to(dtype)
    return None


def keep_embedding(path: Path, compute: Callable[..., list[Tensor]]) -> None:
    """Writes an embedding in the precisions models run in.

    Args:
        path: The safetensors file.
        compute: Gives one a dtype it is called with.

    Raises:
        WeightsError: it cannot be computed.
        ResourceError: the file cannot be written.
    """
    import torch

    dtypes = (torch.float32, torch.float16, torch.bfloat16)
    save_tensors(dict(zip(map(_key, dtypes), compute(*dtypes), strict=True)), path)


def _key(dtype: torch.dtype) -> str:
    return f"{_KEY}.{str(dtype).removeprefix('torch.')}"
