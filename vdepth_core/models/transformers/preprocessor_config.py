"""What a published ``preprocessor_config.json`` says about a network's input, and the scaling it asks for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
)

from ...errors import WeightsError
from ...weights.configs import read_json
from ...weights.folders import PREPROCESSOR
from ..sizing import LARGEST_INPUT, LARGEST_MULTIPLE

if TYPE_CHECKING:
    from torch import Tensor

_Side = Annotated[int, Field(ge=1, le=LARGEST_INPUT)]
_Multiple = Annotated[int, Field(ge=1, le=LARGEST_MULTIPLE)]
_Scale = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _size(value: Any) -> Any:
    """transformers writes ``384``, ``{"height": …, "width": …}`` or ``{"shortest_edge": …}``."""
    if isinstance(value, dict):
        edge = value.get("shortest_edge")
        return (value.get("height", edge), value.get("width", edge))
    return (value, value) if isinstance(value, int) else value


def _each_channel(value: Any) -> Any:
    return (value,) * 3 if isinstance(value, int | float) else value


def _multiple(value: Any) -> Any:
    """Below 1 it says nothing: transformers' own default for ZoeDepth is 1/32 where 32 is meant."""
    return None if isinstance(value, float) and value < 1 else value


class Processing(BaseModel):
    """The facts of a ``preprocessor_config.json`` that matter here; None: it does not say.

    Attributes:
        size: (height, width) the network's input is made for.
        image_mean, image_std: What is subtracted from and divides each channel.
        do_rescale, rescale_factor: Whether pixels of 0 to 255 are multiplied by the factor first.
        do_normalize: Whether mean and deviation are used at all.
        do_pad: Whether the picture is padded first (ZoeDepth).
        ensure_multiple_of, size_divisor: Both sides of the input are multiples of this.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    size: Annotated[tuple[_Side, _Side] | None, BeforeValidator(_size)] = None
    image_mean: Annotated[
        tuple[FiniteFloat, FiniteFloat, FiniteFloat] | None, BeforeValidator(_each_channel)
    ] = None
    image_std: Annotated[tuple[_Scale, _Scale, _Scale] | None, BeforeValidator(_each_channel)] = None
    do_rescale: bool | None = None
    rescale_factor: _Scale | None = None
    do_normalize: bool | None = None
    do_pad: bool | None = None
    ensure_multiple_of: Annotated[_Multiple | None, BeforeValidator(_multiple)] = None
    size_divisor: _Multiple | None = None


def read_processing(folder: Path, defaults: Processing) -> Processing:
    """Reads a folder's ``preprocessor_config.json``; what it does not say comes from ``defaults``.

    Args:
        folder: Of the model.
        defaults: Of its family.

    Raises:
        WeightsError: the file is damaged or cannot be read.
    """
    path = folder / PREPROCESSOR
    try:
        said = Processing.model_validate(read_json(path) if path.is_file() else {})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise WeightsError(
            f"{path} is damaged: {where}: {first['msg']}.", "Get the folder again from its publisher."
        ) from error
    return defaults.model_copy(update=said.model_dump(exclude_none=True))


def normaliser(processing: Processing, device: str) -> Callable[[Tensor], Tensor]:
    """The scaling of frames (T, 3, H, W) in [0, 1] that the network was trained with, for ``device``.

    Args:
        processing: Of the model's pictures.
        device: As torch spells it.
    """
    import torch

    # The files speak of pixels of 0 to 255; the DINOv2 DPTs' mean and deviation are of that range themselves.
    gain = 255.0
    if processing.do_rescale is not False:
        gain *= processing.rescale_factor or 1 / 255
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if processing.do_normalize is not False:
        mean, std = processing.image_mean or mean, processing.image_std or std
    scale, offset = (
        torch.tensor(values, device=device).view(1, 3, 1, 1)
        for values in ([gain / s for s in std], [-m / s for m, s in zip(mean, std, strict=True)])
    )
    return lambda frames: torch.addcmul(offset, frames, scale)
