"""Points are found again to a tenth of a pixel, and what cannot be found is not claimed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from vdepth_core.flow.tracks import BORDER, CELL, FEWEST, corners, follow, joined, refind

HEIGHT, WIDTH = 128, 192
PACE = np.array((2.3, -0.7))  # pixels a frame


def moving(count: int, pace: np.ndarray = PACE) -> list[np.ndarray]:
    """Frames (h, w) uint8 of something far larger that goes by; its points move by ``pace``."""
    rng = np.random.default_rng(4)
    coarse = rng.uniform(20, 235, (HEIGHT, WIDTH)).astype(np.float32)
    large = cv2.resize(coarse, None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC).clip(0, 255)
    frames = []
    for t in range(count):
        x, y = np.array((WIDTH, HEIGHT)) - t * pace
        view = np.array(((1, 0, x), (0, 1, y)), float)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        frames.append(np.rint(cv2.warpAffine(large, view, (WIDTH, HEIGHT), flags=flags)).astype(np.uint8))
    return frames


def test_one_corner_a_cell_and_none_where_nothing_is_to_see() -> None:
    picture = moving(1)[0]
    picture[:, : 5 * CELL] = 90
    points = corners(picture)
    cells = points // CELL
    assert len({tuple(cell) for cell in cells.tolist()}) == len(points)
    assert (points[:, 0] >= 4 * CELL).all()
    assert (points >= BORDER).all()
    assert len(points) > 0.8 * (WIDTH // CELL - 5) * (HEIGHT // CELL)


@pytest.mark.parametrize("fast", [1, 8])
def test_points_are_found_again_to_a_fraction_of_a_pixel(fast: int) -> None:
    """Farther away than their own size somebody has to say where to look: `follow` asks dense flow."""
    pace = fast * PACE
    first, second = moving(2, pace)
    points = corners(first)
    inside = ((points + pace > 16) & (points + pace < (WIDTH - 16, HEIGHT - 16))).all(1)
    there, found = refind(first, second, points, points + pace + 1)
    assert found[inside].mean() > 0.9
    assert np.median(np.hypot(*(there[found] - points[found] - pace).T)) < 0.1
    alone = refind(first, second, points)[1]
    assert alone[inside].mean() > 0.9 if fast == 1 else alone[inside].mean() < 0.3
    tracks = follow([first, second].__getitem__, 0, (1,))
    assert tracks.found[inside, 0].mean() > 0.8


def test_nothing_to_find() -> None:
    frames = moving(1)
    there, found = refind(frames[0], frames[0], np.zeros((0, 2)))
    assert there.shape == (0, 2)
    assert found.shape == (0,)


def test_errors_do_not_add_up_and_what_leaves_is_lost() -> None:
    frames = moving(14)
    tracks = follow(frames.__getitem__, 0, range(1, 14))
    assert tracks.frames == tuple(range(1, 14))
    off = tracks.seen - tracks.pixels[:, None] - np.arange(1, 14)[:, None] * PACE
    off = np.where(tracks.found, np.hypot(*off.transpose(2, 0, 1)), np.nan)
    assert np.nanmedian(off[:, -1]) < 0.15
    leaves = tracks.pixels[:, 0] + 13 * PACE[0] > WIDTH
    assert not tracks.found[leaves, -1].any()
    assert tracks.found[~leaves, -1].mean() > 0.7


def test_what_is_covered_is_not_found_and_comes_back() -> None:
    frames = moving(6, np.array((1.0, 0)))
    for t in (3, 4):
        frames[t][:, 96:] = np.random.default_rng(t).integers(0, 255, (HEIGHT, WIDTH - 96), np.uint8)
    tracks = follow(frames.__getitem__, 0, range(1, 6))
    behind = (tracks.pixels[:, 0] > 112) & (tracks.pixels[:, 0] < WIDTH - 24)
    assert tracks.found[behind, 1].all()
    assert tracks.found[behind, 2:].mean() < 0.1  # twice in a row: what is found later is something else
    before = tracks.pixels[:, 0] < 70
    assert tracks.found[before].mean() > 0.9


def test_both_sides_are_one() -> None:
    frames = moving(7)
    sides = [follow(frames.__getitem__, 3, side) for side in ((2, 1, 0), (4, 5, 6))]
    whole = joined(sides)
    assert (whole.anchor, whole.frames) == (3, (2, 1, 0, 4, 5, 6))
    assert whole.seen.shape == (len(whole.pixels), 6, 2)
    assert np.array_equal(whole.found[:, 3:], sides[1].found)


def test_too_few_points_are_none() -> None:
    frames = moving(3)
    for frame in frames:
        frame[:, 3 * CELL // 2 :] = 90
        frame[3 * CELL :] = 90
    assert len(corners(frames[0])) < FEWEST
    tracks = follow(frames.__getitem__, 0, (1, 2))
    assert tracks.frames == ()
    assert tracks.seen.shape == (len(tracks.pixels), 0, 2)
