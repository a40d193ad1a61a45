"""What a job is: everything that decides the bytes of its files, as resolved values.

An option given at its default, the same camera in another file, or a preset that stands for the same model is
no other job.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..geometry.camera import Intrinsics
from ..models.device import kind_of
from ..models.runtime import TORCH
from ..types import ClipInfo, ModelSpec, RefinerWeights
from .config import FAR, NEAR, EstimateConfig, JobOptions
from .numbering import Numbering

JOB_FORMAT = 3
"""Raised whenever the same predictions would give other files."""
PREDICTIONS_FORMAT = 1
"""Raised whenever the same configuration would give other predictions."""

# What only leads to other values, and what says itself in other words below.
_RESOLVED = {
    "preset", "non_commercial", "keep_store", "predicts", "fov", "intrinsics", "camera", "transfer",
    "colorspace", "orientation", "every_file", "still", "boost",
}  # fmt: skip
_WORDS = {
    "colour": "what the picture's numbers mean",
    "format": "the version of vdepth",
    "picture": "the size of the picture",
    "predictions": "the version of vdepth",
    "predicts": "what the model predicts",
    "weights": "the model's weights",
}


# What decides the files alone, or what is made of the predictions: with other values of these, nothing is
# predicted again.
FILES = frozenset(
    {"format", "near", "far", "camera", "normals", "layered", "compression", "start_frame", "cfr", "timecode"}
    | {"refiner", "sharpen", "sky", "sky_depth"}
)
# Younger than the format, and what a job without them is: it goes unsaid, as before there were any.
_UNSAID: dict[str, Any] = {"sky": False, "sky_depth": False, "runtime": TORCH, "orientation": "upright"}
_SAID = object()  # equal to no value


@dataclass(frozen=True)
class Identity:
    """What decides a job's bytes, but for the content of the clip.

    Two identities in one: the facts in `FILES` decide the files, the others the predictions too.

    Attributes:
        facts: Name of an option, or of what it stands for -> its resolved value, ready for JSON.
    """

    facts: dict[str, Any]

    @classmethod
    def of(
        cls,
        config: EstimateConfig,
        info: ClipInfo,
        spec: ModelSpec,
        size: tuple[int, int],
        camera: Intrinsics,
        refiner_weights: RefinerWeights | None = None,
        runtime: str = TORCH,
    ) -> Identity:
        """The identity of a resolved configuration on a clip.

        Args:
            config: Resolved: nothing is left to a preset.
            info: The clip.
            spec: The model.
            size: (height, width) of the network's input.
            camera: The plate's.
            refiner_weights: What the refiner brings of its own; wherever the file lies, it is the same.
            runtime: What runs the network, see `runtime_of`.

        Raises:
            UsageError: the range of frames lies outside the clip.
        """
        assert config.method is not None
        numbering = Numbering.of(info, config)
        # An image's own time code counts, unless one is stated for all.
        stated = config.timecode is not None and info.kind == "sequence"
        relative = spec.space == "affine_invariant"
        facts = config.model_dump(mode="json", include=JobOptions.model_fields.keys() - _RESOLVED)
        facts |= {
            "runtime": runtime,
            "format": JOB_FORMAT,
            "predictions": PREDICTIONS_FORMAT,
            "model": spec.name,
            "weights": spec.weights_sha256,
            "device": kind_of(config.device),
            "predicts": f"{spec.space} {spec.quantity}{' canonical' if spec.canonical else ''}",
            "size": list(size),
            "frames": list(frame_range(info, config)),
            "start_frame": numbering.output_first,
            "near": (config.near or NEAR) if relative else None,
            "far": (config.far or FAR) if relative else None,
            "camera": [camera.fx, camera.fy, camera.cx, camera.cy, camera.source],
            "cfr": str(Fraction(config.cfr)) if config.cfr else None,
            "rate": str(info.rate),
            "picture": [info.width, info.height, str(info.pixel_aspect)],
            "timecode": f"{info.timecode}, stated" if stated else info.timecode,
            "layer": info.layer,
            "orientation": info.shown,
            "colour": info.colour or info.transfer,
            **config.method_facts(),
            "refiner": _refiner_facts(config, refiner_weights) if config.refiner else None,
        }
        return cls({name: value for name, value in facts.items() if _UNSAID.get(name, _SAID) != value})

    def job(self, clip: str) -> str:
        """Identity of the job on a clip of fingerprint ``clip``: 16 hex digits.

        Args:
            clip: SHA-256 of what it holds.
        """
        facts = json.dumps([self.facts, clip], sort_keys=True)
        return hashlib.sha256(facts.encode()).hexdigest()[:16]


def _refiner_facts(config: EstimateConfig, weights: RefinerWeights | None) -> dict[str, Any]:
    facts = {"name": config.refiner, **config.refiner_facts()}
    if weights is None:
        return facts
    file = Path(weights.path)
    named = {
        key: "weights"
        for key, value in facts.items()
        if isinstance(value, str) and Path(value).expanduser() == file
    }
    return facts | named | {"weights": weights.sha256}


def predictions_of(facts: dict[str, Any], clip: str) -> str:
    """Identity of the predictions of a job with these facts, on a clip of fingerprint ``clip``.

    Args:
        facts: `Identity.facts`.
        clip: SHA-256 of what it holds.
    """
    deciding = {name: value for name, value in facts.items() if name not in FILES}
    return hashlib.sha256(json.dumps([deciding, clip], sort_keys=True).encode()).hexdigest()[:16]


def differing(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Names of the facts in which two identities differ.

    Args:
        before, now: `Identity.facts` of each.
    """
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def told(before: dict[str, Any], now: dict[str, Any]) -> str:
    """In what two identities differ, in words: ``near differs: 1 there, 2 here``.

    Args:
        before: The facts of the job in a folder.
        now: Those of the job that is asked for.
    """
    facts = []
    for name, word in zip(differing(before, now), differences(before, now), strict=True):
        values = [which.get(name, _UNSAID.get(name)) for which in (before, now)]
        shown = name not in _WORDS and all(isinstance(value, str | int | float) for value in values)
        there, here = map(_shown, values)
        facts.append(f"{word} differs{f': {there} there, {here} here' if shown else ''}")
    return "; ".join(facts)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return ("off", "on")[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What two identities differ in, as the user knows it.

    Args:
        before, now: `Identity.facts` of each.
    """
    return [_WORDS.get(name, name.replace("_", "-")) for name in differing(before, now)]


def frame_range(info: ClipInfo, config: EstimateConfig) -> tuple[int, int | None]:
    """Clip frame indices [start, stop) that a job reads; None: to the end of a movie.

    Args:
        info: The clip.
        config: With the range that the user asked for, if any.

    Raises:
        UsageError: the range is malformed, or begins before the clip or behind its end.
    """
    numbering = Numbering.of(info, config)
    start, stop = numbering.indices(config.frames)
    if numbering.output_first + start < 0:
        raise UsageError(
            f"{info.path.name} would give depth a negative frame number, {numbering.output_first + start}, "
            "which no host reads in file names.",
            "Number the depth otherwise with --start-frame 1001, or choose later frames with --frames.",
        )
    count = info.frames_declared if info.kind == "sequence" else None
    if count is None:
        return start, stop
    if start >= count:
        first = info.first_number or 0
        raise UsageError(
            f"The frame range {config.frames} lies behind the end of {info.path.name}: its frames are "
            f"{first} to {first + count - 1}.",
            "Choose frames the clip has.",
        )
    return start, count if stop is None else min(stop, count)
