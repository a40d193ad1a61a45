"""Writes everything one frame of a job becomes: full-size maps, then its EXR files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..errors import UsageError
from ..files import Place, atomic_path, make_folder
from ..geometry.normals import normals_from_depth
from ..geometry.smooth_normals import smoothed_normals
from .attributes import FrameAttributes
from .channels import SequenceKind, channels_of
from .exr import COMPRESSIONS, exr_matches, write_exr
from .finish import FAR_AWAY, all_finite
from .naming import frame_path
from .sharpen import reach_of, sharpened
from .sky import Sky
from .upsample import Upsampler, resize_surface

WAVES = 2.0
"""Of the map's pixels: over so many, rms, normals are smoothed within surfaces."""


@dataclass(frozen=True)
class SequenceSettings:
    """Which sequences a job writes and how.

    ``sky_depth``: the sky is infinitely far in depth and disparity, too. ``layered`` replaces the other
    sequences by one file a frame. ``sharpen``: steps are made one to two pixels wide, on the plate's
    edges.
    """

    depth: bool = True
    disparity: bool = True
    confidence: bool = False
    normals: bool = False
    sky: bool = False
    sky_depth: bool = False
    layered: bool = False
    compression: str = "zip"
    sharpen: bool = True

    def __post_init__(self) -> None:
        if self.compression not in COMPRESSIONS:
            raise UsageError(
                f"Unknown EXR compression {self.compression}.", f"Use one of {', '.join(COMPRESSIONS)}."
            )

    @property
    def kinds(self) -> tuple[SequenceKind, ...]:
        """The sequences to write."""
        if self.layered:
            return ("layers",)
        wanted: tuple[tuple[bool, SequenceKind], ...] = (
            (self.depth, "depth"),
            (self.disparity, "disparity"),
            (self.confidence, "confidence"),
            (self.normals, "normal"),
            (self.sky, "sky"),
        )
        return tuple(kind for flag, kind in wanted if flag)


@dataclass(frozen=True)
class WrittenFrame:
    """What became of one frame.

    Attributes:
        paths: Its EXR files, one a sequence.
        fresh: Those of them written now; the others were there already.
        d: (H, W) float32 in [0, 1], normalised disparity at full size, 1 = near: for the preview and the
            report. Where there is a mask of the sky, −2 in it.
    """

    paths: tuple[Path, ...]
    fresh: tuple[Path, ...]
    d: np.ndarray


class SequenceWriter:
    """Writes the EXR files of a job, frame by frame, in any order.

    Keeps no state between frames: several threads may call `write` at once, on different frames.
    """

    def __init__(
        self,
        out: Path,
        clip_name: str,
        settings: SequenceSettings,
        place: Place = atomic_path,
        whole: Callable[[Path], bool] = lambda path: True,
    ) -> None:
        """Creates folder ``out``.

        Args:
            out: The folder.
            clip_name: What names begin with.
            settings: What to write.
            place: How files get to their places.
            whole: Whether a file that looks as it should holds what it should, to the last byte.

        Raises:
            ResourceError: it cannot be created.
        """
        self.out, self.clip_name, self.settings = make_folder(out), clip_name, settings
        self._place, self._whole = place, whole

    def paths(self, number: int) -> dict[SequenceKind, Path]:
        """The files of frame ``number``, by sequence.

        Args:
            number: As in the files' names.
        """
        return {kind: frame_path(self.out, self.clip_name, kind, number) for kind in self.settings.kinds}

    def done(self, attributes: FrameAttributes, size: tuple[int, int]) -> bool:
        """Whether all files of the frame are there, whole and of this job.

        Args:
            attributes: Of the frame.
            size: (width, height).
        """
        return not self._missing(attributes, size)

    def write(
        self,
        rgb: np.ndarray,
        disparity: np.ndarray,
        attributes: FrameAttributes,
        confidence: np.ndarray | None = None,
        sky: Sky | None = None,
    ) -> WrittenFrame:
        """Brings a frame's maps to the plate's size and writes the files that are not there yet.

        Args:
            rgb: (H, W, 3) uint8, the plate: its raster is the files' raster, its edges guide the up-sampling.
            disparity: (h, w) final disparity of the frame; what is not finite becomes sky.
            attributes: What the headers say; its mapping turns disparity into depth.
            confidence: (h, w) in [0, 1] where the method gives one.
            sky: The shot's, where its mask is wanted.

        Raises:
            ResourceError: the disk is full or the folder cannot be written.
            UsageError: a wanted sequence needs a map the method does not give.
        """
        size = rgb.shape[1], rgb.shape[0]
        mapping = attributes.mapping
        missing = self._missing(attributes, size)
        span = mapping.range.hi - mapping.range.lo
        full = Upsampler(span)(disparity, rgb)
        grain = max(size[0] / disparity.shape[1], size[1] / disparity.shape[0])
        if self.settings.sharpen:
            full = sharpened(full, rgb, span, reach_of(grain))
        np.maximum(full, 0.0, out=full)  # nothing is farther than infinity; NaN stays
        planes = {"disparity": full}
        wanted = set(missing)
        planes["depth"], d = mapping.maps(full)
        if confidence is not None and wanted & {"confidence", "layers"}:
            planes["confidence"] = _resized(confidence, size)
        if sky is not None:
            planes["sky"] = mask = sky.mask(rgb, mapping.normalised(disparity))
            if self.settings.sky_depth:
                full[mask > 0.5], planes["depth"][mask > 0.5] = 0.0, FAR_AWAY
            d[mask > 0.5] = -2.0
        if "normal" in wanted or ("layers" in wanted and self.settings.normals):
            # From the map as it is: snapping its steps to the picture bends the surfaces beside them. The
            # snapped ones say which pixels lie on one surface.
            normals = normals_from_depth(
                mapping.depth(np.maximum(resize_surface(disparity, size), 0.0)),
                attributes.intrinsics,
                max(2, round(grain)),
            )
            normals = smoothed_normals(normals, planes["depth"], attributes.intrinsics, WAVES * grain)
            if "sky" in planes and self.settings.sky_depth:
                normals[planes["sky"] > 0.5] = (0.0, 0.0, 1.0)  # nothing is known of it but that we see it
            planes |= {f"normal.{axis}": normals[..., index] for index, axis in enumerate("xyz")}
        if not all_finite(full):
            full[~np.isfinite(full)] = 0.0
        for kind, path in missing.items():
            channels = channels_of(kind, planes)
            header, compression = attributes.header(kind), self.settings.compression
            write_exr(path, channels, header, compression, self._place, attributes.origin)
        return WrittenFrame(tuple(self.paths(attributes.number).values()), tuple(missing.values()), d)

    def _missing(self, attributes: FrameAttributes, size: tuple[int, int]) -> dict[SequenceKind, Path]:
        return {
            kind: path
            for kind, path in self.paths(attributes.number).items()
            if not (exr_matches(path, attributes.header(kind), size) and self._whole(path))
        }


def _resized(confidence: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    values = np.nan_to_num(np.clip(confidence.astype(np.float32), 0, 1))
    shrinks = size[0] <= values.shape[1] and size[1] <= values.shape[0]
    return cv2.resize(values, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
