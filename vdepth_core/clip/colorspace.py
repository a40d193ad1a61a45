"""Named colour spaces through OpenColorIO: camera logs, ACES and what else ``$OCIO`` holds, to linear light.

Without ``$OCIO`` the studio configuration built into OpenColorIO is used (the Academy's, with the cameras'
input transforms). A name is found however it is written, by its aliases, and by what people call it.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError

BUILT_IN = "ocio://studio-config-latest"
LINEAR_REC709 = "Linear Rec.709 (sRGB)"
# What people say, and the names in the built-in configuration it may mean, the most usual first.
_CALLED = {
    "logc": "ARRI LogC3 (EI800)", "logc3": "ARRI LogC3 (EI800)", "alexa": "ARRI LogC3 (EI800)",
    "arrilogc": "ARRI LogC3 (EI800)", "arrilogc3": "ARRI LogC3 (EI800)", "logc4": "ARRI LogC4",
    "slog": "S-Log3 S-Gamut3.Cine", "slog3": "S-Log3 S-Gamut3.Cine", "sonyslog3": "S-Log3 S-Gamut3.Cine",
    "slog3cine": "S-Log3 S-Gamut3.Cine",
    "venice": "S-Log3 Venice S-Gamut3", "vlog": "V-Log V-Gamut", "panasonicvlog": "V-Log V-Gamut",
    "log3g10": "Log3G10 REDWideGamutRGB", "redlog3g10": "Log3G10 REDWideGamutRGB",
    "redlog": "Log3G10 REDWideGamutRGB", "red": "Log3G10 REDWideGamutRGB", "adx": "ADX10",
    "clog2": "CanonLog2 CinemaGamut D55", "canonlog2": "CanonLog2 CinemaGamut D55",
    "clog3": "CanonLog3 CinemaGamut D55", "canonlog3": "CanonLog3 CinemaGamut D55",
    "dlog": "D-Log D-Gamut", "dji": "D-Log D-Gamut", "davinci": "DaVinci Intermediate WideGamut",
    "davinciintermediate": "DaVinci Intermediate WideGamut", "bmdfilm": "BMDFilm WideGamut Gen5",
    "blackmagic": "BMDFilm WideGamut Gen5", "ap0": "ACES2065-1", "ap1": "ACEScg",
    "rec2020linear": "Linear Rec.2020", "linrec2020": "Linear Rec.2020", "linearrec2020": "Linear Rec.2020",
    "p3linear": "Linear P3-D65", "linp3d65": "Linear P3-D65", "linearsrgb": LINEAR_REC709,
    "linearrec709": LINEAR_REC709,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Named:
    """Light from pictures in a named colour space; a `vdepth_core.clip.colour.Light`.

    Attributes:
        name: The colour space as its configuration calls it.
        identity: Changes with everything that decides the transform.
        encoding: What the configuration says of its numbers: ``log``, ``scene-linear``, ``sdr-video`` …
        processor: OpenColorIO's, to linear Rec. 709.
    """

    name: str
    identity: str
    encoding: str
    processor: Any

    @property
    def perceptual(self) -> bool:
        """Whether equal steps of the signal look equal, so that pictures compare as they are."""
        return self.encoding not in {"scene-linear", "display-linear"}

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Linear Rec. 709 light (H, W, 3) float32 of full-range RGB codes or of floats."""
        import PyOpenColorIO as ocio

        pixels = np.ascontiguousarray(pixels)
        depth = {
            "uint8": ocio.BIT_DEPTH_UINT8, "uint16": ocio.BIT_DEPTH_UINT16,
            "float16": ocio.BIT_DEPTH_F16, "float32": ocio.BIT_DEPTH_F32,
        }[pixels.dtype.name]  # fmt: skip
        light = np.empty(pixels.shape, np.float32)
        # The library caches a processor for each depth; for integers it bakes the curve into a table.
        cpu = self.processor.getOptimizedCPUProcessor(
            depth, ocio.BIT_DEPTH_F32, ocio.OptimizationFlags.OPTIMIZATION_DEFAULT
        )
        cpu.apply(_packed(ocio, pixels, depth), _packed(ocio, light, ocio.BIT_DEPTH_F32))
        return light


