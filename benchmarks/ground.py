"""How level, high and steady `vdepth ground` puts the ground of procedural clips with exact truth.

    python benchmarks/ground.py [--scenes 15] [--model embedded] [--keep FOLDER] [--pictures DIR]

Rooms, corridors, streets, parks and portraits of seeds never trained on, the lens known. Each is looked at
twice: as *exact* (its true disparity, scaled and shifted, with noise) and as *estimated* (a whole job). A
line a clip tells what the horizon was from; the level's error in degrees (median over the frames); the
height's error: how far ground lies from Z = 0, over the camera's height (median over the pixels of true
ground); and how much the horizon rocks against the true one, in pixels (standard deviation), before and
after. Ground that is less than a tenth of the picture's lower half need not be found. The line of JSON is of
the estimated ones.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from footage import machine

import vdepth_core
from vdepth_core.errors import InputError
from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.geometry.lines import find_lines
from vdepth_core.scenes import render_clip
from vdepth_core.views.ground import ShotGround, find_ground, ground_of
from vdepth_core.views.ground_frames import ShotFrames

FIRST = 970_000_000
FRAMES, HEIGHT, WIDTH, RATE = 10, 256, 448, 24
LAYOUTS = ("room", "corridor", "street", "park", "subject")
GAIN, SHIFT, NOISE = 0.7, 0.06, 0.004  # of the exact disparity, by its spread
SEEN = 0.1  # share of the lower half that is ground, from where on it should be found
FLAT = 0.03  # metres: a rug is ground
GOOD, BAD = 1.0, 3.0  # degrees
Scene = dict[str, np.ndarray]


@dataclass(frozen=True)
class Row:
    """Of one clip; NaN where it was refused."""

    name: str
    source: str
    seen: float
    level: float
    height: float
    before: float
    after: float

    def __str__(self) -> str:
        if not np.isfinite(self.level):
            return f"{self.name:34} ground {self.seen:4.0%}  refused: {self.source}"
        return (
            f"{self.name:34} ground {self.seen:4.0%}  {self.source:9} level {self.level:6.2f} deg  "
            f"height {self.height:5.1%}  rock {self.before:6.2f} -> {self.after:5.2f} px"
        )


def scene(number: int, keep: Path) -> Scene:
    """A rendered clip: pictures uint8, depth, K, poses."""
    layout = LAYOUTS[number % len(LAYOUTS)]
    file = keep / f"ground_{number:02d}_{layout}.npz"
    if not file.exists():
        clip = render_clip(FIRST + number, FRAMES, HEIGHT, WIDTH, layout, clean=True)
        rgb = np.round(clip.rgb.transpose(0, 2, 3, 1) * 255).astype(np.uint8)
        np.savez(file, rgb=rgb, depth=clip.depth, K=clip.K, poses=clip.poses)
    with np.load(file) as data:
        return {name: data[name] for name in data.files}


def exact(clip: Scene) -> ShotGround:
    """The ground by true disparity, scaled, shifted and noisy."""
    camera = Intrinsics(clip["K"][0, 0], clip["K"][1, 1], clip["K"][0, 2], clip["K"][1, 2])
    rows, columns = np.arange(2, HEIGHT, 5), np.arange(2, WIDTH, 5)
    x, y = np.meshgrid((columns + 0.5 - camera.cx) / camera.fx, (rows + 0.5 - camera.cy) / camera.fy)
    true = 1 / clip["depth"][:, rows[:, None], columns].reshape(FRAMES, -1).astype(np.float64)
    wide = np.quantile(true, 0.98)
    noise = np.random.default_rng(0).normal(0, NOISE * wide, true.shape)
    lies = np.maximum(GAIN * (true + SHIFT * wide + noise), 1e-6)
    lines = [find_lines(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), camera) for rgb in clip["rgb"]]
    sky = np.isinf(clip["depth"][:, rows[:, None], columns].reshape(FRAMES, -1))
    frames = ShotFrames(np.arange(FRAMES), lies, x.ravel(), y.ravel(), lines, camera, (WIDTH, HEIGHT), sky)
    return ground_of(frames, RATE, affine=True)


def estimate(clip: Scene, out: Path, model: str) -> Path:
    """A finished job on the clip."""
    if not (out / "manifest.json").exists():
        movie = out.with_suffix(".mp4")
        with av.open(str(movie), "w") as container:
            stream = container.add_stream("libx264", rate=RATE, options={"crf": "12"})
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            for rgb in clip["rgb"]:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
            container.mux(stream.encode(None))
        fov = float(np.degrees(2 * np.arctan(WIDTH / 2 / clip["K"][0, 0])))
        vdepth_core.estimate(movie, out, {"model": model, "fov": fov, "shots": False})
    return out


def score(name: str, clip: Scene, found: ShotGround, depth: np.ndarray) -> Row:
    """How far the found ground is from the true one.

    Args:
        name: Of the clip.
        clip: The clip.
        found: Its ground, of all frames.
        depth: (T, H, W) that it was found in.
    """
    down = clip["poses"][:, 1, :3]
    level = np.degrees(np.arccos(np.clip((found.down * down).sum(1), -1, 1)))
    fx, fy, cx, cy = clip["K"][0, 0], clip["K"][1, 1], clip["K"][0, 2], clip["K"][1, 2]
    rows = -(down[:, 2] + down[:, 0] * (WIDTH / 2 - cx) / fx) / down[:, 1] * fy + cy
    ground = true_ground(clip)
    scale, shift = (values[:, None, None] for values in (found.scale, found.shift))
    aligned = scale * depth / (1 + shift * depth)
    below = np.einsum("tc,hwc->thw", found.down, rays(clip))
    off = np.abs(below * aligned / found.height - 1)[ground]
    height = float(np.median(off)) if off.size else float("nan")
    rock = [float((one - rows).std()) for one in (found.estimated, found.horizon)]
    return Row(name, found.source, seen_share(ground), float(np.median(level)), height, *rock)


def rays(clip: Scene) -> np.ndarray:
    """(H, W, 3) of the pixels, z = 1."""
    (fx, _, cx), (_, fy, cy) = clip["K"][0], clip["K"][1]
    x, y = np.meshgrid((np.arange(WIDTH) + 0.5 - cx) / fx, (np.arange(HEIGHT) + 0.5 - cy) / fy)
    return np.stack([x, y, np.ones_like(x)], -1)


def true_ground(clip: Scene) -> np.ndarray:
    """(T, H, W) bool: the world's height is zero there."""
    world = clip["poses"][:, 1, :3]
    depth = np.where(np.isfinite(clip["depth"]), clip["depth"], 0)
    high = np.einsum("tc,hwc->thw", world, rays(clip)) * depth + clip["poses"][:, 1, 3][:, None, None]
    return (np.abs(high) < FLAT) & (depth > 0)


