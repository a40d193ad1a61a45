"""Methods by name: ours and those other packages bring, through entry points."""

from __future__ import annotations

import inspect
from importlib.metadata import entry_points
from typing import Any

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
    points = list(entry_points(group=GROUP, name=name))
    if not points:
        raise UsageError(f"There is no method {name}.", f"Choose one of {', '.join(list_methods())}.")
    try:
        factory = next(iter(points)).load()
    except Exception as error:
        raise UsageError(
            f"The method {name} ({points[0].value}) does not load: {error}.",
            "Update or uninstall the package that provides it.",
        ) from error
    known = inspect.signature(factory).parameters
    method: Method = factory(**{key: value for key, value in options.items() if key in known})
    return method
