"""The report of a job: one HTML file with everything in it, to be looked at before the depth is used.

A contact sheet, a slice through time (flicker shows as vertical stripes), the alignment's curves and the
facts. Memory does not depend on the clip's length: pictures are thinned out as it grows. No dates: the same
job gives the same bytes.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Generic, TypeVar

import cv2
import jinja2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ..files import Place, atomic_path, write_bytes
from ..types import Shot, ShotAlignment
from .chart import line_chart
from .manifest import Manifest
from .preview import colour_map

_THUMBNAILS = 16
_COLUMNS = 1000
_SLICE_HEIGHT = 240
_THUMBNAIL = (320, 240)  # largest width and height
_T = TypeVar("_T")


class ReportPictures(BaseModel):
    """What a part of a job's frames gives to its report, for JSON.

    Attributes:
        thumbnails: Place among the job's frames -> frame number, plate and depth.
        places: Places of the columns of ``plate`` and ``depth``, two PNG pictures in base 64.
    """

    model_config = ConfigDict(frozen=True)

    thumbnails: dict[int, tuple[int, str, str]] = Field(default_factory=dict)
    places: list[int] = Field(default_factory=list)
    plate: str = ""
    depth: str = ""


class ReportCollector:
    """Gathers what the report shows, fed once a frame, in order, or with what other collectors gathered."""

    def __init__(self, pixel_aspect: Fraction = Fraction(1), begin: int = 0) -> None:
        """``begin``: place of the first frame among all the job writes."""
        self._aspect = float(pixel_aspect)
        self._sheet: _Thinned[_Thumbnail] = _Thinned(_THUMBNAILS, begin)
        self._slice: _Thinned[np.ndarray] = _Thinned(_COLUMNS, begin)
        self._shots: list[tuple[Shot, ShotAlignment]] = []

    def pictures(self) -> ReportPictures:
        """What was gathered of the frames, for `take`."""
        columns = self._slice.items
        picture = np.stack(columns, axis=1) if columns else None
        return ReportPictures(
            thumbnails={place: (t.number, t.plate, t.depth) for place, t in self._sheet.kept.items()},
            places=list(self._slice.kept),
            plate="" if picture is None else _png(picture[..., :3]),
            depth="" if picture is None else _png(picture[..., 3:]),
        )

    def take(self, pictures: ReportPictures, count: int) -> None:
        """Takes what another collector gathered of the next ``count`` frames.

        Args:
            pictures: What the other one's `pictures` gave.
            count: Frames that it saw.

        Raises:
            ValueError: the pictures are damaged.
        """
        for place, thumbnail in pictures.thumbnails.items():
            self._sheet.take(place, _Thumbnail(*thumbnail))
        if pictures.places:
            picture = np.concatenate([_of_png(pictures.plate), _of_png(pictures.depth)], axis=2)
            for index, place in enumerate(pictures.places):
                self._slice.take(place, picture[:, index])
        self._sheet.skip(count)
        self._slice.skip(count)

    def add(self, number: int, rgb: np.ndarray, d: np.ndarray) -> None:
        """Takes one frame.

        Args:
            number: Its number in the file names.
            rgb: (H, W, 3) uint8 plate.
            d: (H, W) normalised disparity in [0, 1], 1 = near.
        """
        if self._slice.wants():
            self._slice.put(_column(rgb, d))
        else:
            self._slice.skip()
        if self._sheet.wants():
            self._sheet.put(self._thumbnail(number, rgb, d))
        else:
            self._sheet.skip()

    def add_shot(self, shot: Shot, alignment: ShotAlignment) -> None:
        """Takes what the method says about one shot, in order.

        Args:
            shot: Which one.
            alignment: What `Method.settle` returned.
        """
        self._shots.append((shot, alignment))

    def write(self, path: Path, manifest: Manifest, place: Place = atomic_path) -> None:
        """Writes the report atomically.

        Args:
            path: The HTML file, replaced if it is there.
            manifest: Of the finished job.
            place: How the file gets to its place.

        Raises:
            ResourceError: the disk is full or the folder cannot be written.
        """
        page = _template().render(
            manifest=manifest,
            facts=_facts(manifest),
            thumbnails=self._sheet.items,
            slice=self._slice_picture(),
            charts=self._charts(manifest),
            notes=list(dict.fromkeys(note for _, alignment in self._shots for note in alignment.notes)),
        )
        write_bytes(path, page.encode(), place)

    def _thumbnail(self, number: int, rgb: np.ndarray, d: np.ndarray) -> _Thumbnail:
        height, width = d.shape
        scale = min(_THUMBNAIL[0] / (width * self._aspect), _THUMBNAIL[1] / height)
        size = max(1, round(width * self._aspect * scale)), max(1, round(height * scale))
        how = cv2.INTER_AREA if scale <= 1 else cv2.INTER_NEAREST
        depth = colour_map(cv2.resize(d, size, interpolation=how))
        return _Thumbnail(number, jpeg(cv2.resize(rgb, size, interpolation=how)), jpeg(depth))

    def _slice_picture(self) -> tuple[str, str] | None:
        columns = self._slice.items
        if not columns:
            return None
        picture = np.stack(columns, axis=1)  # (height, time, 6)
        widen = max(1, _COLUMNS // picture.shape[1])
        picture = np.repeat(picture, widen, axis=1)
        return jpeg(np.ascontiguousarray(picture[..., :3])), jpeg(np.ascontiguousarray(picture[..., 3:]))

    def _charts(self, manifest: Manifest) -> list[tuple[str, str]]:
        done = manifest.frames
        # A constant rate shows frames more than once, or never: the curves then count the clip's own frames.
        offset = done.start_number - done.first if done.count == done.stop - done.first else 0
        series: dict[str, dict[int, float]] = {}
        for shot, alignment in self._shots:
            curves = {"scale": alignment.scale, "shift": alignment.shift, **alignment.curves}
            for name, values in curves.items():
                into = series.setdefault(name, {})
                into.update((shot.start + index + offset, float(value)) for index, value in enumerate(values))
        cuts = [shot.start + offset for shot, _ in self._shots[1:]]
        numbers = [index + offset for index in range(done.first, done.stop)]
        return [
            (name, line_chart([values.get(number, float("nan")) for number in numbers], numbers, cuts))
            for name, values in series.items()
        ]


@dataclass(frozen=True)
class _Thumbnail:
    number: int
    plate: str
    depth: str


@cache
def _template() -> jinja2.Template:
    """The page, compiled once a process."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("report.html.j2")


