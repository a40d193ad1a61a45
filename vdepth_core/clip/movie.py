"""Movies through PyAV: what they are, and their pictures upright and display-referred."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame

from ..choices import Shown
from ..errors import InputError
from ..protocols import Light
from ..types import ClipInfo, Frame
from .base import MIN_SIDE, THUMBNAIL, Clip
from .colour import Colour, settle_colour
from .decode import Damage, first_picture, key_pictures, open_movie, pictures
from .display import ExposureMeter, log_picture, show
from .facts import Probe
from .film_lens import lens_of_movie
from .lens import Raster
from .orient import Orientation
from .picture import Coding, Converter, orientation
from .stream import (
    HINT,
    choose_stream,
    declared_end,
    declared_frames,
    open_failure,
    picture_rate,
    pixel_aspect,
    start_timecode,
)
from .timing import Timeline

_TEXT_FORMATS = frozenset({"tty", "bin", "xbin", "adf", "idf"})  # FFmpeg would draw any text file
_SHORT = 300  # frames: a movie of no more is decoded in a second or two, and may have one key frame


class MovieClip(Clip):
    """A movie file: mp4, mov, mkv, webm, avi, gif, mpg and what else FFmpeg reads."""

    def __init__(
        self,
        path: Path,
        transfer: str | None = None,
        colorspace: str | None = None,
        shown: Shown | None = None,
    ) -> None:
        """Opens the file and decodes its first picture.

        Args:
            path: The movie.
            transfer: The transfer characteristic, where the file does not say or is wrong.
            colorspace: The colour space, likewise.
            shown: How much is done of what the file asks to make the picture upright.

        Raises:
            InputError: it is no movie, has no picture stream, or nothing in it decodes.
            UsageError: no such transfer or colour space.
        """
        super().__init__(path)
        try:
            with open_movie(path) as container:
                if container.format.name in _TEXT_FORMATS:
                    raise InputError(f"{path} is neither a movie nor an image.")
                stream = choose_stream(container, path)
                self._stream, self._time_base = stream.index, stream.time_base or Fraction(1, 1000)
                first = _first_picture(path, stream.index)
                asked, self._coding = orientation(first), Coding(stream)
                self._orientation, kept = asked.shown(shown), asked.kept(shown)
                self._size = first.width, first.height
                self._end = declared_end(stream)
                colour = settle_colour(self._coding.declared(first), transfer, colorspace)
                words = self._coding.words(first)
                self.info = _describe(path, container, stream, first, self._orientation, kept, words, colour)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise InputError(f"{path} cannot be opened: {open_failure(path, error)}.", HINT) from error
        self._light = colour.light

    def read(
        self, start: int = 0, stop: int | None = None, *, exposure: float = 1.0, max_side: int | None = None
    ) -> Generator[Frame]:
        """See `Clip.read`. Frames of another size than the first are scaled to it."""
        if stop is not None and stop <= start:
            return
        timeline = Timeline(self._time_base, self.info.rate)
        times, known = self._seen.times, self._seen.pts  # a scan may still be adding to them
        begin = 0
        if self._sound and 0 < start < min(len(times), len(known)):
            begin = start
            timeline.go_on_after(known[0], times[start - 1])
        light = self._light
        convert = Converter(self._shrunk(max_side), "rgb48le" if light else "rgb24", self._coding)
        with closing(pictures(self.info.path, self._stream, begin, known)) as decoded:
            for index, picture in decoded:
                time, pts = timeline.place(picture.pts)
                if index >= start:
                    rgb = convert(picture)
                    if light:
                        rgb = show(rgb, light, exposure)
                    yield Frame(index, time, pts, self._orientation.apply(rgb))
                if stop is not None and index + 1 >= stop:
                    return

    def probes(self, start: int, stop: int | None, warnings: list[str]) -> Generator[Probe]:
        """See `Clip.probes`. Thumbnails lie as stored, which is as good for comparing."""
        damage, timeline = Damage(), Timeline(self._time_base, self.info.rate)
        light = self._light
        convert = Converter(self._shrunk(THUMBNAIL), "rgb48le" if light else "bgr24", self._coding)
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
                    if light is None:
                        yield Probe(time, pts, codes)
                    else:
                        yield Probe(time, pts, *_seen(codes, light))
                if stop is not None and index + 1 >= stop:
                    break
            else:
                complete = True
        name = self.info.path.name
        warnings += _damage_warnings(name, damage, index + 1)
        if complete and not damage.tail and not damage.unreadable:
            last = time + damage.held / self.info.rate
            warnings += self._shortfall(damage.packets, index + 1, timeline.origin, last)
        if timeline.repaired:
            what, how = (
                ("1 timestamp", "is missing or runs")
                if timeline.repaired == 1
                else (f"{timeline.repaired} timestamps", "are missing or run")
            )
            warnings.append(
                f"{what} of {name} {how} backwards; its frames are taken in the order they are stored."
            )
        if resized >= 0:
            warnings.append(
                f"{name} changes its picture size at frame {resized}; it is scaled to the first size."
            )
        if interlaced > 0 and not self.info.interlaced:
            warnings.append(
                f"{name} is interlaced from frame {interlaced} on; deinterlace it for clean edges."
            )

    def glances(self, count: int, start: int, stop: int | None, max_side: int) -> Generator[np.ndarray]:
        """See `Clip.glances`: of a long movie, what the key frames near by show."""
        frames = self.info.frames_declared or int((self._end or 0) * self.info.rate)
        stop = min(frames, frames if stop is None else stop)
        wanted = np.linspace(start, stop - 1, count).round().astype(int).tolist()
        if stop <= _SHORT:
            with closing(self.read(start, stop, max_side=max_side)) as read:
                yield from (frame.rgb for frame in read if frame.index in wanted)
            return
        convert = Converter(self._shrunk(max_side), "rgb48le" if self._light else "rgb24", self._coding)
        times = [index / self.info.rate for index in wanted]
        with closing(key_pictures(self.info.path, self._stream, times)) as found:
            for picture in found:
                rgb = convert(picture)
                shown = show(rgb, self._light, 1.0) if self._light else rgb
                yield self._orientation.apply(shown)

    def _shrunk(self, max_side: int | None) -> tuple[int, int]:
        width, height = self._size
        scale = min(1.0, (max_side or 1 << 30) / max(width, height))
        return max(1, round(width * scale)), max(1, round(height * scale))

    def _shortfall(self, packets: int, frames: int, origin: int, last: Fraction) -> list[str]:
        """Says that the end is missing, where everything the container declares agrees on it.

        A count alone also counts what an edit list hides, or ticks instead of frames; a time alone may begin
        with packets that decode to nothing, as in a broadcast cut inside a group of pictures.
        """
        declared, rate = self.info.frames_declared, self.info.rate
        missing = []
        if declared:
            missing.append(Fraction(declared - packets))
        if self._end is not None:
            missing.append((self._end - origin * self._time_base - last) * rate - 1)
        if not missing or min(missing) < 1:
            return []
        promised = (
            f"{declared} frame{'s' * (declared != 1)}" if declared else f"{float(self._end or 0):.2f} seconds"
        )
        return [
            f"{self.info.path.name} promises {promised} but ends after frame {frames - 1} "
            f"({float(last + 1 / rate):.2f} seconds); it is probably cut short."
        ]


def _first_picture(path: Path, stream: int) -> VideoFrame:
    picture = first_picture(path, stream)
    if picture is not None:
        return picture
    raise InputError(f"No frame of {path} can be decoded, the file is empty or damaged.", HINT)


def _describe(
    path: Path,
    container: av.container.InputContainer,
    stream: Any,
    first: VideoFrame,
    turned: Orientation,
    shown: Shown,
    words: tuple[str, str, str],
    colour: Colour,
) -> ClipInfo:
    width, height = first.width, first.height
    if min(width, height) < MIN_SIDE:
        raise InputError(
            f"{path} is {width} x {height} pixels; depth needs at least {MIN_SIDE} pixels a side.",
            "Give a larger clip.",
        )
    aspect, rate = pixel_aspect(stream), picture_rate(stream)
    alpha = stream.metadata.get("alpha_mode") == "1" or (
        any(component.is_alpha for component in first.format.components)
        and stream.codec_context.name != "gif"
    )
    # Interlaced coding is a property of the stream, woven fields of the picture; the picture decides.
    interlaced = bool(first.interlaced_frame)
    if turned.swaps_sides:
        width, height, aspect = height, width, 1 / aspect
    notes = []
    if not turned.exact:
        notes.append("The clip asks for a rotation that is no right angle; the nearest one is applied.")
    if alpha:
        notes.append("The alpha channel is dropped; depth is estimated for the whole picture.")
    if interlaced:
        notes.append(
            "The clip is interlaced; its fields stay woven, so deinterlace it first for clean edges."
        )
    primaries, matrix, color_range = words
    return ClipInfo(
        path=path,
        kind="movie",
        name=path.stem,
        width=width,
        height=height,
        pixel_aspect=aspect,
        rate=rate,
        timecode=start_timecode(container, stream, path, rate),
        codec=stream.codec_context.codec.canonical_name,
        pixel_format=first.format.name,
        bit_depth=max(component.bits for component in first.format.components),
        transfer=colour.transfer,
        primaries=primaries,
        matrix=matrix,
        color_range=color_range,
        colorspace=colour.colorspace,
        colour=colour.identity,
        rotation=turned.rotation,
        mirrored=turned.mirrored,
        shown=shown,
        has_alpha=alpha,
        interlaced=interlaced,
        frames_declared=declared_frames(container, stream),
        lens=lens_of_movie(path, container, stream, Raster(width, height, aspect)),
        notes=(*notes, *colour.notes),
    )


def _seen(codes: np.ndarray, light: Light) -> tuple[np.ndarray, np.ndarray]:
    """An 8-bit BGR picture to compare, and the light it holds, of 16-bit RGB codes."""
    linear = light(codes)
    picture = (codes >> 8).astype(np.uint8) if light.perceptual else log_picture(linear)
    return picture[..., ::-1], ExposureMeter.measure(linear)


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
