"""Lines of drawn pictures, and the direction they agree on."""

import cv2
import numpy as np

from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.geometry.lines import Lines, agreed_direction, find_lines

CAMERA = Intrinsics(700.0, 700.0, 400.0, 300.0)


def drawn(direction, count=30, noise=0) -> np.ndarray:
    """A picture of bars in space that all have one direction."""
    chance = np.random.default_rng(2)
    picture = np.full((600, 800), 90, np.uint8)
    for _ in range(count):
        start = np.array((chance.uniform(-0.5, 0.5), chance.uniform(-0.4, 0.4), 1.0)) * chance.uniform(3, 6)
        ends = [start, start + 0.9 * np.array(direction)]
        pixels = [(CAMERA.cx + 700 * p[0] / p[2], CAMERA.cy + 700 * p[1] / p[2]) for p in ends]
        (x0, y0), (x1, y1) = ((round(u), round(v)) for u, v in pixels)
        cv2.line(picture, (x0, y0), (x1, y1), int(chance.integers(150, 255)), 3, cv2.LINE_AA)
    for _ in range(noise):
        u, v, w, z = chance.integers(0, 600, 4)
        cv2.line(picture, (int(u), int(v)), (int(w), int(z)), 20, 2, cv2.LINE_AA)
    return picture


def test_uprights_agree_on_the_way_down_among_other_lines():
    down = np.array((0.05, np.cos(0.2), np.sin(0.2)))
    down /= np.linalg.norm(down)
    lines = find_lines(drawn(down, noise=12), CAMERA)
    steep = lines.where(np.abs(lines.along[:, 0]) < 0.6 * np.abs(lines.along[:, 1]))
    found, count = agreed_direction(steep, np.array((0.0, 1, 0)), 40)
    assert np.degrees(np.arccos(found @ down)) < 0.5
    assert count > 25


def test_nothing_agrees_in_an_empty_picture():
    lines = find_lines(np.zeros((60, 80), np.uint8), CAMERA)
    assert len(lines) == 0
    assert agreed_direction(Lines.join([lines, lines]), np.array((0.0, 1, 0)), 40) is None
