"""What a job is asked to do: the typed configuration behind every option of ``vdepth estimate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ..adaptation.recipes import RECIPES
from ..choices import BoostPlan, Compression, Device, Dtype, Predicts, Preset, Runtime, is_device, menu
from ..clip.options import ClipOptions, valid_rate
from ..clip.timing import parse_range
from ..errors import UsageError
from ..methods.registry import METHODS
from ..options import document, extended, sentence, written_options
from ..refiners.registry import REFINERS

_FAR_AWAY = 1e10  # what sky and pixels without depth get
_APART = 1.001  # far over near, at least: single precision cannot divide less into depths
_ANYWHERE = -(10**9)  # whether a range lies in the clip only the clip can tell
NEAR, FAR = 1.0, 100.0
"""Depth of the ends of a relative model's range, unless given."""
MOTION = "motion"
"""What ``--camera`` says where the lens is to be found from the clip's motion."""
_Depth = Annotated[float, Field(ge=1e-6, lt=_FAR_AWAY)]


def _device(word: str) -> str:
    if not is_device(word):
        known = " or ".join(f"'{name}'" for name in get_args(Device))
        raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": known})
    return word


class JobOptions(ClipOptions):
    """What can be said of any job, whatever its method."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Preset = Field(default="balanced", description="Chooses method, model and size.")
    method: str | None = Field(default=None, description=f"{METHODS.words()} (default: preset's).")
    refiner: str | None = Field(
        default=None, description=f"Improves what the method found: {REFINERS.words()} (default: nothing)."
    )
    boost: BoostPlan | None = Field(
        default=None,
        description="Sharp edges at the plate's size: looks again, larger and piece by piece (alone: shot, "
        "one plan a shot).",
        json_schema_extra={"alone": "shot", "cost": "about seven times as long on a processor"},
    )
    model: str | None = Field(default=None, description="Model name, or path of weights (default: preset's).")
    adapt: str | None = Field(
        default=None, description=f"Fine-tune the model on the clip first: {RECIPES.words()} (default: not)."
    )
    adapt_minutes: Annotated[float, Field(gt=0, le=10_000)] = Field(
        default=5.0, description="How long to adapt, minutes, above 0, at most 10000."
    )
    predicts: Predicts | None = Field(
        default=None, description="What a --model PATH means (default: its family's)."
    )
    non_commercial: bool = Field(default=False, description="Presets may choose non-commercial weights.")
    size: Annotated[int, Field(ge=32, le=4096)] | None = Field(
        default=None, description="Shorter side of the network input, 32 to 4096 pixels."
    )
    frames: str | None = Field(
        default=None,
        description="Frames A to B, inclusive; a movie counts from 0.",
        json_schema_extra={"metavar": "A-B"},
    )
    start_frame: Annotated[int, Field(ge=0, le=9_999_999)] | None = Field(
        default=None, description="Number of a movie's first frame, 0 to 9999999 (default 1001)."
    )
    near: _Depth | None = Field(
        default=None, description="Nearest depth, scene units from 1e-6 to below 1e10 (default 1)."
    )
    far: _Depth | None = Field(
        default=None, description="Farthest depth, scene units from 1e-6 to below 1e10 (default 100)."
    )
    fov: Annotated[float, Field(gt=1, lt=175)] | None = Field(
        default=None, description="Horizontal field of view, above 1 and below 175 degrees."
    )
    intrinsics: Path | None = Field(default=None, description="JSON file with fx, fy, cx, cy, pixels.")
    camera: str | None = Field(
        default=None,
        description="A camera file of any format that is read, for its lens; or motion: found from how the "
        "clip moves.",
        json_schema_extra={"metavar": "FILE|motion"},
    )
    normals: bool = Field(default=False, description="Also write camera-space normals.")
    sharpen: bool = Field(
        default=True,
        description="Make silhouettes one to two pixels wide, on the plate's edges.",
        json_schema_extra={"off": "Leave silhouettes as soft as the map has them."},
    )
    sky: bool = Field(default=False, description="Also write a mask of the sky, 1 is sky.")
    sky_depth: bool = Field(
        default=False, description="Sky is 1e10 away in the depth, too, 0 in the disparity (with --sky)."
    )
    layered: bool = Field(default=False, description="One layered EXR instead of several.")
    compression: Compression = Field(
        default="pxr24", description="EXR compression: pxr24 keeps 24 bits of a number, the others all."
    )
    shots: bool = Field(
        default=True,
        description="Cut the clip into shots.",
        json_schema_extra={"off": "Take the clip as one shot: look for no cuts."},
    )
    cfr: str | None = Field(
        default=None,
        description="Resample to a constant rate, up to 1000 fps.",
        json_schema_extra={"metavar": "RATE"},
    )
    device: Annotated[str, AfterValidator(_device)] = Field(
        default="auto",
        description="Where the network runs; cuda:1 is the second GPU, cuda:0,cuda:1 both, side by side.",
        json_schema_extra={"metavar": menu(Device)},
    )
    dtype: Dtype = Field(default="auto", description="In which precision.")
    runtime: Runtime = Field(
        default="auto",
        description="What runs the network on a CPU; auto: ONNX Runtime, where it is installed and pays.",
    )
    compile: bool = Field(default=False, description="Compile the network: slow start, faster long clips.")
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = Field(
        default=0, description="Seed of everything random, 0 to 4294967295."
    )
    keep_store: bool = Field(default=False, description="Keep the raw predictions.")

    @model_validator(mode="before")
    @classmethod
    def _boosted(cls, values: Any) -> Any:
        """``boost`` and ``refiner`` say the same in two ways; whichever is given, both are known."""
        if isinstance(values, dict):
            if values.get("boost") and values.get("refiner") is None:
                return {**values, "refiner": "boost"}
            if values.get("refiner") == "boost" and values.get("boost") is None:
                return {**values, "boost": "shot"}
        return values

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
        lenses = [name for name in ("fov", "intrinsics", "camera") if getattr(self, name) is not None]
        if len(lenses) > 1:
            raise ValueError(f"{lenses[0]} and {lenses[1]} both say what the lens is; give one")
        if self.boost and self.refiner != "boost":
            raise ValueError(f"boost is a refiner, and so is {self.refiner}; give one")
        if self.runtime == "onnx" and self.compile:
            raise ValueError("runtime onnx leaves torch nothing to compile; give one")
        if self.sky_depth and not self.sky:
            raise ValueError("sky-depth needs to know where the sky is; give --sky, too")
        near, far = self.near or NEAR, self.far or FAR
        if near >= far:
            raise ValueError(f"near ({near:g}) must be less than far ({far:g})")
        if far < _APART * near:
            raise ValueError(f"far ({far:g}) must be at least {_APART:g} times near ({near:g})")
        return self


def _with_options(base: type[BaseModel]) -> type[BaseModel]:
    """With the options of all methods and refiners there are, those of other packages too."""
    for seam in (METHODS, REFINERS):
        for name, options in seam.all_options().items():
            try:
                base = extended(base, name, options)
            except ValueError as error:
                seam.refuse(name, str(error))
    return base


if TYPE_CHECKING:
    _AllOptions = JobOptions
else:
    _AllOptions = _with_options(JobOptions)


class EstimateConfig(_AllOptions):
    """Configuration of ``estimate``; None means "let the preset, the clip or the machine decide".

    The options of methods and refiners are named as users know them (``rolling_steps``); see `options`.
    """

    @classmethod
    def parse(cls, **options: Any) -> EstimateConfig:
        """Builds a configuration from options.

        Args:
            **options: Values of the fields, by name.

        Raises:
            UsageError: with one sentence naming the first bad option.
        """
        try:
            return cls(**options)
        except ValidationError as error:
            raise UsageError(sentence(error, cls), "See vdepth estimate --help.") from error

    def method_options(self) -> BaseModel:
        """What the method is made of, see `METHODS`; the ``method`` must be settled.

        Raises:
            UsageError: there is no such method, or what its options say together is wrong.
        """
        assert self.method is not None
        return METHODS.read(self.method, dict(self))

    def refiner_options(self) -> BaseModel:
        """What the ``refiner`` is made of, see `REFINERS`; there must be one.

        Raises:
            UsageError: there is no such refiner, or what its options say together is wrong.
        """
        assert self.refiner is not None
        return REFINERS.read(self.refiner, dict(self))

    def method_facts(self) -> dict[str, Any]:
        """The options of the method alone, by the names they have here, ready for JSON."""
        assert self.method is not None
        return written_options(self.method, self.method_options())

    def refiner_facts(self) -> dict[str, Any]:
        """The same for the refiner; nothing if there is none."""
        return written_options(self.refiner, self.refiner_options()) if self.refiner else {}


document(EstimateConfig)
