"""Value types: the facts of models, shots, frames, clips and alignments; `protocols` has the seams.

Conventions: OpenCV camera (x right, y down, z forward), pixel centres at +0.5, arrays (T, H, W),
display-referred sRGB, rates and times as `fractions.Fraction`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from .choices import Shown

if TYPE_CHECKING:
    import numpy as np

Quantity = Literal["disparity", "depth"]
NativeSide = Literal["shorter", "longer", "shorter of 16:9"]
Space = Literal["metric", "scale_invariant", "affine_invariant"]


@dataclass(frozen=True)
class RefinerWeights:
    """The weights a refiner brings of its own: they decide its maps, and their licence binds.

    Attributes:
        path: The file.
        sha256: Of what it holds, 64 hex digits.
        license: SPDX-like name of its licence.
        commercial: Whether it may be used commercially.
    """

    path: str
    sha256: str
    license: str
    commercial: bool


@dataclass(frozen=True)
class ModelSpec:
    """What a model's numbers mean and what it may be used for.

    Attributes:
        name: Registry name, or the file name of user weights.
        quantity: ``disparity`` (bigger = nearer) or ``depth`` (planar z).
        space: ``metric`` (metres), ``scale_invariant`` or ``affine_invariant``.
        license: SPDX-like name of the weights' licence.
        commercial: Whether the weights may be used commercially.
        window: Frames the network sees at once; 1 = per frame.
        chain: Frames one call of `predict` should get, from fixed positions on, where something is handed
            from each frame to the next; 1: it does not matter.
        multiple: Both sides of the network input are multiples of this.
        native_size: The side of the network input that ``native_side`` names, in pixels.
        native_side: Which side ``native_size`` speaks of; "shorter of 16:9": of wider pictures it is less.
        native_least: Small pictures are not enlarged to ``native_size`` but run at three quarters of their
            own size, and at no less than this; None: they are enlarged.
        fixed_size: The only (height, width) the network takes, whatever the picture's aspect; None: any.
        canonical: Disparity is per picture width: times width / fx it is metric (Depth Pro); such a model is
            usually a `CameraModel`.
        parameters: Number of parameters, 0 when not known.
        weights_sha256: SHA-256 of the weights file, empty when there is none.
    """

    name: str
    quantity: Quantity
    space: Space
    license: str
    commercial: bool
    window: int = 1
    chain: int = 1
    multiple: int = 32
    native_size: int = 256
    native_side: NativeSide = "shorter"
    native_least: int | None = None
    fixed_size: tuple[int, int] | None = None
    canonical: bool = False
    parameters: int = 0
    weights_sha256: str = ""


@dataclass(frozen=True)
class Shot:
    """The frames between two cuts: half-open range [start, stop) of clip frame indices.

    ``exposure`` is the linear gain applied to every frame of a scene-linear or HDR shot before the display
    transform (one exposure a shot, so that a plate never flickers); 1 for display-referred clips.
    """

    index: int
    start: int
    stop: int
    exposure: float = 1.0

    def __len__(self) -> int:
        return self.stop - self.start

    def within(self, start: int, stop: int | None) -> Shot | None:
        """The part of it in a range of frames; None: it lies outside.

        Args:
            start, stop: Half-open range of clip frame indices; stop None: to the clip's end.
        """
        first, last = max(self.start, start), self.stop if stop is None else min(self.stop, stop)
        return replace(self, start=first, stop=last) if first < last else None


@dataclass(frozen=True)
class Frame:
    """One decoded picture.

    Attributes:
        index: Position in presentation order, from 0, counted from the clip's first frame.
        time: Presentation time in seconds, relative to the first frame.
        pts: The container's own timestamp in stream time-base units (a sequence's frame number).
        rgb: (H, W, 3) uint8, display-referred sRGB, upright, source raster (anamorphic pixels stay so).
        timecode: The picture's own, where it has one; as in `ClipInfo`.
    """

    index: int
    time: Fraction
    pts: int
    rgb: np.ndarray
    timecode: str | None = None


@dataclass(frozen=True)
class LensFacts:
    """What a clip's file says about the lens.

    Attributes:
        focal: Focal length along x in pixels of the upright plate; None: the file does not say.
        error: Its relative standard deviation, 0 where it is exact.
        source: Where in the file it stands, in words.
        camera: Make, model and lens, as far as the file names them.
        focal_y: Along y, where it is told; None: pixels are as wide as the plate's.
        centre: Principal point in pixels, where it is told; None: the middle.
        note: A sentence the user should read; empty: none.
    """

    focal: float | None = None
    error: float = 0.0
    source: str = ""
    camera: str = ""
    focal_y: float | None = None
    centre: tuple[float, float] | None = None
    note: str = ""


@dataclass(frozen=True)
class ClipInfo:
    """The facts of a clip known on opening it; `ClipScan` holds what only a pass over all frames can tell.

    Attributes:
        path: The movie file, or the first file of an image sequence.
        kind: ``movie`` or ``sequence``.
        name: Stem used in output file names.
        width, height: Size of the picture as it is shown, in pixels: upright unless asked otherwise.
        pixel_aspect: Width of a pixel over its height, after rotation.
        rate: Nominal frames per second.
        first_number: Frame number of the first frame: a sequence's own, else None.
        timecode: Start timecode as in the container (``01:00:00:00``, ``;`` for drop frame), or None.
        codec, pixel_format, bit_depth: What the file holds.
        transfer: What its numbers are taken as, in FFmpeg's words.
        primaries, matrix, color_range: What the file says, in FFmpeg's words, empty where it does not.
        colorspace: The colour space the picture is taken as, where one was stated or found.
        colour: Identity of what makes light of the numbers, as far as the files alone do not decide it.
        rotation, mirrored: Clockwise degrees applied to the stored picture; whether it was flipped before.
        shown: ``upright``, or that not all was done which the files ask for: ``turned`` or ``stored``.
        has_alpha, interlaced: The source has an alpha channel (dropped); its frames are woven fields.
        origin: Left upper corner of an EXR's display window: where the picture lies.
        layer, layers: The layer taken of an EXR, and all there are.
        frames_declared: What the container claims, None when silent; never trusted.
        lens: What the file says about the lens.
        notes: Sentences the user should read, one a problem.
    """

    path: Path
    kind: Literal["movie", "sequence"]
    name: str
    width: int
    height: int
    pixel_aspect: Fraction
    rate: Fraction
    first_number: int | None = None
    timecode: str | None = None
    codec: str = ""
    pixel_format: str = ""
    bit_depth: int = 8
    transfer: str = ""
    primaries: str = ""
    matrix: str = ""
    color_range: str = ""
    colorspace: str = ""
    colour: str = ""
    rotation: int = 0
    mirrored: bool = False
    shown: Shown = "upright"
    has_alpha: bool = False
    interlaced: bool = False
    origin: tuple[int, int] = (0, 0)
    layer: str = ""
    layers: tuple[str, ...] = ()
    frames_declared: int | None = None
    lens: LensFacts = LensFacts()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ShotAlignment:
    """Per-frame scale and shift a method applied (final = scale * raw + shift before filtering), and plots.

    Attributes:
        scale, shift: One value a frame of the shot.
        curves: Name -> one value a frame (NaN where undefined), shown in the report.
        notes: Sentences for the report and the manifest.
    """

    scale: tuple[float, ...]
    shift: tuple[float, ...]
    curves: dict[str, tuple[float, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """The alignment again that `dataclasses.asdict` made JSON of.

        Args:
            facts: Its fields, tuples as lists.

        Raises:
            KeyError: one is missing.
        """
        curves = {name: tuple(map(float, values)) for name, values in facts["curves"].items()}
        return cls(tuple(facts["scale"]), tuple(facts["shift"]), curves, tuple(facts["notes"]))
