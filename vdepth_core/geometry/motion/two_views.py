"""Inverse depths from two views alone, to begin a bundle with where no model says what is near.

A bundle begun from a flat scene may settle on its mirror image in depth (Necker's reversal), which a long
lens explains nearly as well. The essential matrix (Nistér, PAMI 2004, robustly: MAGSAC++) knows what lies
before the camera.
"""

from __future__ import annotations

import cv2
import numpy as np

from ...flow.tracks import FEWEST, Tracks

LASTING = 0.5  # of the points have to be found in the second view
OFF = 1.0  # pixels from the epipolar line
_SURE = 0.999
_SPREAD = 20.0  # nearest over median, median over farthest: beyond is noise


def inverse_depths(tracks: Tracks, K: np.ndarray) -> np.ndarray:
    """Inverse depth of each point in units of the median's; 1 where two views do not tell.

    Args:
        tracks: Of one anchor.
        K: (3, 3) for pixel indices, roughly right.

    Returns:
        (P,) float64.
    """
    inverse = np.ones(len(tracks.pixels))
    enough = max(2 * FEWEST, LASTING * len(inverse))
    lasting = [place for place in range(len(tracks.frames)) if tracks.found[:, place].sum() >= enough]
    if not lasting:
        return inverse
    second = max(lasting, key=lambda place: abs(tracks.frames[place] - tracks.anchor))
    hit = tracks.found[:, second]
    here, there = tracks.pixels[hit], tracks.seen[hit, second]
    essential, mask = cv2.findEssentialMat(here, there, K, cv2.USAC_MAGSAC, _SURE, OFF)
    if essential is None or essential.shape != (3, 3):
        return inverse
    _, turn, move, ahead = cv2.recoverPose(essential, here, there, K, mask=mask.copy())
    first, other = K @ np.eye(3, 4), K @ np.hstack((turn, move))
    points = cv2.triangulatePoints(first, other, here.T, there.T)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = points[3] / points[2]
    good = (ahead[:, 0] > 0) & np.isfinite(found) & (found > 0)
    if good.sum() < FEWEST:
        return inverse
    level = found[good] / np.median(found[good])
    known = np.ones(len(found))
    known[good] = np.clip(level, 1 / _SPREAD, _SPREAD)
    inverse[hit] = known
    return inverse
