"""Options as pydantic fields: one text and one limit for command line, configuration, docs and add-on.

What a method `rolling` has as a field ``steps`` users know as ``rolling_steps`` and ``--rolling-steps``,
unless the field states its name by an alias. Who states the same one shares it, with each other or with the
job: so a method gets the seed. A field's help is its description; ``json_schema_extra`` may hold ``metavar``,
how the help shows its value, and ``off``, the help of a switch that is on unless it is given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic.fields import FieldInfo

from .choices import one_of
from .errors import UsageError

_Model = TypeVar("_Model", bound=BaseModel)


class Options(BaseModel):
    """What options are made of; no options at all, as it stands."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def user_name(owner: str, name: str, field: FieldInfo) -> str:
    """What users know a field as.

    Args:
        owner: Name of the method, refiner or exporter.
        name: Of the field in Python.
        field: With an alias, where users know it under a name of no owner.
    """
    return field.alias or f"{owner.replace('-', '_')}_{name}"


def user_names(owner: str, options: type[BaseModel]) -> dict[str, str]:
    """The user's names of all options -> those of the fields.

    Args:
        owner: Name of the method, refiner or exporter.
        options: Its model.
    """
    return {user_name(owner, name, field): name for name, field in options.model_fields.items()}


def read_options(owner: str, options: type[_Model], values: Mapping[str, Any]) -> _Model:
    """The options of ``owner`` among ``values``, by the user's names; the others are left alone.

    Args:
        owner: Name of the method, refiner or exporter.
        options: Its model.
        values: Values of any owners' options.

    Raises:
        UsageError: with one sentence naming the first bad option.
    """
    names = user_names(owner, options)
    keys = {name: options.model_fields[field].alias or field for name, field in names.items()}
    try:
        return options.model_validate({key: values[name] for name, key in keys.items() if name in values})
    except ValidationError as error:
        raise UsageError(sentence(error, options, owner), f"See {owner} in --help.") from error


def written_options(owner: str, options: BaseModel) -> dict[str, Any]:
    """Options by the user's names, ready for JSON.

    Args:
        owner: Name of the method, refiner or exporter.
        options: Its options.
    """
    values = options.model_dump(mode="json")
    return {name: values[field] for name, field in user_names(owner, type(options)).items()}


def extended(base: type[_Model], owner: str, options: type[BaseModel]) -> type[_Model]:
    """A model with the fields of ``base`` and, by the user's names, those of ``options``.

    Args:
        base: A model.
        owner: Name of the method, refiner or exporter.
        options: Its model.

    Raises:
        ValueError: a name is taken, and not stated in order to share it.
    """
    fields: dict[str, Any] = {}
    for field in options.model_fields:
        info = options.model_fields[field]
        name = user_name(owner, field, info)
        if name not in base.model_fields:
            fields[name] = (info.annotation, info)
        elif info.alias is None:
            raise ValueError(f"its option {field} would be {flag(name)}, which is another option")
    return cast("type[_Model]", create_model(base.__name__, __base__=base, **fields))


def flag(name: str) -> str:
    """An option as it is typed: ``--rolling-steps``.

    Args:
        name: The user's, in Python's spelling.
    """
    return f"--{name.replace('_', '-')}"


def limits_of(options: type[BaseModel], name: str) -> str:
    """What numbers an option takes, in words; "" for one that is no number.

    Args:
        options: The model.
        name: Of the field.
    """
    schema = options.model_json_schema()["properties"].get(name, {})
    for kind in schema.get("anyOf", [schema]):
        low, high = kind.get("minimum"), kind.get("maximum")
        above, below = kind.get("exclusiveMinimum"), kind.get("exclusiveMaximum")
        if {low, high, above, below} == {None}:
            continue
        what = "a whole number" if kind["type"] == "integer" else "a number"
        words = [
            f"{word} {value:g}" if isinstance(value, float) else f"{word} {value}"
            for word, value in (("at least", low), ("above", above), ("at most", high), ("below", below))
            if value is not None
        ]
        return f"{what}, {' and '.join(words)}"
    return ""


def sentence(error: ValidationError, options: type[BaseModel], owner: str = "") -> str:
    """The first thing that is wrong with ``options``, by the user's names.

    Args:
        error: What pydantic raised.
        options: The model that it raised it of.
        owner: Name of the method, refiner or exporter; empty: the fields are nobody's.
    """
    first = error.errors()[0]
    text = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return f"{text[:1].upper()}{text[1:]}."
    key = str(first["loc"][0])
    known = options.model_fields.get(key)
    name = flag(user_name(owner, key, known) if owner and known else key)
    if first["type"] == "literal_error":
        words = re.findall(r"'([^']*)'", first["ctx"]["expected"])
        return f"{name} {first['input']} does not exist. {one_of(str(first['input']), words)}"
    limits = limits_of(options, key)
    if limits:
        return f"{name} {first['input']} is not possible: it must be {limits}."
    return f"{name}: {text[:1].lower()}{text[1:]}."


def document(options: type[BaseModel]) -> None:
    """Lists the fields with their help at the end of a model's docstring.

    Args:
        options: Its docstring is changed.
    """
    lines = [f"    {name}: {field.description}" for name, field in options.model_fields.items()]
    options.__doc__ = "\n".join([(options.__doc__ or "").rstrip(), "", "Attributes:", *lines, ""])
