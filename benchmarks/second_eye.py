"""Whether the second eye of stereo wobbles where the first does not: rTC of both, each along its own flow.

    python benchmarks/second_eye.py OUT... [--frames N] [--disparity PER_CENT]

OUT are finished jobs whose clips are still there. Of the first frames, the second eye is rendered as
``vdepth novel-view --path stereo --layout right --no-temporal`` does it; both are reduced to 640 pixels
across. Depth is measured on the shot's own range, near 1 and far 10 (see consistency.py), flow is DIS
"medium" of each eye's own pictures. `aside` is the first eye moved by 3.5 pixels, plate and depth alike:
what a flow that knows nothing of bare roads and skies makes of the same depth. The line of JSON: rTC@1.05
of the second eye over the first's, the worst.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from footage import machine

from vdepth_core.evaluation.temporal import consistency
from vdepth_core.flow.dis import DisFlow
from vdepth_core.output.plate import pictures
from vdepth_core.output.sequence import read_sequence
from vdepth_core.views.cameras import Ends, ends_of, second_eye
from vdepth_core.views.options import ViewOptions
from vdepth_core.views.render import Source, View, render

WIDTH, ASIDE, FAR = 640, 3.5, 10.0
Eye = tuple[list[np.ndarray], list[np.ndarray]]


def reduced(image: np.ndarray) -> np.ndarray:
    """As wide as `WIDTH`."""
    size = (WIDTH, round(image.shape[0] * WIDTH / image.shape[1]))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def eyes(out: Path, frames: int, disparity: float) -> dict[str, Eye]:
    """Depth on the shot's range and pictures of each eye."""
    sequence = read_sequence(out)
    shot = sequence.manifest.shots[0]
    ends, lens = ends_of(sequence, shot), shot.camera.intrinsics()
    options = ViewOptions(path="stereo", layout="right", max_disparity=disparity)
    move = second_eye(options, ends, lens, sequence.shape[2])
    numbers = range(shot.start_number, shot.start_number + min(shot.count, frames))
    found: dict[str, Eye] = {name: ([], []) for name in ("first", "second", "aside")}
    for number, rgb in zip(numbers, pictures(sequence.manifest, numbers), strict=True):
        z = np.clip(sequence[number - sequence.numbers.start], 1 / ends.near, 1 / ends.far)
        shown = render(Source(rgb, z, lens, ends.span), View(move.motion, move.lens, z.shape))
        moved = np.array(((1, 0, ASIDE), (0, 1, 0)), np.float32)
        aside = [
            cv2.warpAffine(
                image, moved, rgb.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
            )
            for image in (1 / z, rgb)
        ]
        second = np.rint(shown.rgb * 255).astype(np.uint8)
        for name, q, picture in (
            ("first", 1 / z, rgb),
            ("second", 1 / shown.z, second),
            ("aside", aside[0], aside[1]),
        ):
            found[name][0].append(_on_range(reduced(q), ends))
            found[name][1].append(reduced(picture))
    return found


def _on_range(q: np.ndarray, ends: Ends) -> np.ndarray:
    share = np.clip((q - ends.far) / ends.span, 0, 1)
    return (1 / (share * (1 - 1 / FAR) + 1 / FAR)).astype(np.float32)


def main() -> None:
    """Prints a table and one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("jobs", type=Path, nargs="+")
    parser.add_argument("--frames", type=int, default=14)
    parser.add_argument("--disparity", type=float, default=2.0)
    options = parser.parse_args()
    estimator = DisFlow("medium")

    def flow(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return estimator.flow(*(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (a, b)))

    worst = (1.0, 1.0)
    for out in options.jobs:
        scores = {
            name: consistency(depth, frames, flow).rtc[1.05]
            for name, (depth, frames) in eyes(out, options.frames, options.disparity).items()
        }
        print(
            f"{out.name}: rTC@1.05 " + ", ".join(f"{name} {value:.4f}" for name, value in scores.items()),
            flush=True,
        )
        worst = min(worst, (scores["second"], scores["first"]), key=lambda pair: pair[0] / pair[1])
    facts = {"benchmark": "second_eye", "ratio": round(worst[0] / worst[1], 4), "ours": round(worst[0], 4)}
    print(json.dumps({**facts, "baseline": round(worst[1], 4), "unit": "rTC@1.05", "machine": machine()}))


if __name__ == "__main__":
    main()
