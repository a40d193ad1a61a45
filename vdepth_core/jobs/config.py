"""What a job is asked to do: the typed configuration behind every option of ``vdepth estimate``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from ..choices import Compression, Device, Dtype, Predicts, Preset, RollingPresetName, Stabilize, one_of
from ..clip.options import ClipOptions, valid_rate
from ..clip.timing import parse_range
from ..errors import UsageError
from ..methods.rolling.presets import DENOISING_STEPS, MOST_LENGTH, MOST_STEPS, REFINE_LENGTH

_FAR_AWAY = 1e10  # what sky and pixels without depth get
_APART = 1.001  # far over near, at least: single precision cannot divide less into depths
_ANYWHERE = -(10**9)  # whether a range lies in the clip only the clip can tell
NEAR, FAR = 1.0, 100.0
"""Depth of the ends of a relative model's range, unless given."""
_Depth = Annotated[float, Field(ge=1e-6, lt=_FAR_AWAY)]


class EstimateConfig(ClipOptions):
    """Configuration of ``estimate``; None means "let the preset, the clip or the machine decide".

    Attributes:
        preset: Chooses method, model and size from what is installed and the device.
        method: ``framewise``, ``temporal``, ``rolling`` or another registered method.
        model: Registry name, or the path of a weights file or folder of a known family.
        predicts: What the numbers of a ``model`` given by its path mean, where its family's default is wrong.
        non_commercial: Let the preset choose weights that may not be used commercially.
        compile: Compile the network with `torch.compile`: slow to start, faster on long clips.
        size: Shorter side of the network's input, pixels.
        frames: ``A-B``, inclusive, in the clip's own numbering (a movie counts from 0).
        start_frame: Number of a movie's first frame in file names.
        near, far: Depth given to the nearest and farthest disparity of a relative model, scene units.
        fov: Horizontal field of view, degrees.
        intrinsics: JSON file with fx, fy, cx, cy in pixels.
        rolling_preset: How thorough ``rolling`` is: ``fast``, ``fast1024``, ``full`` or ``paper``.
        rolling_steps: Denoising steps of a snippet of ``rolling``.
        rolling_refine_steps: Steps of its refinement; None: the preset's.
        rolling_refine_length: Frames a refinement step sees at once.
        stabilize: What ``temporal`` does: nothing, co-alignment, or co-alignment and filter.
        normals, layered: Also write normals; write one layered file instead of one file a quantity.
        compression: EXR compression.
        shots: Detect cuts; otherwise the clip is one shot.
        cfr: Resample in time to this constant rate (frames per second, ``24000/1001`` is exact).
        device, dtype: Where and in which precision the network runs.
        seed: Seed of everything random.
        keep_store: Keep the predictions at inference size after the job is done.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Preset = "balanced"
    method: str | None = None
    model: str | None = None
    predicts: Predicts | None = None
    non_commercial: bool = False
    compile: bool = False
    size: Annotated[int, Field(ge=32, le=4096)] | None = None
    frames: str | None = None
    start_frame: Annotated[int, Field(ge=0, le=9_999_999)] | None = None
    near: _Depth | None = None
    far: _Depth | None = None
    fov: Annotated[float, Field(gt=1, lt=175)] | None = None
    intrinsics: Path | None = None
    rolling_preset: RollingPresetName = "fast"
    rolling_steps: Annotated[int, Field(ge=1, le=MOST_STEPS)] = DENOISING_STEPS
    rolling_refine_steps: Annotated[int, Field(ge=0, le=MOST_STEPS)] | None = None
    rolling_refine_length: Annotated[int, Field(ge=1, le=MOST_LENGTH)] = REFINE_LENGTH
    stabilize: Stabilize = "filter"
    normals: bool = False
    layered: bool = False
    compression: Compression = "zip"
    shots: bool = True
    cfr: str | None = None
    device: Device = "auto"
    dtype: Dtype = "auto"
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    keep_store: bool = False

    @field_validator("cfr")
    @classmethod
    def _is_constant_rate(cls, value: str | None) -> str | None:
        return value if value is None else valid_rate(value)

    @field_validator("frames")
    @classmethod
    def _is_range(cls, value: str | None) -> str | None:
        if value is not None:
            if len(value) > 50:
                raise ValueError("is too long for a frame range; write it as FIRST-LAST, for example 10-49")
            try:
                parse_range(value, _ANYWHERE)
            except UsageError as error:
                raise ValueError(f"{error.message} {error.hint}".rstrip(" .")) from error
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.fov is not None and self.intrinsics is not None:
            raise ValueError("fov and intrinsics both say what the lens is; give one")
        near, far = self.near or NEAR, self.far or FAR
        if near >= far:
            raise ValueError(f"near ({near:g}) must be less than far ({far:g})")
        if far < _APART * near:
            raise ValueError(f"far ({far:g}) must be at least {_APART:g} times near ({near:g})")
        return self

    @classmethod
    def parse(cls, **options: Any) -> EstimateConfig:
        """Builds a configuration from options.

        Raises:
            UsageError: with one sentence naming the first bad option.
        """
        try:
            return cls(**options)
        except ValidationError as error:
            raise UsageError(_sentence(error), "See vdepth estimate --help.") from error


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    text = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return f"{text[:1].upper()}{text[1:]}."
    field = str(first["loc"][0])
    name = f"--{field.replace('_', '-')}"
    if first["type"] == "literal_error":
        known = re.findall(r"'([^']*)'", first["ctx"]["expected"])
        return f"{name} {first['input']} does not exist. {one_of(str(first['input']), known)}"
    limits = limits_of(field)
    if limits:
        return f"{name} {first['input']} is not possible: it must be {limits}."
    return f"{name}: {text[:1].lower()}{text[1:]}."


def limits_of(field: str) -> str:
    """What numbers an option takes, in words; "" for one that is no number."""
    schema = EstimateConfig.model_json_schema()["properties"].get(field, {})
    for kind in schema.get("anyOf", [schema]):
        low, high = kind.get("minimum"), kind.get("maximum")
        above, below = kind.get("exclusiveMinimum"), kind.get("exclusiveMaximum")
        if {low, high, above, below} == {None}:
            continue
        what = "a whole number" if kind["type"] == "integer" else "a number"
        words = [
            f"{word} {value:g}" if isinstance(value, float) else f"{word} {value}"
            for word, value in (("at least", low), ("above", above), ("at most", high), ("below", below))
            if value is not None
        ]
        return f"{what}, {' and '.join(words)}"
    return ""
