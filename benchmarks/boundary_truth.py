"""What boundary F1 a depth camera's own truth can tell: of itself, moved, filtered, and where it has holes.

    python benchmarks/boundary_truth.py [--clips FOLDER] [--each N]

Of every ``gt_*`` recording that is no LiDAR: F1 of the truth against itself, against itself one pixel aside
and after a median of 3 x 3; the share of its relations within two pixels of a hole; and the share of its
jumps in rows and columns that have a hole of up to 20 pixels between near and far: nothing is left
to hit.
The line of JSON is of the first recording.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from embedded import recorded
from footage import machine

from vdepth_core.evaluation.boundaries import THRESHOLDS, boundary_f1

NEAR, WIDEST = 0.2, 20


def jumps(depth: np.ndarray, valid: np.ndarray, holes: np.ndarray) -> np.ndarray:
    """Of the rows of a map: jumps between neighbours, those beside holes, those across holes."""
    found = np.zeros(3, int)
    for line, known, beside in zip(depth, valid, holes, strict=True):
        at = np.flatnonzero(known)
        ratio = np.maximum(line[at[1:]] / line[at[:-1]], line[at[:-1]] / line[at[1:]])
        jump, gap = ratio > THRESHOLDS[0], np.diff(at)
        close = jump & (gap == 1)
        found += close.sum(), (close & beside[at[1:]]).sum(), (jump & (gap > 1) & (gap <= WIDEST)).sum()
    return found


def main() -> None:
    """Prints a row a recording and one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path, default=Path(__file__).parents[2] / "shared" / "clips")
    parser.add_argument("--each", type=int, default=12)
    options = parser.parse_args()
    rows = []
    for name, far, [(_, truth)] in recorded(options.clips):
        if "lidar" in name:
            continue
        scores, counts = [], np.zeros(3, int)
        for depth in truth[:: max(1, len(truth) // options.each)]:
            valid = (depth > NEAR) & (depth < far)
            beside = cv2.dilate((~valid).astype(np.uint8), np.ones((5, 5))) > 0
            counts += jumps(depth, valid, beside) + jumps(depth.T, valid.T, beside.T)
            smooth = np.where(valid, cv2.medianBlur(depth, 3), 0)
            scores.append(
                [
                    boundary_f1(depth, depth, valid).f1,
                    boundary_f1(np.roll(depth, 1, 1), depth, valid & np.roll(valid, 1, 1)).f1,
                    boundary_f1(smooth, depth, valid & (smooth > NEAR)).f1,
                ]
            )
        itself, moved, filtered = np.mean(scores, axis=0)
        beside_holes, lost = counts[1] / counts[0], counts[2] / (counts[0] + counts[2])
        print(f"{name:24} F1 of itself {itself:.3f}, one pixel aside {moved:.3f}, filtered {filtered:.3f}; "
              f"beside holes {beside_holes:.2f}, lost in holes {lost:.2f}", flush=True)  # fmt: skip
        rows.append((itself, moved, lost))
    itself, moved, lost = rows[0]
    facts = {"ratio": round(moved / itself, 3), "ours": round(moved, 3), "baseline": round(itself, 3)}
    unit = "boundary F1 of the truth, one pixel aside over itself"
    print(json.dumps({"benchmark": "boundary_truth", **facts, "unit": unit, "lost_in_holes": round(lost, 2),
                      "machine": machine()}))  # fmt: skip


if __name__ == "__main__":
    main()
