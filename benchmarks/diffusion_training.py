"""Whether fine-tuning teaches a diffusion model depth, and whether snippets teach it more than single frames.

A small RollingDepth (published layout, random weights) gets an image coder that was fitted to procedural
pictures and depth, and is then trained by ``train-diffusion rolling``: on snippets of up to three frames, and
on as many single frames. Each is scored on scenes nobody trained on: three frames, some apart, in one
snippet, one scale and shift for all of them (``clip-lstsq``).

    python benchmarks/diffusion_training.py --folder runs/

What is in the folder already is not made again, so that the command may be stopped and repeated.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from vdepth_core.evaluation.temporal import consistency
from vdepth_core.files import write_bytes
from vdepth_core.flow.dis import DisFlow
from vdepth_core.learning.diffusion.scoring import Scored, score
from vdepth_core.learning.diffusion.targets import Snippet, target_of
from vdepth_core.models.registry import load_model
from vdepth_core.models.tiny import make_tiny
from vdepth_core.training.diffusion.footage import Split, procedural, whole
from vdepth_core.training.diffusion.lesson import sheet
from vdepth_core.training.diffusion.train import train_diffusion

SIZE = (64, 96)
FRAMES = 8  # of a scene
APART = (0, 3, 7)  # the frames whose depth is scored
IN_A_ROW = (2, 3, 4)  # those whose steadiness is
MAX_DEPTH = 80.0
CODER_BATCH = 12
UNET = {"block_out_channels": [32, 64], "attention_head_dim": [4, 8], "layers_per_block": 1}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=60)
    parser.add_argument("--coder-steps", type=int, default=600)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=4)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    folder, cache = arguments.folder, arguments.folder / "scenes"
    folder.mkdir(parents=True, exist_ok=True)
    data = procedural(cache, 0, arguments.scenes, FRAMES, SIZE)
    start = folder / "start"
    if not (start / "fitted.json").is_file():
        make_start(start, data, arguments.coder_steps)
    held = [whole(clip, APART, SIZE) for clip in data.held_out]
    row = [whole(clip, IN_A_ROW, SIZE) for clip in data.held_out]
    print(f"image coder: {json.loads((start / 'fitted.json').read_text())}")

    found = {"untrained": errors(start, held, row, folder)}
    runs = {"single frames": (1, 2 * arguments.batch), "snippets": (3, arguments.batch)}  # as many frames
    for name, (frames, batch) in runs.items():
        out = folder / name.replace(" ", "-")
        train(out, start, cache, arguments, frames, batch)
        found[name] = errors(out, held, row, folder)
    again = folder / "again"
    if not (again / "losses-snippets.csv").is_file():
        train(again, start, cache, arguments, 3, arguments.batch, steps=20)
    same = rows(again)[:20] == rows(folder / "snippets")[:20]
    print("\n| trained on | AbsRel | delta1 | each frame aligned by itself | rTC@1.05 | aTC |")
    print("|---|---|---|---|---|---|")
    for name, figures in found.items():
        print(f"| {name} | {' | '.join(f'{figure:.3f}' for figure in figures)} |")
    print(f"\nthe same seed again, 20 steps: {'the same losses' if same else 'OTHER losses'}")
    print(
        json.dumps(
            {
                "benchmark": "diffusion_training",
                "ratio": round(found["snippets"][0] / found["single frames"][0], 3),
                "ours": round(found["snippets"][0], 4),
                "baseline": round(found["single frames"][0], 4),
                "untrained": round(found["untrained"][0], 4),
                "unit": "AbsRel",
                "machine": platform.processor() or platform.machine(),
            }
        )
    )


def make_start(folder: Path, data: Split, steps: int) -> None:
    """A small RollingDepth whose image coder knows pictures and depth."""
    make_tiny("rollingdepth", folder)
    torch.manual_seed(0)
    config = dict(UNet2DConditionModel.load_config(folder / "unet")) | UNET
    UNet2DConditionModel.from_config(config).save_pretrained(folder / "unet")
    config = dict(AutoencoderKL.load_config(folder / "vae")) | {"block_out_channels": [16, 16, 32, 32]}
    coder: Any = AutoencoderKL.from_config(config)
    clips = [whole(clip, range(clip.count), SIZE) for clip in data.training]
    rgb = np.concatenate([clip.rgb * 2 - 1 for clip in clips])
    maps = np.concatenate([target_of(clip.disparity, "disparity").maps for clip in clips])
    pictures = torch.from_numpy(np.concatenate((rgb, np.repeat(maps[:, None], 3, 1))))
    optimiser = torch.optim.AdamW(coder.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 4e-3, steps)
    rng, started, lost = np.random.default_rng(0), time.process_time(), []
    for _ in range(steps):
        batch = pictures[torch.from_numpy(rng.integers(len(pictures), size=CODER_BATCH))]
        latents = coder.encode(batch).latent_dist.mean
        loss = (coder.decode(latents).sample - batch).abs().mean() + 1e-3 * latents.square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        lost.append(float(loss.detach()))
    with torch.no_grad():
        half = len(pictures) // 2
        depth = pictures[half::5]
        latents = coder.encode(depth).latent_dist.mean
        error = float((coder.decode(latents).sample.mean(1) - depth[:, 0]).abs().mean())
        scale = 1 / float(latents.std())
    coder.register_to_config(scaling_factor=scale)
    coder.save_pretrained(folder / "vae")
    facts = {"depth_error": round(error, 4), "loss": round(float(np.mean(lost[-50:])), 4)}
    facts["seconds"] = round(time.process_time() - started, 1)
    write_bytes(folder / "fitted.json", json.dumps(facts).encode())


def train(
    out: Path, start: Path, cache: Path, arguments: argparse.Namespace, frames: int, batch: int,
    steps: int | None = None,
) -> None:  # fmt: skip
    """A run, or what is left of it."""
    began, resume = time.process_time(), (out / "state-snippets.training").is_file()
    if out.is_dir() and not resume:
        shutil.rmtree(out)  # it had only begun
    train_diffusion(
        "rolling", ["procedural"], start, out, resume=resume, cache=cache, scenes=arguments.scenes,
        frames=FRAMES, height=SIZE[0], width=SIZE[1], batch=batch, at_once=batch, rate=2e-3, average=0.98,
        steps=steps or arguments.steps, every=125, held_out=6, device="cpu", threads=1, save=30.0,
        degrade=False, rolling_frames=frames,
    )  # fmt: skip
    print(f"{out.name}: {time.process_time() - began:.0f} s of processor time")


def errors(model: Path, held: list[Snippet], row: list[Snippet], folder: Path) -> tuple[float, ...]:
    """Mean AbsRel and delta1 of three frames on one scale, AbsRel of frames each on its own; rTC and aTC."""
    loaded = load_model(model)
    together = score(loaded, held, MAX_DEPTH)
    write_bytes(folder / f"{model.name}.png", sheet(held, together))
    alone = [
        per_frame(each.disparity[t], clip.disparity[t])
        for clip, each in zip(held, together, strict=True)
        for t in range(len(APART))
    ]
    mean = np.mean([(each.accuracy.abs_rel, each.accuracy.delta1) for each in together], 0)
    steady = [steadiness(clip, each) for clip, each in zip(row, score(loaded, row, MAX_DEPTH), strict=True)]
    return (*mean.tolist(), float(np.mean(alone)), *np.mean(steady, 0).tolist())


def steadiness(clip: Snippet, found: Scored) -> tuple[float, float]:
    """rTC@1.05 and aTC of depth in a row, on the clip's own scale."""
    flow = DisFlow("medium")
    disparity = np.maximum(found.disparity * found.accuracy.scale + found.accuracy.shift, 1 / MAX_DEPTH)
    pictures = np.round(clip.rgb.transpose(0, 2, 3, 1) * 255).astype(np.uint8)

    def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return flow.flow(*(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (a, b)))

    measured = consistency(1 / disparity, pictures, between)
    return measured.rtc[1.05], measured.atc


def per_frame(said: np.ndarray, disparity: np.ndarray) -> float:
    """AbsRel of one frame under its own scale and shift."""
    from vdepth_core.evaluation.accuracy import evaluate_clip

    with np.errstate(divide="ignore"):
        truth = np.where(disparity > 0, 1 / disparity, 0)
    return evaluate_clip([said], [truth], max_depth=MAX_DEPTH).abs_rel


def rows(out: Path) -> list[str]:
    """The losses of a run's steps, as written."""
    return [line.split(",")[1] for line in (out / "losses-snippets.csv").read_text().splitlines()[1:]]


if __name__ == "__main__":
    main()
