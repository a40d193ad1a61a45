"""Stages of one clip's shots, each in a thread of its own, with short queues between them.

The first thing that goes wrong in any of them stops the others, and is what the caller gets.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from ..errors import Cancelled
from ..progress import Progress

_POLL_S = 0.2
Item = TypeVar("Item")


class Channel(Generic[Item]):
    """What one stage hands to the next, in order; ended by `end`."""

    def __init__(self, progress: Progress, most: int = 0) -> None:
        """``most`` items wait at the most; 0: any number."""
        self._items: queue.Queue[Item | None] = queue.Queue(most)
        self._progress = progress

    def put(self, item: Item) -> None:
        """Hands an item on, unless the job stops.

        Args:
            item: For whoever takes next; waits while the channel is full.
        """
        self._put(item)

    def end(self) -> None:
        """Nothing more comes."""
        self._put(None)

    def __iter__(self) -> Iterator[Item]:
        """Items until the end, waking up to notice a cancelled job."""
        while True:
            self._progress.check()
            try:
                item = self._items.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            if item is None:
                return
            yield item

    def _put(self, item: Item | None) -> None:
        while not self._progress.cancelled:
            try:
                self._items.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return


def run_stages(name: str, progress: Progress, *stages: Callable[[], None]) -> None:
    """Runs every stage in a thread of its own, and waits for all of them.

    Args:
        name: Of the work, for the threads' names.
        progress: Cancelled as soon as a stage fails, so that the others end.
        *stages: What to run.

    Raises:
        BaseException: what the first stage that failed raised; a cancellation yields to a real failure.
    """
    failures: list[BaseException] = []

    def guarded(stage: Callable[[], None]) -> None:
        try:
            stage()
        except BaseException as error:
            failures.append(error)
            progress.cancel()

    threads = [
        threading.Thread(target=guarded, args=(stage,), name=f"{stage.__name__} {name}") for stage in stages
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:  # Ctrl-C without signal handlers
        progress.cancel()
        for thread in threads:
            thread.join()
        raise
    real = [error for error in failures if not isinstance(error, Cancelled)]
    for error in [*real, *failures][:1]:
        raise error
