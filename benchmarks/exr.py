"""How fast depth frames become EXR files: our writer against FFmpeg's EXR encoder through PyAV.

    python benchmarks/exr.py

Both write the same planes at 1280x720, 32-bit float, ZIP in blocks of 16 lines, every bit kept, one thread,
to the same folder, flushed to disk. The pictures are what a job writes: a smooth low-resolution map with
steps, brought to full size by the product's own edge-aware up-sampling. Counted is what goes in: megabytes of
pixels, all channels, a second.

Three rows: three different planes each (depth, disparity and a second depth) as R G B, where the channel
count is equal; the product's own file with depth three times (X, Y and Z) against the encoder's single grey
channel; and that file by ZIP and by PXR24, a job's default. The ratio is the first row's.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from vdepth_core.output.exr import read_exr, write_exr
from vdepth_core.output.finish import DepthMapping, DisparityRange, Upsampler

WIDTH, HEIGHT = 1280, 720
FRAMES, REPEATS = 3, 5
ATTRIBUTES = {"framesPerSecond": Fraction(24), "vdepth/quantity": "depth", "vdepth/near": 1.0}


def planes(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Depth and disparity (HEIGHT, WIDTH) of slanted ellipses over a floor, guided by a textured plate."""
    rng = np.random.default_rng(seed)
    v, u = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    disparity = 0.1 + 0.5 * np.clip((v - 250) / 470, 0, 1)
    plate = 60 + 40 * np.sin(u / 37)[..., None] + np.zeros(3, np.float32)
    for _ in range(12):
        x, y, a, b = rng.uniform((0, 0, 40, 40), (WIDTH, HEIGHT, 220, 200))
        inside = ((u - x) / a) ** 2 + ((v - y) / b) ** 2 < 1
        disparity[inside] = (rng.uniform(0.2, 0.9) + 4e-4 * (u - x))[inside]
        plate[inside] = rng.uniform(0, 255, 3)
    plate += rng.normal(0, 3, plate.shape)
    small = cv2.GaussianBlur(cv2.resize(disparity, (448, 256), interpolation=cv2.INTER_AREA), (0, 0), 1.0)
    small += rng.normal(0, 1e-3, small.shape).astype(np.float32)  # a network's output is not analytic
    full = Upsampler(0.8)(small, np.clip(plate, 0, 255).astype(np.uint8))
    return DepthMapping("affine_invariant", DisparityRange(0.1, 0.9), 1.0, 100.0).depth(full), full


def write_ours(path: Path, channels: dict[str, np.ndarray]) -> None:
    """One file by the product's writer (atomic and flushed)."""
    write_exr(path, channels, ATTRIBUTES, "zip")


def write_ffmpeg(path: Path, channels: dict[str, np.ndarray]) -> None:
    """One file by FFmpeg's encoder: R G B as gbrpf32, Y as grayf32."""
    pixels = "gbrpf32le" if "R" in channels else "grayf32le"
    encoder = av.CodecContext.create("exr", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT, pixels
    encoder.time_base = Fraction(1, 24)
    encoder.thread_count = 1
    encoder.options = {"compression": "zip16", "format": "float"}
    frame = av.VideoFrame(WIDTH, HEIGHT, pixels)
    for plane, name in zip(frame.planes, ("G", "B", "R") if "R" in channels else ("Y",), strict=True):
        plane.update(channels[name].tobytes())
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    with path.open("wb") as file:
        for packet in packets:
            file.write(bytes(packet))
        file.flush()
        os.fsync(file.fileno())


def speed(write: Callable[[Path, dict[str, np.ndarray]], None], path: Path, files: list[dict]) -> float:
    """Pixel megabytes a second over ``files``."""
    start = time.perf_counter()
    for channels in files:
        write(path, channels)
    seconds = time.perf_counter() - start
    return sum(plane.nbytes for channels in files for plane in channels.values()) / 1e6 / seconds


def main() -> None:
    """Measures, checks that both files hold the same bits, and prints one JSON line last."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    made = [planes(seed) for seed in range(FRAMES)]
    again = [made[(index + 1) % FRAMES][0] for index in range(FRAMES)]
    rows = {
        "R G B, three planes": (
            [{"R": z, "G": y, "B": x} for (z, y), x in zip(made, again, strict=True)],
            [{"R": z, "G": y, "B": x} for (z, y), x in zip(made, again, strict=True)],
        ),
        "X Y Z against Y": ([dict.fromkeys("XYZ", z) for z, _ in made], [{"Y": z} for z, _ in made]),
    }
    print(f"{WIDTH}x{HEIGHT}, float32, ZIP 16 lines, 1 thread each, {REPEATS} x {FRAMES} frames, flushed")
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        ours_path, theirs_path = Path(folder) / "ours.exr", Path(folder) / "theirs.exr"
        for name, (ours, theirs) in rows.items():
            speeds: tuple[list[float], list[float]] = ([], [])
            for _ in range(REPEATS):  # taking turns, so that a busy machine troubles both
                speeds[0].append(speed(write_ours, ours_path, ours))
                speeds[1].append(speed(write_ffmpeg, theirs_path, theirs))
            mine, baseline = read_exr(ours_path)[0], read_exr(theirs_path)[0]
            for channel, pixels in baseline.items():
                np.testing.assert_array_equal(pixels, mine[channel])
            sizes = [path.stat().st_size / 1e6 for path in (ours_path, theirs_path)]
            for who, values, size in zip(("vdepth", "PyAV"), speeds, sizes, strict=True):
                print(
                    f"{name:22} {who:7} best {max(values):7.1f}  median {statistics.median(values):7.1f} MB/s"
                    f"  {size:.2f} MB a file"
                )
            results[name] = [statistics.median(values) for values in speeds]
        for compression in ("zip", "pxr24"):
            seconds = []
            for _ in range(REPEATS):
                began = time.process_time()
                for channels in rows["X Y Z against Y"][0]:
                    write_exr(ours_path, channels, ATTRIBUTES, compression)
                seconds.append((time.process_time() - began) / FRAMES)
            size = ours_path.stat().st_size / 1e6
            print(
                f"X Y Z by {compression:5} {1e3 * statistics.median(seconds):6.1f} ms of CPU"
                f"  {size:.2f} MB a file"
            )
    ours_speed, their_speed = results["R G B, three planes"]
    print(
        json.dumps(
            {
                "benchmark": "exr",
                "ratio": round(ours_speed / their_speed, 2),
                "ours": round(ours_speed, 1),
                "baseline": round(their_speed, 1),
                "unit": "MB/s",
                "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
            }
        )
    )


if __name__ == "__main__":
    main()
