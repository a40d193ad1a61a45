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
        "npz": Own(f"{_HERE}.npz:Npz", f"{_HERE}.options:NpzOptions"),
        "mp4": Own(f"{_HERE}.mp4:Mp4", _DEPTH, "lossless"),
        "mp4-edit": Own(f"{_HERE}.mp4_edit:Mp4Edit", _DEPTH, "for editors"),
        "ply": Own(f"{_HERE}.ply:Ply", f"{_HERE}.options:PlyOptions", "points or mesh"),
        "usd": Own(f"{_HERE}.usd:Usd", f"{_HERE}.options:UsdOptions", "mesh or points, camera"),
        "glb": Own(f"{_HERE}.glb:Glb", f"{_HERE}.options:SurfaceOptions", "textured mesh"),
        "gaussians": Own(f"{_HERE}.gaussians:Gaussians", f"{_HERE}.options:GaussiansOptions", "splats"),
        "colmap": Own(f"{_HERE}.colmap:Colmap", f"{_HERE}.options:FramesOptions", "dense workspace"),
        "nerfstudio": Own(f"{_HERE}.nerfstudio:Nerfstudio", f"{_HERE}.options:NerfstudioOptions"),
    },
)
