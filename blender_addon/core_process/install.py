# SPDX-License-Identifier: GPL-3.0-or-later
"""Installs the core into a virtual environment of its own, never into Blender's Python. No bpy in here.

A managed folder holds one environment a version and torch build, and ``current.json``, which names the one in
use. That file is written only after the environment answered the handshake, so an interrupted installation is
never used, and the next one goes on in the same folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from .client import Failure, core_command
from .environment import CoreError, addon_version, read_answer
from .process import Process, child_environment

MINIMUM_PYTHON = (3, 11)
CURRENT = "current.json"
_UNREACHED = re.compile(
    r"NewConnectionError|Failed to establish a new connection|ConnectTimeoutError|Read timed out"
    r"|NameResolutionError|name resolution|getaddrinfo failed|ProxyError|Tunnel connection failed"
    r"|Network is unreachable|CERTIFICATE_VERIFY_FAILED|ConnectionResetError|RemoteDisconnected"
)
_HOST = re.compile(r"host='([^']+)'|Looking in indexes: \w+://(?:[^/@\s]*@)?([^/:\s,]+)")
_PYPI = "pypi.org"  # the only index that pip does not name
_PROBE = "import sys, venv, ensurepip; print(*sys.version_info[:2])"


class Torch(Enum):
    """Which build of torch to install: its index, or None for what PyPI has for this system."""

    CPU = "https://download.pytorch.org/whl/cpu"
    CUDA = "https://download.pytorch.org/whl/cu130"
    PYPI = None


@dataclass(frozen=True)
class Step:
    """One command of an installation, and what it does in words; the core runs without an optional one."""

    title: str
    command: list[str]
    optional: bool = False


@dataclass(frozen=True)
class Plan:
    """What to install, and where.

    Attributes:
        managed: The managed folder.
        wheel: The core.
        constraints: Its tested versions.
        torch: Build of torch.
        wheelhouse: Folder with every wheel, to install without a network; None for the network.
    """

    managed: Path
    wheel: Path
    constraints: Path
    torch: Torch = Torch.CPU
    wheelhouse: Path | None = None

    @property
    def name(self) -> str:
        """Name of the environment's folder."""
        return f"{addon_version()}-{self.torch.name.lower()}"

    @property
    def folder(self) -> Path:
        """The environment."""
        return self.managed / self.name

    @property
    def python(self) -> Path:
        """Its interpreter."""
        scripts = ("Scripts", "python.exe") if sys.platform == "win32" else ("bin", "python")
        return self.folder.joinpath(*scripts)

    def steps(self, base: Path) -> list[Step]:
        """The commands, in order; ``base`` is the interpreter the environment is made with."""
        options = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--retries", "2"]
        pip = [str(self.python), "-I", "-X", "utf8", "-m", "pip", "install", *options]
        if self.wheelhouse is not None:
            pip += ["--no-index", "--find-links", str(self.wheelhouse)]
        steps = [Step("Making an environment", [str(base), "-I", "-m", "venv", str(self.folder)])]
        if self.wheelhouse is None and self.torch.value:
            # alone and without what it needs: this index has that too, in versions of its own
            torch = [*pip, "--no-deps", "--index-url", self.torch.value, _pin(self.constraints, "torch")]
            steps.append(Step("Installing torch", torch))
        core = [*pip, "--constraint", str(self.constraints), str(self.wheel)]
        steps.append(Step("Installing the core", core))
        if self.torch is not Torch.CUDA:  # not every system and folder of wheels has it
            faster = [*core[:-1], f"{self.wheel}[fast]"]
            steps.append(Step("Installing what is faster on a CPU", faster, optional=True))
        steps.append(Step("Checking the core", core_command(self.python, ["--version", "--json"])))
        return steps


