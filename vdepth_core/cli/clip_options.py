"""How a clip is to be read: the options that ``estimate`` and ``inspect`` share."""

from __future__ import annotations

from typing import Annotated

import typer

Rate = Annotated[
    str | None, typer.Option(help="Rate of an image sequence, up to 1000 fps (default: its own or 24).")
]
Timecode = Annotated[
    str | None, typer.Option(metavar="HH:MM:SS:FF", help="Of the first frame (default: the clip's own).")
]
EveryFile = Annotated[
    bool, typer.Option("--every-file", help="All images, in the order of their numbers, gaps or not.")
]
Layer = Annotated[str | None, typer.Option(metavar="NAME", help="Layer of an EXR (default: the beauty).")]
Transfer = Annotated[
    str | None, typer.Option(help="pq, hlg, linear, srgb, log … (default: what the clip declares).")
]
Colorspace = Annotated[
    str | None, typer.Option(help="logc3, slog3, acescg … (default: what the clip's metadata name).")
]
