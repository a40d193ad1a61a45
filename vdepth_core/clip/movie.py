"""Movies through PyAV: what they are, and their pictures upright and display-referred."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

from ..errors import InputError
from ..types import ClipInfo, Frame
from .base import MIN_SIDE, THUMBNAIL, Clip
from .decode import Damage, first_picture, open_movie, pictures
from .display import LINEARISED, ExposureMeter, linear_to_display, signal_to_linear
from .orient import Orientation, from_display_matrix
from .scan import Probe
from .timing import Timecode, Timeline, nominal_rate

# FFmpeg's names of AVColorTransferCharacteristic; what is not listed is display-referred anyway.
_TRANSFERS = {
    1: "bt709", 4: "gamma22", 5: "gamma28", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100",
    10: "log316", 11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12",
    16: "smpte2084", 17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
_LOG = frozenset({"log100", "log316"})
_BT2020_PRIMARIES = 9
# AVColorSpace to swscale's matrices; unspecified is BT.709 for HD and BT.601 below, as players guess.
_MATRICES = {
    1: Colorspace.ITU709, 4: Colorspace.FCC, 5: Colorspace.ITU601, 6: Colorspace.SMPTE170M,
    7: Colorspace.SMPTE240M, 9: Colorspace.BT2020, 10: Colorspace.BT2020,
}  # fmt: skip
_TEXT_FORMATS = frozenset({"tty", "bin", "xbin", "adf", "idf"})  # FFmpeg would draw any text file


class MovieClip(Clip):
    """A movie file: mp4, mov, mkv, webm, avi, gif, mpg and what else FFmpeg reads."""

    def __init__(self, path: Path) -> None:
        """Opens the file and decodes its first picture.

        Raises:
            InputError: it is no movie, has no picture stream, or nothing in it decodes.
        """
        super().__init__(path)
        try:
            with open_movie(path) as container:
                if container.format.name in _TEXT_FORMATS:
                    raise InputError(f"{path} is neither a movie nor an image.")
                stream = _choose_stream(container, path)
                self._stream, self._time_base = stream.index, stream.time_base or Fraction(1, 1000)
                first = _first_picture(path, stream.index)
                self._orientation = _orientation(first)
                self._size = first.width, first.height
                self._duration = _declared_duration(container, stream)
                self.info = _describe(path, container, stream, first, self._orientation)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"{path} cannot be opened: {_reason(path, error)}.", _HINT) from error
        self._wide = first.color_primaries == _BT2020_PRIMARIES
        self._linearised = self.info.transfer in LINEARISED

    def read(
        self, start: int = 0, stop: int | None = None, *, exposure: float = 1.0, max_side: int | None = None
    ) -> Generator[Frame]:
        """See `Clip.read`. Frames of another size than the first are scaled to it."""
        if stop is not None and stop <= start:
            return
        timeline = Timeline(self._time_base, self.info.rate)
        times, known = self._times, self._pts  # a scan may still be adding to them
        begin = 0
        if self._sound and 0 < start < min(len(times), len(known)):
            begin = start
            timeline.go_on_after(known[0], times[start - 1])
        convert = _Converter(self._shrunk(max_side), "rgb48le" if self._linearised else "rgb24")
        with closing(pictures(self.info.path, self._stream, begin, known)) as decoded:
            for index, picture in decoded:
                time, pts = timeline.place(picture.pts)
                if index >= start:
                    rgb = convert(picture)
                    if self._linearised:
                        rgb = linear_to_display(
                            signal_to_linear(rgb, self.info.transfer, self._wide), exposure
                        )
                    yield Frame(index, time, pts, self._orientation.apply(rgb))
                if stop is not None and index + 1 >= stop:
                    return

    def probes(self, start: int, stop: int | None, warnings: list[str]) -> Generator[Probe]:
        """See `Clip.probes`. Thumbnails lie as stored, which is as good for comparing."""
        damage, timeline = Damage(), Timeline(self._time_base, self.info.rate)
        convert = _Converter(self._shrunk(THUMBNAIL), "bgr48le" if self._linearised else "bgr24")
        resized = interlaced = index = -1
        time, complete = Fraction(0), False
        with closing(pictures(self.info.path, self._stream, damage=damage)) as decoded:
            for index, picture in decoded:
                time, pts = timeline.place(picture.pts)
                self._sound = self._sound and damage.first is None
                if (picture.width, picture.height) != self._size and resized < 0:
                    resized = index
                if picture.interlaced_frame and interlaced < 0:
                    interlaced = index
                if index < start:
                    yield Probe(time, pts)
                else:
                    codes = convert(picture)
                    light = None
                    if self._linearised:
                        light = ExposureMeter.measure(
                            signal_to_linear(codes[..., ::-1], self.info.transfer, self._wide)
                        )
                        codes = (codes >> 8).astype(np.uint8)
                    yield Probe(time, pts, codes, light)
                if stop is not None and index + 1 >= stop:
                    break
            else:
                complete = True
        name = self.info.path.name
        warnings += _damage_warnings(name, damage, index + 1)
        if complete and not damage.tail and not damage.unreadable:
            warnings += self._shortfall(damage.packets, index + 1, time)
        if timeline.repaired:
            warnings.append(
                f"{timeline.repaired} timestamps of {name} are missing or run backwards; "
                "its frames are taken in the order they are stored."
            )
        if resized >= 0:
            warnings.append(
                f"{name} changes its picture size at frame {resized}; it is scaled to the first size."
            )
        if interlaced > 0 and not self.info.interlaced:
            warnings.append(
                f"{name} is interlaced from frame {interlaced} on; deinterlace it for clean edges."
            )

    def _shrunk(self, max_side: int | None) -> tuple[int, int]:
        width, height = self._size
        scale = min(1.0, (max_side or 1 << 30) / max(width, height))
        return max(1, round(width * scale)), max(1, round(height * scale))

    def _shortfall(self, packets: int, frames: int, last: Fraction) -> list[str]:
        declared, rate = self.info.frames_declared, self.info.rate
        missing = Fraction(0)
        if declared:
            missing = Fraction(max(0, declared - packets))
        elif self._duration:
            missing = (self._duration - last) * rate - 1
        if missing < 1:
            return []
        promised = f"{declared} frames" if declared else f"{float(self._duration or 0):.2f} seconds"
        return [
            f"{self.info.path.name} promises {promised} but ends after frame {frames - 1} "
            f"({float(last + 1 / rate):.2f} seconds); it is probably cut short."
        ]


class _Converter:
    """Decoded picture to RGB of one size: uint8 sRGB, or 16-bit codes where the transfer must be undone
    first.

    8-bit 4:2:0 goes through swscale's direct converter: within 3 of 255 of the exact value, and ten times
    faster than the exact one (0.3 against 4 ms at 720p). Everything else is exact to half a step.
    """

    def __init__(self, size: tuple[int, int], pixel_format: str) -> None:
        self._size, self._format = size, pixel_format
        self._reformatter = VideoReformatter()

    def __call__(self, picture: VideoFrame) -> np.ndarray:
        same = (picture.width, picture.height) == self._size
        matrix = _MATRICES.get(int(picture.colorspace))
        if matrix is None:
            matrix = Colorspace.ITU709 if min(picture.width, picture.height) >= 720 else Colorspace.ITU601
        full = int(picture.color_range) == ColorRange.JPEG or picture.format.name.startswith("yuvj")
        how = Interpolation.BILINEAR if same else Interpolation.AREA
        if same and picture.format.components[0].bits > 8:
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


_HINT = "Check that the copy or download was complete, or convert it to another format first."


def _choose_stream(container: av.container.InputContainer, path: Path) -> Any:
    streams = list(container.streams.video)
    if not streams:
        kind = "holds only sound" if container.streams.audio else "holds no pictures"
        raise InputError(
            f"{path} {kind}, there is no picture to estimate depth for.", "Give a movie or images."
        )
    hidden = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    streams = [stream for stream in streams if not stream.disposition & hidden]
    if not streams:
        raise InputError(f"{path} is a sound file; its only picture is the cover.", "Give a movie or images.")
    best = container.streams.best("video")
    return best if best in streams else streams[0]


def _first_picture(path: Path, stream: int) -> VideoFrame:
    picture = first_picture(path, stream)
    if picture is not None:
        return picture
    raise InputError(f"No frame of {path} can be decoded, the file is empty or damaged.", _HINT)


def _orientation(picture: VideoFrame) -> Orientation:
    side_data: Any = picture.side_data  # iterates over the data, whatever its stubs say
    for data in side_data:
        if data.type == SideDataType.DISPLAYMATRIX:
            return from_display_matrix(bytes(data))
    return Orientation()


def _describe(
    path: Path,
    container: av.container.InputContainer,
    stream: Any,
    first: VideoFrame,
    orientation: Orientation,
) -> ClipInfo:
    width, height = first.width, first.height
    if min(width, height) < MIN_SIDE:
        raise InputError(
            f"{path} is {width} x {height} pixels; depth needs at least {MIN_SIDE} pixels a side.",
            "Give a larger clip.",
        )
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or Fraction(1)
    aspect = aspect if aspect > 0 else Fraction(1)
    alpha = stream.metadata.get("alpha_mode") == "1" or (
        any(component.is_alpha for component in first.format.components)
        and stream.codec_context.name != "gif"
    )
    transfer = _TRANSFERS.get(int(first.color_trc), "unknown")
    # Interlaced coding is a property of the stream, woven fields of the picture; the picture decides.
    interlaced = bool(first.interlaced_frame)
    if orientation.swaps_sides:
        width, height, aspect = height, width, 1 / aspect
    notes = []
    if not orientation.exact:
        notes.append("The clip asks for a rotation that is no right angle; the nearest one is applied.")
    if alpha:
        notes.append("The alpha channel is dropped; depth is estimated for the whole picture.")
    if interlaced:
        notes.append(
            "The clip is interlaced; its fields stay woven, so deinterlace it first for clean edges."
        )
    if transfer in _LOG:
        notes.append("The picture is log-encoded and is used as it is.")
    if transfer in LINEARISED:
        notes.append("The picture is HDR or scene-linear and is tone-mapped with one exposure a shot.")
    return ClipInfo(
        path=path,
        kind="movie",
        name=path.stem,
        width=width,
        height=height,
        pixel_aspect=aspect,
        rate=_rate(stream),
        timecode=_timecode(container, stream),
        codec=stream.codec_context.codec.canonical_name,
        pixel_format=first.format.name,
        bit_depth=max(component.bits for component in first.format.components),
        transfer=transfer,
        rotation=orientation.rotation,
        mirrored=orientation.mirrored,
        has_alpha=alpha,
        interlaced=interlaced,
        frames_declared=stream.frames or None,
        notes=tuple(notes),
    )


def _rate(stream: Any) -> Fraction:
    # The guessed rate is the regular one behind variable timestamps; the average is misleading there.
    for rate in (stream.guessed_rate, stream.average_rate):
        if rate and 0 < rate <= 1000:
            return nominal_rate(rate)
    return Fraction(24)


def _timecode(container: av.container.InputContainer, stream: Any) -> str | None:
    sources = [stream.metadata, container.metadata, *(other.metadata for other in container.streams)]
    for metadata in sources:
        if "timecode" in metadata:
            with contextlib.suppress(ValueError):
                return str(Timecode.parse(metadata["timecode"]))
    return None


def _declared_duration(container: av.container.InputContainer, stream: Any) -> Fraction | None:
    """Seconds from first frame to the end of the last, where the container is specific about this stream."""
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    tag = stream.metadata.get("DURATION")  # Matroska, hh:mm:ss.fraction
    if tag:
        with contextlib.suppress(ValueError):
            hours, minutes, seconds = tag.split(":")
            return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    return None


def _damage_warnings(name: str, damage: Damage, frames: int) -> list[str]:
    warnings = []
    if damage.lost:
        count = "1 frame" if damage.lost == 1 else f"{damage.lost} frames"
        place = "its place in time stays" if damage.lost == 1 else "their places in time stay"
        warnings.append(
            f"{name} is damaged: {count} near frame {damage.first} could not be decoded; "
            f"{place} empty, and the frames around may be smeared."
        )
    elif damage.concealed:
        warnings.append(f"{name} is damaged from frame {damage.first} on; some pictures are smeared.")
    if damage.tail or damage.unreadable:
        warnings.append(f"{name} is damaged and ends after frame {frames - 1}; the rest does not decode.")
    return warnings


def _reason(path: Path, error: Exception) -> str:
    if isinstance(error, av.FFmpegError):
        if _lacks_index(path):
            return "its index (moov atom) is missing, so the recording or the copy was cut short"
        if isinstance(error, av.error.InvalidDataError):
            return "it is no movie format that FFmpeg reads, or it is damaged"
        return str(error.strerror or error).lower()
    return str(error)


def _lacks_index(path: Path) -> bool:
    """Whether the file is MP4/MOV by its first box but has no ``moov`` box at top level."""
    with path.open("rb") as file:
        size, offset, kind = path.stat().st_size, 0, b""
        if file.read(12)[4:8] != b"ftyp":
            return False
        while offset + 8 <= size and kind != b"moov":
            file.seek(offset)
            header = file.read(16)
            length, kind = int.from_bytes(header[:4]), header[4:8]
            length = int.from_bytes(header[8:16]) if length == 1 else length or size
            offset += max(length, 8)
        return kind != b"moov"
