"""Methods by name: ours, and those other packages bring."""

from __future__ import annotations

from pydantic import BaseModel

from ..seams import Own, Seam
from ..types import Method

METHODS: Seam[Method] = Seam(
    "method",
    "vdepth_core.methods",
    Method,
    {
        "framewise": Own(
            "vdepth_core.methods.framewise:Framewise", "vdepth_core.methods.options:FramewiseOptions"
        ),
        "temporal": Own(
            "vdepth_core.methods.temporal.method:Temporal",
            "vdepth_core.methods.temporal.options:TemporalOptions",
        ),
        "rolling": Own(
            "vdepth_core.methods.rolling.method:Rolling", "vdepth_core.methods.rolling.options:RollingOptions"
        ),
    },
)


def create_method(name: str, options: BaseModel) -> Method:
    """A method ready to run.

    Args:
        name: Registered name.
        options: Its own, as `METHODS` reads them.

    Raises:
        UsageError: no such method, or it does not load.
    """
    return METHODS.create(name, options)
