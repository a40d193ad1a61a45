"""The table beside the weights tells every step's loss, and the drawing follows it."""

import csv
import math

import cv2
import numpy as np

from vdepth_core.training.curves import MARGIN, write


def test_the_table_has_every_loss_in_full(tmp_path):
    losses = [1 / 3, 2 / 7, 0.1]
    write(tmp_path / "w.safetensors", losses, [(2, {"cycles": 0.5}), (3, {"cycles": 0.25, "rgbd": 1 / 9})])
    with (tmp_path / "w.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == losses
    assert [row["step"] for row in rows] == ["1", "2", "3"]
    assert [row["held out cycles"] for row in rows] == ["", "0.5", "0.25"]
    assert float(rows[2]["held out rgbd"]) == 1 / 9


def test_nothing_trained_yet_is_an_empty_table(tmp_path):
    write(tmp_path / "w.safetensors", [], [])
    assert (tmp_path / "w.csv").read_text().split() == ["step,loss"]


def test_the_drawn_loss_falls_where_it_falls(tmp_path):
    """The dark line, which nothing else has, goes down to the right (y grows downwards)."""
    write(tmp_path / "w.safetensors", [math.exp(-k / 100) for k in range(400)], [])
    picture = cv2.imread(str(tmp_path / "w.png"))
    dark = (picture.max(2) < 120)[MARGIN + 2 : -MARGIN - 2, MARGIN + 2 : -MARGIN - 2]
    heights = [np.nonzero(column)[0].mean() for column in dark.T if column.any()]
    assert len(heights) > 500
    assert heights[-1] - heights[0] > 200
    assert np.diff(heights).min() > -2
