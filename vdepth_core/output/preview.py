"""The preview: the plate beside its colour-mapped disparity, as float EXRs open black in viewers.

A film, or of a single image a picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np

from ..files import Place, atomic_path, write_bytes, write_error
from .movie import MovieWriter

_PANEL = (640, 720)  # largest width and height of one of the two pictures
_STILL_PANEL = (1920, 1920)  # and of a still's, which is looked at closely
_SMALLEST = 16
_SKY = -1.0  # normalised disparity below which it is sky


class PreviewWriter(MovieWriter):
    """Writes the preview frame by frame, in order; use as a context manager.

    See `MovieWriter`. Presentation times follow the clip's own, variable rates included.
    """

    def __init__(
        self,
        path: Path,
        rate: Fraction,
        size: tuple[int, int],
        pixel_aspect: Fraction = Fraction(1),
        place: Place = atomic_path,
    ) -> None:
        """Opens the film.

        Args:
            path: The file, ``.mp4``.
            rate: Nominal frames per second.
            size: (width, height) of the plate.
            pixel_aspect: Width of a plate's pixel over its height; the preview has square ones.
            place: How the film gets to its place.

        Raises:
            ResourceError: the folder cannot be written.
        """
        self.size = _panel(size, pixel_aspect)
        super().__init__(path, rate, (2 * self.size[0], self.size[1]), place)

    def write(self, rgb: np.ndarray, d: np.ndarray, time: Fraction) -> None:
        """Appends one frame.

        Args:
            rgb: (H, W, 3) uint8 plate.
            d: (H, W) normalised disparity in [0, 1], 1 = near.
            time: Presentation time in seconds since the first frame of the film.

        Raises:
            ResourceError: the disk is full.
        """
        self.append(beside(rgb, d, self.size), time)


def write_picture(
    path: Path,
    rgb: np.ndarray,
    d: np.ndarray,
    pixel_aspect: Fraction = Fraction(1),
    place: Place = atomic_path,
) -> None:
    """Writes the preview of a still.

    Args:
        path: The file, ``.png``.
        rgb: (H, W, 3) uint8 plate.
        d: (H, W) normalised disparity in [0, 1], 1 = near.
        pixel_aspect: Width of a plate's pixel over its height; the preview has square ones.
        place: How the picture gets to its place.

    Raises:
        ResourceError: the disk is full or not writable.
    """
    picture = beside(rgb, d, _panel((rgb.shape[1], rgb.shape[0]), pixel_aspect, _STILL_PANEL))
    _, data = cv2.imencode(".png", np.ascontiguousarray(picture[..., ::-1]))
    write_bytes(path, data.tobytes(), place)


def join_films(parts: Iterable[tuple[Path, Fraction]], path: Path, place: Place = atomic_path) -> None:
    """Puts the films of shots, as `PreviewWriter` made them, one behind the other without decoding them.

    Args:
        parts: Each film and the second at which it begins, in order.
        path: The film to write.
        place: How it gets to its place.

    Raises:
        ResourceError: the disk is full or not writable.
    """
    draft, last = place(path), -1
    try:
        with av.open(str(draft.temporary), "w", format="mp4", options={"fflags": "+bitexact"}) as film:
            stream: av.VideoStream | None = None
            for part, begin in parts:
                with av.open(str(part)) as segment:
                    source = segment.streams.video[0]
                    if stream is None:
                        stream = film.add_stream_from_template(source)
                        stream.time_base = source.time_base
                    assert source.time_base is not None
                    shift = max(round(begin / source.time_base), last + 1)
                    for packet in segment.demux(source):
                        if packet.pts is None or packet.dts is None:  # the end
                            continue
                        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                        last = max(last, packet.pts)
                        packet.stream = stream
                        film.mux(packet)
        draft.commit()
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        draft.discard()


@cache
def _turbo() -> np.ndarray:
    """The table, as (256, 1, 3) RGB; OpenCV interpolates it anew for every picture, which takes longer."""
    levels = np.arange(256, dtype=np.uint8)[:, None]
    return np.asarray(cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_TURBO), cv2.COLOR_BGR2RGB))


def colour_map(d: np.ndarray) -> np.ndarray:
    """Turbo colours (H, W, 3) uint8 RGB of normalised disparity (H, W) in [0, 1]: red near, blue far.

    Args:
        d: What lies outside is clipped, but far below 0 is the sky and black.
    """
    grey = np.clip(d * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)
    colours = np.asarray(cv2.applyColorMap(grey, _turbo()))
    colours[d < _SKY] = 0
    return colours


def beside(rgb: np.ndarray, d: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Plate and coloured disparity, each of ``size`` (width, height), side by side: (height, 2 width, 3).

    Args:
        rgb: (H, W, 3) uint8.
        d: Normalised disparity (h, w) in [0, 1].
        size: Of each.
    """
    shrinks = size[0] <= rgb.shape[1] and size[1] <= rgb.shape[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    small = cv2.resize(d, size, interpolation=how)
    return np.asarray(cv2.hconcat([cv2.resize(rgb, size, interpolation=how), colour_map(small)]))


def _panel(
    size: tuple[int, int], pixel_aspect: Fraction, largest: tuple[int, int] = _PANEL
) -> tuple[int, int]:
    width, height = float(size[0] * pixel_aspect), float(size[1])
    scale = min(1.0, largest[0] / width, largest[1] / height)
    return max(_SMALLEST, round(width * scale / 2) * 2), max(_SMALLEST, round(height * scale / 2) * 2)
