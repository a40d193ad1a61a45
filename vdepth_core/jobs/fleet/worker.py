"""A process of the fleet: does tasks of any clips, on one accelerator, with a model that stays loaded."""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import threading

from ...budget import keep_pages
from ...errors import ResourceError, as_vdepth_error
from ..accelerator import Accelerator
from ..assemble import finish
from ..events import JobProgress, OnEvent
from ..folder import read_scan
from ..record import read_record
from ..run import ClipJob
from .tasks import Order, Outcome, Setup

_log = logging.getLogger(__name__)


class Worker:
    """Runs tasks, of which several may be under way: while one is written, the next is predicted."""

    def __init__(self, setup: Setup) -> None:
        """Takes the command's folder for its own, where there is one of that name here.

        Args:
            setup: Of the command.
        """
        self._setup, self._shelf, self._accelerator = setup, setup.shelf(), Accelerator()
        self._turns, self._running = itertools.count(), set[JobProgress]()
        self._lock, self._cancelled = threading.Lock(), False
        with contextlib.suppress(OSError):
            os.chdir(setup.folder)
        keep_pages()

    def run(self, order: Order, tell: OnEvent) -> Outcome:
        """Does a task, or what is left of it; never raises.

        Args:
            order: The task.
            tell: Hears of its progress.
        """
        progress = JobProgress(str(order.clip), tell)
        with self._lock:
            self._running.add(progress)
            if self._cancelled:
                progress.cancel()
        try:
            return self._do(order, progress)
        except BaseException as error:
            _log.debug("%s failed", order, exc_info=True)
            return Outcome(as_vdepth_error(error))
        finally:
            with self._lock:
                self._running.discard(progress)

    def cancel(self) -> None:
        """Stops what runs at its next good moment, and what comes before it begins."""
        with self._lock:
            self._cancelled = True
            for progress in self._running:
                progress.cancel()

    def _do(self, order: Order, progress: JobProgress) -> Outcome:
        progress.check()
        if order.task.stage == "finish":
            finish(order.out, progress)
            return Outcome(finished=True)
        setup, turn = self._setup, next(self._turns)
        job = ClipJob(
            order.clip,
            order.out,
            setup.config,
            progress,
            self._shelf,
            self._accelerator,
            turn,
            setup.guarded,
            order.task.part,
        )
        if job.run(overwrite=order.overwrite) is not None:
            return Outcome(finished=True)
        if order.task.stage != "plan":
            return Outcome()
        record = read_record(order.out)
        scan = read_scan(order.out, record.predictions) if record is not None else None
        if scan is None:
            raise ResourceError(f"The plan of the job in {order.out} is gone.", "Run the same command again.")
        return Outcome(shots=tuple(scan.shots), step=job.step)
