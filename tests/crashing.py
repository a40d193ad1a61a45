"""A run that ends as by a power cut."""

from __future__ import annotations

from vdepth_core.progress import Progress


class Crash(BaseException):
    """Nothing is saved, nobody cleans up after it."""


class CrashAt(Progress):
    """Fails behind a step of a stage, before the checkpoint that would follow it."""

    def __init__(self, stage: str, step: int) -> None:
        super().__init__()
        self._stage, self.left = stage, step

    def advance(self, name: str, done: int = 1) -> None:
        self.left -= name == self._stage
        if not self.left:
            raise Crash
