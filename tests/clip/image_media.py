"""Images made on the spot: EXR files of any layers, parts and windows, and what else OpenImageIO writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import OpenEXR
import OpenImageIO as oiio


def light(picture: np.ndarray) -> np.ndarray:
    """Linear light of an sRGB picture, float32."""
    value = picture / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def layer(
    picture: np.ndarray, prefix: str = "", names: str | tuple[str, ...] = "RGB"
) -> dict[str, np.ndarray]:
    """Channels of one layer that shows ``picture``."""
    linear = light(picture)
    return {prefix + name: np.ascontiguousarray(linear[..., k]) for k, name in enumerate(names)}


def write_channels(path: Path, channels: Mapping[str, np.ndarray], **header: object) -> Path:
    """A scanline EXR of one part."""
    with OpenEXR.File({"type": OpenEXR.scanlineimage, **header}, dict(channels)) as file:
        file.write(str(path))
    return path


def write_parts(path: Path, parts: Iterable[tuple[str, Mapping[str, np.ndarray]]], **header: object) -> Path:
    """A multi-part EXR; a part's ``view`` may be given as ``view_NAME``."""
    made = [
        OpenEXR.Part({"type": OpenEXR.scanlineimage, **header}, dict(channels), name)
        for name, channels in parts
    ]
    OpenEXR.File(made).write(str(path))
    return path


def write_image(path: Path, pixels: np.ndarray, **attributes: object) -> Path:
    """Any format OpenImageIO writes; the number format is the array's."""
    height, width, channels = pixels.shape
    kind = {"u1": "uint8", "u2": "uint16", "f2": "half", "f4": "float"}[pixels.dtype.str[1:]]
    spec = oiio.ImageSpec(width, height, channels, kind)
    if channels in (2, 4):
        spec.alpha_channel = channels - 1
    for name, value in attributes.items():
        spec[name] = value
    output = oiio.ImageOutput.create(str(path))
    assert output is not None, oiio.geterror()
    assert output.open(str(path), spec), output.geterror()
    assert output.write_image(np.ascontiguousarray(pixels)), output.geterror()
    output.close()
    return path
