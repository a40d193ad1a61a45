"""Clips on a Ray cluster: an actor a GPU, or a part of one, that keeps its model loaded.

Actors read clips and write results on storage that all machines share; what travels through Ray are orders,
counts and sentences, never pictures. An actor that dies is started again by Ray, on another machine if need
be; what it was at is given out again here, where it is known how often that was.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from dataclasses import replace
from typing import Any

from ..errors import ResourceError, UsageError
from ..version import __version__
from .events import Event
from .fleet.crew import Ended, Joined, Lost, Report, Told, squeezed
from .fleet.dispatch import DEPTH
from .fleet.tasks import Order, Outcome, Setup, Task
from .fleet.worker import Worker

LOCAL = "local"
_STORE_BYTES = 80 * 1024 * 1024  # the least Ray takes: nothing large goes through it
_TELL_S, _GROW_S, _PATIENCE_S = 0.5, 15.0, 60.0
_log = logging.getLogger(__name__)


class ActorBody:
    """What runs in an actor: a worker, and a box for what it says until it is asked."""

    def __init__(self, setup: Setup) -> None:
        """``setup``: of the command."""
        self._worker = Worker(setup)
        self._said: list[tuple[Task, Event]] = []
        self._changed = threading.Condition()

    def hello(self) -> str:
        """The version of vdepth here."""
        return __version__

    def run(self, order: Order) -> tuple[Outcome, list[tuple[Task, Event]]]:
        """Does a task; answers with what nobody heard yet, too.

        Args:
            order: The task.
        """

        def tell(event: Event) -> None:
            with self._changed:
                self._said.append((order.task, event))
                self._changed.notify()

        outcome = self._worker.run(order, tell)
        return outcome, self._emptied()

    def events(self) -> list[tuple[Task, Event]]:
        """What was said since; waits a little for it."""
        with self._changed:
            self._changed.wait_for(lambda: self._said, _TELL_S)
        return self._emptied()

    def cancel(self) -> None:
        """See `Worker.cancel`."""
        self._worker.cancel()

    def _emptied(self) -> list[tuple[Task, Event]]:
        with self._changed:
            said, self._said = self._said, []
        return squeezed(said)


class RayCrew:
    """The actors of one command; see `Crew`."""

    def __init__(
        self, address: str, setup: Setup, *, workers: int | None = None, gpus: float | None = None
    ) -> None:
        """Joins a cluster and starts actors.

        Args:
            address: ``HOST:PORT``, ``auto`` for the one running here, or `LOCAL`: that of ``RAY_ADDRESS``, or
                one of this machine alone, for as long as the command runs.
            setup: Of the command.
            workers: How many; None: as many as the cluster has room for, also later.
            gpus: GPUs an actor, which may be a part of one; None: one, where there are any and the device is
                not the CPU.

        Raises:
            UsageError: Ray is not installed, or more is asked for than it can give.
            ResourceError: the cluster cannot be reached.
        """
        self._ray = ray = _started(address)
        there = ray.cluster_resources().get("GPU", 0)
        device = setup.config.device
        self._gpus = (1.0 if there and device != "cpu" else 0.0) if gpus is None else gpus
        if self._gpus and device == "cpu":
            raise UsageError("--ray-gpus and --device cpu contradict each other.", "Leave one of them away.")
        if self._gpus and device == "auto":  # a machine whose GPU is out of order says so
            setup = replace(setup, config=setup.config.model_copy(update={"device": "cuda"}))
        self._setup, self._wanted = setup, workers
        self._actors: dict[str, Any] = {}
        self._machines: dict[str, str] = {}
        self._refs: dict[Any, tuple[str, str, Task | None]] = {}  # to worker, what it is, of which task
        self._failures: list[str] = []
        self._began = self._grown = time.monotonic()
        self.width = workers or max(self._room(), 1)
        self._actor_class = self._made_actor_class()
        self._closed = False
        self._grow()

    def start(self, worker: str, order: Order) -> None:
        """See `Crew.start`."""
        self._refs[self._actors[worker].run.remote(order)] = worker, "run", order.task

    def wait(self, seconds: float) -> list[Report]:
        """See `Crew.wait`.

        Args:
            seconds: At most so long.

        Raises:
            ResourceError: no machine of the cluster can run vdepth.
        """
        if self._closed:
            return [Lost(worker, guilty=False) for worker in self._drop_all()]
        now = time.monotonic()
        if self._wanted is None and now - self._grown > _GROW_S:
            self._grow()
        if not self._machines and self._failures and not self._refs:
            raise ResourceError(
                f"No worker of the cluster can work: {self._failures[-1]}",
                "Install the same version of vdepth on every machine, for the same Python as Ray.",
            )
        if not self._machines and now - self._began > _PATIENCE_S:
            self._began = now
            _log.warning("The cluster has had no room for a worker for a minute; waiting for it.")
        if not self._refs:
            time.sleep(seconds)
            return []
        ready, _ = self._ray.wait(list(self._refs), num_returns=1, timeout=seconds, fetch_local=False)
        if ready:
            ready, _ = self._ray.wait(
                list(self._refs), num_returns=len(self._refs), timeout=0, fetch_local=False
            )
        reports: list[Report] = []
        for ref in ready:
            if ref in self._refs:  # not that of a worker found dead just now
                reports += self._heard(ref)
        return reports

    def cancel(self) -> None:
        """See `Crew.cancel`."""
        self._wanted = len(self._actors)
        for worker in self._machines:
            self._actors[worker].cancel.remote()

    def close(self, *, at_once: bool = False) -> None:
        """See `Crew.close`; a cluster that was not begun here goes on."""
        if self._closed:
            return
        self._closed = True
        for actor in self._actors.values():
            with contextlib.suppress(Exception):
                self._ray.kill(actor)
        self._ray.shutdown()

    def _heard(self, ref: Any) -> list[Report]:
        worker, what, task = self._refs.pop(ref)
        errors = self._ray.exceptions
        try:
            said = self._ray.get(ref)
        except errors.ActorUnavailableError:
            return self._lost(worker)
        except errors.RayActorError as error:
            if what == "hello":  # it never came to life
                self._failures.append(" ".join(str(error).split())[:500])
                return []
            return self._lost(worker)
        if what == "hello":
            machine, version = said
            if version != __version__:
                self._failures.append(f"vdepth {version} on {machine}, {__version__} here.")
                self._ray.kill(self._actors.pop(worker))
                return []
            self._machines[worker] = machine
            self._listen(worker)
            return [Joined(worker, machine)]
        if what == "events":
            self._listen(worker)
            return [Told(said)]
        outcome, events = said
        assert task is not None
        return [Told(events), Ended(worker, task, outcome)]

    def _lost(self, worker: str) -> list[Report]:
        """Forgets what a worker was at; it says hello when Ray has brought it back."""
        self._refs = {ref: of for ref, of in self._refs.items() if of[0] != worker}
        machine = self._machines.pop(worker, None)
        self._refs[self._actors[worker].greet.remote()] = worker, "hello", None
        if machine is None:
            return []
        alive = any(node["Alive"] for node in self._ray.nodes() if _machine(node) == machine)
        return [Lost(worker, guilty=alive)]

    def _listen(self, worker: str) -> None:
        self._refs[self._actors[worker].events.remote()] = worker, "events", None

    def _drop_all(self) -> list[str]:
        workers = list(self._machines)
        self._machines.clear()
        self._refs.clear()
        return workers

    def _grow(self) -> None:
        """Starts the actors there is room for."""
        self._grown = time.monotonic()
        wanted = self._wanted if self._wanted is not None else max(self._room(), 1)
        for number in range(len(self._actors), wanted):
            actor = self._actor_class.remote(self._setup)
            self._actors[f"{number}"] = actor
            self._refs[actor.greet.remote()] = f"{number}", "hello", None

    def _room(self) -> int:
        """How many actors the machines there are have room for."""
        need, kind = (self._gpus, "GPU") if self._gpus else (1.0, "CPU")
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        return sum(int(resources.get(kind, 0) / need + 1e-6) for resources in nodes)

    def _made_actor_class(self) -> Any:
        ray = self._ray

        class VdepthWorker(ActorBody):
            @ray.method(max_task_retries=-1)  # type: ignore[untyped-decorator]  # waits until it is back
            def greet(self) -> tuple[str, str]:
                node = ray.get_runtime_context().get_node_id()
                return _called(ray.util.get_node_ip_address(), node), self.hello()

            @ray.method(concurrency_group="work")  # type: ignore[untyped-decorator]
            def run(self, order: Order) -> tuple[Outcome, list[tuple[Task, Event]]]:
                return super().run(order)

        return ray.remote(
            num_gpus=self._gpus,
            num_cpus=1,
            max_restarts=-1,
            max_task_retries=0,
            max_concurrency=3,  # for what is no work
            concurrency_groups={"work": DEPTH},
        )(VdepthWorker)


def _machine(node: dict[str, Any]) -> str:
    return _called(node["NodeManagerAddress"], node["NodeID"])


def _called(address: str, node: str) -> str:
    """A machine in sentences; two nodes of a cluster may stand on one."""
    return f"{address} ({node[:8]})"


def _started(address: str) -> Any:
    """The package, connected."""
    if address.startswith("ray://"):
        raise UsageError(
            "vdepth runs on a machine of the cluster, not through Ray's client.",
            "Log in to one, and give --ray auto.",
        )
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # read when it is imported
    if sys.platform != "win32":
        os.environ.setdefault("RAY_TMPDIR", "/tmp")  # names of its sockets may have a hundred letters
    try:
        import ray
    except ModuleNotFoundError as error:
        raise UsageError(
            "Ray is not installed.", "pip install 'vdepth[cluster]', on every machine."
        ) from error
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    alone = address == LOCAL and "RAY_ADDRESS" not in os.environ
    if alone:
        if hasattr(os, "nice"):  # Ray's own is 15; they are worth what the command is worth
            os.environ.setdefault("RAY_worker_niceness", str(os.nice(0)))
        quiet |= {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
    try:
        ray.init(address="local" if alone else None if address == LOCAL else address, **quiet)
    except (ConnectionError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ResourceError(
            f"The Ray cluster {address} cannot be reached ({reason}).",
            "Start one with ray start --head, or give HOST:PORT of one that runs.",
        ) from error
    return ray
