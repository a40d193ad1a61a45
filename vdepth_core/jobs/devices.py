"""Clips side by side on several devices of this machine: a process each, with a model that stays loaded."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from ..errors import ResourceError
from .events import Event
from .fleet.crew import Ended, Joined, Lost, Report, Told
from .fleet.tasks import Order, Outcome, Setup, Task
from .fleet.worker import Worker

_HERE = "this machine"
_END_S = 5.0


class DeviceCrew:
    """One process a device; see `Crew`. One that dies is replaced."""

    def __init__(self, devices: Sequence[str], setup: Setup) -> None:
        """Starts the processes.

        Args:
            devices: As torch spells them, one a process.
            setup: Of the command; its own device is left aside.
        """
        self.width = len(devices)
        self._setup = setup
        self._spawning = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
        self._hands: dict[str, tuple[BaseProcess, Connection]] = {}
        self._devices = {f"{number}": device for number, device in enumerate(devices)}
        self._closing = False
        for name in self._devices:
            self._spawn(name)

    def start(self, worker: str, order: Order) -> None:
        """See `Crew.start`."""
        with contextlib.suppress(OSError):  # that it died is told
            self._hands[worker][1].send(order)

    def wait(self, seconds: float) -> list[Report]:
        """See `Crew.wait`.

        Args:
            seconds: At most so long.

        Raises:
            ResourceError: no process is left.
        """
        ends = {end: name for name, (_, end) in self._hands.items()}
        reports: list[Report] = []
        for end in wait(list(ends), seconds):
            assert isinstance(end, Connection)
            name = ends[end]
            try:
                reports.append(self._heard(name, end.recv()))
            except (EOFError, OSError):
                process, _ = self._hands.pop(name)
                end.close()
                process.join()
                reports.append(Lost(name))
                if not self._closing:
                    self._spawn(name)
        if not self._hands and not reports:
            raise ResourceError("No worker is left.", "Run the same command again.")
        return reports

    def cancel(self) -> None:
        """See `Crew.cancel`."""
        for _, end in self._hands.values():
            with contextlib.suppress(OSError):
                end.send(None)

    def close(self, *, at_once: bool = False) -> None:
        """See `Crew.close`."""
        self._closing = True
        for process, end in self._hands.values():
            if at_once:
                process.kill()
            else:
                end.close()  # its end of the pipe tells it
        for process, _ in self._hands.values():
            process.join(_END_S)
            if process.is_alive():
                process.kill()
                process.join()

    def _spawn(self, name: str) -> None:
        ours, theirs = self._spawning.Pipe()
        config = self._setup.config.model_copy(update={"device": self._devices[name]})
        process = self._spawning.Process(
            target=_serve, args=(theirs, replace(self._setup, config=config)), name=f"vdepth {name}"
        )
        process.start()
        theirs.close()
        self._hands[name] = (process, ours)

    def _heard(self, name: str, said: tuple[Task, Event | Outcome] | None) -> Report:
        if said is None:
            return Joined(name, _HERE)
        task, what = said
        return Ended(name, task, what) if isinstance(what, Outcome) else Told([(task, what)])


def _serve(end: Connection, setup: Setup) -> None:
    """The process: does what it is sent until the pipe is closed, which its owner's death does, too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of a terminal; the command decides
    worker, lock = Worker(setup), threading.Lock()

    def say(task: Task, what: Event | Outcome) -> None:
        with lock, contextlib.suppress(OSError):
            end.send((task, what))

    def do(order: Order) -> None:
        say(order.task, worker.run(order, lambda event: say(order.task, event)))

    end.send(None)
    with contextlib.suppress(EOFError, OSError):
        while True:
            order = end.recv()
            if order is None:
                worker.cancel()
            else:
                threading.Thread(target=do, args=(order,), name=f"task-{order.task}").start()
    worker.cancel()
