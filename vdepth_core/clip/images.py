"""Reading one image file, through OpenImageIO.

Integer images are display-referred, 16 bits or 8; floating-point ones (EXR, HDR, float TIFF) are
scene-linear. Of an EXR's layers and parts one is the picture (`layers`). A file that ends early is an error,
also where a decoder fills the rest with grey.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..choices import Shown
from ..errors import InputError, UsageError
from ..files import said_by_oiio
from ..types import LensFacts
from .headers import Header, read_header
from .layers import Choice, Layer, NoPicture, Part, choose_layer, layer_named, list_layers
from .lens import Raster, lens_of_exr, lens_of_still
from .orient import AS_IT_IS, Orientation, from_exif
from .peek import peek

MAX_PIXELS = 1 << 27  # 16384 x 8192, the largest dome there is; a damaged header may say anything
_MEGABYTES = 8192  # all layers of a file together
_HINT = "Render or copy it again."
_CUT = re.compile(r"(?i)premature|end of file|truncated")  # also where the rest was filled up


@dataclass(frozen=True)
class Window:
    """Where a picture lies: the display window of an EXR, pixels of the plane that data windows lie on too.

    Attributes:
        x, y: Its left upper corner.
        width, height: Its size, as stored.
    """

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class ImageFacts:
    """What one image file says about itself.

    Attributes:
        width, height: Pixels of the picture as it is shown.
        bit_depth: Bits a channel.
        linear: Scene-linear light instead of a display picture.
        codec, pixel_format: In FFmpeg's words where it has them.
        header: Time, aspect and colour as the header says them.
        alpha: Has an alpha channel.
        window: Where the picture lies.
        asked: What would make the stored picture upright.
        overscan: Size of the data, where it goes beyond the picture.
        layer: Name of the layer taken; empty where the format has no layers.
        layers: Names of all layers there are.
        lens: What the file says about the lens.
        notes: Sentences about what was taken.
    """

    width: int
    height: int
    bit_depth: int
    linear: bool
    codec: str
    pixel_format: str
    header: Header
    alpha: bool = False
    window: Window = Window(0, 0, 0, 0)
    asked: Orientation = AS_IT_IS
    overscan: tuple[int, int] | None = None
    layer: str = ""
    layers: tuple[str, ...] = ()
    lens: LensFacts = field(default_factory=LensFacts)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """One image, read.

    Attributes:
        pixels: (H, W, 3) RGB, upright unless asked otherwise: uint8 or uint16, or float16/float32, as stored.
        window: Where it lies.
        timecode: The header's packed time code, where it has one.
        asked: What would make the stored picture upright.
    """

    pixels: np.ndarray
    window: Window
    timecode: int | None = None
    asked: Orientation = AS_IT_IS


@dataclass
class _File:
    """An opened file: OpenImageIO's reader, its parts and the layer to read."""

    path: Path
    image: Any
    parts: list[Part] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)

    @property
    def layered(self) -> bool:
        return bool(self.image.format_name() == "openexr")


def read_image(path: Path, layer: str | None = None, shown: Shown | None = None) -> Picture:
    """Reads one image.

    Args:
        path: The file.
        layer: The layer's whole name; None: the beauty, where the format has layers.
        shown: How much is done of what the file asks to make the picture upright.

    Raises:
        InputError: the file is no such image, is damaged, too large, or lacks the layer.
    """
    with _opened(path) as file:
        if layer is None:
            choice = _choose(file, None)
            return _read(file, choice.layer if choice else None, shown)
        found = next((other for other in file.layers if other.name == layer), None)
        if found is None:
            raise InputError(
                f"{path} has no layer {layer}, with which its sequence began.",
                f"It has {', '.join(other.name for other in file.layers[:12]) or 'none'}; render it again.",
            )
        return _read(file, found, shown)


def image_facts(path: Path, layer: str | None = None, shown: Shown | None = None) -> ImageFacts:
    """What the file is; reads it once.

    Args:
        path: The file.
        layer: The layer the user wants; None: the beauty.
        shown: As of `read_image`.

    Raises:
        UsageError: there is no such layer.
        InputError: as `read_image`, or its layers hold no picture.
    """
    with _opened(path) as file:
        choice = _choose(file, layer)
        taken = choice.layer if choice else None
        notes = [choice.note] if choice and choice.note else []
        picture = _read(file, taken, shown)  # leaves the reader at the layer's part
        spec = file.image.spec()
        if file.image.format_name() == "tiff" and file.image.seek_subimage(1, 0):
            notes.append(f"{path.name} holds several pages; the first is used.")
        pixels, dtype = picture.pixels, picture.pixels.dtype
        bits = spec.get_int_attribute("oiio:BitsPerSample")
        codec = {"jpeg": "mjpeg", "openexr": "exr"}.get(file.image.format_name(), file.image.format_name())
        header = _header(file, taken)
        raster = Raster(pixels.shape[1], pixels.shape[0], header.pixel_aspect or Fraction(1))
        return ImageFacts(
            width=pixels.shape[1],
            height=pixels.shape[0],
            bit_depth=bits if dtype == np.uint16 and bits > 8 else 8 * dtype.itemsize,
            linear=dtype.kind == "f",
            codec=codec,
            pixel_format={"u1": "rgb24", "u2": "rgb48", "f2": "rgbf16", "f4": "rgbf32"}[dtype.str[1:]],
            header=header,
            alpha=_has_alpha(file, taken),
            window=picture.window,
            asked=picture.asked,
            overscan=_overscan(spec, picture.window) if file.layered else None,
            layer=taken.name if taken else "",
            layers=tuple(other.name for other in file.layers),
            lens=lens_of_exr(spec, raster) if file.layered else lens_of_still(path, raster),
            notes=tuple(notes),
        )


