"""Adapting the embedded model to procedural still scenes with exact truth and a travelling camera.

    python benchmarks/adapt_scenes.py [--recipes monodepth2 featdepth packnet] [--seeds N ...] [--steps 150]
        [--lens known learnt] [--set moving=false ...] [--walkers] [--height 256] [--keep FOLDER]

For each scene, of seeds never trained on: AbsRel under `clip-lstsq` (one scale and shift a clip) before and
after, and with the scale alone free (the shift is what the recipe itself reads); F1 of boundaries and D3R
(slic) before and after, F1 also as `--sharpen` leaves it; the focal length's error; the path's error (ATE
over its length, after a similarity); and minutes. Poses are never given: with a known lens they are solved,
with a learnt one the focal, too.
``--set`` gives the recipe options; ``--walkers`` lets people and vehicles move, and scores them apart, too.
``--keep`` keeps rendered scenes there.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from footage import machine
from safetensors.torch import load_file

from vdepth_core.adaptation.adapt import adapt
from vdepth_core.adaptation.cameras import STEP
from vdepth_core.errors import InputError
from vdepth_core.evaluation.accuracy import evaluate_clip
from vdepth_core.evaluation.boundaries import boundary_f1
from vdepth_core.evaluation.ordinal import ordinal_errors
from vdepth_core.models.registry import load_model
from vdepth_core.output.sharpen import reach_of, sharpened
from vdepth_core.scenes import render_clip

FIRST = 960_000_000
FRAMES, HEIGHT, ASPECT = 24, 256, 7 / 4
FAR = 80.0
EVERY = 6  # frames to the next one whose boundaries are looked at
Scene = dict[str, np.ndarray]


def scene(seed: int, keep: Path, walkers: bool = False, height: int = HEIGHT) -> Scene:
    """A rendered clip: pictures uint8, depth, K, poses, and where something moves by itself."""
    file = keep / f"{seed}{'-walkers' * walkers}{f'-{height}' * (height != HEIGHT)}.npz"
    if not file.exists():
        clip = render_clip(seed, FRAMES, height, round(ASPECT * height), moving=walkers)
        rgb = np.round(clip.rgb.transpose(0, 2, 3, 1) * 255).astype(np.uint8)
        moves = np.zeros(clip.depth.shape, bool) if clip.body is None else clip.body > 0
        np.savez(file, rgb=rgb, depth=clip.depth, K=clip.K, poses=clip.poses, moves=moves)
    with np.load(file) as data:
        return {name: data[name] for name in data.files}


def disparities(weights: Path | str, clip: Scene) -> np.ndarray:
    """What a model says of every frame, (T, H, W)."""
    model = load_model(weights)
    frames = torch.from_numpy(clip["rgb"]).permute(0, 3, 1, 2).float() / 255
    return np.concatenate([model.predict(frame[None]).numpy() for frame in frames])


def affine_error(maps: np.ndarray, clip: Scene) -> float:
    """AbsRel with one scale and shift for the clip."""
    return evaluate_clip(list(maps), list(_known(clip)), max_depth=FAR).abs_rel


def moving_error(maps: np.ndarray, clip: Scene) -> float:
    """AbsRel of what moves by itself, with the clip's scale and shift; NaN where nothing does."""
    line = evaluate_clip(list(maps), list(_known(clip)), max_depth=FAR)
    depth = np.clip(1 / np.maximum(line.scale * maps + line.shift, 1 / FAR), 1e-3, FAR)
    moves = clip["moves"] & np.isfinite(clip["depth"])
    truth = clip["depth"][moves]
    return float(np.mean(np.abs(depth[moves] - truth) / truth)) if moves.any() else float("nan")


def boundaries(maps: np.ndarray, clip: Scene, sharp: bool = False) -> tuple[float, float]:
    """F1 of boundaries and D3R (slic), of some frames after the clip's scale and shift.

    ``sharp``: as a job writes them, `--sharpen` being its default.
    """
    line = evaluate_clip(list(maps), list(_known(clip)), max_depth=FAR)
    f1, d3r = [], []
    for index in range(0, len(maps), EVERY):
        own = maps[index]
        if sharp:
            own = sharpened(own.astype(np.float32), clip["rgb"][index], float(np.ptp(maps)), reach_of(1))
        depth = np.clip(1 / np.maximum(line.scale * own + line.shift, 1 / FAR), 1e-3, FAR)
        truth = np.minimum(clip["depth"][index], FAR)
        f1.append(boundary_f1(depth, truth).f1)
        found = ordinal_errors(depth, truth, np.ones(truth.shape, bool))
        d3r += [found.d3r] if found is not None else []
    return float(np.mean(f1)), float(np.mean(d3r))


def _known(clip: Scene) -> np.ndarray:
    return np.where(np.isfinite(clip["depth"]), clip["depth"], 0)


def scaled_error(maps: np.ndarray, clip: Scene) -> float:
    """AbsRel of inverse depth with one scale for the clip: the median of true over own depth."""
    truth = clip["depth"]
    known = np.isfinite(truth) & (truth < FAR)
    depth = 1 / np.maximum(maps, 1e-3 * np.median(maps))
    depth = np.clip(depth * np.median(truth[known] / depth[known]), 1e-3, FAR)
    off = np.where(known, np.abs(depth - truth) / np.where(known, truth, 1), 0).sum((1, 2))
    count = known.sum((1, 2))
    return float(np.mean(off[count > 0] / count[count > 0]))


