"""Finished jobs side by side in one picture: the plate and each one's depth, what made it and its time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import av
import cv2
import numpy as np

from ..errors import InputError, JobConflictError, UsageError
from ..files import write_bytes
from .manifest import Manifest, read_manifest
from .naming import manifest_path

_ACROSS = 2  # pictures in a row
_SHOWN = frozenset({"preset", "method", "model", "size", "frames", "device"})  # or no difference to look at
_STRIP = 30  # rows of the label below each
_FONT, _LINE = cv2.FONT_HERSHEY_SIMPLEX, cv2.LINE_AA


def compare(outs: Sequence[Path], picture: Path, frame: int = 0, *, overwrite: bool = False) -> list[str]:
    """Writes a PNG of one frame of several jobs, taken from their previews.

    Args:
        outs: Folders of finished jobs on one clip; the first one's plate is shown.
        picture: The file to write.
        frame: Which frame of each job, from 0.
        overwrite: Whether a file that is there gives way.

    Returns:
        The labels, in order; what else is alike is told apart by clip or folder.

    Raises:
        InputError: a job is not finished, has no preview, or fewer frames.
        JobConflictError: there is such a file.
        UsageError: there is no such folder for the picture, or its name is no PNG's.
        ResourceError: the picture cannot be written.
    """
    if not picture.absolute().parent.is_dir():
        raise UsageError(f"The folder {picture.parent} does not exist.", "Make it first.")
    if picture.suffix.lower() != ".png":
        raise UsageError(f"{picture} is no name of a PNG.", "End it with .png.")
    if os.path.lexists(picture) and not overwrite:
        raise JobConflictError(f"{picture} is there already.", "Choose another name, or add --overwrite.")
    tiles: list[np.ndarray] = []
    manifests = [read_manifest(manifest_path(out)) for out in outs]
    labels = _labels(outs, manifests)
    for out, manifest, label in zip(outs, manifests, labels, strict=True):
        plate, depth = np.hsplit(_preview(out, manifest, frame), 2)
        if not tiles:
            tiles.append(_labelled(plate, manifest.clip.name, plate.shape))
        tiles.append(_labelled(depth, label, tiles[0].shape))
    rows = [tiles[start : start + _ACROSS] for start in range(0, len(tiles), _ACROSS)]
    rows[-1] += [np.zeros_like(tiles[0])] * (_ACROSS - len(rows[-1]))
    sheet = cv2.vconcat([cv2.hconcat(row) for row in rows])
    _, data = cv2.imencode(".png", np.ascontiguousarray(sheet[..., ::-1]))
    write_bytes(picture, data.tobytes())
    return labels


def _preview(out: Path, manifest: Manifest, frame: int) -> np.ndarray:
    """A frame of the preview, (H, 2 W, 3) uint8: the plate beside its depth."""
    hint = "Estimate it again with a preview."
    if not manifest.preview or not (out / manifest.preview).is_file():
        raise InputError(f"{out} has no preview.", hint)
    try:
        with av.open(str(out / manifest.preview)) as film:
            for number, shown in enumerate(film.decode(video=0)):
                if number == frame:
                    return shown.to_ndarray(format="rgb24")
    except (OSError, av.FFmpegError) as error:
        raise InputError(f"{out / manifest.preview} cannot be read: {error.strerror}.", hint) from error
    raise InputError(f"{out} has no frame {frame}: it has {manifest.count}.", "Frames count from 0.")


def _labels(outs: Sequence[Path], manifests: Sequence[Manifest]) -> list[str]:
    """What made each job, with its clip where there are several, and its folder where all that is alike."""
    settings = [manifest.configuration for manifest in manifests]
    names = sorted({name for each in settings for name in each} - _SHOWN)
    apart = [name for name in names if any(each.get(name) != settings[0].get(name) for each in settings)]
    labels = [_label(manifest, apart) for manifest in manifests]
    clips = [manifest.clip.name for manifest in manifests]
    if len(set(clips)) > 1:
        labels = [f"{clip}, {label}" for clip, label in zip(clips, labels, strict=True)]
    made = [label.rpartition(", ")[0] for label in labels]  # without the time
    folders = [out.resolve().name for out in outs]
    return [
        f"{folder}/ {label}" if made.count(way) > 1 else label
        for folder, label, way in zip(folders, labels, made, strict=True)
    ]


def _label(manifest: Manifest, apart: Sequence[str]) -> str:
    """What made a job, with its value of what differs between the jobs, and the time of a frame."""
    size = manifest.configuration.get("size")
    made = f"{manifest.configuration.get('preset', '')}: {manifest.method}, {manifest.model.name}"
    for name in apart:
        value = manifest.configuration.get(name)
        if value is not None and value is not False and value not in apart:  # refiner boost is --boost
            made += f", {name.replace('_', ' ')}{'' if value is True else f' {value}'}"
    total = manifest.timings.get("total", 0.0)
    stages = sum(manifest.timings.values()) - total  # without the start: most of a job of one frame
    seconds = min(stages, total) / manifest.count
    return f"{made}{f', {size}' if size else ''}, {seconds:.2g} s a frame"


def _labelled(picture: np.ndarray, label: str, shape: tuple[int, ...]) -> np.ndarray:
    """A picture over its label, as wide as the first and as high, (H + 30, W, 3); fitted, never stretched."""
    height = shape[0] if shape == picture.shape else shape[0] - _STRIP
    scale = min(shape[1] / picture.shape[1], height / picture.shape[0])
    rows, columns = (max(round(side * scale), 1) for side in picture.shape[:2])
    inner = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA)
    top, left = (height - rows) // 2, (shape[1] - columns) // 2
    picture = cv2.copyMakeBorder(
        inner, top, height - rows - top, left, shape[1] - columns - left, cv2.BORDER_CONSTANT
    )
    strip = np.full((_STRIP, shape[1], 3), 24, np.uint8)
    plain = label.encode("ascii", "replace").decode()
    (width, _), _ = cv2.getTextSize(plain, _FONT, 1.0, 1)
    cv2.putText(strip, plain, (8, 20), _FONT, min(0.5, (shape[1] - 16) / max(width, 1)), (235,) * 3, 1, _LINE)
    return np.asarray(cv2.vconcat([picture, strip]))
