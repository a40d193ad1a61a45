"""A `Progress` that remembers what it was told."""

from __future__ import annotations

from vdepth_core.progress import Progress


class Listener(Progress):
    """Adds up the units of its latest stage; asks to stop once ``limit`` of them are done."""

    def __init__(self, limit: float = float("inf")) -> None:
        super().__init__()
        self.stages: list[tuple[str, int | None]] = []
        self.warnings: list[str] = []
        self.done, self.limit = 0, limit

    def stage(self, name: str, total: int | None) -> None:
        self.stages.append((name, total))

    def advance(self, name: str, done: int = 1) -> None:
        assert done > 0
        assert name == self.stages[-1][0]
        self.done += done
        if self.done >= self.limit:
            self.cancel()

    def warn(self, message: str) -> None:
        self.warnings.append(message)
