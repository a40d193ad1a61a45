"""From a decoded picture to RGB: which matrix, range, transfer and primaries it has, and the conversion.

The picture is asked first, because streams change; what it leaves open, the stream or the container may have
declared (``colr`` in MOV, Colour in Matroska): FFmpeg keeps that with the codec's parameters only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from .colour import Declared, named_in
from .orient import Orientation, from_display_matrix
from .primaries import PRIMARIES
from .transfer import TRANSFERS

# AVColorSpace: FFmpeg's word and swscale's matrix; unspecified is BT.709 for HD and BT.601 below, as players
# guess.
_MATRICES = {
    1: ("bt709", Colorspace.ITU709), 4: ("fcc", Colorspace.FCC), 5: ("bt470bg", Colorspace.ITU601),
    6: ("smpte170m", Colorspace.SMPTE170M), 7: ("smpte240m", Colorspace.SMPTE240M),
    9: ("bt2020nc", Colorspace.BT2020), 10: ("bt2020c", Colorspace.BT2020),
}  # fmt: skip
_UNSAID = frozenset({0, 2})  # reserved (0; of a matrix: RGB) and unspecified


class Coding:
    """The colour facts of a stream's pictures."""

    def __init__(self, stream: Any) -> None:
        """Reads what the stream and its container declare."""
        context = stream.codec_context
        self._matrix, self._range = int(context.colorspace), int(context.color_range)
        self._transfer, self._primaries = int(context.color_trc), int(context.color_primaries)
        self._log = named_in((stream.metadata, stream.container.metadata))

    def declared(self, picture: VideoFrame) -> Declared:
        """Transfer and primaries of a picture, and a camera log the tags name.

        Args:
            picture: As decoded; what it says itself goes before what the stream says.
        """
        transfer = _first(int(picture.color_trc), self._transfer)
        _, chromaticities = PRIMARIES.get(self._primaries_of(picture), ("", None))
        return Declared(TRANSFERS.get(transfer, ""), "unknown", chromaticities, self._log)

    def words(self, picture: VideoFrame) -> tuple[str, str, str]:
        """FFmpeg's words for a picture's primaries, matrix and range; empty where nobody says.

        Args:
            picture: As decoded.
        """
        matrix, _ = _MATRICES.get(self._matrix_of(picture), ("", None))
        range_ = {int(ColorRange.JPEG): "pc", int(ColorRange.MPEG): "tv"}.get(self._range_of(picture), "")
        return PRIMARIES.get(self._primaries_of(picture), ("", None))[0], matrix, range_

    def matrix(self, picture: VideoFrame) -> Colorspace:
        """The matrix to decode the picture with.

        Args:
            picture: As decoded; its size decides where nobody says.
        """
        _, matrix = _MATRICES.get(self._matrix_of(picture), ("", None))
        if matrix is not None:
            return matrix
        return Colorspace.ITU709 if min(picture.width, picture.height) >= 720 else Colorspace.ITU601

    def full_range(self, picture: VideoFrame) -> bool:
        """Whether black is code 0.

        Args:
            picture: As decoded.
        """
        return self._range_of(picture) == ColorRange.JPEG or picture.format.name.startswith("yuvj")

    def _matrix_of(self, picture: VideoFrame) -> int:
        return _first(int(picture.colorspace), self._matrix)

    def _primaries_of(self, picture: VideoFrame) -> int:
        return _first(int(picture.color_primaries), self._primaries)

    def _range_of(self, picture: VideoFrame) -> int:
        said = int(picture.color_range)
        # FFmpeg's H.265 decoder says limited where the stream says nothing at all.
        facts = (int(picture.color_primaries), int(picture.color_trc), int(picture.colorspace))
        silent = said == ColorRange.MPEG and all(fact in _UNSAID for fact in facts)
        return (self._range or said) if silent else (said or self._range)


class Converter:
    """Decoded picture to RGB of one size: 8 bits for display, or 16-bit codes where light must be found
    first.

    8-bit 4:2:0 goes through swscale's direct converter: within 3 of 255 of the exact value, and ten times
    faster than the exact one (0.3 against 4 ms at 720p). Everything else is exact to half a step.
    """

    def __init__(self, size: tuple[int, int], pixel_format: str, coding: Coding) -> None:
        self._size, self._format, self._coding = size, pixel_format, coding
        self._reformatter = VideoReformatter()

    def __call__(self, picture: VideoFrame) -> np.ndarray:
        """(H, W, 3) of a picture, in the size and format this was made for."""
        same = (picture.width, picture.height) == self._size
        matrix = self._coding.matrix(picture)
        full = self._coding.full_range(picture)
        how = Interpolation.BILINEAR if same else Interpolation.AREA
        if same and picture.format.components[0].bits > 8:
            if self._format == "rgb48le":  # two taps lose red and green there (FFmpeg 8); four do not
                how = Interpolation.BICUBIC
            how |= Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
        converted = self._reformatter.reformat(
            picture,
            width=self._size[0],
            height=self._size[1],
            format=self._format,
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=ColorRange.JPEG if full else ColorRange.MPEG,
            dst_color_range=ColorRange.JPEG,
            interpolation=how,
            threads=1,  # its thread pool costs more than it gains at these sizes
        )
        return converted.to_ndarray()


def orientation(picture: VideoFrame) -> Orientation:
    """How to turn the picture upright.

    Args:
        picture: As decoded, with its side data.
    """
    side_data: Any = picture.side_data  # iterates over the data, whatever its stubs say
    for data in side_data:
        if data.type == SideDataType.DISPLAYMATRIX:
            return from_display_matrix(bytes(data))
    return Orientation()


def _first(said: int, declared: int) -> int:
    return declared if said in _UNSAID else said
