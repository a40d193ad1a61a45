"""``job.json``: what a folder's job was asked for, what it chose, and the clip it saw."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..clip import Fingerprint
from ..models.runtime import TORCH
from ..output.journal import JOB, WORK
from ..output.manifest import CameraEntry, ClipEntry
from ..runs import in_words, runs
from ..types import ClipInfo, ModelSpec, RefinerWeights, Shot
from .config import EstimateConfig
from .identity import FILES, differing, predictions_of

_CHOSEN = ("method", "model", "size", "device", "dtype", "runtime")
_SHOWN = 4  # ranges of frames in a sentence


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ClipRecord(_Part):
    """The clip as the job saw it.

    ``name`` and ``file`` are in the job's files and their names, and stay when the clip is moved; ``digest``
    and ``frames`` are those of its `Fingerprint`.
    """

    name: str
    file: str
    digest: str
    frames: dict[int, str] = Field(default_factory=dict)

    @classmethod
    def of(cls, info: ClipInfo, source: Fingerprint) -> ClipRecord:
        """The record of a clip.

        Args:
            info: The clip.
            source: What it holds.
        """
        return cls(name=info.name, file=info.path.name, digest=source.digest, frames=dict(source.frames))

    def changes(self, now: ClipRecord) -> str:
        """What changed since, as the subject of a sentence.

        Args:
            now: The same clip's record of today.
        """
        both = self.frames.keys() & now.frames.keys()
        kinds = {
            "": sorted(number for number in both if self.frames[number] != now.frames[number]),
            " (added)": sorted(now.frames.keys() - both),
            " (gone)": sorted(self.frames.keys() - both),
        }
        parts = [f"{_ranges(numbers)}{how}" for how, numbers in kinds.items() if numbers]
        if not self.frames or not parts:
            return now.file
        return f"{' and '.join(parts)} of {now.name}"


class JobRecord(_Part):
    """What ``job.json`` holds: with the shots of ``scan.json`` all that any stage of any shot has to know.

    Attributes:
        job: Identity of the job, clip included.
        vdepth: Version that began it.
        given: The options as they were given.
        chosen: The options with what presets and machine decided.
        identity: `Identity.facts`.
        clip: The clip.
        source: The clip's entry for the manifest, without the times of its frames.
        beside: The clip's path from the job's folder; empty where there is none.
        spec: What the model is.
        weights: What the model's file or folder looked like; see `weights_seen`.
        size: (height, width) of the network's input.
        refiner_weights: What the refiner brings of its own; None: nothing.
        camera: The plate's camera.
        warnings: Sentences about the options.
        threads: CPU threads of the network, once measured.
    """

    job: str
    vdepth: str
    given: EstimateConfig
    chosen: EstimateConfig
    identity: dict[str, Any]
    clip: ClipRecord
    source: ClipEntry | None = None
    beside: str = ""
    spec: ModelSpec | None = None
    weights: str = ""
    size: tuple[int, int] | None = None
    refiner_weights: RefinerWeights | None = None
    camera: CameraEntry | None = None
    warnings: list[str] = Field(default_factory=list)
    threads: int | None = Field(default=None, ge=1)

    @property
    def predictions(self) -> str:
        """Identity of the predictions, clip included."""
        return predictions_of(self.identity, self.clip.digest)

    @property
    def terms(self) -> tuple[str, bool]:
        """Licences of all weights in a planned job, and whether all of them allow commercial use."""
        assert self.spec is not None
        terms = [(self.spec.license, self.spec.commercial)]
        if self.refiner_weights is not None:
            terms.append((self.refiner_weights.license, self.refiner_weights.commercial))
        licences = dict.fromkeys(name for name, _ in terms)
        return " and ".join(licences), all(commercial for _, commercial in terms)

    def goes_on(self, before: JobRecord | None) -> bool:
        """Whether this is the job ``before``, whatever became of its clip.

        A sequence that has grown is the same clip if no range was asked for.

        Args:
            before: What the folder has; None: no job.
        """
        if before is None:
            return False
        free = {"frames"} if before.given.frames is None and self.given.frames is None else set()
        return not {name for name in differing(before.identity, self.identity) if name not in free}

    def made_of(self, shot: Shot) -> dict[str, Any]:
        """What a `DepthStore` of ``shot`` is made of.

        The frames of a movie lie in one file: it has changed or not, as a whole.

        Args:
            shot: Of the clip.
        """
        clip = "" if self.clip.frames else self.clip.digest
        options = {
            name: value for name, value in self.identity.items() if name not in FILES and name != "frames"
        }
        facts = [options, clip, shot.start, shot.stop, shot.exposure]
        first = self.identity["frames"][0]
        frames = [digest for _, digest in sorted(self.clip.frames.items())]
        return {
            "shot": hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest(),
            "frames": frames[shot.start - first : shot.stop - first],
        }


def read_record(out: Path) -> JobRecord | None:
    """The record of the job in folder ``out``; None where there is none, or it is damaged.

    Args:
        out: The folder.
    """
    try:
        return JobRecord.model_validate_json((out / WORK / JOB).read_bytes())
    except (OSError, ValidationError):
        return None


def weights_seen(path: Path | None) -> str:
    """What a weights file or folder looks like, without reading it; empty where there is none.

    Args:
        path: File or folder of the weights; None: a model that has none.
    """
    if path is None or not path.exists():
        return ""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    facts = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]
    return hashlib.sha256(json.dumps([str(path.resolve()), facts]).encode()).hexdigest()[:16]


def keep_choice(given: EstimateConfig, record: JobRecord | None) -> EstimateConfig:
    """Fills what the user left open with what the job chose under the same words.

    Weights installed since, or a machine with another accelerator, do not change what a job is.

    Args:
        given: What the user asks for now.
        record: Of the folder's job; None: there is none.
    """
    if record is None:
        return given
    before = record.given
    if (given.preset, given.non_commercial) != (before.preset, before.non_commercial):
        return given
    left = [name for name in _CHOSEN if _open(given, name) and _open(before, name)]
    if "model" not in left and "size" in left and _open(before, "model"):
        left.remove("size")  # a preset's size goes with its model
    if "method" in left and not _open(given, "model") and given.model != record.chosen.model:
        left.remove("method")  # as the method does: this is another job, and is refused for being one
    kept = {name: getattr(record.chosen, name) for name in left}
    if kept.get("runtime") == "auto":  # a record from before there was a choice
        kept["runtime"] = TORCH
    return given.model_copy(update=kept)


def _open(config: EstimateConfig, name: str) -> bool:
    return getattr(config, name) in (None, "auto")


def _ranges(numbers: list[int]) -> str:
    """Frame numbers in words: ``frames 1001, 1004-1006 and 12 more``."""
    found = runs(numbers)
    words = [in_words(run) for run in found[:_SHOWN]]
    more = sum(stop - start for start, stop in found[_SHOWN:])
    word = "frame" if len(numbers) == 1 else "frames"
    return f"{word} {', '.join(words)}{f' and {more} more' if more else ''}"
