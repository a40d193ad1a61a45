"""``vdepth weights``: lists, installs, checks and removes model weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import Cancelled, VdepthError, WeightsError
from ..progress import Progress, cancelling
from .log_lines import LogLines
from .model_table import ModelRow, print_table, size_in_words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from ..weights.catalogue import CatalogueEntry

weights_app = typer.Typer(help="List, install, check and remove model weights.", no_args_is_help=True)

_WORDS = {"download": "Downloading", "copy": "Copying", "convert": "Converting", "check": "Checking"}

Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="Names that list shows.")]


@weights_app.command("list")
def list_(json_: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False) -> None:
    """List the weights: installed or not, size, what they predict, licence."""
    from ..weights.catalogue import catalogue

    rows = [(entry, _state(entry.name)) for entry in catalogue().values()]
    if json_:
        typer.echo(json.dumps([_facts(entry, state) for entry, state in rows], indent=1))
        return
    print_table(
        ModelRow(entry.name, state, entry.size, entry.quantity, entry.space, entry.license, entry.commercial)
        for entry, state in rows
    )


@weights_app.command()
def install(
    names: Names,
    source: Annotated[
        Path | None, typer.Option("--from", metavar="FOLDER", help="Take the published files from here.")
    ] = None,
    accept_license: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Agree to the licence of these weights.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Fetch them again even if installed.")] = False,
) -> None:
    """Install weights; a download that was stopped goes on."""
    from ..weights.install import install

    def one(name: str) -> None:
        with _display(name) as progress:
            done = install(name, source=source, accept=accept_license or (), progress=progress, force=force)
        words = "installed" if done.fresh else "already installed"
        typer.echo(f"{name} is {words}: {size_in_words(done.size)}, {done.license}, {done.path}")

    _each(names, one)


@weights_app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Default: all.")] = None,
) -> None:
    """Read installed weights again and compare them with what was installed."""
    from ..weights.install import installed, verify

    with _display("weights") as progress:
        findings = verify(names or None, progress=progress)
    for finding in findings:
        typer.echo(f"{finding.problem}: {finding.path}")
    if closed := sorted({finding.name for finding in findings if finding.problem == "unreadable"}):
        raise WeightsError(
            f"These weights may not be read by you: {', '.join(closed)}.",
            "Make them readable, or ask whoever installed them to.",
        )
    bad = sorted({finding.name for finding in findings if finding.problem in ("missing", "changed")})
    if bad:
        raise WeightsError(
            f"These weights are damaged: {', '.join(bad)}.", f"Run: vdepth weights install {' '.join(bad)}"
        )
    count = len(names or installed())
    typer.echo(f"{count} installed {'model is' if count == 1 else 'models are'} whole.")


@weights_app.command()
def remove(names: Names) -> None:
    """Remove installed weights and unfinished downloads."""
    from ..weights.install import remove

    def one(name: str) -> None:
        remove(name)
        typer.echo(f"{name} is removed.")

    _each(names, one)


@weights_app.command()
def where() -> None:
    """Print the folder of installed weights."""
    from ..weights.location import weights_folder

    typer.echo(str(weights_folder()))


def _each(names: Iterable[str], action: Callable[[str], None]) -> None:
    """Does ``action`` for every name; a failure is told and the others go on, the first one's code stands."""
    code = 0
    for name in dict.fromkeys(names):
        try:
            action(name)
        except Cancelled:
            raise
        except VdepthError as error:
            typer.echo(f"vdepth: {error}", err=True)
            code = code or error.exit_code
    if code:
        raise typer.Exit(code)


def _state(name: str) -> str:
    from ..weights.install import installed
    from ..weights.location import find_weights
    from ..weights.reading import UnreadableError

    try:
        find_weights(name)
    except UnreadableError:
        return "unreadable"
    except WeightsError:
        return "damaged" if name in installed() else "no"
    return "yes"


def _facts(entry: CatalogueEntry, state: str) -> dict[str, Any]:
    kept = (
        "name",
        "title",
        "kind",
        "size",
        "quantity",
        "space",
        "license",
        "license_url",
        "commercial",
        "source",
    )
    return {"installed": state == "yes", "state": state, **{key: getattr(entry, key) for key in kept}}


@contextmanager
def _display(name: str) -> Iterator[Progress]:
    """Shows progress on stderr: bars on a terminal, else a line a stage and now and then one between."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        lines = _Lines(name)
        with cancelling(lines):
            yield lines
        return
    bars = _Bars(name, console)
    with bars.bars, cancelling(bars):
        yield bars


class _Lines(Progress):
    """Progress for a log."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name
        self._total: int | None = None
        self._done = 0
        self._lines = LogLines(lambda text: typer.echo(text, err=True))

    def stage(self, name: str, total: int | None) -> None:
        self._total, self._done = total, 0
        size = f", {size_in_words(total)}" if total and not name.startswith("convert") else ""
        typer.echo(f"{_words(name, self._name)}{size}", err=True)

    def advance(self, name: str, done: int = 1) -> None:
        self._done += done
        self._lines.progress(name, _words(name, self._name), self._done, self._total)

    def warn(self, message: str) -> None:
        typer.echo(message, err=True)


class _Bars(Progress):
    """Progress for a person: a bar a stage, with speed and time left."""

    def __init__(self, name: str, console: Console) -> None:
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )
        from rich.progress import Progress as RichProgress

        super().__init__()
        self._name = name
        self.bars = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def stage(self, name: str, total: int | None) -> None:
        if name in self._tasks:
            self.bars.reset(self._tasks[name], total=total)
        elif not name.startswith("convert"):  # files, not bytes, and soon over
            self._tasks[name] = self.bars.add_task(_words(name, self._name), total=total)

    def advance(self, name: str, done: int = 1) -> None:
        if name in self._tasks:
            self.bars.advance(self._tasks[name], done)

    def warn(self, message: str) -> None:
        self.bars.console.print(message, soft_wrap=True, markup=False)


def _words(stage: str, name: str) -> str:
    """``check midas-v21`` -> ``Checking midas-v21``; a stage without an object is about ``name``."""
    verb, _, what = stage.partition(" ")
    return f"{_WORDS.get(verb, verb.capitalize())} {what or name}"
