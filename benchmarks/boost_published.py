"""What boosting plans for large pictures, and how long the search for it takes.

    python benchmarks/boost_published.py [PICTURE|CLIP[@FRAME] ...] [--base 384] [--max-size N]
        [--model NAME --merge transfer --save FOLDER]

For each picture, and for a black, a flat, a 100-pixel and a generated 8K one: R0 and R20, how densely edges
cover it (k), the factor, the size of the working picture, how many tiles it has and how many patches stay of
them, the widest and the narrowest patch, seconds of both searches and of the whole plan. With ``--model``
every picture given is boosted as published; ``--save`` writes picture, plain and boosted depth side by side,
and of the three places with the most detail crops at the picture's own pixels. The ratio is the time of the
search written literally over ours.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from footage import machine

from vdepth_core.clip import open_clip
from vdepth_core.models.registry import load_model
from vdepth_core.refiners.boost.estimates import estimates_of, training_size
from vdepth_core.refiners.boost.image_plan import ImagePlan, plan_image, working_size
from vdepth_core.refiners.boost.merges.registry import load_merge
from vdepth_core.refiners.boost.published import boost_planned
from vdepth_core.refiners.boost.search import edge_strength, receptive_resolution, search_sizes
from vdepth_core.refiners.boost.tiles import candidate_tiles

CROP, CROPS, SHOWN = 320, 3, 640  # pixels; how many; width a whole picture is shown at


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    name: str
    size: tuple[int, int]
    r0: int
    plan: ImagePlan
    density: float
    factor: float
    search: float
    planning: float

    def __str__(self) -> str:
        height, width = self.size
        tiles = len(candidate_tiles(self.plan.size, self.plan.base)) if self.plan.boosts else 0
        widths = [patch.width for patch in self.plan.patches]
        span = f"{max(widths)}/{min(widths)}" if widths else "-"
        work = f"{self.plan.size[1]}x{self.plan.size[0]}"
        return (
            f"{self.name:<24} {f'{width}x{height}':>10} {self.r0:>5} {self.plan.whole:>5} "
            f"{self.density:>6.3f} {self.factor:>6.3f} {work:>10} {tiles:>5} {len(widths):>7} "
            f"{span:>10} {self.search:>7.2f} {self.planning:>6.2f}"
        )


HEAD = (
    f"{'picture':<24} {'size':>10} {'R0':>5} {'R20':>5} {'k':>6} {'factor':>6} {'working':>10} {'tiles':>5} "
    f"{'patches':>7} {'max/min':>10} {'search':>7} {'plan':>6}"
)


def pictures(sources: list[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Name and pixels (H, W, 3) uint8 of each source."""
    for source in sources:
        path, _, number = source.partition("@")
        if Path(path).suffix.lower() in {".jpg", ".png", ".tif"}:
            yield Path(path).stem, cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)
            continue
        first = int(number or 0)
        frame = next(iter(open_clip(path).read(first, first + 1)))
        yield f"{Path(path).stem}@{first}", frame.rgb


def degenerate() -> Iterator[tuple[str, np.ndarray]]:
    """Pictures that ask for trouble."""
    yield "black", np.zeros((1080, 1920, 3), np.uint8)
    yield "flat gray", np.full((1080, 1920, 3), 118, np.uint8)
    rng = np.random.default_rng(0)
    yield "100 pixels", rng.integers(0, 256, (75, 100, 3), dtype=np.uint8)
    large = cv2.resize(rng.integers(0, 256, (270, 480, 3), dtype=np.uint8), (7680, 4320))
    for _ in range(60):
        x, y, r = (int(value) for value in rng.random(3) * (7680, 4320, 400))
        cv2.circle(large, (x, y), r, tuple(int(value) for value in rng.integers(0, 256, 3)), -1, cv2.LINE_AA)
    yield "8K, generated", large


def row(name: str, rgb: np.ndarray, base: int, most: float) -> Row:
    """Plans one picture, with a clock."""
    size, began = rgb.shape[:2], time.perf_counter()
    gradients = edge_strength(rgb)
    r0, _ = receptive_resolution(gradients, max(size), base, 0.0)
    whole, density = receptive_resolution(gradients, max(size), base, 0.2)
    searched = time.perf_counter()
    plan = plan_image(rgb, base, most)
    factor, _ = working_size(size, whole, density, most)
    return Row(name, size, r0, plan, density, factor, searched - began, time.perf_counter() - searched)


