# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the interpreter the core is in, and makes sure that it is this add-on's core. No bpy in here."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Generator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .client import ask

EVENTS_VERSION = 1
VARIABLE = "VDEPTH_PYTHON"
_PATIENCE_S = 120  # the first start from a cold network drive
_REMEMBER_S = 5.0  # who has just looked in the background wants the answer, not another look
_NEXT = {
    "preferences": "name another one in the add-on's preferences, or none and press Install Core",
    VARIABLE: f"set {VARIABLE} to another one, or unset it and press Install Core",
    "managed": "press Install Core",
    "this Python": "press Install Core",
}
"""What to do about a core that does not work, by where it was found."""


class CoreError(Exception):
    """There is no core to use; the message is one sentence for the user."""


@dataclass(frozen=True)
class Core:
    """A core that answered.

    Attributes:
        path: Its interpreter.
        version: Its version.
        events: The version of its event protocol.
        source: Where it was found: ``preferences``, ``VDEPTH_PYTHON``, ``managed`` or ``this Python``.
    """

    path: Path
    version: str
    events: int
    source: str


@cache
def addon_version() -> str:
    """The add-on's version, which is the one of the core it belongs to."""
    manifest = Path(__file__).parents[1] / "blender_manifest.toml"
    return str(tomllib.loads(manifest.read_text(encoding="utf-8"))["version"])


def find_core(preference: str = "", managed: Path | None = None) -> Core:
    """The core to use: of the preferences, else VDEPTH_PYTHON, else the managed one, else this Python's own.

    What the user named is used or refused, never passed over.

    Args:
        preference: Interpreter, folder of a virtual environment, or ``vdepth`` script; "" for none.
        managed: Folder of the environment that Install Core made, or None.

    Raises:
        CoreError: none was found, or it does not answer, or it is another version's.
    """
    if preference.strip():
        return _ask(interpreter(preference, "preferences"), "preferences")
    if named := os.environ.get(VARIABLE, "").strip():
        return _ask(interpreter(named, VARIABLE), VARIABLE)
    if managed is not None:
        return _ask(interpreter(str(managed), "managed"), "managed")
    if sys.executable and importlib.util.find_spec("vdepth_core") is not None:
        try:
            return _ask(Path(sys.executable), "this Python")
        except CoreError:
            pass  # its sources are importable, what it needs is not
    raise CoreError(
        "The vdepth core is not installed: press Install Core under Environment below, "
        "or name its Python in the add-on's preferences."
    )


def interpreter(path: str, source: str = "preferences") -> Path:
    """The Python of what a user may name: an interpreter, a virtual environment or a ``vdepth`` script.

    Raises:
        CoreError: there is none.
    """
    given = Path(path.strip().strip('"')).expanduser()
    if given.is_dir():
        if python := _python_in(given / "bin") or _python_in(given / "Scripts"):
            return python
        raise CoreError(f"{given} is no virtual environment with a Python in it: {_NEXT[source]}.")
    if not given.is_file():
        raise CoreError(f"There is no Python at {given}: {_NEXT[source]}.")
    if given.stem == "vdepth":
        script = given.resolve()  # pipx and uv link to it
        if python := _python_in(script.parent) or _shebang(script):
            return python
        raise CoreError(f"The Python that {given} runs in was not found: name that Python itself.")
    return given  # never resolved: a virtual environment's Python is a link


def _python_in(folder: Path) -> Path | None:
    names = ("python", "python3", "python.exe")
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _shebang(script: Path) -> Path | None:
    with script.open("rb") as file:
        line = file.readline(1024).decode("utf-8", errors="replace")
    python = Path(line.removeprefix("#!").strip())
    return python if line.startswith("#!") and python.is_file() else None


def _ask(python: Path, source: str) -> Core:
    """The handshake."""
    try:
        answer = ask(python, ["--version", "--json"], _PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise CoreError(f"{python} did not answer within {_PATIENCE_S} seconds: try again.") from None
    except OSError as error:
        raise CoreError(f"{python} cannot be started ({error.strerror}): {_NEXT[source]}.") from error
    return read_answer(
        answer.stdout.decode("utf-8", "replace"), answer.stderr.decode("utf-8", "replace"), python, source
    )


def read_answer(stdout: str, stderr: str, python: Path, source: str) -> Core:
    """Judges what ``--version --json`` printed.

    Raises:
        CoreError: it is no answer, or another version's.
    """
    try:
        facts = json.loads(stdout.strip().splitlines()[-1])
        version, events = str(facts["vdepth"]), int(facts["events"])
    except (ValueError, IndexError, KeyError, TypeError):
        said = (stderr or stdout).strip().splitlines()[-1:]
        if not said or "No module named" in said[0]:
            raise CoreError(f"{python} has no vdepth core: {_NEXT[source]}.") from None
        raise CoreError(
            f"The core in {python} does not start ({said[0].strip()}): {_NEXT[source]}."
        ) from None
    ours = addon_version()
    if version.split(".")[:2] != ours.split(".")[:2]:
        raise CoreError(
            f"The core in {python} is version {version}, this add-on is version {ours}: {_NEXT[source]}."
        )
    if events != EVENTS_VERSION:
        raise CoreError(
            f"The core in {python} speaks event protocol {events}, this add-on {EVENTS_VERSION}: "
            f"{_NEXT[source]}."
        )
    return Core(python, version, events, source)


class Finder:
    """Looks for the core on a thread and keeps the answer, so that a panel may ask at every redraw."""

    def __init__(self) -> None:
        self.core: Core | None = None
        self.error = ""
        self._key: tuple[str, ...] = ()
        self._failed_at = -math.inf
        self._thread: threading.Thread | None = None

    @property
    def looking(self) -> bool:
        """True while the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, preference: str, managed: Path | None) -> None:
        """Looks again, in the background."""
        if not self.looking:
            self._thread = threading.Thread(
                target=self._look, args=(preference, managed), name="vdepth core check", daemon=True
            )
            self._thread.start()

    def find(self, preference: str, managed: Path | None) -> Core:
        """The core; asked for once and remembered until the question changes or its interpreter is gone.

        A failure is remembered for a few seconds only.

        Raises:
            CoreError: as `find_core`.
        """
        known = self._key == self._question(preference, managed)
        found = self.core is not None and self.core.path.is_file()
        if not known or not (found or time.monotonic() - self._failed_at < _REMEMBER_S):
            self._look(preference, managed)
        if self.core is None:
            raise CoreError(self.error)
        return self.core

    def seek(self, preference: str, managed: Path | None) -> Generator[None, None, Core]:
        """As `find`, but yields while it looks, so that nobody has to wait.

        Raises:
            CoreError: as `find_core`.
        """
        if self.core is None:
            self.start(preference, managed)
        while self.looking:
            yield
        return self.find(preference, managed)

    def forget(self) -> None:
        """Makes the next `find` look again."""
        self.core, self.error, self._key = None, "", ()

    def _look(self, preference: str, managed: Path | None) -> None:
        try:
            core, error = find_core(preference, managed), ""
        except CoreError as problem:
            core, error = None, str(problem)
        self._failed_at = time.monotonic() if error else -math.inf
        self.core, self.error, self._key = core, error, self._question(preference, managed)

    @staticmethod
    def _question(preference: str, managed: Path | None) -> tuple[str, ...]:
        return (preference, os.environ.get(VARIABLE, ""), str(managed))
