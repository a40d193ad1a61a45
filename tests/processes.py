"""Processes of their own, for what is killed: forked from one that has loaded torch already."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import types
from collections.abc import Mapping
from functools import cache
from multiprocessing import reduction
from typing import Any, Self

from commands import Ended

VDEPTH = "from vdepth_core.cli.main import main; main()"
_LOADED = ["vdepth_core.cli.main", "vdepth_core.jobs.batch", "vdepth_core.training.train"]


class Forked:
    """Python code in a process of its own, as `subprocess.Popen` shows one."""

    def __init__(self, code: str, words: list[str], variables: dict[str, str]) -> None:
        pipes = [os.pipe(), os.pipe()]
        self.stdout, self.stderr = (os.fdopen(end, encoding="utf-8") for end, _ in pipes)
        ends = _Ends([end for _, end in pipes])
        self._process: Any = forking().Process(target=_run, args=(code, words, variables, ends))
        self._process.start()
        for _, end in pipes:
            os.close(end)

    @property
    def pid(self) -> int:
        """Its number."""
        return int(self._process.pid)

    @property
    def returncode(self) -> int | None:
        """Its exit code, less than nothing for a signal; None while it runs."""
        code: int | None = self._process.exitcode
        return code

    def wait(self, timeout: float | None = None) -> int:
        """Waits for its end; `subprocess.TimeoutExpired` where it does not come in time (seconds)."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends it a signal, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind:  # nobody waits for a job that a failed test has left
            self._process.kill()
        self._process.join()
        self.stdout.close()
        self.stderr.close()


def start(code: str, *words: object, env: Mapping[str, str] | None = None) -> Forked | subprocess.Popen[str]:
    """Starts Python code in a process that a signal may meet at any moment.

    Loading torch takes seconds; this one is forked from a server that did so once, where there is fork. It
    has the current folder, variables and ``sys.path``. What a process does to its own streams at its end, its
    imports, and variables that are read at its start need a real one: `commands.COMMAND`.

    Args:
        code: What it runs as ``__main__``.
        *words: Its arguments, from ``sys.argv[1]`` on.
        env: Variables besides the current ones.
    """
    variables = {**os.environ, **(env or {})}
    if "forkserver" in multiprocessing.get_all_start_methods():
        return Forked(code, list(map(str, words)), variables)
    command = [sys.executable, "-c", code, *map(str, words)]
    variables["PYTHONPATH"] = os.pathsep.join(sys.path)
    return subprocess.Popen(
        command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )


def run(code: str, *words: object, env: Mapping[str, str] | None = None) -> Ended:
    """`start`, to its end; it must not say more on stderr than a pipe holds (64 KiB)."""
    with start(code, *words, env=env) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        out, err = process.stdout.read(), process.stderr.read()
        return Ended(process.wait(), out, err)


class _Ends:
    """Descriptors on their way into another process."""

    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers

    def __getstate__(self) -> list[Any]:
        return [reduction.DupFd(number) for number in self.numbers]

    def __setstate__(self, sent: list[Any]) -> None:
        self.numbers = [each.detach() for each in sent]


@cache
def forking() -> Any:
    """Of `multiprocessing`: starts processes by forking a server that has loaded torch; POSIX only."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LOADED)
    return context


def _run(code: str, words: list[str], variables: dict[str, str], ends: _Ends) -> None:
    for number, end in enumerate(ends.numbers, 1):
        os.dup2(end, number)
        os.close(end)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))
    os.environ.clear()
    os.environ.update(variables)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
    sys.argv = ["-c", *words]
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    exec(compile(code, "<process>", "exec"), main.__dict__)
