"""Points of one frame found again in many others, sparsely and to a fraction of a pixel.

Every frame is compared with the one the point was chosen in, not with its neighbour, so errors do not add up;
where to look is known from the frame before (Lucas and Kanade, IJCAI 1981, as OpenCV has it, forward and
back). On corners this is more exact than dense flow over more than a few frames, and costs a twentieth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .dis import DisFlow

CELL = 16  # pixels: of each square of this side the best corner is followed
FLAT = 3e-5  # smallest eigenvalue of the gradients' covariance, luma in [0, 1], below which nothing is to see
WINDOW = (21, 21)
LEVELS = 2  # of the pyramid, above the picture itself; the prediction does the rest
FIRST_LEVELS = 4  # where nothing is predicted yet
BACK = 0.5  # pixels that there and back may miss by
BORDER = 4  # pixels: what comes closer to the picture's edge is lost
ENOUGH = 0.8  # of the points found at once: dense flow need not say where the others may be
FEWEST = 12  # points; with fewer there is nothing to follow
_STOP = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 0.01)


@dataclass(frozen=True, eq=False)
class Tracks:
    """Where points of one frame are seen in others.

    Attributes:
        anchor: Number of the frame the points were chosen in.
        pixels: (P, 2) float64 pixel indices there, x then y.
        frames: Numbers of the frames they were looked for in; T of them, without the anchor.
        seen: (P, T, 2) float64 pixel indices; meaningless where they were not found.
        found: (P, T) bool.
    """

    anchor: int
    pixels: np.ndarray
    frames: tuple[int, ...]
    seen: np.ndarray
    found: np.ndarray


def texture(luma: np.ndarray) -> np.ndarray:
    """How much there is to hold on to around every pixel, (h, w) float32: `FLAT` is little.

    Args:
        luma: (h, w) uint8.
    """
    smooth = cv2.GaussianBlur(luma, (0, 0), 1).astype(np.float32) / 255
    return np.asarray(cv2.cornerMinEigenVal(smooth, 5))


def corners(luma: np.ndarray, cell: int = CELL) -> np.ndarray:
    """The best corner of every cell that has one, (P, 2) int pixel indices, x then y.

    Args:
        luma: (h, w) uint8.
        cell: Side of the square cells in pixels.
    """
    strength = texture(luma)
    rows, columns = luma.shape[0] // cell, luma.shape[1] // cell
    whole = strength[: rows * cell, : columns * cell]
    split = whole.reshape(rows, cell, columns, cell).transpose(0, 2, 1, 3)
    cells = split.reshape(rows * columns, cell * cell)
    best = cells.argmax(1)
    row, column = np.divmod(np.arange(rows * columns), columns)
    points = np.stack((column * cell + best % cell, row * cell + best // cell), 1)
    inner = (points >= BORDER).all(1) & (points < np.array(luma.shape[::-1]) - BORDER).all(1)
    chosen: np.ndarray = points[inner & (cells.max(1) > FLAT)]
    return chosen


def refind(
    first: np.ndarray, second: np.ndarray, points: np.ndarray, guess: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Finds points of one picture in another: (P, 2) float32 there, and (P,) bool whether they were found.

    Args:
        first, second: (h, w) uint8 of equal size.
        points: (P, 2) pixel indices in the first.
        guess: (P, 2), where they may be in the second; None: anywhere near.
    """
    if not len(points):
        return np.zeros((0, 2), np.float32), np.zeros(0, bool)
    start = np.ascontiguousarray(points, np.float32)
    how = {"winSize": WINDOW, "criteria": _STOP, "flags": cv2.OPTFLOW_USE_INITIAL_FLOW}
    begin = np.array(start if guess is None else guess, np.float32)
    levels = FIRST_LEVELS if guess is None else LEVELS
    there, ahead, _ = cv2.calcOpticalFlowPyrLK(first, second, start, begin, maxLevel=levels, **how)  # type: ignore[call-overload]
    back, behind, _ = cv2.calcOpticalFlowPyrLK(second, first, there, start.copy(), maxLevel=LEVELS, **how)  # type: ignore[call-overload]
    found = (ahead[:, 0] > 0) & (behind[:, 0] > 0) & (np.hypot(*(back - start).T) < BACK)
    found &= (there >= BORDER).all(1) & (there < np.array(second.shape[::-1]) - BORDER).all(1)
    return there, found


def follow(luma: Callable[[int], np.ndarray], anchor: int, ahead: Sequence[int], cell: int = CELL) -> Tracks:
    """Follows the corners of one frame through others, until hardly any is left.

    Args:
        luma: Number of a frame -> (h, w) uint8.
        anchor: The frame whose corners they are.
        ahead: Frames in the order in which they are gone through, away from the anchor on one side.
        cell: Side of the cells of which each gives a corner, in pixels.
    """
    first = luma(anchor)
    points = corners(first, cell).astype(np.float32)
    frames: list[int] = []
    seen: list[np.ndarray] = []
    found: list[np.ndarray] = []
    place, pace, before = points.copy(), np.zeros_like(points), anchor
    lost = np.zeros(len(points), bool)
    for frame in ahead:
        step = abs(frame - before)
        if before == anchor:
            there, hit = _begun(first, luma(frame), points)
        else:
            there, hit = refind(first, luma(frame), points, place + step * pace)
        hit &= ~lost
        if hit.sum() < FEWEST:
            break
        pace = np.where(hit[:, None], (there - place) / step, pace)
        place = np.where(hit[:, None], there, place + step * pace)
        missed = ~hit if not found else ~hit & ~found[-1]
        lost |= missed  # twice in a row: what is found later is something else
        before = frame
        frames.append(frame)
        seen.append(there)
        found.append(hit)
    if not frames:
        return Tracks(
            anchor, points.astype(float), (), np.zeros((len(points), 0, 2)), np.zeros((len(points), 0), bool)
        )
    return Tracks(
        anchor, points.astype(float), tuple(frames), np.stack(seen, 1).astype(float), np.stack(found, 1)
    )


def _begun(first: np.ndarray, second: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `refind` where nothing is predicted yet; points that went far are looked for along dense flow."""
    there, found = refind(first, second, points)
    if len(points) and found.mean() < ENOUGH:
        column, row = points.astype(int).T
        guess = points + DisFlow("medium").flow(first, second)[row, column]
        far, again = refind(first, second, points, guess)
        there, found = np.where((again & ~found)[:, None], far, there), found | again
    return there, found


def joined(tracks: Sequence[Tracks]) -> Tracks:
    """Tracks of one anchor on both sides of it as one.

    Args:
        tracks: Of the same anchor and cells.
    """
    first = tracks[0]
    return Tracks(
        first.anchor,
        first.pixels,
        tuple(frame for part in tracks for frame in part.frames),
        np.concatenate([part.seen for part in tracks], 1),
        np.concatenate([part.found for part in tracks], 1),
    )
