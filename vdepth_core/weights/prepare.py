"""What some families need done once, at install, so that it need not be done at every start.

Latent diffusion models for depth are conditioned on the empty prompt, always: its text embedding is computed
once and kept beside the weights, and the text encoder, a quarter of the download, is never loaded again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

EMPTY_PROMPT = "empty_prompt.safetensors"
_KEY = "embedding"


def prepare(family: str, folder: Path) -> None:
    """Does what ``family`` needs done in the new ``folder`` of its weights, if anything.

    Raises:
        WeightsError: the weights do not work.
    """
    hook = _HOOKS.get(family)
    if hook is not None:
        hook(folder)


def empty_prompt_embedding(folder: Path) -> Tensor:
    """The text embedding of the empty prompt, without padding, as the text encoder's last hidden state.

    Args:
        folder: A diffusers folder: with ``empty_prompt.safetensors``, or with ``text_encoder`` and
            ``tokenizer``, from which that file is then made if the folder can be written.

    Returns:
        (1, 2, d) float32 on the CPU; the two tokens are begin and end.

    Raises:
        WeightsError: the files are missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    cached = folder / EMPTY_PROMPT
    if not cached.is_file():
        embedding = _compute(folder)
        with suppress(OSError, SafetensorError):  # a folder that cannot be written still works
            _store(cached, embedding)
        return embedding
    try:
        return load_file(cached, device="cpu")[_KEY]
    except (OSError, SafetensorError, KeyError) as error:
        raise WeightsError(
            f"{cached} is damaged.", "Delete it: it is made again from the text encoder."
        ) from error


def _compute(folder: Path) -> Tensor:
    import torch
    from transformers import CLIPTextModel, CLIPTokenizer

    encoder, tokenizer = folder / "text_encoder", folder / "tokenizer"
    for part in (encoder, tokenizer):
        if not part.is_dir():
            raise WeightsError(
                f"{folder} has no {part.name}, which the empty prompt's embedding is computed with.",
                "Get the complete weights again from their publisher.",
            )
    try:
        with quiet_transformers():
            ids = CLIPTokenizer.from_pretrained(tokenizer, local_files_only=True)("").input_ids
            load: Any = CLIPTextModel.from_pretrained
            model, loaded = load(
                encoder,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
            )
        if loaded["missing_keys"]:  # transformers fills them with chance, and the result would be kept
            raise ValueError(f"it lacks {', '.join(sorted(loaded['missing_keys'])[:3])}")
        with torch.inference_mode():
            hidden = model.eval()(torch.tensor([ids])).last_hidden_state
    except Exception as error:  # whatever a damaged folder makes transformers raise
        raise WeightsError(
            f"The text encoder in {folder} does not work: {' '.join(str(error).split())[:200]}.",
            "Get the weights again from their publisher.",
        ) from error
    return hidden.clone()


def _store(path: Path, embedding: Tensor) -> None:
    from safetensors.torch import save_file

    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        save_file({_KEY: embedding}, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keeps transformers' progress bars and reports from the terminal; its settings are left as found."""
    from transformers.utils import logging

    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


def _keep_empty_prompt(folder: Path) -> None:
    empty_prompt_embedding(folder)


_HOOKS: dict[str, Callable[[Path], None]] = {
    "marigold": _keep_empty_prompt,
    "rollingdepth": _keep_empty_prompt,
}
