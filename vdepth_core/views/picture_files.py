"""Pictures that views are written as: 8-bit sRGB in PNG, or scene-linear half floats in EXR."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..clip.display import srgb_decode, srgb_encode
from ..errors import InputError
from ..files import write_bytes
from ..output.exr import read_exr, write_exr


def write_picture(path: Path, rgb: np.ndarray, z: np.ndarray | None, attributes: Mapping[str, Any]) -> None:
    """Writes one, by its ending.

    Args:
        path: ``.png`` or ``.exr``.
        rgb: (H, W, 3) float32 in [0, 1], sRGB.
        z: (H, W) float32 depth, for EXR; None: without.
        attributes: Of the EXR's header.

    Raises:
        ResourceError: the disk is full or not writable.
    """
    if path.suffix == ".png":
        _, data = cv2.imencode(".png", bytes_of(rgb)[..., ::-1])
        write_bytes(path, data.tobytes())
        return
    colours: dict[str, np.ndarray] = light_channels(srgb_decode(rgb))
    write_exr(path, colours if z is None else {**colours, "Z": z}, attributes)


def read_picture(path: Path) -> np.ndarray:
    """Reads one back for a film: (H, W, 3) uint8.

    Args:
        path: What `write_picture` wrote.

    Raises:
        InputError: it is missing or damaged.
    """
    if path.suffix == ".exr":
        return displayed(read_light(path))
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise InputError(f"{path} is missing or damaged.", "Run the same command again.")
    rgb: np.ndarray = bgr[..., ::-1]
    return rgb


def light_channels(light: np.ndarray) -> dict[str, np.ndarray]:
    """Linear light (H, W, 3) as the channels of an EXR, half floats.

    Args:
        light: What a half float cannot hold becomes the largest.
    """
    half = np.minimum(light, np.finfo(np.float16).max).astype(np.float16)
    return {name: np.ascontiguousarray(half[..., place]) for place, name in enumerate("RGB")}


def read_light(path: Path) -> np.ndarray:
    """Linear light of an EXR: (H, W, 3) float32.

    Args:
        path: With channels R, G and B.

    Raises:
        InputError: it is missing or damaged.
    """
    channels = read_exr(path)[0]
    return np.stack([channels[name].astype(np.float32) for name in "RGB"], 2)


def displayed(light: np.ndarray) -> np.ndarray:
    """Linear light (H, W, 3) as sRGB, uint8; what is brighter than white is white.

    Args:
        light: Of float32.
    """
    return bytes_of(srgb_encode(np.clip(light, 0, 1)))


def bytes_of(rgb: np.ndarray) -> np.ndarray:
    """(H, W, 3) float in [0, 1] as uint8.

    Args:
        rgb: What lies outside is clipped.
    """
    codes: np.ndarray = np.clip(rgb * np.float32(255) + np.float32(0.5), 0, 255).astype(np.uint8)
    return codes