def managed_python(managed: Path) -> Path | None:
    """The environment in a managed folder that is installed to the end, or None."""
    try:
        name = json.loads((managed / CURRENT).read_text(encoding="utf-8"))["environment"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    folder = managed / str(name)
    return folder if folder.is_dir() else None


def choose_base(candidates: Sequence[str] = ()) -> Path:
    """A Python that can make the environment: Blender's own, else one on the path.

    Raises:
        CoreError: there is none.
    """
    names = ("python3.13", "python3.12", "python3.11", "python3", "python")
    for candidate in candidates or (sys.executable, *filter(None, map(shutil.which, names))):
        # never start what is no Python: another Blender would open
        if candidate and Path(candidate).name.lower().startswith("python") and _can_make(candidate):
            return Path(candidate)
    raise CoreError(
        "No Python 3.11 or newer with venv and pip was found: install one (Debian: python3-venv)."
    )


def _can_make(python: str) -> bool:
    probe = [python, "-I", "-c", _PROBE]
    try:
        answer = subprocess.run(
            probe, capture_output=True, text=True, check=False, timeout=60, env=child_environment()
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and tuple(map(int, answer.stdout.split())) >= MINIMUM_PYTHON


def _pin(constraints: Path, package: str) -> str:
    found = re.search(rf"^{package}==\S+", constraints.read_text(encoding="utf-8"), re.MULTILINE)
    return found.group() if found else package


class Installation:
    """Runs a plan step by step, as a `Process` is run: call `lines` until `running` is False.

    Args:
        plan: What to install.
        base: Interpreter to make the environment with.
        log: File for what the steps say.
    """

    def __init__(self, plan: Plan, base: Path, log: Path) -> None:
        self.plan = plan
        self.log = log
        self.error: Failure | None = None
        self._answer: list[str] = []
        self._cancelled = False
        self._steps = plan.steps(base)
        self._process: Process | None = None
        self._begun = False
        plan.managed.mkdir(parents=True, exist_ok=True)
        if managed_python(plan.managed) == plan.folder:  # being repaired
            (plan.managed / CURRENT).unlink()
            if not plan.folder.is_symlink():  # what a link leads to is not ours
                shutil.rmtree(plan.folder)
        self._next()

    @property
    def title(self) -> str:
        """What the current step does."""
        return self._step.title

    @property
    def running(self) -> bool:
        """True until the last step ended or one failed."""
        return self._process is not None

    def lines(self) -> list[str]:
        """What was said since the last call, without waiting; goes to the next step when one has ended."""
        if self._process is None:
            return []
        lines = self._process.lines()
        self._answer += lines
        if not self._process.running:
            self._end_step(self._process)
        return lines

    def cancel(self) -> None:
        """Asks the current step to stop; no other one follows."""
        self._cancelled = True
        if self._process is not None:
            self._process.cancel()

    def kill(self) -> None:
        """Ends the current step now; no other one follows."""
        self._cancelled = True
        if self._process is not None:
            self._process.kill()

    def _next(self) -> None:
        self._step = self._steps.pop(0)
        self._answer = []
        try:
            self._process = Process(self._step.command, self.log, append=self._begun)
            self._begun = True
        except OSError as error:
            self._process, self.error = None, Failure(f"{self._step.title} failed: {error.strerror}.")

    def _end_step(self, process: Process) -> None:
        self._process = None
        if self._cancelled:
            self.error = Failure("Cancelled.", "Press Install Core to go on.", "cancelled")
        elif self._step.title == "Checking the core":
            self._finish()
        elif process.returncode and not self._step.optional:
            self.error = _failure(self._step.title, process.tail(200))
        else:
            self._next()

    def _finish(self) -> None:
        try:
            core = read_answer("\n".join(self._answer), "", self.plan.python, "managed")
        except CoreError as error:
            self.error = Failure(str(error))
            return
        marker = self.plan.managed / CURRENT
        part = marker.with_suffix(".part")
        part.write_text(
            json.dumps({"environment": self.plan.name, "version": core.version}), encoding="utf-8"
        )
        os.replace(part, marker)
        for other in self.plan.managed.iterdir():
            ours = other.is_dir() and not other.is_symlink() and (other / "pyvenv.cfg").is_file()
            if ours and other != self.plan.folder:
                shutil.rmtree(other, ignore_errors=True)


def _failure(title: str, log: Sequence[str]) -> Failure:
    """Why a step failed, told from the end of its log, and what to do."""
    if host := _unreached(log):
        return Failure(
            f"{host} cannot be reached: mend the network or its proxy and press Install Core again, or, "
            "without a network, name a folder of wheels or a Python that has vdepth in the add-on's "
            "preferences.",
            code="network",
        )
    return Failure(f"{title} failed: {_reason(log)}.", "Press Install Core to go on.")


def _unreached(log: Sequence[str]) -> str:
    """The package server that pip did not reach; "" if that was not it."""
    if not any(map(_UNREACHED.search, log)):
        return ""
    found = next((match for match in map(_HOST.search, log) if match), None)
    return str(found[1] or found[2]) if found else _PYPI


def _reason(log: Sequence[str]) -> str:
    """What pip's log says about why, without a full stop."""
    said = [line.strip() for line in log if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR: ")]
    telling = [line for line in errors if not line.startswith("ResolutionImpossible")]
    return (telling or said or ["it said nothing"])[-1].rstrip(".")


def wheel_in(addon: Path) -> tuple[Path, Path]:
    """The core's wheel and its constraints, as the extension carries them.

    Raises:
        CoreError: this copy of the add-on carries none.
    """
    wheels = sorted((addon / "wheels_core").glob("vdepth-*.whl"))
    if not wheels:
        raise CoreError(
            "This copy of the add-on does not carry the core: install vdepth with pip, "
            "and name its Python in the add-on's preferences."
        )
    return wheels[-1], addon / "wheels_core" / "constraints.txt"
