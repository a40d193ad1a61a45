# SPDX-License-Identifier: GPL-3.0-or-later
"""A finished job as the scene needs it, read from its manifest. No bpy in here."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any


class ResultError(Exception):
    """A result cannot be used; the message is one sentence for the user."""


@dataclass(frozen=True)
class Camera:
    """Pinhole intrinsics in pixels of the plate, pixel centres at +0.5 (OpenCV axes).

    Attributes:
        source: ``given``, found from ``motion``, told by the clip's ``metadata``, ``estimated`` by the model,
            or ``assumed``.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    source: str


@dataclass(frozen=True)
class Shot:
    """The numbers of a shot's files, and the range their depth was mapped to."""

    numbers: range
    near: float
    far: float
    camera: Camera


@dataclass(frozen=True)
class Result:
    """One clip's depth on disk.

    Attributes:
        manifest: Its manifest; the sequences lie beside it.
        clip: Path of the clip as the core was given it.
        width, height: Size of the plate and of every sequence in pixels.
        rate: Frames a second.
        first: Index of the first estimated frame in the clip, from 0.
        first_number: Number in that frame's file names.
        count: Number of frames.
        shots: In order.
        sequences: Kind (``depth``, ``disparity``, ``normal``, ``sky``) to file pattern with ``####``.
        orientation: ``upright``, or how much was done of what the file asks to make its picture so.
        turned: Whether that turned or mirrored the picture, and how.
        model, method, space: What made it; ``space`` is affine_invariant, scale_invariant or metric.
    """

    manifest: Path
    clip: str
    width: int
    height: int
    rate: Fraction
    first: int
    first_number: int
    count: int
    shots: tuple[Shot, ...]
    sequences: dict[str, str]
    model: str
    method: str
    space: str
    orientation: str = "upright"
    turned: tuple[int, bool] = (0, False)

    @property
    def last_number(self) -> int:
        """Number in the last frame's file names."""
        return self.first_number + self.count - 1

    @property
    def numbers(self) -> range:
        """Numbers in the file names, in order."""
        return range(self.first_number, self.first_number + self.count)

    def lies_as(self, orientation: str, size: tuple[int, int]) -> bool:
        """Whether the depth lies over a picture for which so much is done, rather than turned or mirrored.

        Args:
            orientation: ``stored``, ``turned`` or ``upright``.
            size: Of the picture, width and height; another scale is none of our business.
        """
        if size == (self.height, self.width) != (self.width, self.height):
            return False
        if self.orientation == orientation:
            return True
        if self.orientation == "stored":  # the file asks for something, and nobody noted for what
            return False
        rotation, mirrored = self.turned
        if orientation == "stored":
            return (rotation, mirrored) == (0, False)
        return self.orientation == "upright" and not mirrored

    def path(self, kind: str, number: int) -> Path:
        """File of a sequence by its number."""
        return self.manifest.parent / self.sequences[kind].replace("####", f"{number:04d}")

    def number_offset(self, frame_start: int, frame_offset: int) -> int:
        """What to add to a scene frame to get a file's number, for a clip shown so in the scene.

        Blender shows source frame ``scene_frame − frame_start + frame_offset``, counted from 0.
        """
        return self.first_number - self.first - frame_start + frame_offset

    def shot_at(self, number: int) -> Shot:
        """The shot a file's number belongs to; the nearest one outside."""
        for shot in self.shots:
            if number < shot.numbers.stop:
                return shot
        return self.shots[-1]


def read_result(manifest: str | Path) -> Result:
    """Reads a manifest.

    Raises:
        ResultError: it is missing or not one of ours.
    """
    path = Path(manifest)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        clip, frames, model = data["clip"], data["frames"], data["model"]
        shots = tuple(
            Shot(
                range(s["start_number"], s["start_number"] + s["count"]),
                s["near"],
                s["far"],
                _camera(s.get("camera") or data["camera"]),
            )
            for s in data["shots"]
        )
        return Result(
            path, clip["path"], clip["width"], clip["height"], Fraction(clip["rate"]), frames["first"],
            frames["start_number"], frames["count"], shots, dict(data["sequences"]), model["name"],
            data["method"], model["space"], clip.get("shown", "upright"),
            (clip.get("rotation", 0), clip.get("mirrored", False)),
        )  # fmt: skip
    except FileNotFoundError:
        raise ResultError(f"{path} is gone: relink the result or estimate again.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResultError(f"{path.name} is no vdepth manifest ({error}): estimate again.") from error


def _camera(entry: dict[str, Any]) -> Camera:
    """Where it comes from exactly, and how sure that is, is for people who read the manifest."""
    return Camera(*(entry[field.name] for field in fields(Camera)))
