"""Exporters by name: ours, and those other packages bring."""

from __future__ import annotations

from ...protocols import Exporter
from ...seams import Own, Seam

_HERE = "vdepth_core.output.exports"
_DEPTH = f"{_HERE}.options:DepthOptions"

EXPORTERS: Seam[Exporter] = Seam(
    "format",
    "vdepth_core.exporters",
    Exporter,
    {
        "png16": Own(f"{_HERE}.png16:Png16", _DEPTH),
        "npz": Own(f"{_HERE}.npz:Npz", _DEPTH),
        "mp4": Own(f"{_HERE}.mp4:Mp4", _DEPTH, "lossless"),
        "mp4-edit": Own(f"{_HERE}.mp4_edit:Mp4Edit", _DEPTH, "for editors"),
        "ply": Own(f"{_HERE}.ply:Ply", f"{_HERE}.options:SurfaceOptions", "points"),
        "usd": Own(f"{_HERE}.usd:Usd", f"{_HERE}.options:UsdOptions", "mesh or points, camera"),
    },
)
