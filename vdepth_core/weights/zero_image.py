"""CLIP's embedding of a zero picture, which ChronoDepth's UNet sees instead of a picture's own.

It is one vector, computed once: the image encoder, a third of the download, is never loaded again.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from ..errors import ResourceError, WeightsError
from .building import cannot_build, load_transformers
from .configs import read_json, transformers_config
from .embeddings import keep_embedding, kept_embedding
from .hashing import files_sha256
from .loading import load_state_dict
from .reading import AGAIN

if TYPE_CHECKING:
    import torch
    from torch import Tensor

ZERO_IMAGE = "zero_image.safetensors"
_ENCODER = "image_encoder"
_WEIGHTS = ("model.fp16.safetensors", "model.safetensors")
# CLIP's normalisation (Radford et al., 2021): the picture is zero before it.
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)


def zero_image_embedding(folder: Path, dtype: torch.dtype) -> Tensor:
    """CLIP's embedding of a zero picture, in the precision of the model it is for.

    A folder of the user's is not written into: what is computed for it lies in the user's cache, known by the
    hash of the encoder's files.

    Args:
        folder: With ``zero_image.safetensors``, or with the subfolder ``image_encoder``.
        dtype: What to compute it in. Where the encoder is gone, the best that was kept is rounded.

    Returns:
        (1, 1, d) on the CPU.

    Raises:
        WeightsError: the files are missing or damaged.
    """
    encoder = folder / _ENCODER
    found = kept_embedding(folder / ZERO_IMAGE, dtype, encoder, "the image encoder")
    if found is not None:
        return found
    weights = _weights(encoder)
    digest = files_sha256(encoder, (weights, encoder / "config.json"))
    cache = Path(platformdirs.user_cache_dir("vdepth")) / "embeddings" / f"{digest}.safetensors"
    with suppress(WeightsError):  # a damaged cache is none
        found = kept_embedding(cache, dtype, encoder, "the image encoder")
    if found is not None:
        return found
    computed = _compute(folder, dtype)[0]
    with suppress(OSError, ResourceError):
        cache.parent.mkdir(parents=True, exist_ok=True)
        keep_embedding(cache, lambda *dtypes: _compute(folder, *dtypes))
    return computed


def keep_zero_image(folder: Path) -> None:
    """Keeps the embedding beside the weights, as `zero_image_embedding` finds it.

    Args:
        folder: Changed in place.

    Raises:
        WeightsError: the image encoder is missing or damaged.
        ResourceError: the file cannot be written.
    """
    keep_embedding(folder / ZERO_IMAGE, lambda *dtypes: _compute(folder, *dtypes))


def _weights(encoder: Path) -> Path:
    found = next((encoder / name for name in _WEIGHTS if (encoder / name).is_file()), None)
    if found is None:
        raise WeightsError(
            f"{encoder.parent} has no {encoder.name} with weights, which the zero picture's embedding is "
            "computed with.",
            f"Put the subfolder {encoder.name} of Stable Video Diffusion XT there.",
        )
    return found


def _compute(folder: Path, *dtypes: torch.dtype) -> list[Tensor]:
    import torch
    from transformers import CLIPVisionModelWithProjection

    encoder = folder / _ENCODER
    state = load_state_dict(_weights(encoder))
    path = encoder / "config.json"
    settings = transformers_config(read_json(path) | {"model_type": "clip_vision_model"}, path)
    mean, std = (torch.tensor(values)[None, :, None, None] for values in (_MEAN, _STD))
    side = settings.image_size
    picture = ((torch.zeros(1, 3, 1, 1) - mean) / std).expand(-1, -1, side, side)
    found = []
    for dtype in dtypes:
        network, report = load_transformers(CLIPVisionModelWithProjection, settings, state, encoder, dtype)
        if report.missing or report.mismatched:  # transformers fills them with chance, and it would be kept
            keys = ", ".join((*report.missing, *report.mismatched)[:3])
            raise WeightsError(f"The image encoder in {folder} lacks {keys}.", AGAIN)
        try:
            with torch.inference_mode():
                embedding = network.eval()(pixel_values=picture.to(dtype)).image_embeds
        except Exception as error:  # a number of its configuration can be wrong in many ways
            raise cannot_build(encoder, error) from error
        found.append(embedding[:, None].clone())
    return found