def seen_share(ground: np.ndarray) -> float:
    """Of the lower half of the pictures."""
    return float(ground[:, HEIGHT // 2 :].mean())


def picture(path: Path, clip: Scene, found: ShotGround | None) -> None:
    """The middle frame with its true ground green, the true horizon white and the found one red."""
    middle = FRAMES // 2
    shown = clip["rgb"][middle].copy()
    shown[true_ground(clip)[middle]] = shown[true_ground(clip)[middle]] * 0.6 + np.array((0, 90, 0))
    fx, fy, cx, cy = clip["K"][0, 0], clip["K"][1, 1], clip["K"][0, 2], clip["K"][1, 2]
    ways = [(clip["poses"][middle, 1, :3], (255, 255, 255))]
    ways += [(found.down[middle], (255, 40, 40))] if found else []
    for down, colour in ways:
        ends = [
            int(np.clip(-(down[2] + down[0] * (u - cx) / fx) / down[1] * fy + cy, -9999, 9999))
            for u in (0, WIDTH)
        ]
        cv2.line(shown, (0, ends[0]), (WIDTH, ends[1]), colour, 2, cv2.LINE_AA)
    cv2.imwrite(str(path), shown[..., ::-1])


def summary(title: str, rows: list[Row]) -> dict[str, float]:
    """Prints and returns what came of the clips that show ground, and of the others."""
    shown = [row for row in rows if row.seen >= SEEN]
    found = [row for row in shown if np.isfinite(row.level)]
    levels = np.array([row.level for row in found])
    facts = {
        "clips": len(shown),
        "good": int((levels < GOOD).sum()),
        "bad": int((levels > BAD).sum()),
        "refused": len(shown) - len(found),
        "refused_without_ground": sum(not np.isfinite(row.level) for row in rows if row.seen < SEEN),
        "without_ground": len(rows) - len(shown),
        "level": round(float(np.median(levels)), 3),
        "height": round(float(np.median([row.height for row in found])), 4),
        "rock_before": round(float(np.median([row.before for row in found])), 2),
        "rock": round(float(np.median([row.after for row in found])), 2),
    }
    print(f"{title}: {facts}", flush=True)
    return facts


def main() -> None:
    """Prints a line a clip, and one of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenes", type=int, default=15)
    parser.add_argument("--model", default="embedded", help="name or weights; none: exact depth only")
    parser.add_argument("--keep", type=Path, help="folder where scenes and jobs are kept")
    parser.add_argument("--pictures", type=Path, help="folder for pictures of both horizons")
    options = parser.parse_args()
    rows: dict[str, list[Row]] = {"exact": [], "estimated": []}
    with tempfile.TemporaryDirectory() as name:
        keep = options.keep or Path(name)
        for folder in filter(None, (keep, options.pictures)):
            folder.mkdir(parents=True, exist_ok=True)
        for number in range(options.scenes):
            clip = scene(number, keep)
            wide = np.quantile(1 / clip["depth"], 0.98)
            lies = 1 / (GAIN * (1 / clip["depth"] + SHIFT * wide))
            for kind in rows if options.model != "none" else ("exact",):
                called = f"{number:02d} {LAYOUTS[number % len(LAYOUTS)]} {kind}"
                found = None
                try:
                    if kind == "exact":
                        found, depth = exact(clip), lies
                    else:
                        job = estimate(clip, keep / f"ground_{number:02d}_job", options.model)
                        depth = np.asarray(vdepth_core.read_sequence(job))
                        [found] = find_ground(job)
                    row = score(called, clip, found, depth)
                except InputError as error:
                    row = Row(called, str(error), seen_share(true_ground(clip)), *[np.nan] * 4)
                rows[kind].append(row)
                print(row, flush=True)
                if options.pictures:
                    picture(options.pictures / f"{called.replace(' ', '_')}.png", clip, found)
    facts = {kind: summary(kind, some) for kind, some in rows.items() if some}
    ours = facts.get("estimated", facts["exact"])
    print(json.dumps({
        "benchmark": "ground", "ratio": round(ours["good"] / max(ours["clips"], 1), 3), "ours": ours["good"],
        "baseline": ours["clips"], "unit": f"clips that are level within {GOOD:g} degree", **facts,
        "machine": machine(),
    }))  # fmt: skip


if __name__ == "__main__":
    main()
