"""Reading one image file: PNG, JPEG, TIFF and BMP through OpenCV, DPX through FFmpeg, EXR through OpenEXR.

Integer images are display-referred, 16 bits or 8; floating-point ones (EXR, float TIFF) are scene-linear. A
file that ends early is an error here even where a decoder would fill the rest with grey.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..errors import InputError
from .timing import Timecode, nominal_rate

# A complete file has the second marker after the last first one: image data and end of JPEG and PNG.
_MARKERS = {
    ".png": (b"IDAT", b"IEND"),
    ".jpg": (b"\xff\xda", b"\xff\xd9"),
    ".jpeg": (b"\xff\xda", b"\xff\xd9"),
}
_HINT = "Render or copy it again."


@dataclass(frozen=True)
class ImageFacts:
    """What one image file says about itself.

    Attributes:
        width, height: Pixels, upright.
        bit_depth: Bits a channel.
        linear: Scene-linear light instead of a display picture.
        codec, pixel_format: In FFmpeg's words where it has them.
        alpha: Has an alpha channel.
        pixel_aspect, rate, timecode: EXR attributes, None where absent.
        log: The picture is log-encoded (DPX from film scanners).
        chromaticities: x, y of red, green, blue and white, where the file says; None: Rec. 709's.
    """

    width: int
    height: int
    bit_depth: int
    linear: bool
    codec: str
    pixel_format: str
    alpha: bool = False
    pixel_aspect: Fraction | None = None
    rate: Fraction | None = None
    timecode: Timecode | None = None
    log: bool = False
    chromaticities: tuple[float, ...] | None = None


def read_image(path: Path, reduce: int = 1) -> np.ndarray:
    """Pixels of one image.

    Args:
        path: The file.
        reduce: For JPEG, decode at 1/2, 1/4 or 1/8 size (much faster); other formats ignore it.

    Returns:
        (H, W, 3) RGB as stored: uint8 or uint16, or float16/float32.

    Raises:
        InputError: the file is no such image, or damaged.
    """
    kind = path.suffix.lower()
    if kind == ".exr":
        return _read_exr(path)[0]
    if kind == ".dpx":
        return _read_dpx(path)[0]
    return _read_with_opencv(path, reduce)


def image_facts(path: Path) -> ImageFacts:
    """What the file is; reads it once.

    Raises:
        InputError: as `read_image`.
    """
    kind = path.suffix.lower()
    if kind == ".exr":
        return _exr_facts(path)
    if kind == ".dpx":
        return _read_dpx(path)[1]
    pixels = _read_with_opencv(path, 1)
    bits = 8 * pixels.dtype.itemsize
    return ImageFacts(
        width=pixels.shape[1],
        height=pixels.shape[0],
        bit_depth=bits,
        linear=pixels.dtype.kind == "f",
        codec={".jpg": "mjpeg", ".jpeg": "mjpeg", ".tif": "tiff"}.get(kind, kind[1:]),
        pixel_format={8: "rgb24", 16: "rgb48"}.get(bits, "rgbf32"),
        alpha=_has_alpha(path),
    )


def to_display8(pixels: np.ndarray) -> np.ndarray:
    """8 bits of a display-referred picture, rounded (65535 -> 255, 257 a step; floats: 1 -> 255)."""
    if pixels.dtype.kind == "f":
        return np.round(255 * np.clip(np.nan_to_num(pixels.astype(np.float32)), 0, 1)).astype(np.uint8)
    return pixels if pixels.dtype == np.uint8 else _eight_bits()[pixels]


@lru_cache(maxsize=1)
def _eight_bits() -> np.ndarray:
    return ((np.arange(65536) + 128) // 257).astype(np.uint8)


def _read_with_opencv(path: Path, reduce: int) -> np.ndarray:
    data = _bytes(path)
    start, end = _MARKERS.get(path.suffix.lower(), (b"", b""))
    if end not in data[max(0, data.rfind(start)) :]:
        raise InputError(f"{path} is cut short; its end is missing.", _HINT)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH  # three channels, own depth, turned as EXIF says
    if reduce > 1:
        flags = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}[
            reduce
        ]
    try:  # from memory, because cv2.imread cannot open non-ASCII paths on Windows
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.dtype not in (np.uint8, np.uint16, np.float32, np.float64):
        kind = path.suffix[1:].upper()
        raise InputError(f"{path} cannot be read; it is damaged or no {kind} image.", _HINT)
    linear = pixels.dtype.kind == "f"
    return cv2.cvtColor(pixels.astype(np.float32) if linear else pixels, cv2.COLOR_BGR2RGB)


def _has_alpha(path: Path) -> bool:
    pixels = cv2.imdecode(np.frombuffer(_bytes(path), np.uint8), cv2.IMREAD_UNCHANGED)
    return pixels is not None and pixels.shape[2:] == (4,)


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.", "Check the file.") from error
    if not data:
        raise InputError(f"{path} is empty (0 bytes).", _HINT)
    return data


def _read_dpx(path: Path) -> tuple[np.ndarray, ImageFacts]:
    import av

    _bytes(path)
    try:
        with av.open(str(path.absolute()), format="dpx_pipe") as container:
            picture = next(container.decode(video=0))
            bits = max(component.bits for component in picture.format.components)
            pixels = picture.to_ndarray(format="rgb24" if bits == 8 else "rgb48le")
    except (av.FFmpegError, StopIteration) as error:
        raise InputError(f"{path} cannot be read; it is damaged or no DPX image.", _HINT) from error
    alpha = any(component.is_alpha for component in picture.format.components)
    log = int(picture.color_trc) in (9, 10)  # AVCOL_TRC_LOG, AVCOL_TRC_LOG_SQRT
    facts = ImageFacts(
        picture.width, picture.height, bits, False, "dpx", picture.format.name, alpha, log=log
    )  # fmt: skip
    return pixels, facts


def _read_exr(path: Path) -> tuple[np.ndarray, dict[str, Any]]:
    import OpenEXR

    try:
        with OpenEXR.File(str(path), separate_channels=True) as file:
            header, channels = dict(file.header()), file.channels()
            names = _colour_channels(path, list(channels))
            planes = [channels[name].pixels for name in names]
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read; it is damaged or no scanline or tiled EXR.", _HINT
        ) from error
    if any(plane is None or plane.shape != planes[0].shape for plane in planes):
        raise InputError(
            f"{path} has subsampled colour channels, which are not supported.", "Write it as RGB."
        )
    pixels = np.stack(
        [plane if plane.dtype.kind == "f" else plane.astype(np.float32) for plane in planes], -1
    )
    return _to_display_window(pixels, header), header


def _exr_facts(path: Path) -> ImageFacts:
    import OpenEXR

    pixels, header = _read_exr(path)
    height, width = pixels.shape[:2]
    with OpenEXR.File(str(path), header_only=True) as file:
        names = [channel.name for channel in file.header()["channels"]]
    aspect = Fraction(float(header.get("pixelAspectRatio", 1.0))).limit_denominator(1000)
    rate = header.get("framesPerSecond")
    chromaticities = header.get("chromaticities")
    code = header.get("timeCode")
    return ImageFacts(
        width=width,
        height=height,
        bit_depth=16 if pixels.dtype == np.float16 else 32,
        linear=True,
        codec="exr",
        pixel_format="rgbf16" if pixels.dtype == np.float16 else "rgbf32",
        alpha=any(name == "A" or name.endswith(".A") for name in names),
        chromaticities=None
        if chromaticities is None
        else tuple(float(value) for value in np.ravel(chromaticities)),
        pixel_aspect=aspect if aspect > 0 else None,
        rate=nominal_rate(Fraction(rate)) if rate else None,
        timecode=None
        if code is None
        else Timecode(code.hours, code.minutes, code.seconds, code.frame, bool(code.dropFrame)),
    )


def _colour_channels(path: Path, names: list[str]) -> list[str]:
    """The three channels to show: R G B, else luminance, else the first layer that has R G B."""
    for layer in ["", *sorted({name.rpartition(".")[0] + "." for name in names if "." in name})]:
        for triple in ("RGB", "rgb"):
            if all(layer + channel in names for channel in triple):
                return [layer + channel for channel in triple]
    if "Y" in names and "RY" not in names:
        return ["Y"] * 3
    raise InputError(
        f"{path} has no colour channels R, G, B; it has {', '.join(names[:8])}.", "Give the beauty pass."
    )


def _to_display_window(pixels: np.ndarray, header: dict[str, Any]) -> np.ndarray:
    """Cuts overscan away and fills a smaller data window up with black, so that the picture is whole."""
    (left, top), (right, bottom) = (tuple(map(int, corner)) for corner in header["displayWindow"])
    data_left, data_top = map(int, header["dataWindow"][0])
    height, width = pixels.shape[:2]
    if (data_left, data_top, width, height) == (left, top, right - left + 1, bottom - top + 1):
        return pixels
    full = np.zeros((bottom - top + 1, right - left + 1, 3), pixels.dtype)
    x, y = data_left - left, data_top - top
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + width, full.shape[1]), min(y + height, full.shape[0])
    if x1 > x0 and y1 > y0:
        full[y0:y1, x0:x1] = pixels[y0 - y : y1 - y, x0 - x : x1 - x]
    return full
