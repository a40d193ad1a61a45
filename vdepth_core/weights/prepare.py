"""What some families need done once, at install, so that it need not be done at every start.

Latent diffusion models for depth are conditioned on the empty prompt, always: its text embedding is computed
once and kept beside the weights, and the text encoder, a quarter of the download, is never loaded again. So
is the image embedding of those that are conditioned on a zero picture (`zero_image`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WeightsError
from .building import cannot_build, load_transformers
from .configs import read_json, transformers_config
from .embeddings import keep_embedding, kept_embedding
from .loading import load_state_dict
from .reading import AGAIN
from .zero_image import keep_zero_image

if TYPE_CHECKING:
    import torch
    from torch import Tensor

EMPTY_PROMPT = "empty_prompt.safetensors"
_BEGIN, _END = "<|startoftext|>", "<|endoftext|>"


def prepare(family: str, folder: Path) -> None:
    """Does what ``family`` needs done in the new ``folder`` of its weights, if anything.

    Args:
        family: Of the network, as the catalogue has it.
        folder: Changed in place.

    Raises:
        WeightsError: the weights do not work.
    """
    hook = _HOOKS.get(family)
    if hook is not None:
        hook(folder)


def empty_prompt_embedding(folder: Path, dtype: torch.dtype) -> Tensor:
    """The text embedding of the empty prompt, without padding, as the text encoder's last hidden state.

    It is computed in the precision of the model it is for, as published: rounding the encoder's answer is not
    the same as its answer in half precision. Nothing is written: the folder may be a user's own.

    Args:
        folder: A diffusers folder: with ``empty_prompt.safetensors``, or with ``text_encoder`` and
            ``tokenizer``.
        dtype: What to compute it in. Where the text encoder is gone, the best that was kept is rounded.

    Returns:
        (1, 2, d) on the CPU; the two tokens are begin and end.

    Raises:
        WeightsError: the files are missing or damaged.
    """
    found = kept_embedding(folder / EMPTY_PROMPT, dtype, folder / "text_encoder", "the text encoder")
    return _compute(folder, dtype)[0] if found is None else found


def _compute(folder: Path, *dtypes: torch.dtype) -> list[Tensor]:
    import torch
    from transformers import CLIPTextModel

    encoder, tokenizer = folder / "text_encoder", folder / "tokenizer"
    for part in (encoder, tokenizer):
        if not part.is_dir():
            raise WeightsError(
                f"{folder} has no {part.name}, which the empty prompt's embedding is computed with.",
                "Get the complete weights again from their publisher.",
            )
    ids = torch.tensor([_empty_prompt(tokenizer)])
    path = encoder / "config.json"
    settings = transformers_config(read_json(path) | {"model_type": "clip_text_model"}, path)
    state = load_state_dict(encoder / "model.safetensors")
    found = []
    for dtype in dtypes:
        model, report = load_transformers(CLIPTextModel, settings, state, encoder, dtype)
        if report.missing or report.mismatched:  # transformers fills them with chance, and it would be kept
            keys = ", ".join((*report.missing, *report.mismatched)[:3])
            raise WeightsError(f"The text encoder in {folder} lacks {keys}.", AGAIN)
        try:
            with torch.inference_mode():
                hidden = model.eval()(ids).last_hidden_state
        except Exception as error:  # a number of its configuration can be wrong in many ways
            raise cannot_build(encoder, error) from error
        found.append(hidden.clone())
    return found


def _empty_prompt(tokenizer: Path) -> list[int]:
    """The numbers of the two words an empty text consists of: no more of a tokenizer is needed."""
    path = tokenizer / "vocab.json"
    if path.is_file() or not (tokenizer / "tokenizer.json").is_file():
        words: Any = read_json(path)
    else:
        path = tokenizer / "tokenizer.json"
        model = read_json(path).get("model")
        words = model.get("vocab") if isinstance(model, dict) else None
    found = [words.get(word) for word in (_BEGIN, _END)] if isinstance(words, dict) else []
    ids = [number for number in found if isinstance(number, int)]
    if len(ids) != 2:
        raise WeightsError(f"{path} knows no {_BEGIN} and {_END}: it is no vocabulary of CLIP's.", AGAIN)
    return ids


def _keep_empty_prompt(folder: Path) -> None:
    keep_embedding(folder / EMPTY_PROMPT, lambda *dtypes: _compute(folder, *dtypes))


_HOOKS: dict[str, Callable[[Path], None]] = {
    "chronodepth": keep_zero_image,
    "marigold": _keep_empty_prompt,
    "rollingdepth": _keep_empty_prompt,
}