class _Thinned(Generic[_T]):
    """Keeps at most ``limit`` evenly spaced items of a long stream, an even number: those at multiples of the
    smallest power of two that leaves so few. What a later part of the stream keeps holds all that the whole
    will need of it.
    """

    def __init__(self, limit: int, begin: int = 0) -> None:
        self.kept: dict[int, _T] = {}
        self._limit, self._seen, self._stride = limit, 0, 1
        self.skip(begin)

    @property
    def items(self) -> list[_T]:
        return list(self.kept.values())

    def wants(self) -> bool:
        return self._seen % self._stride == 0

    def put(self, item: _T) -> None:
        self.kept[self._seen] = item
        self.skip()

    def take(self, place: int, item: _T) -> None:
        self.kept[place] = item

    def skip(self, count: int = 1) -> None:
        self._seen += count
        while -(-self._seen // self._stride) > self._limit:
            self._stride *= 2
        self.kept = {place: item for place, item in self.kept.items() if place % self._stride == 0}


def _column(rgb: np.ndarray, d: np.ndarray) -> np.ndarray:
    """The picture's middle column, plate and colours of depth: (height, 6) uint8."""
    middle, size = d.shape[1] // 2, (1, _SLICE_HEIGHT)
    how = cv2.INTER_AREA if d.shape[0] >= _SLICE_HEIGHT else cv2.INTER_NEAREST
    plate = cv2.resize(np.ascontiguousarray(rgb[:, middle : middle + 1]), size, interpolation=how)
    depth = colour_map(cv2.resize(np.ascontiguousarray(d[:, middle : middle + 1]), size, interpolation=how))
    return np.concatenate([plate, depth], axis=2)[:, 0]


def _png(rgb: np.ndarray) -> str:
    _, data = cv2.imencode(".png", np.ascontiguousarray(rgb[..., ::-1]))
    return base64.b64encode(data.tobytes()).decode()


def _of_png(text: str) -> np.ndarray:
    data = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if picture is None:
        raise ValueError("no picture")
    return picture[..., ::-1]


def jpeg(rgb: np.ndarray) -> str:
    """A picture as a ``data:`` address.

    Args:
        rgb: (H, W, 3) uint8.
    """
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)  # OpenCV swaps ten times as fast as NumPy
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"


def _facts(manifest: Manifest) -> list[tuple[str, str]]:
    clip, model = manifest.clip, manifest.model
    rate = Fraction(clip.rate)
    shots = len(manifest.shots)
    numbers = manifest.numbers
    camera = manifest.camera
    space = {
        "metric": "metric, in metres",
        "scale_invariant": "up to scale",
        "affine_invariant": "relative: near and far are declared, not measured",
    }[model.space]
    nearest, farthest = (
        (min(shot.near for shot in manifest.shots), max(shot.far for shot in manifest.shots))
        if shots
        else (0, 0)
    )
    return [
        ("Clip", clip.name),
        ("Picture", f"{clip.width} × {clip.height}, {float(rate):.5g} frames a second ({clip.rate})"),
        (
            "Frames",
            f"{manifest.count}, numbered {numbers.start} to {numbers.stop - 1}" if manifest.count else "0",
        ),
        ("Shots", str(shots)),
        ("Time code", clip.timecode or "none"),
        ("Depth", space),
        ("Near, far", f"{nearest:.4g}, {farthest:.4g}"),
        *_metres(manifest),
        ("Method", manifest.method),
        ("Model", model.name),
        ("Weights", model.weights_sha256 or "unknown"),
        (
            "Camera",
            f"fx {camera.fx:.1f}, fy {camera.fy:.1f}, cx {camera.cx:.1f}, cy {camera.cy:.1f} pixels"
            + f" ({': '.join(word for word in (camera.source, camera.detail) if word)})",
        ),
        ("Sequences", ", ".join(manifest.sequences.values())),
        ("vdepth", manifest.version),
    ]


def _metres(manifest: Manifest) -> list[tuple[str, str]]:
    """Where the metres come from, a line a shot."""
    if manifest.metric is None:
        return []
    lines = []
    for place, shot in enumerate(manifest.metric.shots, 1):
        of_shot = f", shot {place}" if len(manifest.metric.shots) > 1 else ""
        lines.append(
            (
                f"Metres{of_shot}",
                f"by {shot.source}: scale {shot.scale:.6g}, shift {shot.shift:.6g}; {100 * shot.inliers:.0f} "
                f"% of {shot.points} points agree, within {100 * shot.residual:.2g} %",
            )
        )
    return lines
