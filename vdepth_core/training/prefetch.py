"""Batches made beside the training."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetch(Generic[T]):
    """Makes the batches of successive steps in a thread, two ahead."""

    def __init__(self, make: Callable[[int], T], step: int) -> None:
        """``make``: from a step to its batch; ``step``: the first."""
        self._queue: queue.Queue[T | _Failure] = queue.Queue(2)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(make, step), daemon=True)
        self._thread.start()

    def get(self) -> T:
        """The next step's batch; raises what making it raised."""
        item = self._queue.get()
        if isinstance(item, _Failure):
            raise item.error
        return item

    def close(self) -> None:
        """Stops the thread."""
        self._stop.set()
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=0.05)
            except queue.Empty:
                continue

    def _run(self, make: Callable[[int], T], step: int) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(make(step))
            except BaseException as error:  # handed to the loop, which raises it
                self._queue.put(_Failure(error))
                return
            step += 1


class _Failure:
    def __init__(self, error: BaseException) -> None:
        self.error = error
