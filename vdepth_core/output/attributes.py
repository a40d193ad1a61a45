"""The header of every EXR frame: standard attributes, and our own under the prefix ``vdepth/``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..geometry.camera import Intrinsics
from ..version import __version__
from .channels import SEQUENCES, SequenceKind, units
from .finish import DepthMapping, DisparityRange
from .timecode import timecode_at

PREFIX = "vdepth/"
_INT32 = range(-(2**31), 2**31)


@dataclass(frozen=True)
class FrameAttributes:
    """Everything the header of one frame's files says.

    Attributes:
        number: Frame number in the file name.
        rate: Nominal frames per second, exact.
        pixel_aspect: Width of a pixel over its height.
        mapping: How the shot's disparity becomes depth.
        scale, shift: What the alignment applied to this frame.
        shot: Index of the shot.
        method, model, weights_sha256, license: What made it and under which terms.
        source: File name of the clip.
        source_pts: The container's own timestamp of the frame.
        intrinsics: The plate's camera.
        job: Hash of the configuration; files of another one do not count as done.
        timecode: The clip's start time code or the frame's own, None if there is none.
        since_start: Frames since the clip's start, for the time code; None: it is the frame's own.
        origin: Left upper corner of the plate's display window.
        comments: Free words; the licence's terms belong here where it restricts use.
    """

    number: int
    rate: Fraction
    pixel_aspect: Fraction
    mapping: DepthMapping
    scale: float
    shift: float
    shot: int
    method: str
    model: str
    weights_sha256: str
    license: str
    source: str
    source_pts: int
    intrinsics: Intrinsics
    job: str
    timecode: str | None = None
    since_start: int | None = 0
    origin: tuple[int, int] = (0, 0)
    comments: str = ""

    def header(self, kind: SequenceKind) -> dict[str, Any]:
        """The header of this frame's file of sequence ``kind``, for `write_exr`.

        Args:
            kind: Of one of the job's sequences.
        """
        mapping, camera = self.mapping, self.intrinsics
        standard: dict[str, Any] = {
            "framesPerSecond": self.rate,
            "pixelAspectRatio": float(self.pixel_aspect),
            "imageCounter": self.number,
            "comments": self.comments,
        }
        code = timecode_at(self.timecode, self.rate, self.since_start) if self.timecode else None
        if code is not None:
            standard["timeCode"] = code
        own: dict[str, Any] = {
            "quantity": SEQUENCES[kind].quantity,
            "space": mapping.space,
            "units": units(kind, mapping.space),
            "near": float(mapping.near),
            "far": float(mapping.far),
            "disparity_lo": float(mapping.range.lo),
            "disparity_hi": float(mapping.range.hi),
            "scale": float(self.scale),
            "shift": float(self.shift),
            "shot": self.shot,
            "method": self.method,
            "model": self.model,
            "weights_sha256": self.weights_sha256,
            "license": self.license,
            "version": __version__,
            "source": self.source,
            # EXR integers have 32 bits; a longer time stamp is written out in digits
            "source_pts": self.source_pts if self.source_pts in _INT32 else str(self.source_pts),
            "fx": float(camera.fx),
            "fy": float(camera.fy),
            "cx": float(camera.cx),
            "cy": float(camera.cy),
            "camera": camera.source,
            "job": self.job,
        }
        if camera.detail:
            own["camera_detail"] = camera.detail
        if camera.error is not None:
            own["camera_error"] = float(camera.error)
        return standard | {PREFIX + name: value for name, value in own.items()}


def mapping_from(attributes: Mapping[str, Any]) -> DepthMapping:
    """The depth mapping a file's header describes.

    Args:
        attributes: What `read_exr` gave.

    Raises:
        KeyError: the file was not written by vdepth.
    """
    ends = DisparityRange(attributes[PREFIX + "disparity_lo"], attributes[PREFIX + "disparity_hi"])
    return DepthMapping(
        attributes[PREFIX + "space"], ends, attributes[PREFIX + "near"], attributes[PREFIX + "far"]
    )


def intrinsics_from(attributes: Mapping[str, Any]) -> Intrinsics:
    """The plate's camera a file's header describes.

    Args:
        attributes: What `read_exr` gave.

    Raises:
        KeyError: the file was not written by vdepth.
    """
    fx, fy, cx, cy = (attributes[PREFIX + name] for name in ("fx", "fy", "cx", "cy"))
    detail, error = (attributes.get(PREFIX + name) for name in ("camera_detail", "camera_error"))
    return Intrinsics(fx, fy, cx, cy, attributes[PREFIX + "camera"], detail or "", error)