def to_display8(pixels: np.ndarray) -> np.ndarray:
    """8 bits of a display-referred picture, rounded (65535 -> 255, 257 a step; floats: 1 -> 255).

    Args:
        pixels: uint8, uint16, or floats in [0, 1], of any shape; NaN is black.
    """
    if pixels.dtype.kind == "f":
        return np.round(255 * np.clip(np.nan_to_num(pixels.astype(np.float32)), 0, 1)).astype(np.uint8)
    return pixels if pixels.dtype == np.uint8 else _eight_bits()[pixels]


@lru_cache(maxsize=1)
def _eight_bits() -> np.ndarray:
    return ((np.arange(65536) + 128) // 257).astype(np.uint8)


@lru_cache(maxsize=1)
def _library() -> Any:
    import OpenImageIO as oiio

    # Several files are read at once: threads within one would only be in the way.
    oiio.attribute("threads", 1)
    oiio.attribute("exr_threads", -1)
    oiio.attribute("limits:imagesize_MB", _MEGABYTES)
    return oiio


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[_File]:
    try:
        if not path.stat().st_size:
            raise InputError(f"{path} is empty (0 bytes).", _HINT)
        looked = peek(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.", "Check the file.") from error
    if looked.cut:
        raise InputError(f"{path} is cut short; its end is missing.", _HINT)
    _check_size(path, *(looked.size or (0, 0)))
    oiio = _library()
    config = oiio.ImageSpec()
    config["oiio:UnassociatedAlpha"] = 1  # colours as they are stored
    with _spelled(path) as name, _words_of(path):
        image = oiio.ImageInput.open(name, config)
        if image is None:
            raise _not_opened(path, said_by_oiio(oiio))
        try:
            file = _File(path, image)
            spec = image.spec()
            _check_size(path, spec.full_width, spec.full_height)
            _check_size(path, spec.width, spec.height)
            if spec.get_int_attribute("oiio:Movie"):
                raise InputError(
                    f"{path} is an animation ({image.format_name()}), which cannot be read as a clip.",
                    "Convert it to a movie or to numbered images, for example with ImageMagick: "
                    f"magick {path.name} frame.%04d.png.",
                )
            if file.layered:
                _find_layers(file)
            yield file
        finally:
            image.close()


@contextlib.contextmanager
def _words_of(path: Path) -> Iterator[None]:
    """The library's words are UTF-8, unless they quote a damaged file."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise _damaged(path) from error


@contextlib.contextmanager
def _spelled(path: Path) -> Iterator[str]:
    """A name for the library, which takes UTF-8 only: others (Linux only) go by descriptor."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
    else:
        yield str(path)


def _not_opened(path: Path, reason: str) -> InputError:
    if "Subsampled" in reason:
        return InputError(
            f"{path} has subsampled colour channels, which are not supported.", "Write it as RGB."
        )
    claimed = re.search(r"claimed to be (\d+)x(\d+)", reason)
    if claimed:
        return _too_large(path, int(claimed[1]), int(claimed[2]))
    return _damaged(path)


def _damaged(path: Path) -> InputError:
    return InputError(f"{path} cannot be read; it is damaged or no {path.suffix[1:].upper()} image.", _HINT)


def _check_size(path: Path, width: int, height: int) -> None:
    if width < 0 or height < 0 or width * height > MAX_PIXELS:
        raise _too_large(path, width, height)


def _too_large(path: Path, width: int, height: int) -> InputError:
    return InputError(
        f"{path} says it has {width} x {height} pixels; pictures may have {MAX_PIXELS // 10**6} million.",
        "If that is its size, scale it down; otherwise it is damaged: copy it again.",
    )


def _find_layers(file: _File) -> None:
    number = 0
    while file.image.seek_subimage(number, 0):
        spec = file.image.spec()
        views = spec.getattribute("multiView") or ()
        file.parts.append(
            Part(
                name=spec.get_string_attribute("oiio:subimagename"),
                channels=tuple(spec.channelnames),
                view=spec.get_string_attribute("view"),
                views=(views,) if isinstance(views, str) else tuple(views),
                deep=spec.deep,
            )
        )
        number += 1
    said_by_oiio(file.image)  # what the last step ended with
    file.layers = list_layers(file.parts)


def _choose(file: _File, wanted: str | None) -> Choice | None:
    path = file.path
    if not file.layered:
        if wanted is not None:
            raise UsageError(f"{path} has no layers.", "Leave --layer out; only EXR files have them.")
        return None
    if wanted is not None:
        layer = layer_named(file.layers, wanted, path.name)
        return Choice(layer, f"The layer {layer.name} is read, as stated.")
    file.image.seek_subimage(0, 0)
    quantity = file.image.spec().get_string_attribute("vdepth/quantity")
    if quantity:
        raise InputError(f"{path} was written by vdepth and holds {quantity}, no picture.", "Give the plate.")
    try:
        return choose_layer(file.layers, any(part.deep for part in file.parts))
    except NoPicture as error:
        raise InputError(
            f"{path} {error}.", "Give the beauty pass, or name a layer to read all the same: --layer NAME."
        ) from error


def _read(file: _File, layer: Layer | None, shown: Shown | None) -> Picture:
    image = file.image
    part = layer.part if layer else 0
    image.seek_subimage(part, 0)
    spec = image.spec()
    _check_size(file.path, spec.full_width, spec.full_height)
    _check_size(file.path, spec.width, spec.height)
    names = list(spec.channelnames)
    if layer is not None:
        places = [names.index(channel) for channel in layer.channels]
    else:
        places = [0, 1, 2] if len(names) >= 3 else [0]
    pixels = _channels(file, part, places, _kind(spec, places, file.layered))
    window, asked = Window(0, 0, spec.width, spec.height), AS_IT_IS
    if file.layered:
        window = Window(spec.full_x, spec.full_y, spec.full_width, spec.full_height)
        pixels = _within(pixels, spec.x - spec.full_x, spec.y - spec.full_y, window)
        if pixels.dtype.kind == "u":
            pixels = pixels.astype(np.float32)
    else:
        asked = from_exif(spec.get_int_attribute("Orientation", 1))
        pixels = asked.shown(shown).apply(pixels)
    if pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    code = spec.getattribute("smpte:TimeCode")
    return Picture(np.ascontiguousarray(pixels), window, code[0] & 0xFFFFFFFF if code else None, asked)


def _kind(spec: Any, places: list[int], layered: bool) -> str:
    """The number format to read: the channels' own, as far as there is room for it in what follows."""
    own = spec.channelformats
    formats = {str(own[place] if own else spec.format) for place in places}
    if formats <= {"half"}:
        return "half"
    if formats & {"half", "float", "double"}:
        return "float"
    if layered:
        return "uint32"
    return "uint8" if formats <= {"uint8", "int8"} else "uint16"


def _channels(file: _File, part: int, places: list[int], kind: str) -> np.ndarray:
    first, last = min(places), max(places) + 1
    spans = [(first, last)] if last - first <= 4 else [(place, place + 1) for place in places]
    read = [file.image.read_image(part, 0, *span, kind) for span in spans]
    reason = said_by_oiio(file.image)
    if _CUT.search(reason):
        raise InputError(f"{file.path} is cut short; its end is missing.", _HINT)
    if any(planes is None for planes in read):
        raise _damaged(file.path)
    if len(spans) > 1:
        return np.concatenate(read, axis=2)
    picked = [place - first for place in places]
    planes: np.ndarray = read[0]
    return planes if picked == list(range(planes.shape[2])) else planes[..., picked]


def _within(pixels: np.ndarray, x: int, y: int, window: Window) -> np.ndarray:
    """Cuts overscan away and fills a smaller data window up with black, so that the picture is whole."""
    height, width = pixels.shape[:2]
    if (x, y, width, height) == (0, 0, window.width, window.height):
        return pixels
    full = np.zeros((window.height, window.width, pixels.shape[2]), pixels.dtype)
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + width, window.width), min(y + height, window.height)
    if x1 > x0 and y1 > y0:
        full[y0:y1, x0:x1] = pixels[y0 - y : y1 - y, x0 - x : x1 - x]
    return full


def _overscan(spec: Any, window: Window) -> tuple[int, int] | None:
    beyond = (
        spec.x < window.x or spec.y < window.y
        or spec.x + spec.width > window.x + window.width
        or spec.y + spec.height > window.y + window.height
    )  # fmt: skip
    return (spec.width, spec.height) if beyond else None


def _header(file: _File, layer: Layer | None) -> Header:
    """The header of the layer's part; what it leaves open, the first part may say."""
    headers = []
    for part in dict.fromkeys((layer.part if layer else 0, 0)):
        file.image.seek_subimage(part, 0)
        headers.append(read_header(file.image.spec(), file.image.format_name()))
    return headers[0].or_else(headers[-1])


def _has_alpha(file: _File, layer: Layer | None) -> bool:
    if layer is None:
        return bool(file.image.spec().alpha_channel >= 0)
    prefix = layer.channels[0].rpartition(".")[0]
    names = (name.rpartition(".") for name in file.parts[layer.part].channels)
    return any(end.casefold() in {"a", "alpha"} and before == prefix for before, _, end in names)
