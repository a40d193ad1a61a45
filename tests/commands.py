"""The command in this process: loading torch again takes a process seconds."""

from __future__ import annotations

import io
import logging
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

import pytest

COMMAND = [sys.executable, "-c", "from vdepth_core.cli.main import main; main()"]


@dataclass(frozen=True)
class Ended:
    """What is left of a command, as of a process."""

    returncode: int
    stdout: str
    stderr: str


def vdepth(*words: object, check: int | None = None) -> Ended:
    """Runs the command as its console script does.

    What it does to its own process (closed streams, signals, what it imports) needs one: `COMMAND`.

    Args:
        *words: Behind ``vdepth``.
        check: The exit code to expect; None: any.
    """
    from vdepth_core.cli.main import main

    out, err = _stream(), _stream()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()  # pytest's; with them the command would say nothing
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["vdepth", *map(str, words)])
        try:
            with pytest.raises(SystemExit) as stop:
                main()
        finally:
            root.handlers[:] = handlers
            root.setLevel(level)
    code = stop.value.code
    assert isinstance(code, int)
    ended = Ended(code, _text(out), _text(err))
    assert check in (None, ended.returncode), ended.stderr
    return ended


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    written: io.BytesIO = stream.buffer  # type: ignore[assignment]
    return written.getvalue().decode()
