"""Frames a second of `--stream` over those of the published stream, with a random full-size network, one run.

    python benchmarks/stream.py [--frames 60] [--size 140x252] [--dtype fp32] [--device cpu]

Published, 31 frames' keys and values are made anew at every frame; ours are kept. Both attend to the same
frames at the same positions, so the answers must be the same: the largest difference is printed, as a share
of their range. Frames are counted from the 42nd on, when all that is kept is there; the two take turns,
frame by frame, on the same encoded frame, so that what else the machine does meets both alike. The head's
time is printed apart: the encoder is the same for both. On the CPU one thread, and its own time.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import torch
from footage import machine
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from windowed import Footage, random_model

from vdepth_core.networks.temporal_attention import TemporalAttention

FULL = 42  # frames from which on a stream looks back at as many as it ever does


class Recomputed:
    """The published cache: what keys and values are made of."""

    def __init__(self) -> None:
        self._seen: dict[int, Tensor] = {}
        self._count = 0

    def __call__(self, attention: TemporalAttention, z: Tensor) -> Tensor:
        """As `KeptFrames`."""
        now = self._count
        back = [0, *(max(0, frame) for frame in (now - 41, *range(now - 29, now)))] if now else []
        together = torch.cat([*(self._seen[frame] for frame in back), z], 1)
        together = together + attention.pos_encoder.pe[:, : together.shape[1]]
        q, k, v = (
            to(part).unflatten(2, (attention.heads, -1)).transpose(1, 2)
            for to, part in (
                (attention.to_q, together[:, -1:]),
                (attention.to_k, together),
                (attention.to_v, together),
            )
        )
        mixed = scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        self._seen[now] = z
        self._seen.pop(now - 41 if now > 41 else -1, None)
        self._count += 1
        out: Tensor = attention.to_out[0](mixed)
        return out


def main() -> None:
    """Prints times and difference, and, last, the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--size", default="140x252", help="of the pictures, HxW, multiples of 14")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="fp32")
    arguments = parser.parse_args()
    height, width = (int(side) for side in arguments.size.split("x"))
    torch.set_num_threads(1)
    footage, (model, _) = Footage(arguments.frames, (height, width)), random_model()
    network = model.network.to(arguments.device)
    gpu = arguments.device != "cpu"
    half = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(arguments.dtype)
    kept = {
        "ours": network.begin(),
        "published": [[Recomputed(), Recomputed()] for _ in range(4)],
    }
    encoding, seconds = 0.0, dict.fromkeys(kept, 0.0)
    answers: dict[str, list[np.ndarray]] = {name: [] for name in kept}

    def now() -> float:
        if gpu:
            torch.cuda.synchronize()
        return time.perf_counter() if gpu else time.process_time()

    with torch.inference_mode(), torch.autocast(arguments.device, half, enabled=half is not None):
        for index in range(arguments.frames):
            picture = torch.from_numpy(footage.picture(index)).permute(2, 0, 1)[None]
            began = now()
            features = network.encode(picture.to(arguments.device) / 255)
            spent = now() - began
            encoding += spent * (index >= FULL)
            for name in sorted(kept, reverse=bool(index % 2)):
                began = now()
                said = network.decode_next(features, kept[name])  # type: ignore[arg-type]
                seconds[name] += (now() - began) * (index >= FULL)
                answers[name].append(said.float().cpu().numpy())
    counted = arguments.frames - FULL
    rates = {name: counted / (encoding + spent) for name, spent in seconds.items()}
    print(f"encoder {encoding / counted * 1e3:.0f} ms a frame")
    for name, spent in seconds.items():
        print(
            f"{name}: head {spent / counted * 1e3:.0f} ms a frame, {rates[name]:.2f} frames a second in all"
        )
    ours, theirs = (np.concatenate(answers[name]) for name in ("ours", "published"))
    difference = float(np.abs(ours - theirs).max() / np.ptp(theirs))
    print(f"heads alone {seconds['published'] / seconds['ours']:.2f}; largest difference {difference:.1e}")
    facts = {
        "benchmark": "stream",
        "ratio": round(rates["ours"] / rates["published"], 3),
        "ours": round(rates["ours"], 2),
        "baseline": round(rates["published"], 2),
        "unit": "frames/s",
        "machine": machine(),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
