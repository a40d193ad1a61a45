# SPDX-License-Identifier: GPL-3.0-or-later
"""The installed models, asked of the core once in the background. No bpy in here."""

from __future__ import annotations

import json
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from .client import ask

_PATIENCE_S = 60
_SPACES = {"affine_invariant": "up to scale and shift", "scale_invariant": "up to scale", "metric": "metric"}


@dataclass(frozen=True)
class InstalledModel:
    """A model that can be run, and the terms of its weights."""

    name: str
    space: str
    license: str
    commercial: bool

    @property
    def description(self) -> str:
        """One sentence for its tooltip."""
        terms = "" if self.commercial else ", not for commercial use"
        return f"Depth {_SPACES.get(self.space, self.space)}; licence {self.license}{terms}"


class ModelList:
    """What the core said it has; ``known`` is empty until it answered."""

    def __init__(self) -> None:
        self.known: tuple[InstalledModel, ...] = ()
        self._asked: Path | None = None
        self._thread: threading.Thread | None = None

    def request(self, python: Path, *, again: bool = False) -> None:
        """Asks in the background, once an interpreter; ``again`` after models were installed."""
        busy = self._thread is not None and self._thread.is_alive()
        if not busy and (again or self._asked != python):
            self._asked = python
            self._thread = threading.Thread(
                target=self._ask, args=(python,), name="vdepth models", daemon=True
            )
            self._thread.start()

    def _ask(self, python: Path) -> None:
        try:
            answer = ask(python, ["models", "--json"], _PATIENCE_S)
            answer.check_returncode()
            self.known = read_models(answer.stdout)
        except (OSError, ValueError, subprocess.SubprocessError):
            self.known = ()  # the estimate itself will say what is wrong with the core


def read_models(text: str | bytes) -> tuple[InstalledModel, ...]:
    """The installed models of ``vdepth models --json``.

    Raises:
        ValueError: it is something else.
    """
    try:
        entries = [entry for entry in json.loads(text) if entry["installed"] and entry["spec"]]
        return tuple(
            InstalledModel(e["name"], e["spec"]["space"], e["spec"]["license"], bool(e["spec"]["commercial"]))
            for e in entries
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a list of models: {error}") from error


MODELS = ModelList()
"""What this session's core has."""