def literal_search(rgb: np.ndarray, base: int, share: float) -> int:
    """R_x as the paper's steps read: the whole of it again for every size."""
    kept = base // 32
    for size in search_sizes(max(rgb.shape[:2]), base):
        gray = np.dot(rgb / 255, (0.2989, 0.5870, 0.1140))
        edges = sum(np.abs(cv2.Sobel(gray, cv2.CV_64F, x, 1 - x, ksize=3)) for x in (0, 1))
        side = min(edges.shape)
        edges = cv2.resize(edges, (side, side))
        strong = np.where(edges >= edges.min() + 0.4 * (edges.max() - edges.min()), 1.0, 0.0)
        block = max(side // size, 1)
        strong = np.pad(strong, (0, -side % block))
        pooled = strong.reshape(len(strong) // block, block, -1, block).max((1, 3))
        seen = cv2.dilate(np.float64(cv2.resize(pooled, (size, size)) >= 0.5), np.ones((base // 32,) * 2))
        if (1 - seen).mean() > share:
            break
        kept = size
    return 32 * kept


def coloured(depth: np.ndarray, low: float, high: float) -> np.ndarray:
    """(H, W, 3) uint8 BGR, near bright."""
    scaled = np.clip((depth - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8)
    return cv2.applyColorMap(scaled, cv2.COLORMAP_INFERNO)


def sheet(rgb: np.ndarray, plain: np.ndarray, boosted: np.ndarray) -> np.ndarray:
    """Picture, plain and boosted, whole and in crops; BGR."""
    low, high = np.percentile(plain, (0.5, 99.5))
    columns = [rgb[..., ::-1], coloured(plain, low, high), coloured(boosted, low, high)]
    height, width = rgb.shape[:2]
    shown = (SHOWN, round(SHOWN * height / width))
    rows = [np.hstack([cv2.resize(column, shown, interpolation=cv2.INTER_AREA) for column in columns])]
    crop = min(CROP, height, width)
    detail = cv2.blur(edge_strength(plain[..., None].repeat(3, 2)), (crop, crop))
    detail[: crop // 2], detail[height - crop // 2 :] = 0, 0
    detail[:, : crop // 2], detail[:, width - crop // 2 :] = 0, 0
    for _ in range(CROPS):
        y, x = np.unravel_index(np.argmax(detail), detail.shape)
        top, left = max(y - crop // 2, 0), max(x - crop // 2, 0)
        cuts = [column[top : top + crop, left : left + crop] for column in columns]
        low, high = (float(np.percentile(plain[top : top + crop, left : left + crop], p)) for p in (0, 100))
        cuts[1:] = [
            coloured(depth[top : top + crop, left : left + crop], low, high) for depth in (plain, boosted)
        ]
        rows.append(
            np.hstack([cv2.resize(cut, (SHOWN, SHOWN), interpolation=cv2.INTER_CUBIC) for cut in cuts])
        )
        detail[max(y - crop, 0) : y + crop, max(x - crop, 0) : x + crop] = 0
    return np.vstack(rows)


def main() -> None:
    """Prints the table and the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sources", nargs="*", help="pictures and clips; CLIP@N takes frame N")
    parser.add_argument("--base", type=int, help="training size; default the model's, else 384")
    parser.add_argument("--max-size", type=float, default=math.inf, help="longest side of a working picture")
    parser.add_argument("--model", help="boosts the sources with it")
    parser.add_argument("--merge", default="transfer")
    parser.add_argument("--save", type=Path, help="folder for sheets of plain and boosted depth")
    arguments = parser.parse_args()
    model = load_model(arguments.model) if arguments.model else None
    base = arguments.base or (training_size(model.spec) if model else 384)
    print(f"base size {base}\n{HEAD}")
    given = list(pictures(arguments.sources))
    ours = slow = 0.0
    rows = []
    for name, rgb in [*given, *degenerate()]:
        rows.append(row(name, rgb, base, arguments.max_size))
        print(rows[-1], flush=True)
        if rgb.shape[1] < 7000:
            ours += rows[-1].search
            began = time.perf_counter()
            found = [literal_search(rgb, base, share) for share in (0.0, 0.2)]
            slow += time.perf_counter() - began
            assert found[0] == rows[-1].r0, name
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")
    for (name, rgb), made in zip(given, rows, strict=False):
        if model is None:
            break
        estimate, merge = estimates_of(model), load_merge(arguments.merge)
        began = time.perf_counter()
        boosted = boost_planned(rgb, made.plan, estimate, merge)
        span = f"{boosted.min():.3f}..{boosted.max():.3f}"
        print(f"{name}: boosted in {time.perf_counter() - began:.1f} s, {span}", flush=True)
        if arguments.save:
            arguments.save.mkdir(parents=True, exist_ok=True)
            plain = estimate(rgb / 255, base)
            cv2.imwrite(str(arguments.save / f"{name}.png"), sheet(rgb, plain, boosted))
    line = {
        "benchmark": "boost_published", "ratio": round(slow / ours, 2), "ours": round(ours, 2),
        "baseline": round(slow, 2), "unit": "s of searches", "machine": machine(),
    }  # fmt: skip
    print(json.dumps(line))


if __name__ == "__main__":
    main()
