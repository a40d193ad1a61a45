"""One optimisation step of Monodepth2: a plain implementation of the published one over ours.

    python benchmarks/adapt_step.py [--batch 2] [--size 640x192] [--rounds 3] [--threads 1] [--frozen]

Both have the same networks and weights (ResNet-18 depth and pose), batch, poses from the pose network, loss
over four scales and optimiser. Plain is written as the paper's equations read: every scale and source
projects, compares and resizes by itself, and a pair of pictures goes through the pose network at a time.
CPU seconds count, the least of the rounds, which alternate. With ``--frozen`` normalisations keep their
statistics, as adaptation has it; else they are the batch's, as in training from nothing. Losses and gradients
of both are compared first, in double precision on smaller pictures, so that only rounding is left.
"""

from __future__ import annotations

import argparse
import copy
import json
import time

import torch
from footage import machine
from torch import Tensor, nn
from torch.nn import functional

from vdepth_core.learning.systems.scales import scales_of
from vdepth_core.learning.systems.system import Views
from vdepth_core.learning.systems.table import SYSTEMS
from vdepth_core.models.network_model import channels_last
from vdepth_core.networks.monodepth2 import Monodepth2
from vdepth_core.networks.monodepth2_pose import SeparatePose

OFFSETS = (-1, 1)


