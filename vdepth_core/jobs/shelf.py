"""What the clips of one command share: loaded models, and the turn to use the accelerator."""

from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path

import platformdirs

from ..choices import Predicts
from ..files import write_bytes
from ..models.registry import load_model
from ..models.threads import probe_threads
from ..progress import Progress
from ..types import DepthModel

_log = logging.getLogger(__name__)
_WAIT_S = 0.2
PROBE = "probe"  # the stage: how many threads are fastest
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


def cpu_threads(model: DepthModel, size: tuple[int, int], progress: Progress) -> int:
    """How many threads run ``model`` fastest on this machine's CPU, measured once a machine and remembered.

    A number that changed between two runs could change the last bits of a prediction; remembering it keeps a
    resumed job, and the same job run twice, byte-identical. ``progress`` is told of a stage ``probe``
    meanwhile.
    """
    path = Path(platformdirs.user_cache_dir("vdepth")) / "threads.json"
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        known = {}
    known = known if isinstance(known, dict) else {}
    key = f"{model.spec.name}/{model.spec.weights_sha256[:16]}/{size[0]}x{size[1]}/{os.cpu_count()}"
    if not isinstance(known.get(key), int) or known[key] < 1:
        progress.stage(PROBE, 1)
        known[key] = probe_threads(model, size)
        progress.advance(PROBE)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, json.dumps(known, indent=1, sort_keys=True).encode())
        except Exception as error:
            _log.debug("cannot remember the thread count in %s: %s", path, error)
    return int(known[key])
