"""How far depth is off in metres after `vdepth metric`, by what is known of distances.

    python benchmarks/metric.py [--clips FOLDER] [--scenes 4] [--draws 40] [--no-jobs]

1. Lines fitted to a simulated metric model (5 % of noise, 10 % of its pixels off by up to a factor of 7),
   both kinds of relative depth, 20 seeds: the largest error of the scale.
2. Whole jobs of procedural scenes with the embedded model (relative), truth exact: AbsRel in metres as the
   job is (near 1, far 100), by that simulated model, and by distances of pixels drawn from the truth.
3. The same of 36 recorded RGB-D frames, where ``../shared`` has them.

One distance goes with a far end of 15 m (a guess), as relative depth needs two numbers. Distances are drawn
as a person would take them: one near, one far, one between, on surfaces. Medians over the draws, and their
90 % quantile.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from footage import machine

import vdepth_core
from vdepth_core.align.metric import Line, fit_metric
from vdepth_core.errors import UsageError
from vdepth_core.metric.decide import decide
from vdepth_core.metric.evidence import Evidence, by_distances, by_ends
from vdepth_core.metric.known import Distance
from vdepth_core.metric.values import ShotValues
from vdepth_core.output.sequence import read_sequence
from vdepth_core.scenes.clip import render_clip

NOISE, WRONG, FACTOR = 0.05, 0.1, 2.0
NEAR, FAR, GUESS = 0.2, 40.0, 15.0
SIZE = (432, 240)
FRAMES = 6


def simulated(metres: np.ndarray, seed: int) -> np.ndarray:
    """What a metric model says of depths."""
    rng = np.random.default_rng(seed)
    said = metres * np.exp(rng.normal(0, NOISE, metres.shape))
    wrong = rng.random(metres.shape) < WRONG
    said[wrong] *= np.exp(rng.uniform(-FACTOR, FACTOR, int(wrong.sum())))
    return said


def lines(seeds: int) -> None:
    """Part 1."""
    for shifted in (False, True):
        scales, depths = [], []
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            metres = np.exp(rng.uniform(np.log(1), np.log(40), 20_000))
            scale, shift = rng.uniform(0.2, 5), rng.uniform(-0.02, 0.1) if shifted else 0.0
            x = (1 / metres - shift) / scale
            fit = fit_metric(x, 1 / simulated(metres, seed), shifted, float(np.ptp(x)))
            assert fit is not None
            scales.append(abs(fit.line.scale / scale - 1))
            depths.append(float(np.abs(1 / fit.line(x) / metres - 1).mean()))
        kind = "scale and shift" if shifted else "scale alone"
        print(f"simulated model, {kind}, {seeds} seeds: scale off by {100 * np.max(scales):.3f} % at most "
              f"(mean {100 * np.mean(scales):.3f} %), depth by {100 * np.max(depths):.3f} %")  # fmt: skip


class Scene:
    """A finished job beside its truth."""

    def __init__(self, job: Path, truth: list[np.ndarray]) -> None:
        self.shot = ShotValues(read_sequence(job), read_sequence(job).manifest.shots[0])
        self.truth = dict(zip(self.shot.numbers, truth, strict=True))
        self.x = {number: self.shot.x(number) for number in self.shot.numbers}
        self.seen = {n: (z > NEAR) & (z < FAR) & np.isfinite(self.x[n]) for n, z in self.truth.items()}

        taken = [(self.x[n][seen][::13], self.truth[n][seen][::13]) for n, seen in self.seen.items()]
        self.points = tuple(np.concatenate(part) for part in zip(*taken, strict=True))

    def error(self, line: Line | None = None) -> float:
        """AbsRel in metres, by a line or as the job is, of every 13th pixel."""
        x, z = self.points
        if line is None:
            depth = np.concatenate(
                [self.shot.sequence[i][seen][::13] for i, seen in enumerate(self.seen.values())]
            )
        else:
            depth = np.minimum(self.shot.metres(line(x)), 2 * FAR)
        return float(np.abs(depth / z - 1).mean())

    def model(self, seed: int) -> Evidence:
        """A simulated metric model's."""
        x, metres = self.points
        return Evidence("model", x, self.shot.target(simulated(metres, seed)))

    def drawn(self, seed: int, count: int) -> Evidence:
        """Distances of some pixels: near, far and between, where surfaces are."""
        rng = np.random.default_rng(seed)
        found = []
        for part in ((0.05, 0.3), (0.7, 0.95), (0.4, 0.6))[:count]:
            number = int(rng.choice(list(self.truth)))
            z = np.minimum(self.truth[number], 1e6).astype(np.float32)  # the sky is infinite
            around = np.ones((9, 9), np.uint8)
            flat = cv2.dilate(z, around) < 1.15 * np.maximum(cv2.erode(z, around), 1e-6)
            seen = self.seen[number] & flat
            low, high = np.quantile(z[seen], part)
            rows, columns = np.nonzero(seen & (z >= low) & (z <= high))
            place = rng.integers(len(rows))
            y, x = int(rows[place]), int(columns[place])
            found.append(Distance(x + 0.5, y + 0.5, number, float(z[y, x])))
        return by_distances(self.shot, found, along_ray=False)


