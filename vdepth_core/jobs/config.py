"""What a job is asked to do: the typed configuration behind every option of ``vdepth estimate``."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ..errors import UsageError
from ..methods.rolling_presets import (
    DENOISING_STEPS,
    MOST_LENGTH,
    MOST_STEPS,
    REFINE_LENGTH,
    RollingPresetName,
)
from ..models.registry import Predicts

Preset = Literal["draft", "balanced", "best"]
Stabilize = Literal["off", "align", "filter"]
Compression = Literal["zip", "zips", "pxr24"]
Device = Literal["auto", "cuda", "mps", "cpu"]
Dtype = Literal["auto", "fp32", "fp16", "bf16"]

JOB_FORMAT = 2  # raised whenever the same configuration would give other bytes
# The preset is resolved to method, model and size before hashing.
_NOT_IN_HASH = {"keep_store", "preset", "non_commercial"}


class EstimateConfig(BaseModel):
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
        rate: Frame rate of an image sequence that does not say.
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
    near: Annotated[float, Field(gt=0)] | None = None
    far: Annotated[float, Field(gt=0)] | None = None
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
    rate: str | None = None
    device: Device = "auto"
    dtype: Dtype = "auto"
    seed: int = 0
    keep_store: bool = False

    @field_validator("cfr", "rate")
    @classmethod
    def _is_rate(cls, value: str | None) -> str | None:
        if value is not None and not 0 < Fraction(value) <= 1000:
            raise ValueError("must be between 0 and 1000 frames per second")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.fov is not None and self.intrinsics is not None:
            raise ValueError("fov and intrinsics both say what the lens is; give one")
        if (self.near or 1.0) >= (self.far or 100.0):
            raise ValueError(f"near ({self.near or 1.0:g}) must be less than far ({self.far or 100.0:g})")
        return self

    @classmethod
    def parse(cls, **options: Any) -> EstimateConfig:
        """Builds a configuration from options.

        Raises:
            UsageError: with one sentence naming the first bad option.
        """
        try:
            return cls(**options)
        except (ValidationError, ZeroDivisionError) as error:
            raise UsageError(_sentence(error), "See vdepth estimate --help.") from error

    def job_hash(self, clip_fingerprint: str, weights_sha256: str) -> str:
        """Identity of the output's bytes: 16 hex digits over configuration, clip and weights."""
        facts = {
            "format": JOB_FORMAT,
            "config": {k: v for k, v in self.model_dump(mode="json").items() if k not in _NOT_IN_HASH},
            "clip": clip_fingerprint,
            "weights": weights_sha256,
            "camera": self._camera_digest(),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

    def _camera_digest(self) -> str:
        """Hash of the intrinsics file's content: the path alone would not notice an edit."""
        if self.intrinsics is None:
            return ""
        try:
            return hashlib.sha256(self.intrinsics.read_bytes()).hexdigest()
        except OSError:
            return ""  # reading the camera says what is wrong, in its own words


def _sentence(error: ValidationError | ZeroDivisionError) -> str:
    if isinstance(error, ZeroDivisionError):
        return "A frame rate cannot have a denominator of 0."
    first = error.errors()[0]
    name = (
        "--" + "-".join(str(part) for part in first["loc"]).replace("_", "-") if first["loc"] else "Options"
    )
    text = first["msg"].removeprefix("Value error, ")
    return f"{name}: {text[:1].lower()}{text[1:]}." if first["loc"] else f"{text[:1].upper()}{text[1:]}."
