"""What the clips of one command share: loaded models, the accelerator they run on, and memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import get_args

from ..choices import Predicts, Runtime
from ..models.registry import load_model
from ..progress import Progress
from ..protocols import DepthModel

_WAIT_S = 0.2
_Key = tuple[str, str, str, Predicts | None, bool, Runtime]


class ModelShelf:
    """Loads each model once, however many clips ask for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._models: dict[_Key, DepthModel] = {}

    def put(self, name: str, device: str, dtype: str, model: DepthModel) -> None:
        """Adds a model that is already there, under the name a configuration will ask for.

        Args:
            name: As of `load_model`, or any word.
            device, dtype: As of `load_model`.
            model: Loaded.
        """
        with self._lock:
            for runtime in get_args(Runtime):  # it brings its own
                self._models[name, device, dtype, None, False, runtime] = model

    def get(
        self,
        name: str,
        device: str,
        dtype: str,
        predicts: Predicts | None = None,
        compile: bool = False,
        runtime: Runtime = "torch",
    ) -> DepthModel:
        """A model, loaded where it is not yet.

        Args:
            name: Of the model, or path of its weights.
            device, dtype, predicts, compile, runtime: As of `load_model`.

        Raises:
            WeightsError, UsageError: as `load_model`.
        """
        key = (name, device, dtype, predicts, compile, runtime)
        with self._lock:
            if key not in self._models:
                self._models[key] = load_model(
                    name, device, dtype, predicts=predicts, compile=compile, runtime=runtime
                )
            return self._models[key]


class Accelerator:
    """Serves what needs a model, of all clips and shots of a command, one at a time.

    Of what waits, the first clip comes first, and in it what lets a shot go on: its refinement before the
    next shot's prediction. A clip that waits for something else lets the next one through.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[tuple[int, int]] = []
        self._busy = False
        self._memory = threading.Lock()

    @contextmanager
    def memory(self, progress: Progress) -> Iterator[None]:
        """All the memory that full-size frames may take, for a stage that needs it; ask before `turn`.

        Args:
            progress: May cancel the waiting.

        Raises:
            Cancelled: the user asked to stop while it waited.
        """
        while not self._memory.acquire(timeout=_WAIT_S):
            progress.check()
        try:
            yield
        finally:
            self._memory.release()

    @contextmanager
    def turn(self, clip: int, rank: int, progress: Progress) -> Iterator[None]:
        """The accelerator, for work of ``clip``; less ``rank`` comes first.

        Args:
            clip: Its place in the command, from 0.
            rank: Of clips' work, what comes first.
            progress: May cancel the waiting.

        Raises:
            Cancelled: the user asked to stop while it waited.
        """
        ticket = (clip, rank)
        with self._changed:
            self._waiting.append(ticket)
            try:
                while self._busy or min(self._waiting) != ticket:
                    progress.check()
                    self._changed.wait(_WAIT_S)
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
            self._busy = True
        try:
            yield
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
