"""Boosting a clip: picture by picture as published, against one plan a shot. Which holds still?

    python benchmarks/boost_video.py CLIP... [--frames 24] [--model NAME] [--pictures FOLDER]

Each clip's first frames are estimated by `temporal` three times: plain, `--boost` and `--boost published`. Of
the published plans it prints how often R20 and the number of patches change from frame to frame; of all three
results rTC at 1.01 and 1.05 of the finished depth at half the plate's size (near 1, far 10; DIS "medium").
``--pictures`` keeps slices through time: one row of the plate and of each depth, over the frames.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from footage import machine

from vdepth_core import EstimateConfig, estimate, read_sequence
from vdepth_core.clip import ShotView, open_clip
from vdepth_core.evaluation.temporal import Consistency, consistency
from vdepth_core.flow.dis import DisFlow
from vdepth_core.models.registry import load_model
from vdepth_core.output.sequence import LazyFrames
from vdepth_core.refiners.boost.estimates import training_size
from vdepth_core.refiners.boost.image_plan import plan_image
from vdepth_core.types import Shot

WAYS: dict[str, str | None] = {"plain": None, "published": "published", "boosted": "shot"}


def half(image: np.ndarray) -> np.ndarray:
    """An image at half its size."""
    size = image.shape[1] // 2, image.shape[0] // 2
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def measure(sequence: LazyFrames, rgb: list[np.ndarray]) -> Consistency:
    """Of the finished depth."""
    estimator = DisFlow("medium")

    def flow(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return estimator.flow(*(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (a, b)))

    depths: Iterator[np.ndarray] = (half(sequence[index]) for index in range(len(rgb)))
    return consistency(depths, map(half, rgb), flow)


def changes(rgb: list[np.ndarray], base: int, max_size: float) -> str:
    """How often the published plan changes from frame to frame."""
    plans = [plan_image(picture, base, max_size) for picture in rgb]
    pairs = list(pairwise(plans))
    whole = sum(a.whole != b.whole for a, b in pairs)
    count = sum(len(a.patches) != len(b.patches) for a, b in pairs)
    sizes, numbers = {plan.whole for plan in plans}, {len(plan.patches) for plan in plans}
    return (
        f"published plans: R20 {min(sizes)}..{max(sizes)} changes {whole} of {len(pairs)} times, "
        f"{min(numbers)}..{max(numbers)} patches, {count} of {len(pairs)}"
    )


def slices(rgb: list[np.ndarray], found: dict[str, LazyFrames], path: Path) -> None:
    """One row over time, of the plate and of each way's inverse depth, each frame 6 lines high."""
    row = rgb[0].shape[0] * 3 // 5
    strips = [np.stack([picture[row] for picture in rgb])[..., ::-1].repeat(6, 0)]
    for sequence in found.values():
        lines = np.stack([1 / sequence[index][row] for index in range(len(rgb))])
        low, high = np.quantile(lines, (0.01, 0.99))
        grey = (255 * np.clip((lines - low) / (high - low), 0, 1)).astype(np.uint8)
        strips += [
            np.full((6, len(rgb[0][0]), 3), 255, np.uint8),
            np.repeat(grey[..., None], 3, 2).repeat(6, 0),
        ]
    cv2.imwrite(str(path), np.concatenate(strips))


def run(path: Path, frames: int, name: str, max_size: int, pictures: Path | None) -> dict[str, Consistency]:
    """Prints the table of a clip and returns its rows."""
    clip = open_clip(path)
    rgb = [frame.rgb for frame in ShotView(clip, Shot(0, 0, frames)).frames()]
    print(f"{path.name}: {len(rgb)} frames of {clip.info.width}x{clip.info.height}")
    base, longest = training_size(load_model(name, "cpu").spec), max(clip.info.width, clip.info.height)
    print(f"  {changes(rgb, base, min(max_size, longest))}", flush=True)
    rows, found = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for way, boost in WAYS.items():
            first = clip.info.first_number or 0
            config = EstimateConfig.parse(
                model=name, method="temporal", frames=f"{first}-{first + frames - 1}", shots=False, far=10.0,
                boost=boost, **({"boost_max_size": min(max_size, longest)} if boost else {}),
            )  # fmt: skip
            estimate(path, Path(folder) / way, config)
            found[way] = read_sequence(Path(folder) / way)
            rows[way] = measure(found[way], rgb)
            shares = "  ".join(f"{rows[way].rtc[t]:.4f}" for t in (1.01, 1.05))
            print(f"  {way:10s} rTC@1.01, 1.05  {shares}   aTC {rows[way].atc:.4f}", flush=True)
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
            slices(rgb, found, pictures / f"{path.stem}.png")
    return rows


def main() -> None:
    """Prints a table a clip and, last, the JSON line of the clip where boosting costs most."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--max-size", type=int, default=3840)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    found = [
        run(path, options.frames, options.model, options.max_size, options.pictures) for path in options.clips
    ]
    worst = min(found, key=lambda rows: rows["boosted"].rtc[1.05] / rows["plain"].rtc[1.05])
    ours, plain = worst["boosted"].rtc[1.05], worst["plain"].rtc[1.05]
    facts = {
        "benchmark": "boost_video",
        "ratio": round(ours / plain, 4),
        "ours": round(ours, 4),
        "baseline": round(plain, 4),
        "published": round(worst["published"].rtc[1.05], 4),
        "unit": "rTC@1.05",
        "machine": machine(),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
