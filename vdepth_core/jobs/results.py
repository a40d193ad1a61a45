"""What is left of a finished shot: a small JSON file and its part of the preview, in the job's work folder.

They outlive the shot's predictions, so that a lost preview, report or manifest costs neither decoding nor
predicting.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..output.journal import FileEntry
from ..output.manifest import ShotEntry
from ..output.report import ReportPictures
from ..types import Shot, ShotAlignment


class Shown(NamedTuple):
    """One output frame: its number, the clip frame it shows, that one's time stamp, its time in seconds."""

    number: int
    frame: int
    pts: int
    time: str

    @property
    def seconds(self) -> Fraction:
        """Seconds since the clip's first frame."""
        return Fraction(self.time)


class ShotResult(BaseModel):
    """A finished shot.

    Attributes:
        job: Identity of the job.
        entry: The shot in the manifest.
        curves: Of the alignment, for the report.
        shown: Its output frames, in order; at a constant rate there may be none.
        files: Its EXR files.
        film: The SHA-256 and size of its part of the preview; None without frames.
        still: Whether that is a picture: the job is of a single image.
        pictures: Its part of the report.
        warnings: Sentences said on the way.
        seconds: Stage -> how long it took.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    job: str
    entry: ShotEntry
    curves: dict[str, list[float]] = Field(default_factory=dict)
    shown: list[Shown] = Field(default_factory=list)
    files: dict[str, FileEntry] = Field(default_factory=dict)
    film: FileEntry | None = None
    still: bool = False
    pictures: ReportPictures = ReportPictures()
    warnings: list[str] = Field(default_factory=list)
    seconds: dict[str, float] = Field(default_factory=dict)

    @property
    def shot(self) -> Shot:
        """The shot."""
        return Shot(self.entry.index, self.entry.start, self.entry.stop, self.entry.exposure)

    @property
    def alignment(self) -> ShotAlignment:
        """What the method did to it."""
        return ShotAlignment.of({**self.entry.model_dump(), "curves": self.curves})

    def to_json(self) -> bytes:
        """For `read_result`; curves may hold what is not a number."""
        return json.dumps(self.model_dump(mode="python"), default=str).encode()


def result_path(work: Path, shot: int) -> Path:
    """The JSON file of a shot in a work folder.

    Args:
        work: The work folder.
        shot: Its number, from 0.
    """
    return work / "results" / f"{shot:04d}.json"


def film_path(work: Path, shot: int, still: bool) -> Path:
    """A shot's part of the preview in a work folder.

    Args:
        work: The work folder.
        shot: Its number, from 0.
        still: Whether it is a picture, and all of the preview: the job is of a single image.
    """
    return work / "results" / f"{shot:04d}{'.png' if still else '.mp4'}"


def read_result(work: Path, shot: int, job: str) -> ShotResult | None:
    """The result of a shot of ``job``; None where there is none, or it or its film is damaged.

    Args:
        work: The work folder.
        shot: Its number, from 0.
        job: Its identity.
    """
    try:
        result = ShotResult.model_validate(json.loads(result_path(work, shot).read_text(encoding="utf-8")))
        if result.job != job or result.entry.index != shot:
            return None
        if result.film is not None and FileEntry.of(film_path(work, shot, result.still)) != result.film:
            return None
        return result
    except (OSError, ValueError, ValidationError, RecursionError):
        return None
