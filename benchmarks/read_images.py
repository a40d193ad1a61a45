"""What a frame of an image sequence costs to read: OpenImageIO against each format's own library.

    python benchmarks/read_images.py [--height 1080]

CPU milliseconds a frame, all threads counted, best of several, at the given height: PNG, TIFF, JPEG and BMP
against OpenCV, DPX against FFmpeg through PyAV, EXR against the official OpenEXR module; pixel for pixel they
are the same. Then the peak memory of taking one layer out of an EXR of 24: the OpenEXR module reads all of
it. The ratio is the mean of ours over the others' time. (Linux only.)
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import OpenEXR
from footage import machine

from vdepth_core.clip.images import read_image

REPEATS, LAYERS = 6, 24


def write_frames(folder: Path, height: int) -> list[Path]:
    """One frame in every format: broad forms with a camera's noise."""
    rng, width = np.random.default_rng(0), height * 16 // 9
    coarse = rng.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    picture = np.clip(smooth + rng.normal(0, 2, smooth.shape), 0, 255).astype(np.uint8)
    paths = [folder / f"frame.{suffix}" for suffix in ("png", "jpg", "tif", "bmp")]
    for path in paths:
        cv2.imwrite(str(path), picture[..., ::-1])
    cv2.imwrite(str(folder / "deep.png"), picture[..., ::-1].astype(np.uint16) * 257)
    codec = av.CodecContext.create("dpx", "w")
    codec.width, codec.height, codec.pix_fmt, codec.time_base = width, height, "gbrp10be", Fraction(1, 24)
    frame = av.VideoFrame.from_ndarray(picture.astype(np.uint16) * 257, format="rgb48le")
    frame = frame.reformat(format="gbrp10be")
    frame.pts = 0
    (folder / "frame.dpx").write_bytes(bytes(codec.encode(frame)[0]))
    light = ((picture / 255) ** 2.2).astype(np.float16)
    for name in ("NO", "ZIP", "ZIPS", "PIZ", "DWAA"):
        write_exr(folder / f"{name.lower()}.exr", {"RGB": light}, name)
        paths.append(folder / f"{name.lower()}.exr")
    layers = {
        f"layer{number}.{channel}": np.ascontiguousarray(light[..., k])
        for number in range(LAYERS - 1)
        for k, channel in enumerate("RGB")
    }
    beauty = {f"beauty.{channel}": np.ascontiguousarray(light[..., k]) for k, channel in enumerate("RGB")}
    write_exr(folder / "layers.exr", layers | beauty, "ZIP")
    return [*paths[:4], folder / "deep.png", folder / "frame.dpx", *paths[4:]]


def write_exr(path: Path, channels: dict[str, np.ndarray], compression: str) -> None:
    """A scanline EXR."""
    header = {"compression": getattr(OpenEXR, f"{compression}_COMPRESSION"), "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, channels) as file:
        file.write(str(path))


def ours(path: Path) -> np.ndarray:
    """The product's reader."""
    return read_image(path).pixels


def theirs(path: Path) -> np.ndarray:
    """The format's own library."""
    if path.suffix == ".exr":
        with OpenEXR.File(str(path)) as file:
            channels = {name: channel.pixels for name, channel in file.channels().items()}
        return channels["RGB"] if "RGB" in channels else channels["beauty"]
    if path.suffix == ".dpx":
        with av.open(str(path), format="dpx_pipe") as container:
            return next(container.decode(video=0)).to_ndarray(format="rgb48le")
    data = np.frombuffer(path.read_bytes(), np.uint8)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
    return cv2.cvtColor(cv2.imdecode(data, flags), cv2.COLOR_BGR2RGB)


def milliseconds(read: Callable[[Path], np.ndarray], path: Path) -> float:
    """CPU time of one read, the best of several."""
    read(path)
    times = []
    for _ in range(REPEATS):
        began = time.process_time()
        read(path)
        times.append(time.process_time() - began)
    return 1000 * min(times)


def _peak(read: Callable[[Path], np.ndarray], path: Path) -> float:
    before = _high_water()
    read(path)
    return (_high_water() - before) / 1024


def _high_water() -> int:
    """Kilobytes; unlike getrusage's, of this program alone and not of what started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))


def peak(read: Callable[[Path], np.ndarray], path: Path) -> float:
    """Megabytes that one read adds to a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (read, path))


def main() -> None:
    """Prints both tables and one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--height", type=int, default=1080)
    height = parser.parse_args().height
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        paths = write_frames(Path(folder), height)
        print(f"CPU milliseconds a frame, {height * 16 // 9}x{height}: OpenImageIO, the format's own library")
        for path in paths:
            assert np.array_equal(ours(path), theirs(path)), path.name
            mine, other = milliseconds(ours, path), milliseconds(theirs, path)
            ratios.append(mine / other)
            print(f"    {path.name:<12} {mine:7.1f} {other:7.1f}")
        layers = Path(folder) / "layers.exr"
        one, all_ = peak(ours, layers), peak(theirs, layers)
        print(f"Peak of one layer of {LAYERS}: {one:.0f} MB, {all_:.0f} MB")
    line = {
        "benchmark": "read_images", "ratio": round(statistics.geometric_mean(ratios), 3),
        "ours": round(one, 1), "baseline": round(all_, 1), "unit": "MB", "machine": machine(),
    }  # fmt: skip
    print(json.dumps(line))


if __name__ == "__main__":
    main()
