"""Methods by name: ours, and those other packages bring."""

from __future__ import annotations

from ..protocols import Method
from ..seams import Own, Seam

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
        "windowed": Own(
            "vdepth_core.methods.windowed.method:Windowed",
            "vdepth_core.methods.windowed.options:WindowedOptions",
        ),
        "chrono": Own(
            "vdepth_core.methods.chrono.method:Chrono", "vdepth_core.methods.chrono.options:ChronoOptions"
        ),
    },
)
