"""What a fine-tuning leaves in its folder before its first checkpoint, and who works there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import UsageError, WeightsError
from ...files import write_bytes
from ...output.journal import WORK
from ...output.locks import lock_folder
from .lesson import SAMPLES

MARKER = "run.json"
_LOCK = "train.lock"
_FORMAT = "vdepth-diffusion-run-1"
_DRAFT = re.compile(r"\..+\.[0-9a-f]{12}\.tmp")  # what a kill leaves of `files.atomic_path`
_SAMPLE = re.compile(r"[a-z]+-\d{6}\.png")
_WORDS = {"data": "scenes", "start": "model to start from", "scenes": "count of scenes", "frames": "length"}


@dataclass(frozen=True)
class Begun:
    """A run that began in a folder.

    Attributes:
        facts: What decides it.
        files: Of its folder, relative, that it wrote before its first step.
    """

    facts: Mapping[str, Any]
    files: tuple[str, ...]


@contextmanager
def alone(out: Path) -> Iterator[None]:
    """Keeps other runs out of a folder.

    Args:
        out: The folder, made if it is not there.

    Raises:
        BusyError: another process trains into it.
        ResourceError: it cannot be written.
    """
    lock = lock_folder(out, _LOCK)
    try:
        yield
    finally:
        lock.release()


def read_begun(out: Path) -> Begun | None:
    """The run that began in a folder, None where none did.

    Args:
        out: It need not exist.
    """
    try:
        said = json.loads((out / MARKER).read_bytes())
        if said["format"] != _FORMAT:
            return None
        return Begun(dict(said["facts"]), tuple(map(str, said["files"])))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def begin(out: Path, facts: Mapping[str, Any], files: Sequence[str], former: Begun | None) -> None:
    """Says in a folder that a run begins there, before anything else of it is written.

    Args:
        out: The folder.
        facts: What decides the run.
        files: What it is about to write, relative.
        former: A run that came to nothing there: what of its files the new one has not is removed.

    Raises:
        ResourceError: disk full, or the folder cannot be written.
    """
    for path in list(out.rglob(".*.tmp")):
        if _DRAFT.fullmatch(path.name):
            path.unlink(missing_ok=True)
    for name in set(former.files if former else ()) - set(files):
        path = (out / name).resolve()
        if path.is_relative_to(out.resolve()):
            path.unlink(missing_ok=True)
    said = {"format": _FORMAT, "facts": _plain(facts), "files": sorted(files)}
    write_bytes(out / MARKER, (json.dumps(said, indent=1) + "\n").encode())


def check_same(out: Path, begun: Begun, facts: Mapping[str, Any]) -> None:
    """Refuses to go on with a run that something else decides.

    Args:
        out: Its folder.
        begun: The run.
        facts: What decides the one that wants to go on.

    Raises:
        UsageError: they differ; it says in what.
    """
    there, here = _flat(begun.facts), _flat(_plain(facts))
    found = []
    for name in sorted(there.keys() | here.keys()):
        values = there.get(name), here.get(name)
        if values[0] == values[1]:
            continue
        what = f"another {_WORDS.get(name, name.replace('_', '-'))}".replace("another scenes", "other scenes")
        shown = name != "start" and all(
            value is None or isinstance(value, str | int | float) for value in values
        )
        found.append(f"{what}{' ({} there, {} here)'.format(*map(_shown, values)) if shown else ''}")
    if found:
        raise UsageError(
            f"The run in {out} comes from {'; '.join(found)}.",
            "Resume with what the first run had, or choose another folder without --resume.",
        )


@contextmanager
def mendable(state: Path, begun: Begun | None) -> Iterator[None]:
    """Says what to do about a checkpoint that cannot be read.

    Args:
        state: The checkpoint.
        begun: The run that began in its folder.

    Raises:
        WeightsError: with that hint.
    """
    try:
        yield
    except WeightsError as error:
        if not state.is_file():
            raise
        raise WeightsError(
            f"The checkpoint {state} is damaged or of another version.",
            f"Delete {state} and run the same with --resume: its stage begins anew."
            if begun
            else "Start in another folder, without --resume.",
        ) from error


def check_empty(out: Path, cache: str, begun: Begun | None) -> None:
    """Refuses a folder to write into that holds anything but rendered scenes and what a run began with.

    Args:
        out: It need not exist.
        cache: Name of the folder of these scenes.
        begun: The run that began there.

    Raises:
        UsageError: it holds something.
    """
    for name in _others(out, cache, begun):
        run = name.startswith("state-")
        what = "a run" if run else f"{name}, which is not ours to replace"
        hint = "Go on with --resume, or choose another folder." if run or begun else "Choose another folder."
        raise UsageError(f"The folder {out} holds {what}.", hint)


def _others(out: Path, cache: str, begun: Begun | None) -> Iterator[str]:
    """What nobody may replace, a checkpoint first."""
    tops = sorted(out.iterdir()) if out.is_dir() else []
    yield from (path.name for path in tops if path.name.startswith("state-"))
    ours = {MARKER, *begun.files} if begun else set()
    for top in tops:
        if top.name in (cache, WORK):
            continue
        for path in (path for path in top.rglob("*") if not path.is_dir()) if top.is_dir() else (top,):
            name = path.relative_to(out)
            sample = begun and name.parts[:-1] == (SAMPLES,) and _SAMPLE.fullmatch(path.name)
            if not (name.as_posix() in ours or sample or _DRAFT.fullmatch(path.name)):
                yield name.as_posix()


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(facts, default=str))
    return plain


def _flat(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Options and settings by their own names."""
    groups = [value for value in facts.values() if isinstance(value, dict)]
    flat = {name: value for name, value in facts.items() if not isinstance(value, dict)}
    return flat | {name: value for group in groups for name, value in group.items()}


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return ("off", "on")[value]
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
