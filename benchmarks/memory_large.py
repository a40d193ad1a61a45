"""Peak resident memory of `vdepth estimate` on a few 8K frames, every thread's work included.

    python benchmarks/memory_large.py [--size 7680x4320] [--kind h264|hdr|exr] [--shots N] [options]

Full-size frames are what costs: 8K is 100 MB as 8-bit RGB and 133 MB a float plane. The figure is the peak
the kernel counts for the process (VmHWM, so Linux only), with the embedded model and every default but the
options of `estimate` that follow.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np
from footage import machine, make_clip

LIMIT_GB = 2.5


def make_hdr(path: Path, width: int, height: int, frames: int) -> Path:
    """A PQ movie of 10 bits, 4:2:2, as cameras deliver it."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("prores_ks", rate=24)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv422p10le"
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace = 16, 9, 9
        ramp = np.linspace(0.2, 0.7, width)[None, :, None] * np.linspace(0.7, 1, height)[:, None, None]
        for index in range(frames):
            codes = (np.roll(ramp, 8 * index, 1) * [65535, 60000, 55000]).astype(np.uint16)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(codes, "rgb48le")))
        container.mux(stream.encode(None))
    return path


def make_exr(folder: Path, width: int, height: int, frames: int) -> Path:
    """A scene-linear half-float plate."""
    import OpenEXR

    ramp = np.linspace(0.02, 2, width)[None, :, None] * np.linspace(0.5, 1, height)[:, None, None]
    for index in range(frames):
        pixels = np.ascontiguousarray((np.roll(ramp, 8 * index, 1) * [1, 0.8, 0.6]).astype(np.float16))
        header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
        OpenEXR.File(header, {"RGB": pixels}).write(str(folder / f"plate.{1001 + index}.exr"))
    return folder / "plate.####.exr"


def peak_gb(command: list[str]) -> float:
    """Runs ``command`` to its end and returns its peak resident memory in GB."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    status, peak = Path(f"/proc/{process.pid}/status"), 0
    while process.poll() is None:
        # Not ru_maxrss: a child inherits its parent's.
        lines = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        peak = max([peak, *(int(line.split()[1]) for line in lines)])
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return peak * 1024 / 1e9


def main() -> None:
    """Prints the peak and, last, the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--shots", type=int, default=1, help="of the h264 clip")
    parser.add_argument("--size", default="7680x4320")
    parser.add_argument("--kind", choices=["h264", "hdr", "exr"], default="h264")
    arguments, options = parser.parse_known_args()
    width, height = map(int, arguments.size.split("x"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if arguments.kind == "h264":
            clip = make_clip(folder / "large.mp4", width, height, arguments.frames, arguments.shots)
        elif arguments.kind == "hdr":
            clip = make_hdr(folder / "large.mov", width, height, arguments.frames)
        else:
            clip = make_exr(folder, width, height, arguments.frames)
        command = [sys.executable, "-m", "vdepth_core", "estimate", str(clip), "-o", str(folder / "out")]
        peak = peak_gb([*command, *options])
    what = f"{arguments.frames} frames in {arguments.shots} shots"
    print(f"{arguments.kind} {width}x{height}, {what}: peak {peak:.2f} GB")
    facts = {
        "benchmark": f"memory_large_{arguments.kind}",
        "ratio": round(peak / LIMIT_GB, 3),
        "ours": round(peak, 2),
        "baseline": LIMIT_GB,
        "unit": "GB",
        "machine": machine(),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
