"""What the clips of one command share: loaded models, and the turn to use the accelerator."""

from __future__ import annotations

import threading

from ..choices import Predicts
from ..models.registry import load_model
from ..progress import Progress
from ..types import DepthModel

_WAIT_S = 0.2
_Key = tuple[str, str, str, Predicts | None, bool]


class ModelShelf:
    """Loads each model once, however many clips ask for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._models: dict[_Key, DepthModel] = {}

    def put(self, name: str, device: str, dtype: str, model: DepthModel) -> None:
        """Adds a model that is already there, under the name a configuration will ask for."""
        with self._lock:
            self._models[name, device, dtype, None, False] = model

    def get(
        self, name: str, device: str, dtype: str, predicts: Predicts | None = None, compile: bool = False
    ) -> DepthModel:
        """The model ``name`` (or path) on ``device``.

        Raises:
            WeightsError, UsageError: see `load_model`.
        """
        key = (name, device, dtype, predicts, compile)
        with self._lock:
            if key not in self._models:
                self._models[key] = load_model(name, device, dtype, predicts=predicts, compile=compile)
            return self._models[key]


class Turns:
    """Lets clips use the accelerator one after the other, in order, whatever becomes of those before."""

    def __init__(self) -> None:
        self._passed: set[int] = set()
        self._changed = threading.Condition()

    def wait(self, number: int, progress: Progress) -> None:
        """Blocks until every clip before ``number`` has passed its turn on.

        Raises:
            Cancelled: the user asked to stop meanwhile.
        """
        with self._changed:
            while not all(before in self._passed for before in range(number)):
                progress.check()
                self._changed.wait(_WAIT_S)

    def pass_on(self, number: int) -> None:
        """Clip ``number`` needs the accelerator no more (or never will)."""
        with self._changed:
            self._passed.add(number)
            self._changed.notify_all()
