"""The course of a training: a table of losses and a drawing of it, beside the weights."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ..files import atomic_path

WIDTH, HEIGHT, MARGIN = 720, 400, 48  # pixels
COLOURS = ((30, 30, 30), (200, 90, 20), (40, 140, 40), (30, 60, 210), (160, 40, 160))  # BGR, the loss first

SMOOTHED = 50  # steps of the drawn loss's mean

History = Sequence[tuple[int, dict[str, float]]]


def write(out: Path, losses: Sequence[float], history: History) -> None:
    """Writes ``out`` with the suffixes ``.csv`` and ``.png``: a row a step.

    Args:
        out: The weights file beside which they go.
        losses: Training loss of steps 1, 2, ...; in full in the table, its running mean in the drawing.
        history: Steps and their errors on what was held out; those columns are empty in the other rows.
    """
    kinds = list(history[-1][1]) if history else []
    held = {step: [scores.get(kind) for kind in kinds] for step, scores in history}
    with atomic_path(out.with_suffix(".csv")) as temporary, temporary.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["step", "loss", *(f"held out {kind}" for kind in kinds)])
        for step, loss in enumerate(losses, 1):
            table.writerow([step, loss, *held.get(step, [None] * len(kinds))])
    if losses:
        total = np.cumsum([0.0, *losses])
        steps = np.arange(1, len(losses) + 1)
        first = np.maximum(steps - SMOOTHED, 0)
        rows = np.full((len(losses), 2 + len(kinds)), np.nan)
        rows[:, 0], rows[:, 1] = steps, (total[steps] - total[first]) / (steps - first)
        for step, scores in held.items():
            rows[step - 1, 2:] = [np.nan if score is None else score for score in scores]
        cv2.imwrite(str(out.with_suffix(".png")), _draw(rows, ["loss", *kinds]))


def _draw(rows: np.ndarray, names: list[str]) -> np.ndarray:
    """(rows, 1 + names) values -> picture; the height is from 0 to the largest value."""
    picture = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    top, last = max(float(np.nanmax(rows[:, 1:])), 1e-6), max(float(rows[-1, 0]), 1.0)
    x = MARGIN + rows[:, 0] / last * (WIDTH - 2 * MARGIN)
    cv2.rectangle(picture, (MARGIN, MARGIN), (WIDTH - MARGIN, HEIGHT - MARGIN), (200, 200, 200), 1)
    font, small = cv2.FONT_HERSHEY_SIMPLEX, 0.4
    cv2.putText(picture, f"{top:.3f}", (4, MARGIN + 4), font, small, (90, 90, 90), 1, cv2.LINE_AA)
    cv2.putText(
        picture,
        f"step {last:.0f}",
        (WIDTH - 2 * MARGIN, HEIGHT - 20),
        font,
        small,
        (90, 90, 90),
        1,
        cv2.LINE_AA,
    )
    for number, name in enumerate(names):
        colour = COLOURS[number % len(COLOURS)]
        y = HEIGHT - MARGIN - rows[:, 1 + number] / top * (HEIGHT - 2 * MARGIN)
        known = np.isfinite(y)
        line = np.stack((x[known], y[known]), -1).round().astype(np.int32)
        cv2.polylines(picture, [line.reshape(-1, 1, 2)], False, colour, 1, cv2.LINE_AA)
        cv2.putText(picture, name, (MARGIN + 120 * number, MARGIN - 16), font, small, colour, 1, cv2.LINE_AA)
    return picture
