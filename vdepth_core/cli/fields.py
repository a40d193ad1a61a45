"""Verbs whose options are fields: what the configuration says of itself is what the command line takes.

The fields are asked for when the verb is, not when its name is listed: for theirs, other packages load.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import typer
from typer.core import TyperCommand

from ..choices import likeliest, menu
from ..errors import UsageError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from ..seams import Seam

_GIVEN = "vdepth_core.cli.fields"
_OFF = "no_"  # how a switch that is on is turned off
_BARE = re.compile(r"\w[\w-]*")  # a word that is no path, pattern or option


class Option(NamedTuple):
    """An option of the command line.

    Attributes:
        name: What it is called in Python.
        field: What it takes, its default and its help.
        heading: What the help shows it under; None: among the verb's own.
    """

    name: str
    field: FieldInfo
    heading: str | None = None

    @property
    def flag(self) -> str:
        """How it is typed."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def alone(self) -> str:
        """What it means without a value; empty where it must have one."""
        extra = self.field.json_schema_extra
        return str(extra.get("alone", "")) if isinstance(extra, Mapping) else ""

    @property
    def choices(self) -> tuple[str, ...]:
        """The words it takes; none where it takes anything."""
        kind = _plain(self.field.annotation)
        return get_args(kind) if get_origin(kind) is Literal else ()


def options_of(seam: Seam[Any], taken: Iterable[str] = ()) -> list[Option]:
    """The options of all of a seam's things but for those ``taken``, each under the names of whose it is.

    Args:
        seam: Methods, refiners or exporters.
        taken: Names of options that the verb has already.
    """
    from ..options import user_name

    owners: dict[str, list[str]] = {}
    fields: dict[str, FieldInfo] = {}
    for owner, options in seam.all_options().items():
        for name, field in options.model_fields.items():
            option = user_name(owner, name, field)
            owners.setdefault(option, []).append(owner)
            fields.setdefault(option, field)
    title = seam.kind.capitalize()
    return [
        Option(name, field, f"{title}{'s' * (len(owners[name]) > 1)} {', '.join(owners[name])}")
        for name, field in fields.items()
        if name not in set(taken)
    ]


def given(context: typer.Context) -> dict[str, Any]:
    """The options made of fields that the user gave, by their names in Python.

    Args:
        context: Of the verb.
    """
    values: dict[str, Any] = context.meta[_GIVEN]
    return values


class FieldsCommand(TyperCommand):
    """A verb with options made of fields; `given` tells its function what the user said of them."""

    def fields(self) -> Iterable[Option]:
        """The options, in the order of the help."""
        raise NotImplementedError

    def get_params(self, ctx: Any) -> list[Any]:
        """The verb's own, required ones first, and those made of fields.

        Args:
            ctx: Of the verb.
        """
        own = super().get_params(ctx)
        first = [param for param in own if param.required]
        return [*first, *self._made(), *(param for param in own if param not in first)]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Options that may stand alone get their value where the next word is none of theirs.

        Args:
            ctx: Click's.
            args: The words behind the verb.

        Raises:
            UsageError: the next word is one of theirs misspelt, and no file.
        """
        alone = {option.flag: option for option in self.fields() if option.alone}
        words: list[str] = []
        for index, word in enumerate(args):
            if word == "--":
                words += args[index:]
                break
            words.append(word)
            option = alone.get(word)
            if option is None:
                continue
            following = args[index + 1] if index + 1 < len(args) else ""
            if following not in option.choices:
                _check_spelling(option, following)
                words.append(option.alone)
        return super().parse_args(ctx, words)

    def invoke(self, ctx: Any) -> Any:
        """Runs the verb's function, which does not know the names of the fields.

        Args:
            ctx: Of the verb.
        """
        ctx.meta[_GIVEN] = found = {}
        for param in self._made():
            value, source = ctx.params.pop(param.name), ctx.get_parameter_source(param.name)
            if source is not None and source.name != "DEFAULT":
                off = param.name.startswith(_OFF)
                found[param.name.removeprefix(_OFF)] = not value if off else value
        return super().invoke(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """As typer does, but under the headings.

        Args:
            ctx: Of the verb.
            formatter: Of click, which takes the text.
        """
        sections: dict[str, list[tuple[str, str]]] = {}
        headings = {getattr(param, "rich_help_panel", None) for param in self._made()} - {None}
        # the verb's own first, then how clips are read, and what methods, refiners or recipes take
        for param in sorted(
            self.get_params(ctx), key=lambda param: getattr(param, "rich_help_panel", None) in headings
        ):
            title = "Arguments" if param.param_type_name == "argument" else "Options"
            record = param.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(param, "rich_help_panel", None) or title, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)

    def _made(self) -> list[Any]:
        if not hasattr(self, "_cached"):
            self._cached = _parameters(self.fields())
        return self._cached


def _check_spelling(option: Option, word: str) -> None:
    """Refuses a value that was meant for an option which may stand alone, and would be taken for a clip."""
    meant = likeliest(word, option.choices) if _BARE.fullmatch(word) and not Path(word).exists() else None
    if meant is not None:
        raise UsageError(
            f"{option.flag} does not take {word}, and there is no such file.",
            f"Did you mean {option.flag} {meant}?",
        )


def _parameters(options: Iterable[Option]) -> list[Any]:
    """What typer makes of a function that takes them."""

    def function(**_: Any) -> None: ...

    parameters = [_parameter(option) for option in options]
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app = typer.Typer(add_completion=False)
    app.command()(function)
    return [param for param in typer.main.get_command(app).params if param.name != "help"]


def _parameter(option: Option) -> inspect.Parameter:
    name, field, heading = option
    kind, extra, text = _plain(field.annotation), field.json_schema_extra, field.description
    words = {key: str(value) for key, value in extra.items()} if isinstance(extra, Mapping) else {}
    metavar = words.get("metavar")
    if get_origin(kind) is Literal:
        kind, metavar = type(get_args(kind)[0]), metavar or menu(kind)
    default = field.get_default(call_default_factory=True) if not field.is_required() else ...
    if default is True:
        name, default, text = f"{_OFF}{name}", False, words.get("off", f"Not: {text}")
    taken = kind if kind in (bool, int, float, Path) else str
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[
            taken | None if default is None else taken,
            typer.Option(f"--{name.replace('_', '-')}", metavar=metavar, help=text, rich_help_panel=heading),
        ],
    )


def _plain(annotation: Any) -> Any:
    """The one type behind ``Annotated`` and ``| None``."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
        return _plain(kinds[0]) if len(kinds) == 1 else str
    return annotation
