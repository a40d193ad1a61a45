"""Processor time of Video Depth Anything's published plan over ours, with a random full-size network.

    python benchmarks/windowed.py [--frames 76] [--size 140x252]

The published plan sends all 32 frames of a window through the whole network; ours encodes a frame once.
Both stitch by the published rules, so the answers must be the same: the largest difference is printed, as a
share of their range, and so is how often a frame is encoded. One thread; time is the process's own, so that
others on the machine do not count.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from footage import machine

from vdepth_core.methods.windowed.align import chain
from vdepth_core.methods.windowed.method import Windowed
from vdepth_core.methods.windowed.options import WindowedOptions
from vdepth_core.methods.windowed.plan import plan_windows
from vdepth_core.models.sizing import resample_keeping_overshoot
from vdepth_core.models.video_depth_anything import VideoDepthAnythingModel
from vdepth_core.networks.depth_anything_v2 import TAKEN, Variant
from vdepth_core.networks.video_depth_anything import VideoDepthAnything
from vdepth_core.progress import Progress
from vdepth_core.store import DepthStore
from vdepth_core.types import ClipInfo, Frame, Shot
from vdepth_core.weights.catalogue import find_entry


class Footage:
    """A picture that is panned over, as a shot."""

    def __init__(self, count: int, size: tuple[int, int]) -> None:
        self.shot = Shot(0, 0, count)
        self.info = ClipInfo(Path("clip"), "movie", "clip", size[1], size[0], Fraction(1), Fraction(24))
        cells = np.random.default_rng(0).integers(0, 256, (size[0] // 7, size[1] // 7 + count, 3), np.uint8)
        self._wide = cells.repeat(7, 0).repeat(7, 1)

    def __len__(self) -> int:
        return len(self.shot)

    def picture(self, index: int) -> np.ndarray:
        """(H, W, 3) uint8."""
        return np.ascontiguousarray(self._wide[: self.info.height, 3 * index : 3 * index + self.info.width])

    def frames(self, start: int = 0, stop: int | None = None) -> Generator[Frame]:
        """Frames [start, stop)."""
        for index in range(start, len(self) if stop is None else stop):
            yield Frame(index, Fraction(index, 24), index, self.picture(index))


def random_model() -> tuple[VideoDepthAnythingModel, list[int]]:
    """The small network with random weights; how many frames each of its encoder passes has."""
    torch.manual_seed(0)
    network = VideoDepthAnything(Variant(384, 12, 64, (48, 96, 192, 384), TAKEN[12]))
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name.endswith(("pos_embed", "cls_token")):
                value.normal_(0, 0.2)
        network.head.get_parameter("scratch.output_conv2.2.bias").fill_(1.0)
    spec = find_entry("video-depth-anything-small").spec()
    model = VideoDepthAnythingModel(network, spec, "cpu", "fp32", None, resample_keeping_overshoot)
    passes: list[int] = []
    network.pretrained.register_forward_pre_hook(lambda _, given: passes.append(len(given[0])))
    return model, passes


def published(model: VideoDepthAnythingModel, footage: Footage, size: tuple[int, int]) -> np.ndarray:
    """Every window whole, then the published stitching."""
    plan = plan_windows(len(footage), published=True)
    pictures = torch.from_numpy(np.stack([footage.picture(index) for index in range(len(footage))]))
    frames = resample_keeping_overshoot(pictures, size)
    said = [model.decode(model.encode(frames[list(seen)])).numpy() for seen in plan.frames]
    found = chain(len(plan), lambda window, position: said[window][position])
    maps = []
    for frame in range(plan.count):
        parts = plan.parts(frame)
        aligned = [
            np.maximum(0, found.scale[window] * said[window][position] + found.shift[window])
            for window, position, _ in parts
        ]
        maps.append(sum(weight * part for (*_, weight), part in zip(parts, aligned, strict=True)))
    return np.stack(maps)


def ours(model: VideoDepthAnythingModel, footage: Footage, size: tuple[int, int]) -> np.ndarray:
    """The method, with the published rules."""
    method = Windowed(WindowedOptions(preset="published"))
    with tempfile.TemporaryDirectory() as folder, DepthStore(Path(folder), len(footage), *size) as store:
        method.run(footage, model, store, Progress())
        method.settle(footage.shot, model.spec, store, Progress())
        return store.final.read(0, len(footage))


def main() -> None:
    """Prints times, passes and difference, and, last, the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=76)
    parser.add_argument("--size", default="140x252", help="of the pictures, HxW, multiples of 14")
    arguments = parser.parse_args()
    height, width = (int(side) for side in arguments.size.split("x"))
    torch.set_num_threads(1)
    footage, (model, passes) = Footage(arguments.frames, (height, width)), random_model()
    model.predict(torch.rand(1, 3, height, width))  # the first pass costs more
    seconds, results = {}, {}
    for name, way in (("published", published), ("ours", ours)):
        passes.clear()
        began = time.process_time()
        results[name] = way(model, footage, (height, width))
        seconds[name] = time.process_time() - began
        print(f"{name}: {seconds[name]:.1f} s, {sum(passes) / len(footage):.2f} encoder passes a frame")
    difference = float(np.abs(results["ours"] - results["published"]).max() / np.ptp(results["published"]))
    print(f"largest difference {difference:.1e} of the range")
    facts = {
        "benchmark": "windowed",
        "ratio": round(seconds["published"] / seconds["ours"], 3),
        "ours": round(seconds["ours"], 1),
        "baseline": round(seconds["published"], 1),
        "unit": "s",
        "machine": machine(),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
