"""A growing pool of rendered scenes on disk: made once by worker processes, read many times.

A scene is decided by its seed, so the folder is only a cache: it may be deleted at any time.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import numpy as np

from ..files import atomic_path

HEIGHT, WIDTH = 216, 320  # pixels of a pooled scene; training crops are cut from it
LARGE = (288, 448)  # where a training goes on to large pictures
FRAMES = 2  # neighbours in time

Size = tuple[int, int]


def load_scene(folder: Path, seed: int, size: Size = (HEIGHT, WIDTH)) -> tuple[np.ndarray, np.ndarray]:
    """Reads scene ``seed``, or renders and stores it.

    Args:
        folder: The pool; all its scenes are of one size.
        seed: Decides everything in the scene.
        size: (height, width) of the scene, in pixels.

    Returns:
        rgb (T, H, W, 3) uint8 and disparity (T, H, W) float32 in 1/m, 0 for the sky.
    """
    path = folder / f"{seed:08d}.npz"
    if not path.exists():
        render_scene(folder, seed, size)
    with np.load(path) as data:
        return data["rgb"], data["disparity"].astype(np.float32)


def render_scene(folder: Path, seed: int, size: Size = (HEIGHT, WIDTH)) -> None:
    """Renders scene ``seed`` into the pool unless it is there; other processes never see half a file.

    Args:
        folder: The pool; all its scenes are of one size.
        seed: Decides everything in the scene.
        size: (height, width) of the scene, in pixels.
    """
    from ..scenes import render_clip

    path = folder / f"{seed:08d}.npz"
    if path.exists():
        return
    clip = render_clip(seed, FRAMES, *size, noise=False, moving=None)
    rgb = np.round(clip.rgb.transpose(0, 2, 3, 1) * 255).astype(np.uint8)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, rgb=rgb, disparity=(1 / clip.depth).astype(np.float16))


def _work(folder: Path, first: int, count: int, worker: int, workers: int, parent: int, size: Size) -> None:
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    for seed in range(first + worker, first + count, workers):
        if os.getppid() != parent:
            return
        render_scene(folder, seed, size)


class Renderers:
    """Background processes that fill the pool with seeds [first, first + count) in order."""

    def __init__(
        self, folder: Path, first: int, count: int, workers: int, size: Size = (HEIGHT, WIDTH)
    ) -> None:
        """``workers`` processes render scenes of ``size`` (height, width)."""
        folder.mkdir(parents=True, exist_ok=True)
        context = multiprocessing.get_context("spawn")
        self.processes = [
            context.Process(
                target=_work, args=(folder, first, count, k, workers, os.getpid(), size), daemon=True
            )
            for k in range(workers)
        ]
        for process in self.processes:
            process.start()

    def close(self) -> None:
        """Stops the processes."""
        for process in self.processes:
            process.terminate()
            process.join()


def wait_for(folder: Path, seed: int, renderers: Renderers | None, size: Size = (HEIGHT, WIDTH)) -> None:
    """Waits until scene ``seed`` is in the pool; renders it here if nobody else does.

    Args:
        folder: The pool.
        seed: Of the scene.
        renderers: Processes that fill the pool; None: there are none.
        size: (height, width) of the scene, in pixels.
    """
    path = folder / f"{seed:08d}.npz"
    while not path.exists():
        if renderers is None or not any(process.is_alive() for process in renderers.processes):
            render_scene(folder, seed, size)
            return
        time.sleep(0.05)