def rows(scenes: list[Scene], draws: int, name: str) -> tuple[float, float]:
    """Parts 2 and 3: prints a row a source; AbsRel as the jobs are, and by two distances."""
    before = float(np.mean([scene.error() for scene in scenes]))
    print(f"{name}: as the job is {before:.3f}")
    best = [scene.error(fit_of(scene)) for scene in scenes]
    print(f"  by the truth itself, what the job can be at best: {np.mean(best):.3f}")
    tried: dict[str, Callable[[Scene, int], list[Evidence]]] = {
        "simulated model": lambda scene, seed: [scene.model(seed)],
        "1 distance, far 15 m": lambda s, seed: [s.drawn(seed, 1), by_ends(s.shot, None, GUESS)],
        "2 distances": lambda s, seed: [s.drawn(seed, 2)],
        "3 distances": lambda s, seed: [s.drawn(seed, 3)],
        "1 distance, shift by the simulated model": lambda s, seed: [s.drawn(seed, 1), s.model(seed)],
    }
    two = before
    for what, sources in tried.items():
        errors, refused, warned, total = [], 0, 0, 0
        for scene in scenes:
            for seed in range(3 if what == "simulated model" else draws):
                total += 1
                try:
                    decision = decide(scene.shot, sources(scene, seed))
                except UsageError:
                    refused += 1
                    continue
                warned += bool(decision.warnings)
                errors.append(scene.error(decision.line))
        middle, high = np.quantile(errors, (0.5, 0.9))
        print(
            f"  {what}: {middle:.3f} (90 % of draws below {high:.3f}), refused {refused}, warned {warned} "
            f"of {total}"
        )
        two = float(middle) if what == "2 distances" else two
    return before, two


def fit_of(scene: Scene) -> Line:
    """The line that fits the whole truth."""
    x, metres = scene.points
    fit = fit_metric(x, scene.shot.target(metres), scene.shot.shifted, scene.shot.span)
    assert fit is not None
    return fit.line


def estimated(folder: Path, pictures: list[np.ndarray], truth: list[np.ndarray]) -> Scene:
    """A job on pictures."""
    (folder / "plates").mkdir(parents=True)
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(folder / "plates" / f"shot.{number + 1001}.png"), picture[..., ::-1])
    config = vdepth_core.EstimateConfig(
        model="embedded", method="framewise", device="cpu", shots=False, rate="24"
    )
    vdepth_core.estimate(folder / "plates", folder / "job", config)
    return Scene(folder / "job", truth)


def main() -> None:
    """Prints the rows and one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=Path, default=Path(__file__).parents[2] / "shared" / "clips")
    parser.add_argument("--scenes", type=int, default=4)
    parser.add_argument("--draws", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--no-jobs", action="store_true", help="Part 1 only.")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    lines(options.seeds)
    if options.no_jobs:
        return
    with tempfile.TemporaryDirectory() as name:
        scenes = []
        for seed in range(1000, 1000 + options.scenes):
            clip = render_clip(seed, FRAMES, SIZE[1], SIZE[0])
            rgb = [np.round(255 * p.transpose(1, 2, 0)).astype(np.uint8) for p in clip.rgb]
            scenes.append(estimated(Path(name) / str(seed), rgb, list(clip.depth)))
        before, after = 1.0, 1.0
        if scenes:
            before, after = rows(scenes, options.draws, f"{options.scenes} procedural scenes")
        recorded = options.clips / "gt_hololens_office_A"
        if recorded.is_dir():
            colour, depth = (sorted((recorded / part).iterdir()) for part in ("color", "depth"))
            rgb = [cv2.imread(str(path))[..., ::-1] for path in colour]
            truth = [cv2.imread(str(path), -1) / 1000.0 for path in depth]
            scene = estimated(Path(name) / "rgbd", rgb, truth)
            found = rows([scene], options.draws, "36 frames of an RGB-D camera")
            before, after = (before, after) if scenes else found
    print(
        json.dumps(
            {
                "benchmark": "metric",
                "ratio": round(before / after, 2),
                "ours": round(after, 4),
                "baseline": round(before, 4),
                "unit": "AbsRel in metres of procedural scenes, by two known distances and as the job is",
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