def path_error(found: np.ndarray, true: np.ndarray) -> float:
    """Root mean square distance of camera centres after the best similarity, over the path's length."""
    x, y = found[:, :3, 3], true[:, :3, 3]
    a, b = x - x.mean(0), y - y.mean(0)
    u, s, v = np.linalg.svd(b.T @ a)
    sign = np.diag((1, 1, np.sign(np.linalg.det(u @ v))))
    scale = np.trace(np.diag(s) @ sign) / max(float((a * a).sum()), 1e-12)
    off = b - scale * a @ (u @ sign @ v).T
    return float(np.sqrt((off**2).sum(1).mean()) / np.linalg.norm(np.diff(y, axis=0), axis=1).sum())


def readings(state: Path) -> tuple[tuple[float, float], tuple[float, float]]:
    """Scale and shift of the disparity, as solved and as learnt."""
    kept = load_file(state)
    scale, shift = kept["kept.reading.start"].tolist()
    more, apart = float(kept["kept.reading.scale"]), float(kept["kept.reading.shift"])
    return (scale, shift), (scale * float(np.exp(STEP * more)), shift + STEP * apart)


def run(
    recipe: str, seed: int, lens: str, steps: int, keep: Path, chosen: dict[str, Any], walkers: bool = False,
    height: int = HEIGHT,
) -> dict[str, float]:  # fmt: skip
    """One adaptation, scored."""
    clip = scene(seed, keep, walkers, height)
    before = disparities("embedded", clip)
    with tempfile.TemporaryDirectory() as folder:
        plate = Path(folder) / "plate"
        plate.mkdir()
        for number, picture in enumerate(clip["rgb"]):
            cv2.imwrite(str(plate / f"{number:03d}.png"), picture[..., ::-1])
        fov = (
            2 * np.degrees(np.arctan(clip["rgb"].shape[2] / 2 / clip["K"][0, 0])) if lens == "known" else None
        )
        started = time.monotonic()
        done = adapt(
            plate,
            Path(folder) / "w.safetensors",
            recipe=recipe,
            steps=steps,
            device="cpu",
            size=height,
            fov=fov,
            rate="24",
            **chosen,
        )
        minutes = (time.monotonic() - started) / 60
        after = disparities(done.weights, clip)
        old, new = readings(done.weights.with_suffix(".adapting"))
    assert done.path is not None
    edges = boundaries(before, clip), boundaries(after, clip)
    sharp = boundaries(before, clip, sharp=True), boundaries(after, clip, sharp=True)
    moving = {"moving before": moving_error(before, clip), "moving after": moving_error(after, clip)}
    return {
        "before": affine_error(before, clip),
        "after": affine_error(after, clip),
        "scaled before": scaled_error(old[0] * before + old[1], clip),
        "scaled after": scaled_error(new[0] * after + new[1], clip),
        "F1 before": edges[0][0],
        "F1 after": edges[1][0],
        "sharpened F1 before": sharp[0][0],
        "sharpened F1 after": sharp[1][0],
        "D3R before": edges[0][1],
        "D3R after": edges[1][1],
        **(moving if walkers else {}),
        "focal": done.path.intrinsics[0].fx / clip["K"][0, 0] - 1,
        "path": path_error(done.path.poses, clip["poses"]),
        "minutes": minutes,
        "photometric": done.after["photometric"] / done.before["photometric"] - 1,
    }


def main() -> None:
    """Prints a row a run, means, and one JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipes", nargs="+", default=["monodepth2", "featdepth", "packnet"])
    parser.add_argument("--lens", nargs="+", default=["known", "learnt"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[FIRST + number for number in range(4)])
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=JSON", help="options of the recipe")
    parser.add_argument("--walkers", action="store_true", help="let people and vehicles move")
    parser.add_argument("--height", type=int, default=HEIGHT, help="of the pictures, a multiple of 32")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    keep = options.keep or Path(tempfile.mkdtemp())
    keep.mkdir(parents=True, exist_ok=True)
    chosen = {name: json.loads(value) for name, value in (pair.split("=", 1) for pair in options.set)}
    ratios, edges = {}, {}
    for recipe in options.recipes:
        for lens in options.lens:
            rows = []
            for seed in options.seeds:
                try:
                    row = run(
                        recipe, seed, lens, options.steps, keep, chosen, options.walkers, options.height
                    )
                except InputError as error:
                    print(f"{recipe} {lens} {seed}: refused: {error.message}", flush=True)
                    continue
                rows.append(row)
                words = "  ".join(f"{name} {value:.4f}" for name, value in row.items())
                print(f"{recipe} {lens} {seed}: {words}", flush=True)
            if rows:
                mean = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
                ratios[f"{recipe} {lens}"] = mean["after"] / mean["before"]
                edges[f"{recipe} {lens}"] = mean["F1 after"] / max(mean["F1 before"], 1e-9)
                words = "  ".join(f"{name} {value:.4f}" for name, value in mean.items())
                print(f"{recipe} {lens} mean: {words}", flush=True)
    print(
        json.dumps(
            {
                "benchmark": "adapt_scenes",
                "ratio": round(float(np.mean(list(ratios.values()))), 4),
                "ratios": {name: round(value, 4) for name, value in ratios.items()},
                "edges": {name: round(value, 4) for name, value in edges.items()},  # below 1: blurred
                "unit": "AbsRel after over before",
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
