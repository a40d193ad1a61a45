"""``vdepth inspect``: what a clip is, and what may go wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..runs import in_words
from .fields import FieldsCommand, Option, given

if TYPE_CHECKING:
    from ..clip import Clip


class InspectCommand(FieldsCommand):
    """Takes what says how a clip is read."""

    def fields(self) -> Iterable[Option]:
        """Those of `ClipOptions`."""
        from ..clip.options import ClipOptions

        return [Option(name, field) for name, field in ClipOptions.model_fields.items()]


def _list_colorspaces(wanted: bool) -> None:
    if wanted:
        from ..clip.colorspace import colorspace_names

        typer.echo("\n".join(colorspace_names()))
        raise typer.Exit


def inspect(
    context: typer.Context,
    clip: Annotated[Path, typer.Argument(help="Movie, folder of images, or pattern such as shot.####.exr.")],
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    shots: Annotated[bool, typer.Option(help="Look for cuts.")] = True,
    colorspaces: Annotated[
        bool,
        typer.Option(
            "--colorspaces",
            help="List the names --colorspace takes.",
            is_eager=True,
            callback=_list_colorspaces,
        ),
    ] = False,
) -> None:
    """Say what a clip is: size, rate, frames, times, shots, colour, problems."""
    from ..clip import open_clip
    from ..clip.timing import parse_rate

    options = given(context)
    rate = parse_rate(options.pop("rate")) if "rate" in options else None
    opened = open_clip(clip, rate=rate, **options)
    for _ in opened.scan(shots=shots):
        pass
    found = describe(opened)
    if json_:
        typer.echo(json.dumps(found, indent=1))
    else:
        _print(found)


def describe(clip: Clip) -> dict[str, Any]:
    """Everything `inspect` reports about a scanned clip, ready for JSON; rates and aspects as ``n/d``.

    Args:
        clip: After its scan is over.

    Raises:
        ValueError: the clip was not scanned.
    """
    from ..clip import fingerprint
    from ..clip.timing import is_regular, last_duration
    from ..geometry.camera import Intrinsics

    info, facts = clip.info, clip.facts
    if facts is None:
        raise ValueError("scan the clip first")
    told, lens = Intrinsics.told(info), info.lens
    gaps = [later - earlier for earlier, later in pairwise(facts.times)]
    return {
        "path": str(info.path),
        "kind": info.kind,
        "name": info.name,
        "width": info.width,
        "height": info.height,
        "pixel_aspect": str(info.pixel_aspect),
        "rate": str(info.rate),
        "frames": facts.frames,
        "frames_declared": info.frames_declared,
        "seconds": float(facts.times[-1] + last_duration(facts.times, 1 / info.rate)),
        "constant_rate": is_regular(facts.times, info.rate),
        "shortest_gap": float(min(gaps, default=0)),
        "longest_gap": float(max(gaps, default=0)),
        "first_number": info.first_number,
        "timecode": info.timecode,
        "layer": info.layer,
        "layers": list(info.layers),
        "codec": info.codec,
        "pixel_format": info.pixel_format,
        "bit_depth": info.bit_depth,
        "transfer": info.transfer,
        "colorspace": info.colorspace,
        "primaries": info.primaries,
        "matrix": info.matrix,
        "range": info.color_range,
        "rotation": info.rotation,
        "mirrored": info.mirrored,
        "shown": info.shown,
        "alpha": info.has_alpha,
        "interlaced": info.interlaced,
        "camera": lens.camera,
        "lens": None
        if told is None
        else {
            "fx": told.fx,
            "fy": told.fy,
            "cx": told.cx,
            "cy": told.cy,
            "fov": told.fov(info.width),
            "error": told.error,
            "source": told.detail,
        },
        "shots": [
            {"start": shot.start, "stop": shot.stop, "exposure": shot.exposure} for shot in facts.shots
        ],
        "problems": [*info.notes, *([lens.note] if lens.note else []), *facts.warnings],
        "fingerprint": fingerprint(clip).digest,
    }


@dataclass(frozen=True)
class _Row:
    label: str
    text: str


def _print(found: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    for row in _rows(found):
        table.add_row(row.label, escape(row.text))
    console = Console()
    console.print(escape(found["path"]), style="italic", soft_wrap=True)  # whole, for copying
    console.print(table)
    for problem in found["problems"]:
        console.print(f"[yellow]Note[/yellow]  {escape(problem)}")


def _rows(found: dict[str, Any]) -> list[_Row]:
    aspect = "" if found["pixel_aspect"] == "1" else f", pixel aspect {found['pixel_aspect']}"
    turned = "".join(
        (f", turned {found['rotation']} degrees clockwise" if found["rotation"] else "",
         ", mirrored" if found["mirrored"] else "")
    )  # fmt: skip
    regular = "constant" if found["constant_rate"] else (
        f"variable, {1e3 * found['shortest_gap']:.1f} to {1e3 * found['longest_gap']:.1f} ms between frames"
    )  # fmt: skip
    first = found["first_number"]
    numbers = "" if first is None else f", numbered {first} to {first + found['frames'] - 1}"
    base = first or 0
    shots = [
        _range(base + shot["start"], base + shot["stop"])
        + ("" if shot["exposure"] == 1 else f" (exposure {shot['exposure']:.3g})")
        for shot in found["shots"]
    ]
    more = f" and {len(shots) - 12} more" if len(shots) > 12 else ""
    rows = [
        _Row("Name", found["name"]),
        _Row("Size", f"{found['width']} x {found['height']} pixels{aspect}{turned}"),
        _Row("Frames", f"{found['frames']} ({found['seconds']:.2f} seconds){numbers}"),
        _Row("Rate", f"{found['rate']} frames per second, {regular}"),
        _Row("Shots", f"{len(shots)}: {', '.join(shots[:12])}{more}"),
        _Row("Colour", _colour(found)),
        _Row("Lens", _lens(found)),
    ]
    if len(found["layers"]) > 1:
        others = ", ".join(name for name in found["layers"] if name != found["layer"])
        rows.append(_Row("Layers", f"{found['layer']} (taken), {others}"))
    if found["timecode"]:
        rows.append(_Row("Timecode", found["timecode"]))
    return rows


def _lens(found: dict[str, Any]) -> str:
    camera, lens = found["camera"], found["lens"]
    if lens is None:
        whose = f"{camera}; the file" if camera else "the file"
        return f"{whose} does not say; --fov, --camera FILE or --camera motion do"
    sure = f" ± {lens['error']:.0%}" if lens["error"] else ""
    said = f"{lens['fov']:.1f} degrees wide, {lens['fx']:.0f} pixels{sure}, by {lens['source']}"
    return f"{camera}: {said}" if camera else said


def _colour(found: dict[str, Any]) -> str:
    declared = [f"{found[fact]} {fact}" for fact in ("primaries", "matrix", "range") if found[fact]]
    extra = [word for word in ("alpha", "interlaced") if found[word]]
    taken = found["colorspace"] or found["transfer"]
    coded = [found["codec"], found["pixel_format"], f"{found['bit_depth']} bits"]
    return ", ".join([*coded, taken, *declared, *extra])


def _range(start: int, stop: int) -> str:
    return f"{start} to {stop - 1}" if start < 0 else in_words((start, stop))
