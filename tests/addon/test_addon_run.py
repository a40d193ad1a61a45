"""Work at every tick: it goes on, is cancelled at any moment, and always says once that it is over."""

import time

import pytest

from blender_addon.core_process.run import Run, Stopped


class Child:
    """A process of so many ticks; asked to stop, it ends at the next one unless it is stubborn."""

    def __init__(self, ticks: int = 3, *, stubborn: bool = False) -> None:
        self.ticks, self.stubborn, self.calls = ticks, stubborn, []

    @property
    def running(self) -> bool:
        self.ticks -= 1
        return self.ticks >= 0

    def cancel(self) -> None:
        self.calls.append("cancel")
        if not self.stubborn:
            self.ticks = 0

    def kill(self) -> None:
        self.calls.append("kill")
        self.ticks = 0


class Told(Run):
    """Remembers what became of it."""

    def __init__(self, child: Child, then=lambda run: None) -> None:
        self.told: list[str] = []
        self.heard = 0
        self.child, self.then = child, then
        super().__init__(self._steps_of_it())

    def _steps_of_it(self):
        yield from self.follow(self.child, self._listen)
        self.then(self)

    def _listen(self) -> None:
        self.heard += 1

    def stopped(self) -> None:
        self.told.append("stopped")

    def failed(self, error: Exception) -> None:
        self.told.append(f"failed: {error}")

    def ended(self) -> None:
        self.told.append("ended")


def finish(run: Run) -> None:
    for _ in range(20):
        if run.advance():
            return
    pytest.fail("it never ended")


def test_it_goes_on_to_its_end_and_stays_there():
    run = Told(Child(3))
    finish(run)
    assert (run.heard, run.told, run.over) == (3, ["ended"], True)
    assert run.advance()
    run.cancel()
    run.kill()
    assert (run.told, run.child.calls, run.cancelled) == (["ended"], [], False)


def test_an_error_ends_the_process_and_the_run():
    def broken(run: Run) -> None:
        raise ValueError("no JSON")

    run = Told(Child(1), broken)
    finish(run)
    assert run.told == ["failed: no JSON", "ended"]

    run = Told(Child(9))
    run._listen = lambda: 1 / 0
    finish(run)
    assert run.child.calls == ["kill"]
    assert run.told == ["failed: division by zero", "ended"]


def test_cancel_asks_the_process_and_the_steps_say_what_that_means():
    def stop(run: Run) -> None:
        if run.cancelled:
            raise Stopped

    run = Told(Child(9), stop)
    run.advance()
    run.cancel()
    run.cancel()
    finish(run)
    assert (run.child.calls, run.told) == (["cancel"], ["stopped", "ended"])

    done = Told(Child(9))  # steps that had all they wanted are done all the same
    done.advance()
    done.cancel()
    finish(done)
    assert done.told == ["ended"]


def test_cancelled_before_a_process_began_nothing_begins():
    run = Told(Child(9))
    run.cancel()
    assert run.advance()
    assert (run.heard, run.told, run.child.calls) == (0, ["stopped", "ended"], [])


def test_a_stubborn_process_is_killed_after_a_while(monkeypatch):
    monkeypatch.setattr(Told, "KILL_AFTER_S", 0.0)
    run = Told(Child(9, stubborn=True))
    run.advance()
    run.cancel()
    time.sleep(0.001)
    finish(run)
    assert run.child.calls == ["cancel", "kill"]


def test_kill_ends_it_at_once():
    run = Told(Child(9))
    run.advance()
    run.kill()
    assert (run.over, run.told, run.child.calls) == (True, ["ended"], ["kill"])
    assert run.advance()
