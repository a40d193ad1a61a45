"""Where a seam's things come from: one table of ours, and entry points of other packages.

A broken plug-in harms nobody who does not ask for it: `Seam.broken` says what is wrong with it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from typing import Any, Generic, NamedTuple, TypeVar, cast

from pydantic import BaseModel

from .choices import one_of
from .errors import UsageError
from .options import read_options
from .plugins import Plugin, answering, entry_points

log = logging.getLogger(__name__)

T = TypeVar("T")


class Own(NamedTuple):
    """A row of a table: where a class of ours is, and its options, in a file that loads nothing heavy."""

    place: str
    options: str
    note: str = ""


class Seam(Generic[T]):
    """What there is of one kind, by name: ``T`` is made of its ``Options``.

    Attributes:
        kind: What it is called in sentences.
        group: Entry points of other packages.
    """

    def __init__(self, kind: str, group: str, contract: Any, ours: Mapping[str, Own]) -> None:
        """``contract``: the Protocol, whose methods a plug-in must have."""
        self.kind, self.group, self._ours = kind, group, ours
        self._methods = [name for name, value in vars(contract).items() if callable(value) and name[0] != "_"]
        self._refused: dict[str, str] = {}

    def names(self) -> list[str]:
        """Ours in the table's order, then those of other packages; nothing is imported."""
        return [*self._ours, *(name for name in sorted(self._plugins()) if name not in self._ours)]

    @property
    def ours(self) -> list[str]:
        """The names of ours."""
        return list(self._ours)

    def words(self) -> str:
        """The names as the help lists them: ``png16, mp4 (lossless) or npz``."""
        notes = {name: f" ({own.note})" for name, own in self._ours.items() if own.note}
        *names, last = [f"{name}{notes.get(name, '')}" for name in self.names()] or ["none is installed"]
        return f"{', '.join(names)} or {last}" if names else last

    def create(self, name: str, options: BaseModel) -> T:
        """One of the seam's things, made of its options.

        Args:
            name: As the user wrote it.
            options: What `read` gave, or an instance of what `options_of` gave.

        Raises:
            UsageError: there is none of that name, or it does not load.
        """
        make = self._working(name)
        with answering(self.plugin(name)):
            thing: T = make(options)
            return thing

    def options_of(self, name: str) -> type[BaseModel]:
        """The options of one.

        Args:
            name: As the user wrote it.

        Raises:
            UsageError: there is none of that name, or it does not load.
        """
        if name in self._ours:
            return cast("type[BaseModel]", EntryPoint(name, self._ours[name].options, self.group).load())
        return cast("type[BaseModel]", self._working(name).Options)

    def read(self, name: str, values: Mapping[str, Any]) -> BaseModel:
        """The options of one among values by the user's names.

        Args:
            name: As the user wrote it.
            values: Those of other things are left alone.

        Raises:
            UsageError: there is none of that name, it does not load, or an option is wrong.
        """
        options = self.options_of(name)
        with answering(self.plugin(name)):
            return read_options(name, options, values)

    def plugin(self, name: str | None) -> Plugin | None:
        """The plug-in behind a name; None: it is ours, or there is none.

        Args:
            name: Of one of the seam's things.
        """
        point = None if name in self._ours else self._plugins().get(name or "")
        return None if point is None else Plugin(self.kind, point)

    def all_options(self) -> dict[str, type[BaseModel]]:
        """The options of all that load, by name."""
        found = {}
        for name in self.names():
            try:
                found[name] = self.options_of(name)
            except UsageError as error:
                log.info("%s", error)
        return found

    def broken(self) -> dict[str, str]:
        """Names of the plug-ins that do not work -> a sentence each."""
        found = {}
        for name, point in self._plugins().items():
            if name in self._ours:
                found[name] = f"The {self.kind} {name} ({point.value}) is shadowed by vdepth's own."
                continue
            try:
                self._working(name)
            except UsageError as error:
                found[name] = error.message
        return found

    def refuse(self, name: str, reason: str) -> None:
        """Takes a plug-in for broken from now on.

        Args:
            name: Of the plug-in.
            reason: The end of a sentence.
        """
        self._refused[name] = reason

    def _working(self, name: str) -> Any:
        if name not in self.names():
            known = sorted(self.names())
            hint = one_of(name, known) if known else "None is installed."
            raise UsageError(f"There is no {self.kind} {name}.", hint)
        own = self._ours.get(name)
        point = EntryPoint(name, own.place, self.group) if own else self._plugins()[name]
        try:
            if name in self._refused:
                raise TypeError(self._refused[name])
            thing = point.load()
            options = getattr(thing, "Options", None)
            if not (isinstance(options, type) and issubclass(options, BaseModel)):
                raise TypeError("it has no Options")
            for method in self._methods:
                if not callable(getattr(thing, method, None)):
                    raise TypeError(f"it has no method {method}")
        except Exception as error:  # a plug-in may fail in any way at all
            plugin = Plugin(self.kind, point)
            reason = str(error).rstrip(".") or type(error).__name__
            raise UsageError(f"{plugin} does not load: {reason}.", plugin.hint) from error
        return thing

    def _plugins(self) -> dict[str, EntryPoint]:
        places = {own.place for own in self._ours.values()}  # an older vdepth's metadata may have them
        return {p.name: p for p in entry_points(group=self.group) if p.value not in places}
