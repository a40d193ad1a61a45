"""Methods by name: ours and those other packages bring, through entry points."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any

from ..choices import one_of
from ..errors import UsageError
from ..types import Method

GROUP = "vdepth_core.methods"


def list_methods() -> list[str]:
    """Names of the registered methods, sorted."""
    return sorted(point.name for point in entry_points(group=GROUP))


def create_method(name: str, **options: Any) -> Method:
    """A method ready to run.

    Args:
        name: Registered name.
        options: What the configuration says to methods; each takes those its constructor names.

    Raises:
        UsageError: no such method, or it does not load.
    """
    method: Method = _factory(name)(**method_options(name, options))
    return method


def method_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of ``options`` that a method takes: the others make no difference to it.

    Raises:
        UsageError: no such method, or it does not load.
    """
    known = inspect.signature(_factory(name)).parameters
    return {key: value for key, value in options.items() if key in known}


def _factory(name: str) -> Callable[..., Method]:
    points = list(entry_points(group=GROUP, name=name))
    if not points:
        raise UsageError(f"There is no method {name}.", one_of(name, list_methods()))
    try:
        factory: Callable[..., Method] = next(iter(points)).load()
    except Exception as error:
        raise UsageError(
            f"The method {name} ({points[0].value}) does not load: {error}.",
            "Update or uninstall the package that provides it.",
        ) from error
    return factory
