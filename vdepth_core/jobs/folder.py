"""The job folder: who works in it, what it was made for, and what may be deleted from it.

``OUT`` holds the frames, ``manifest.json``, ``preview.mp4`` and ``report.html``; ``OUT/.vdepth`` holds the
lock, the configuration (``job.json``), the scan and the prediction stores, everything a killed job needs to
go on.
"""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..errors import JobConflictError, ResourceError
from ..files import remove_leftovers, write_bytes
from ..output.naming import safe_name

_OURS = ("manifest.json", "preview.mp4", "report.html")


class JobFolder:
    """One clip's output folder, locked while open.

    Use as a context manager.

    Raises:
        ResourceError: the folder cannot be made or written.
        JobConflictError: another process works in it.
    """

    def __init__(self, out: Path, clip_name: str) -> None:
        self.out, self.clip_name = out, clip_name
        self.work = out / ".vdepth"
        try:
            self.work.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self.work / "lock")
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise JobConflictError(
                f"Another vdepth process is working in {out}.",
                "Wait for it, or choose another folder with -o.",
            ) from error
        except OSError as error:
            raise ResourceError(
                f"The output folder {out} cannot be written ({error.strerror or error}).",
                "Choose a folder you may write to with -o.",
            ) from error

    def __enter__(self) -> JobFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def sweep(self) -> None:
        """Removes the half-written files of a killed run."""
        for folder in (self.out, self.work):
            remove_leftovers(folder)

    def claim(self, job: str, facts: dict[str, Any], *, overwrite: bool) -> bool:
        """Makes the folder this job's own; returns True when it resumes an earlier run of the same job.

        Raises:
            JobConflictError: it belongs to another configuration and ``overwrite`` is off.
        """
        before = self.load("job.json")
        if before is not None and before.get("job") == job and not overwrite:
            return True
        if before is not None and not overwrite:
            changed = _differences(before.get("config", {}), facts.get("config", {})) or [
                "the clip or the weights"
            ]
            raise JobConflictError(
                f"{self.out} holds a job with another configuration ({', '.join(changed)} differ).",
                "Use --overwrite to replace it, or another folder with -o.",
            )
        self.clear()
        self.save("job.json", {"job": job, **facts})
        return False

    def clear(self) -> None:
        """Deletes what vdepth made for this clip, and nothing else."""
        frame = re.compile(
            re.escape(safe_name(self.clip_name)) + r"_(depth|disparity|confidence|normal|layers)\.\d+\.exr"
        )
        for path in self.out.iterdir():
            if path.is_file() and (path.name in _OURS or frame.fullmatch(path.name)):
                path.unlink()
        for path in self.work.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != "lock":
                path.unlink()

    def load(self, name: str) -> Any:
        """Reads a JSON file of the work folder; None when it is missing or damaged."""
        try:
            return json.loads((self.work / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def save(self, name: str, value: Any) -> None:
        """Writes a JSON file of the work folder atomically."""
        write_bytes(self.work / name, json.dumps(value, indent=1).encode())

    def store(self, shot: int) -> Path:
        """Folder of a shot's prediction store."""
        return self.work / f"shot_{shot:04d}"

    def drop_stores(self) -> None:
        """Deletes the prediction stores of a finished job."""
        for path in self.work.glob("shot_*"):
            shutil.rmtree(path)

    def need(self, size: int) -> None:
        """Refuses to start what cannot fit.

        Raises:
            ResourceError: less than ``size`` bytes are free.
        """
        free = shutil.disk_usage(self.out).free
        if free < size:
            raise ResourceError(
                f"{self.out} has {free / 1e9:.1f} GB free, and this job needs at least {size / 1e9:.1f} GB.",
                "Free some space, choose a shorter range with --frames, or another disk with -o.",
            )


def _differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    keys = sorted(before.keys() | now.keys())
    return [key.replace("_", "-") for key in keys if before.get(key) != now.get(key)]