class PlainSsim(nn.Module):
    """SSIM' by padding and averaging, all five means every time."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """(B, 3, H, W) each -> the same."""
        x, y = (functional.pad(picture, (1, 1, 1, 1), mode="reflect") for picture in (x, y))
        mean_x, mean_y = functional.avg_pool2d(x, 3, 1), functional.avg_pool2d(y, 3, 1)
        spread_x = functional.avg_pool2d(x**2, 3, 1) - mean_x**2
        spread_y = functional.avg_pool2d(y**2, 3, 1) - mean_y**2
        both = functional.avg_pool2d(x * y, 3, 1) - mean_x * mean_y
        upper = (2 * mean_x * mean_y + 0.01**2) * (2 * both + 0.03**2)
        lower = (mean_x**2 + mean_y**2 + 0.01**2) * (spread_x + spread_y + 0.03**2)
        return ((1 - upper / lower) / 2).clamp(0, 1)


def plain_pose(network: nn.Module, first: Tensor, second: Tensor, invert: bool) -> Tensor:
    """Axis-angle and translation of a pair as a matrix, inverted where the second is the earlier one."""
    vector = network(torch.cat((first, second), 1))[:, 0]
    angle = torch.linalg.vector_norm(vector[:, :3], dim=1, keepdim=True)
    x, y, z = (vector[:, :3] / (angle + 1e-7)).unbind(1)
    c, s = angle[:, 0].cos(), angle[:, 0].sin()
    t = 1 - c
    rows = (
        (x * x * t + c, x * y * t - z * s, z * x * t + y * s),
        (x * y * t + z * s, y * y * t + c, y * z * t - x * s),
        (z * x * t - y * s, y * z * t + x * s, z * z * t + c),
    )
    turn = torch.eye(4).repeat(len(vector), 1, 1)
    turn[:, :3, :3] = torch.stack([torch.stack(row, 1) for row in rows], 1)
    move = torch.eye(4).repeat(len(vector), 1, 1)
    move[:, :3, 3] = -vector[:, 3:] if invert else vector[:, 3:]
    return turn.transpose(1, 2) @ move if invert else move @ turn


def plain_terms(
    depth: nn.Module, pose: nn.Module, target: Tensor, sources: list[Tensor], K: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """The published loss, scale by scale."""
    count, _, height, width = target.shape
    ssim = PlainSsim()

    def error(prediction: Tensor, wanted: Tensor) -> Tensor:
        gap = (wanted - prediction).abs().mean(1, True)
        return 0.85 * ssim(prediction, wanted).mean(1, True) + 0.15 * gap

    motions = [
        plain_pose(pose, *((source, target) if offset < 0 else (target, source)), offset < 0)
        for source, offset in zip(sources, OFFSETS, strict=True)
    ]
    v, u = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij")
    pixels = torch.stack((u.flatten(), v.flatten(), torch.ones(height * width))).repeat(count, 1, 1)
    total, picture = torch.zeros(()), target
    disparities = depth.all_scales(target)
    for scale, disparity in enumerate(disparities):
        if scale:
            picture = functional.avg_pool2d(picture, 2)
        large = functional.interpolate(disparity, (height, width), mode="bilinear", align_corners=False)
        z = 1 / (0.01 + 9.99 * large)
        reprojected, still = [], []
        for source, motion in zip(sources, motions, strict=True):
            points = torch.linalg.inv(K) @ pixels * z.view(count, 1, -1)
            points = torch.cat((points, torch.ones(count, 1, height * width)), 1)
            camera = torch.eye(4)
            camera[:3, :3] = K
            seen = (camera @ motion)[:, :3] @ points
            grid = (seen[:, :2] / (seen[:, 2:] + 1e-7)).view(count, 2, height, width).permute(0, 2, 3, 1)
            grid = torch.stack((grid[..., 0] / (width - 1), grid[..., 1] / (height - 1)), -1)
            warped = functional.grid_sample(
                source, (grid - 0.5) * 2, padding_mode="border", align_corners=True
            )
            reprojected.append(error(warped, target))
            still.append(error(source, target))
        least = torch.cat((*still, *reprojected), 1).min(1).values
        normal = disparity / (disparity.mean((2, 3), True) + 1e-7)
        across, down = (normal.diff(dim=k).abs() for k in (3, 2))
        across = across * (-picture.diff(dim=3).abs().mean(1, True)).exp()
        down = down * (-picture.diff(dim=2).abs().mean(1, True)).exp()
        total = total + least.mean() + 1e-3 * (across.mean() + down.mean()) / 2**scale
    return total / len(disparities), disparities


def our_terms(depth: nn.Module, pose: nn.Module, target: Tensor, sources: list[Tensor], K: Tensor) -> Tensor:
    """The same by the system, as training and adaptation run it."""
    system = SYSTEMS.create("monodepth2", SYSTEMS.read("monodepth2", {}))
    last = torch.channels_last
    disparities, convert = scales_of(depth, target.contiguous(memory_format=last))
    motion = system.read_poses(pose, target, sources, OFFSETS)
    views = Views(target, sources, K, motion.poses, disparities, convert)
    return torch.stack(list(system.terms(views, {}).values())).sum()


class Contender:
    """Networks, optimiser and a loss."""

    def __init__(self, depth: nn.Module, pose: nn.Module, loss: object, last: bool) -> None:
        networks = [copy.deepcopy(network) for network in (depth, pose)]
        self.depth, self.pose = (channels_last(network) if last else network for network in networks)
        self._loss = loss
        self.parameters = [*self.depth.parameters(), *self.pose.parameters()]
        self.optimiser = torch.optim.Adam(self.parameters, 1e-4)

    def loss(self, *data: object) -> Tensor:
        """Of a batch."""
        found = self._loss(self.depth, self.pose, *data)  # type: ignore[operator]
        return found[0] if isinstance(found, tuple) else found

    def step(self, *data: object) -> float:
        """CPU seconds of one step."""
        before = time.process_time()
        self.optimiser.zero_grad(set_to_none=True)
        self.loss(*data).backward()
        self.optimiser.step()
        return time.process_time() - before

    def gradient(self, *data: object) -> Tensor:
        """Of all parameters, in one row."""
        self.optimiser.zero_grad(set_to_none=True)
        self.loss(*data).backward()
        return torch.cat([p.grad.flatten() for p in self.parameters if p.grad is not None])


def contenders(depth: nn.Module, pose: nn.Module) -> tuple[Contender, Contender]:
    """The plain one and ours, of the same weights."""
    return Contender(depth, pose, plain_terms, last=False), Contender(depth, pose, our_terms, last=True)


def made(batch: int, width: int, height: int) -> tuple[Tensor, list[Tensor], Tensor]:
    """Random pictures that look a little alike, and the nominal camera."""
    rough = torch.rand(batch * 3, 3, height // 8, width // 8)
    pictures = functional.interpolate(rough, (height, width), mode="bicubic").clamp(0, 1)
    target, *sources = pictures.split(batch)
    K = torch.tensor([[0.58 * width, 0, 0.5 * width], [0, 1.92 * height, 0.5 * height], [0, 0, 1]])
    return target, [0.7 * target + 0.3 * source for source in sources], K


def main() -> None:
    """Compares, times and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--size", default="640x192", help="width x height")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--frozen", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    width, height = (int(side) for side in options.size.split("x"))
    torch.set_default_dtype(torch.float64)
    networks = [network.train(not options.frozen) for network in (Monodepth2(width=8), SeparatePose(width=8))]
    small = made(1, 128, 64)
    plain, ours = contenders(*networks)
    one, other = plain.gradient(*small), ours.gradient(*small)
    apart = float((one - other).norm() / one.norm())
    losses = [float(each.loss(*small).detach()) for each in (plain, ours)]
    print(f"losses apart by {abs(losses[0] - losses[1]):.1e} of {losses[0]:.4f}, gradients by {apart:.1e}")
    torch.set_default_dtype(torch.float32)
    plain, ours = contenders(
        *(network.train(not options.frozen) for network in (Monodepth2(), SeparatePose()))
    )
    data = made(options.batch, width, height)
    seconds = [[each.step(*data) for each in (plain, ours)] for _ in range(options.rounds)]
    best = [min(column) for column in zip(*seconds, strict=True)]
    print("CPU seconds a step, plain and ours:", *(f"{a:.2f} {b:.2f};" for a, b in seconds))
    print(
        json.dumps(
            {
                "benchmark": "adapt_step",
                "ratio": round(best[0] / best[1], 3),
                "ours": round(best[1], 3),
                "baseline": round(best[0], 3),
                "unit": "CPU s a step",
                "size": options.size,
                "batch": options.batch,
                "frozen": options.frozen,
                "gradients_apart": apart,
                "machine": machine(),
            }
        )
    )


if __name__ == "__main__":
    main()
