"""``vdepth evaluate``: a prediction against ground truth."""

from __future__ import annotations

import json as json_
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ..choices import Protocol, menu
from ..errors import UsageError
from ..types import Quantity

if TYPE_CHECKING:
    from ..evaluation.evaluate import Evaluation


def evaluate(
    pred: Annotated[
        Path | None, typer.Argument(help="Finished job, folder of depth maps, .npz or .npy.")
    ] = None,
    gt: Annotated[
        Path | None, typer.Argument(help="Ground truth: folder of depth maps or RGB-D folder, .npz or .npy.")
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option(metavar=menu(Protocol), help="How the prediction is aligned (default: clip-lstsq)."),
    ] = None,
    max_depth: Annotated[float, typer.Option(help="Farthest valid truth, metres.")] = 80.0,
    min_depth: Annotated[float, typer.Option(help="Nearest valid truth, metres.")] = 1e-3,
    gt_scale: Annotated[
        float | None, typer.Option(help="Units a metre of the truth (default: 1000 for 16-bit PNG, else 1).")
    ] = None,
    pred_scale: Annotated[
        float | None, typer.Option(help="Units a metre of PRED, where it is not aligned (default: as GT's).")
    ] = None,
    quantity: Annotated[
        str | None,
        typer.Option(
            metavar=menu(Quantity),
            help="What PRED holds, where it does not say or holds both (default: it does).",
        ),
    ] = None,
    clip: Annotated[
        Path | None,
        typer.Option(help="The plate, for rTC, aTC and OPW (default: an RGB-D folder's pictures)."),
    ] = None,
    ordinal: Annotated[
        bool,
        typer.Option("--ordinal", help="Also ORD and D3R, about a second a frame (needs scikit-image)."),
    ] = False,
    published: Annotated[
        bool,
        typer.Option(
            "--published",
            help="Print published figures: all of them, or beside a result those of its protocol.",
        ),
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Score a prediction against ground truth."""
    if published and pred is None:
        _print_published(protocol, json)
        return
    if pred is None or gt is None:
        raise UsageError(
            f"There is nothing to score without {'PRED and GT' if pred is None else 'GT'}.",
            "Give both, or --published alone.",
        )
    from ..evaluation.evaluate import evaluate as run
    from ..evaluation.published import published_lines, rows_under, to_dict

    protocol = "clip-lstsq" if protocol is None else protocol
    result = run(
        pred,
        gt,
        protocol=cast("Protocol", protocol),
        max_depth=max_depth,
        min_depth=min_depth,
        gt_scale=gt_scale,
        pred_scale=pred_scale,
        quantity=cast("Quantity | None", quantity),
        clip=clip,
        ordinal=ordinal,
    )
    beside = published or protocol == "eigen"  # a benchmark's figure is read beside the benchmark's others
    rows = rows_under(protocol) if beside else ()
    if json:
        values = result.to_dict() | (to_dict(rows) if beside else {})
        typer.echo(json_.dumps(values, allow_nan=False))
        return
    for line in _table(result):
        typer.echo(line)
    if beside:
        typer.echo()
        for line in published_lines(rows) or [f"Published under {protocol}: no figure at hand"]:
            typer.echo(line)


def _print_published(protocol: str | None, json: bool) -> None:
    """Published figures, of one protocol if it was named, and who is missing."""
    from ..evaluation.published import lacking, published_lines, published_rows, rows_under, to_dict

    rows = published_rows() if protocol is None else rows_under(protocol)
    if json:
        typer.echo(json_.dumps(to_dict(rows), allow_nan=False))
        return
    for line in published_lines(rows):
        typer.echo(line)
    typer.echo(f"\nNo figure at hand: {', '.join(lacking())}")


def _table(result: Evaluation) -> list[str]:
    """Accuracy under its protocol, then what can be said about time, with accuracy again beside it."""
    a = result.accuracy
    lines = [
        f"Prediction  {result.prediction} ({result.quantity})",
        f"Truth       {result.truth}, {result.min_depth:g} to {result.max_depth:g} m",
        "",
        f"Accuracy under {a.protocol}: {a.frames} frame{'s' * (a.frames != 1)}, {a.pixels} pixels",
        f"  AbsRel {a.abs_rel:.4f}   SqRel {a.sq_rel:.4f} m   RMSE {a.rmse:.4f} m   RMSElog {a.rmse_log:.4f}",
        f"  δ1 {a.delta1:.4f}   δ2 {a.delta2:.4f}   δ3 {a.delta3:.4f}",
    ]
    if a.frames_without_truth:
        lines.append(f"  Frames without valid truth: {a.frames_without_truth}")
    lines += _boundaries(result)
    lines += _baselines(result)
    temporal = _temporal(result)
    if temporal:
        beside = f"AbsRel {a.abs_rel:.4f}, δ1 {a.delta1:.4f} under {a.protocol}"
        lines += [
            "",
            f"Over time, depth aligned by {result.alignment} (beside {beside}: a still picture would win)",
        ]
        lines += temporal
    lines += [f"  {note}" for note in result.notes]
    return [*lines, *([""] if result.warnings else []), *(f"Warning: {said}" for said in result.warnings)]


def _boundaries(result: Evaluation) -> list[str]:
    """Where depth jumps, beside accuracy: noise would have much recall."""
    b = result.boundaries
    lines = [
        f"Boundaries, depth aligned by {result.alignment}",
        f"  F1 {b.f1:.4f}   precision {b.precision:.4f}   recall {b.recall:.4f}",
    ]
    if (o := result.ordinal) is not None:
        d3r = f"D3R (slic) {o.d3r:.4f} over {o.jumps}" if o.jumps else "D3R (slic): truth has no jump"
        lines.append(f"  ORD {o.ord:.4f} over {o.pairs} pairs   {d3r}")
    return lines


def _baselines(result: Evaluation) -> list[str]:
    """What pictures that know nothing score, and a plain word where one of them wins."""
    scores = list(result.baselines.items())
    lines = [f"Beside it, what knows nothing of the scene scores under {scores[0][1].protocol}"]
    lines += [f"  {name:<16} AbsRel {score.abs_rel:.4f}   δ1 {score.delta1:.4f}" for name, score in scores]
    better = [name for name, score in scores if score.abs_rel <= result.accuracy.abs_rel]
    if better:
        lines.append(f"  The prediction is no better than the {' and the '.join(better)} by AbsRel")
    return lines


def _temporal(result: Evaluation) -> list[str]:
    lines = []
    if (c := result.consistency) is not None:
        shares = "   ".join(f"rTC@{threshold:g} {share:.4f}" for threshold, share in c.rtc.items())
        lines += [
            f"  {shares}",
            f"  aTC {c.atc:.4f}   OPW {c.opw:.4f}   {c.visible:.0%} of the picture found again",
        ]
    if result.tae is not None:
        lines.append(f"  TAE {result.tae.tae:.3f} %, over {result.tae.overlap:.0%} of the picture")
    if result.tgm is not None:
        lines.append(f"  TGM {result.tgm:.4f} m")
    return lines
