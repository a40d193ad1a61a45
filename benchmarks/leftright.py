"""The recipe `leftright` on procedural stereo clips: error of the left eye's disparity before and after.

    python benchmarks/leftright.py [--clips 6] [--frames 12] [--steps 120] [--size N] [--moving] [--spoiled]
                                   [--model NAME] [--first SEED] [--pictures FOLDER]

Clips are of seeds never trained on, with noise, and a baseline such that the median disparity of the first
picture is 3 % of the width; those where something comes too near for that are left out. With ``--spoiled``
they also have highlights, fog, motion blur, defocus and vignette, which take minutes a clip to render.
Disparity is brought to pixels by one least-squares scale and shift a clip; its error is the mean over all
pixels that are not sky. AbsRel is that of `evaluate --protocol clip-lstsq`. Every model looks at single left
pictures.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import torch
from footage import machine

from vdepth_core.adaptation.adapt import adapt
from vdepth_core.align.scale_shift import fit_scale_shift
from vdepth_core.evaluation.accuracy import evaluate_clip
from vdepth_core.models.registry import load_model
from vdepth_core.models.sizing import frames_to_tensor, network_size
from vdepth_core.scenes import SceneClip, StereoClip, render_stereo

FIRST = 960_000_000  # no training draws seeds from here on
HEIGHT, WIDTH = 192, 256
NEAREST = 0.15  # widths of disparity: the camera runs into something, which no one shoots in stereo


def write(folder: Path, eye: SceneClip) -> list[np.ndarray]:
    """Saves an eye's pictures; returns them as (H, W, 3) uint8."""
    folder.mkdir(parents=True)
    pictures = [np.round(rgb.transpose(1, 2, 0) * 255).astype(np.uint8) for rgb in eye.rgb]
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{number:04d}.png"), picture[..., ::-1])
    return pictures


def predicted(
    weights: str | Path, side: int | None, pictures: list[np.ndarray], clip: StereoClip
) -> np.ndarray:
    """(T, H, W) disparity of single pictures, in pixels of the truth."""
    model = load_model(weights)
    size = network_size(WIDTH, HEIGHT, 1, model.spec, side)
    found = np.stack([_at_size(model.predict(frames_to_tensor([each], size))[0]) for each in pictures])
    scale, shift = fit_scale_shift(found, clip.disparity, ~clip.left.sky)
    fitted: np.ndarray = scale * found + shift
    return fitted


def _at_size(disparity: torch.Tensor) -> np.ndarray:
    resized: np.ndarray = cv2.resize(disparity.numpy(), (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return resized


def errors(disparity: np.ndarray, clip: StereoClip) -> tuple[float, float]:
    """Mean error in pixels, and AbsRel."""
    off = float(np.abs(disparity - clip.disparity)[~clip.left.sky].mean())
    return off, evaluate_clip(disparity, clip.left.depth, max_depth=80).abs_rel


def sheet(path: Path, picture: np.ndarray, truth: np.ndarray, *maps: np.ndarray) -> None:
    """Saves a picture beside maps of its disparity, all in the truth's range."""
    low, high = np.quantile(truth, (0.01, 0.99))
    grey = [np.clip((each - low) / (high - low) * 255, 0, 255).astype(np.uint8) for each in (truth, *maps)]
    shown = [cv2.applyColorMap(each, cv2.COLORMAP_TURBO) for each in grey]
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.hstack((picture[..., ::-1], *shown)))


def main() -> None:
    """Prints a line a clip and, last, the JSON line of the mean error after over that before."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clips", type=int, default=6)
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--size", type=int, help="shorter side of the network input; default: the model's")
    parser.add_argument("--moving", action="store_true", help="let things move by themselves")
    parser.add_argument("--spoiled", action="store_true", help="with highlights, haze and blur")
    parser.add_argument("--model", default="embedded", help="name or weights file")
    parser.add_argument("--first", type=int, default=FIRST, help="first seed")
    parser.add_argument("--pictures", type=Path, help="folder for sheets: picture, truth, before, after")
    options = parser.parse_args()
    rows = []
    print("clip      layout           median  error, px              AbsRel            held-out    minutes")
    for seed in count(options.first):
        if len(rows) == options.clips:
            break
        clip = render_stereo(
            seed, options.frames, HEIGHT, WIDTH, moving=options.moving, clean=not options.spoiled
        )
        if (near := float(np.quantile(clip.disparity, 0.99)) / WIDTH) > NEAREST:
            print(
                f"{seed} {clip.left.layout:16s} left out: a hundredth of it is nearer than {near:.2f} widths"
            )
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            pictures = write(folder / "left", clip.left)
            write(folder / "right", clip.right)
            start = time.perf_counter()
            result = adapt(
                folder / "left", folder / "adapted.safetensors", recipe="leftright", model=options.model,
                right=folder / "right", steps=options.steps, size=options.size,
            )  # fmt: skip
            minutes = (time.perf_counter() - start) / 60
            found = [predicted(w, options.size, pictures, clip) for w in (options.model, result.weights)]
        before, after = (errors(each, clip) for each in found)
        rows.append((*before, *after))
        both = [f"{a:7.4f} -> {b:.4f} ({b / a:.2f})" for a, b in zip(before, after, strict=True)]
        photometric = [terms["appearance"] for terms in (result.before, result.after)]
        print(
            f"{seed} {clip.left.layout:16s} {np.median(clip.disparity):5.1f} "
            f"{both[0]} {both[1]} "
            f"{photometric[0]:7.3f} -> {photometric[1]:.3f} {minutes:6.1f}",
            flush=True,
        )
        if options.pictures:
            first = [each[0] for each in (pictures, clip.disparity, *found)]
            sheet(options.pictures / f"{seed}.png", *first)
    px, rel, new_px, new_rel = map(statistics.mean, zip(*rows, strict=True))
    print(f"mean: {px:.3f} -> {new_px:.3f} px, AbsRel {rel:.4f} -> {new_rel:.4f} ({new_rel / rel:.2f})")
    print(
        json.dumps(
            {
                "benchmark": "leftright",
                "ratio": round(new_px / px, 4),
                "ours": round(new_px, 4),
                "baseline": round(px, 4),
                "unit": "px of disparity error",
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
