"""Code of other packages: what there is of it, and whose it is where it fails."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import metadata
from importlib.metadata import EntryPoint, EntryPoints
from types import TracebackType
from typing import NamedTuple

from .errors import PluginError, VdepthError, as_vdepth_error

_FLAGS = {"format": "to"}  # what is chosen by another word than its kind


def entry_points(group: str) -> EntryPoints:
    """What installed packages offer; read again only where a folder of the search path changed.

    Reading takes 20 ms with a hundred packages, and a job asks ten times.

    Args:
        group: Name of the entry points.
    """
    return _entry_points(group, tuple((folder, _changed(folder)) for folder in sys.path))


@lru_cache(maxsize=16)  # more than there are groups
def _entry_points(group: str, path: tuple[tuple[str, int], ...]) -> EntryPoints:
    """Those of a group on a search path in a state."""
    return metadata.entry_points(group=group)


def _changed(folder: str) -> int:
    try:
        return os.stat(folder or ".").st_mtime_ns
    except OSError:  # not there
        return 0


class Plugin(NamedTuple):
    """What another package brings.

    Attributes:
        kind: What it is called in sentences.
        point: Where it comes from.
    """

    kind: str
    point: EntryPoint

    def __str__(self) -> str:
        return f"The {self.kind} plug-in {self.point.name} ({self.point.value})"

    @property
    def hint(self) -> str:
        """The next step for who uses it."""
        package = self.point.dist
        which = f"the package {package.name} {package.version}" if package else "the package that provides it"
        return f"Update or uninstall {which}, or choose another --{_FLAGS.get(self.kind, self.kind)}."

    def ran(self, module: str) -> bool:
        """Whether code is of its package.

        Args:
            module: The dotted name of the module it is in.
        """
        return module.partition(".")[0] == self.point.module.partition(".")[0]


@contextmanager
def answering(*plugins: Plugin | None) -> Iterator[None]:
    """Has an unexpected error name the plug-in at fault, in work that plug-ins take part in.

    Args:
        *plugins: Those that do; None: what takes part there is vdepth's own.

    Raises:
        PluginError: one of them failed.
    """
    taking = [plugin for plugin in plugins if plugin is not None]
    try:
        yield
    except VdepthError:
        raise
    except (Exception, SystemExit) as error:
        if not taking or as_vdepth_error(error).code != "internal":
            raise
        raise _blamed(error, taking) from error


def _blamed(error: BaseException, plugins: list[Plugin]) -> PluginError:
    """Names the one whose code ran last; where none's did, what one gave or takes is wrong."""
    found = next(
        (plugin for module in _modules(error.__traceback__) for plugin in plugins if plugin.ran(module)), None
    )
    named = [found] if found is not None else plugins
    text = " ".join(str(error).split()).rstrip(".")
    words = f"{type(error).__name__}: {text}" if text else type(error).__name__
    who = " or ".join(str(plugin) if number == 0 else str(plugin)[4:] for number, plugin in enumerate(named))
    return PluginError(f"{who} failed: {words}.", f"{named[0].hint} --debug shows where it failed.")


def _modules(traceback: TracebackType | None) -> list[str]:
    """Names of the modules on the way to an error, the innermost first; not Python's own."""
    found = []
    while traceback is not None:
        found.append(str(traceback.tb_frame.f_globals.get("__name__", "")))
        traceback = traceback.tb_next
    return [name for name in reversed(found) if name.partition(".")[0] not in sys.stdlib_module_names]
