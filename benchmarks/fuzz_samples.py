"""The sound files that fuzz.py damages: clips of several codecs and kinds, depth maps with cameras, a job."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from vdepth_core.output.exr import write_exr

FRAMES, WIDTH, HEIGHT = 4, 96, 64
CODECS = {
    "shot.mp4": ("libx264", "yuv420p"), "shot.mov": ("prores_ks", "yuv422p10le"),
    "shot.mkv": ("ffv1", "yuv420p"), "shot.webm": ("libvpx-vp9", "yuv420p"),
    "shot.avi": ("mjpeg", "yuvj420p"), "shot.ts": ("mpeg2video", "yuv420p"), "qtrle.mov": ("qtrle", "rgb24"),
}  # fmt: skip
IMAGES = ("png", "jpg", "exr", "dpx", "tif", "tga", "webp")
CLIPS = (*CODECS, *(f"plates_{kind}" for kind in IMAGES))
MAPS = ("pred.npz", "pred.npy", "maps_png", "maps_exr", "maps_npy", "rgbd", "rgbd_exr")
JOB = "job"
JOB_OPTIONS = (  # exporting the network for another runtime takes seconds, and knows nothing of the input
    "--model", "embedded", "--device", "cpu", "--size", "64", "--keep-store", "--runtime", "torch",
)  # fmt: skip


def make_samples(root: Path) -> None:
    """Writes all but the job into ``root``."""
    root.mkdir()
    wide = np.random.default_rng(0).integers(0, 255, (8, 16, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    pictures = [np.ascontiguousarray(wide[:, 4 * t : 4 * t + WIDTH]) for t in range(FRAMES)]
    for name, (codec, pixels) in CODECS.items():
        _movie(root / name, codec, pixels, pictures)
    for kind in IMAGES:
        folder = root / f"plates_{kind}"
        folder.mkdir()
        for number, picture in enumerate(pictures):
            _image(folder / f"p.{1001 + number}.{kind}", picture)
    ramp = np.linspace(1, 5, HEIGHT, dtype=np.float32)[:, None].repeat(WIDTH, 1)
    _maps(root, [ramp + np.float32(t) / 10 for t in range(FRAMES)], pictures)


def _movie(path: Path, codec: str, pixels: str, pictures: list[np.ndarray]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(24))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        stream.thread_count = 1
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))


def _image(path: Path, rgb: np.ndarray) -> None:
    if path.suffix in (".dpx", ".tga"):
        import OpenImageIO as oiio

        buffer = oiio.ImageBuf(np.ascontiguousarray(rgb))
        buffer.write(str(path))
    elif path.suffix == ".exr":
        linear = (rgb / np.float32(255)).astype(np.float32)
        write_exr(path, {name: linear[..., i] for i, name in enumerate("RGB")}, {})
    else:
        cv2.imwrite(str(path), rgb[..., ::-1])


def _maps(root: Path, depth: list[np.ndarray], pictures: list[np.ndarray]) -> None:
    np.savez_compressed(root / "truth.npz", depth=np.stack(depth))
    np.savez_compressed(root / "pred.npz", depth=np.stack(depth) * 2)
    np.save(root / "pred.npy", np.stack(depth))
    for kind in ("png", "exr", "npy"):
        folder = root / f"maps_{kind}"
        folder.mkdir()
        for number, values in enumerate(depth):
            _map(folder / f"d.{number:04d}.{kind}", values)
    for name, kind in (("rgbd", "png"), ("rgbd_exr", "exr")):
        folder = root / name
        for part in ("depth", "color"):
            (folder / part).mkdir(parents=True)
        for number, (values, picture) in enumerate(zip(depth, pictures, strict=True)):
            _map(folder / "depth" / f"{number:06d}.{kind}", values)
            _image(folder / "color" / f"{number:06d}.jpg", picture)
        camera = np.array([[80, 0, WIDTH / 2], [0, 80, HEIGHT / 2], [0, 0, 1]])
        np.savetxt(folder / "K.txt", camera)
        poses = np.tile(np.eye(4), (FRAMES, 1, 1))
        poses[:, 0, 3] = np.arange(FRAMES) / 50
        np.savetxt(folder / "poses_cam_to_world.txt", poses.reshape(FRAMES, 16))


def _map(path: Path, values: np.ndarray) -> None:
    if path.suffix == ".png":
        cv2.imwrite(str(path), (values * 1000).astype(np.uint16))
    elif path.suffix == ".npy":
        np.save(path, values)
    else:
        write_exr(path, {"Z": values, "Y": 1 / values}, {})
