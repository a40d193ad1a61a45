"""Does a network with discrete disparities know where it is wrong? Its variance against its true error.

    python benchmarks/ddv_uncertainty.py [--minutes 8] [--scenes 24] [--held-out 8] [--threads 1]

Self-attention and discrete disparities (`networks.discrete.DiscreteDepth`) are attached to the embedded
model's encoder. For a fifth of the time the new decoder repeats what the embedded model says, then all of it
learns to reconstruct neighbouring frames of procedural clips of a still world, with their exact cameras
(scaled so that the median depth of each is .4), by the system ``ddv``; true depth is never shown. On clips
it has not seen, its standard deviation is ranked against the error of its disparity after scaling by the
medians: Spearman's correlation over the pixels of each picture, mean over the pictures. Beside it the same
of a guess that costs nothing, the disparity itself, and how fast the error falls when the most uncertain
pixels are left out (area between the sparsification curve and the best there is; 1: as at random, 0: as if
the truth were known).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass

import numpy as np
import torch
from footage import machine
from torch import Tensor, nn
from torch.nn.functional import interpolate

from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.geometry.camera_path import inverse_pose
from vdepth_core.learning.losses.resampling import bilinear
from vdepth_core.learning.losses.synthesis import index_matrix
from vdepth_core.learning.student import load_student
from vdepth_core.learning.systems.scales import scales_of
from vdepth_core.learning.systems.system import Views
from vdepth_core.learning.systems.table import SYSTEMS
from vdepth_core.networks.discrete import DiscreteDepth
from vdepth_core.networks.hybrid_depth import WIDTHS, HybridDepthNet
from vdepth_core.networks.tcmonodepth_small import CHANNELS
from vdepth_core.scenes import render_clip

FIRST, HELD_OUT = 700_000_000, 960_000_000  # seeds of scenes to learn from, and of those held out
SIZE = (96, 160)
RATE, ENCODER_RATE = 5e-4, 5e-5
REPEATING = 0.2  # share of the time
GAP = 6  # frames to a source: the picture moves by about a twentieth of its width
TYPICAL = 0.4  # depth that the median of each scene has; the networks' range is .1 to 100
LEAST = 0.05  # inverse depth: .125 of the median's
FAR = 60.0  # metres: beyond, truth does not count


@dataclass
class Scene:
    """Three frames of a still world."""

    frames: Tensor  # (3, 3, H, W)
    K: Tensor  # (3, 3) for pixel indices
    poses: list[Tensor]  # from the middle frame to the others, (4, 4)
    depth: np.ndarray  # (H, W) of the middle frame


class Features(nn.Module):
    """The embedded model's features at 1/2 to 1/32; its normalisations keep what they know."""

    channels = (*CHANNELS, WIDTHS[0])

    def __init__(self, network: HybridDepthNet) -> None:
        super().__init__()
        self.network = network

    def train(self, mode: bool = True) -> Features:
        return super().train(False)

    def forward(self, rgb: Tensor) -> list[Tensor]:  # (N, 3, H, W) in [0, 1]
        *maps, whole = self.network.maps(rgb)
        size = [side // 32 for side in rgb.shape[2:]]
        return [*maps, interpolate(whole, size=size, mode="bilinear", align_corners=False)]


def scene(seed: int) -> Scene:
    """Renders one, and keeps the middle frame and the outermost ones: neighbours hardly differ."""
    clip = render_clip(seed, 2 * GAP + 1, *SIZE, noise=False, moving=False, clean=True)
    poses = [torch.from_numpy(inverse_pose(clip.poses[k]) @ clip.poses[GAP]).float() for k in (0, 2 * GAP)]
    for pose in poses:
        pose[:3, 3] *= TYPICAL / float(np.median(clip.depth[GAP]))
    fx, fy, cx, cy = clip.K[0, 0], clip.K[1, 1], clip.K[0, 2], clip.K[1, 2]
    frames = torch.from_numpy(clip.rgb[[0, GAP, 2 * GAP]]).float()
    return Scene(frames, index_matrix(Intrinsics(fx, fy, cx, cy)).float(), poses, clip.depth[GAP])


def train(network: DiscreteDepth, scenes: list[Scene], minutes: float) -> int:
    """Learns for a while; the number of steps."""
    system = SYSTEMS.create("ddv", SYSTEMS.read("ddv", {}))
    new = [p for name, p in network.named_parameters() if not name.startswith("encoder.")]
    optimiser = torch.optim.Adam(
        [{"params": new, "lr": RATE}, {"params": network.encoder.parameters(), "lr": ENCODER_RATE}]
    )
    said = [repeated(one) for one in scenes]
    random = np.random.default_rng(0)
    began, steps, losses = time.process_time(), 0, list[float]()
    while (spent := time.process_time() - began) < 60 * minutes:
        chosen = [int(k) for k in random.choice(len(scenes), 4, replace=False)]
        batch = [scenes[k] for k in chosen]
        before, target, after = (torch.stack([one.frames[k] for one in batch]) for k in range(3))
        poses = [torch.stack([one.poses[k] for one in batch]) for k in range(2)]
        disparities, convert = scales_of(network, target)
        if spent < REPEATING * 60 * minutes:
            wanted = torch.stack([said[k] for k in chosen])
            sizes = [bilinear(d, SIZE) for d in disparities]
            loss = torch.stack([(convert(d).log() - wanted.log()).abs().mean() for d in sizes]).mean()
        else:
            K = torch.stack([one.K for one in batch])
            views = Views(target, [before, after], K, poses, disparities, convert)
            loss = torch.stack(list(system.terms(views, {}).values())).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        steps += 1
        losses.append(float(loss.detach()))
        if steps % 100 == 0:
            print(f"step {steps}: loss {np.mean(losses[-100:]):.4f}", flush=True)
    return steps


def repeated(one: Scene) -> Tensor:
    """The embedded model's inverse depth of a middle frame, with the typical median, (1, H, W)."""
    with torch.no_grad():
        disparity = load_student("embedded").network(one.frames[1:2])
    return (disparity / disparity.median() / TYPICAL).clamp(min=LEAST)


def ranks(values: np.ndarray) -> np.ndarray:
    """Place of each value among all, from 0."""
    places = np.empty(len(values))
    places[np.argsort(values, kind="stable")] = np.arange(len(values))
    return places


def left(error: np.ndarray, order: np.ndarray) -> float:
    """Mean error of what is left while pixels are left out in an order, mean over the course."""
    worst_first = error[order][::-1]
    return float((np.cumsum(worst_first) / np.arange(1, len(error) + 1)).mean())


def judged(network: DiscreteDepth, one: Scene) -> tuple[float, float, float, float]:
    """Rank correlation, that of the disparity alone, sparsification and AbsRel of a held-out scene."""
    with torch.no_grad():
        found = network.distributions(one.frames[1:2], finest=True)[0]
        inverse = network.inverse_depth(found.disparity)[0, 0].numpy().astype(np.float64)
        deviation = found.variance[0, 0].sqrt().numpy().astype(np.float64)
    known = np.isfinite(one.depth) & (one.depth < FAR)
    true = 1 / one.depth[known]
    scale = np.median(true) / np.median(inverse[known])
    error = np.abs(scale * inverse[known] - true)
    unsure = deviation[known]
    correlation, alone = (
        float(np.corrcoef(ranks(guess), ranks(error))[0, 1]) for guess in (unsure, inverse[known])
    )
    best, ours = left(error, np.argsort(-error)), left(error, np.argsort(-unsure))
    share = (ours - best) / max(float(error.mean()) - best, 1e-12)
    absrel = float(np.abs(1 / np.maximum(scale * inverse[known], 1e-3) * true - 1).mean())
    return correlation, alone, share, absrel


def main() -> None:
    """Trains, judges, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8.0, help="CPU minutes of training")
    parser.add_argument("--scenes", type=int, default=24)
    parser.add_argument("--held-out", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    scenes = [scene(FIRST + number) for number in range(options.scenes)]
    held = [scene(HELD_OUT + number) for number in range(options.held_out)]
    print(f"{len(scenes)} scenes to learn from, {len(held)} held out", flush=True)
    encoder = Features(load_student("embedded").network)
    network = DiscreteDepth(encoder, encoder.channels)
    before = np.array([judged(network.eval(), one) for one in held]).mean(0)
    steps = train(network.train(), scenes, options.minutes)
    each = np.array([judged(network.eval(), one) for one in held])
    after = each.mean(0)
    for name, row in (("random", before), ("trained", after)):
        print(
            f"{name}: rank correlation {row[0]:.3f} (of the disparity alone {row[1]:.3f}), "
            f"sparsification {row[2]:.3f}, AbsRel {row[3]:.3f}"
        )
    print("rank correlation of each picture:", *(f"{value:.2f}" for value in each[:, 0]))
    print(
        json.dumps(
            {
                "benchmark": "ddv_uncertainty",
                "ratio": round(float(after[0]), 3),
                "ours": round(float(after[0]), 3),
                "baseline": round(float(after[1]), 3),
                "unit": "Spearman's rank correlation of deviation and error",
                "sparsification": round(float(after[2]), 3),
                "absrel": [round(float(before[3]), 3), round(float(after[3]), 3)],
                "steps": steps,
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
