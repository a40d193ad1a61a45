"""Workers, wherever they are: what the command's process asks of them and hears from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..events import Event, ProgressEvent
from .tasks import Order, Outcome, Task


@dataclass(frozen=True)
class Joined:
    """A worker is ready, for the first time or again."""

    worker: str
    machine: str


@dataclass(frozen=True)
class Told:
    """What tasks said, in its order."""

    events: Sequence[tuple[Task, Event]]


@dataclass(frozen=True)
class Ended:
    """A task came to its end."""

    worker: str
    task: Task
    outcome: Outcome


@dataclass(frozen=True)
class Lost:
    """A worker died; ``guilty`` is what it was at, unless its machine died with it."""

    worker: str
    guilty: bool = True


Report = Joined | Told | Ended | Lost


class Crew(Protocol):
    """Workers of one command, until they are closed.

    Attributes:
        width: How many there will be, as far as is known.
    """

    width: int

    def start(self, worker: str, order: Order) -> None:
        """Has a worker begin a task.

        Args:
            worker: One that joined and was not lost since.
            order: The task.
        """

    def wait(self, seconds: float) -> list[Report]:
        """What happened; waits for something to happen.

        Args:
            seconds: At most so long.

        Raises:
            ResourceError: there will be no workers.
        """

    def cancel(self) -> None:
        """Asks all workers to stop at their next good moment; what they were at still ends."""

    def close(self, *, at_once: bool = False) -> None:
        """Ends all workers.

        Args:
            at_once: Without waiting for what they are at.
        """


def squeezed(events: Sequence[tuple[Task, Event]]) -> list[tuple[Task, Event]]:
    """Without counts that a later one overtakes.

    Args:
        events: In their order.
    """
    last = {
        (task, event.stage): number
        for number, (task, event) in enumerate(events)
        if isinstance(event, ProgressEvent)
    }
    return [
        (task, event)
        for number, (task, event) in enumerate(events)
        if not isinstance(event, ProgressEvent) or last[task, event.stage] == number
    ]