def colorspace_named(name: str) -> Named:
    """The colour space a user means.

    Args:
        name: A name, alias or role of the OCIO configuration in use, in any case.

    Raises:
        UsageError: there is none of this name, it holds data, or the configuration cannot be used.
    """
    import PyOpenColorIO as ocio

    config = _config(os.environ.get("OCIO", ""))
    space = config.getColorSpace(_resolve(config, name))
    if space.isData():
        raise UsageError(
            f"The colour space {space.getName()} is for data, not for pictures.", "Name the plate's own."
        )
    try:
        processor = _to_linear(config, space.getName())
    except (ocio.Exception, ocio.ExceptionMissingFile) as error:
        raise UsageError(
            f"The colour space {space.getName()} cannot be brought to linear Rec. 709: {_short(error)}.",
            "The configuration needs the role aces_interchange, or a space called lin_rec709.",
        ) from error
    return Named(
        name=space.getName(),
        identity=f"{config.getName()}/{space.getName()}/{processor.getCacheID()}",
        encoding=space.getEncoding(),
        processor=processor,
    )


def colorspace_names() -> list[str]:
    """All colour spaces of pictures in the configuration in force."""
    config = _config(os.environ.get("OCIO", ""))
    return [name for name in config.getColorSpaceNames() if not config.getColorSpace(name).isData()]


@lru_cache(maxsize=4)
def _config(path: str) -> Any:
    import PyOpenColorIO as ocio

    try:
        return ocio.Config.CreateFromFile(path or BUILT_IN)
    except (ocio.Exception, ocio.ExceptionMissingFile) as error:
        raise UsageError(
            f"The OpenColorIO configuration {path} cannot be used: {_short(error)}.",
            "Correct or unset the environment variable OCIO.",
        ) from error


def _resolve(config: Any, word: str) -> str:
    """The configuration's own name for what the user wrote."""
    exact = config.getColorSpace(word)  # also aliases and roles
    if exact is not None:
        return str(exact.getName())
    known: dict[str, str] = {}
    for name in config.getColorSpaceNames():
        for spelling in (name, *config.getColorSpace(name).getAliases()):
            known.setdefault(_plain(spelling), name)
    for called, name in _CALLED.items():
        if (meant := config.getColorSpace(name)) is not None:
            known.setdefault(called, meant.getName())
    plain = _plain(word)
    if plain in known:
        return known[plain]
    near = [known[match] for match in get_close_matches(plain, known, 12, 0.4)]
    near += [name for spelling, name in known.items() if len(plain) > 2 and plain in spelling]
    shown = ", ".join(f"'{name}'" for name in list(dict.fromkeys(near))[:4])
    source = os.environ.get("OCIO") or "OpenColorIO's studio configuration"
    raise UsageError(
        f"There is no colour space called '{word}' in {source}.",
        (f"Did you mean {shown}? " if shown else "") + "vdepth inspect --colorspaces lists all of them.",
    )


def _to_linear(config: Any, name: str) -> Any:
    import PyOpenColorIO as ocio

    for target in (
        LINEAR_REC709,
        "lin_rec709",
        "lin_rec709_scene",
        "lin_srgb",
        "Utility - Linear - Rec.709",
    ):
        if config.getColorSpace(target) is not None:
            return config.getProcessor(name, target)
    return ocio.Config.GetProcessorFromConfigs(config, name, _config(""), LINEAR_REC709)


def _packed(ocio: Any, pixels: np.ndarray, depth: Any) -> Any:
    height, width, channels = pixels.shape
    size = pixels.itemsize
    return ocio.PackedImageDesc(
        pixels, width, height, channels, depth, size, size * channels, size * channels * width
    )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _short(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".").replace(str(Path.cwd()) + os.sep, "")[:200]
