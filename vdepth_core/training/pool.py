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

HEIGHT, WIDTH = 288, 448  # pixels of a pooled scene; training crops are cut from it
FRAMES = 2  # neighbours in time


def load_scene(folder: Path, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Reads scene ``seed``, or renders and stores it.

    Args:
        folder: The pool.
        seed: Decides everything in the scene.

    Returns:
        rgb (T, H, W, 3) uint8 and disparity (T, H, W) float32 in 1/m, 0 for the sky.
    """
    path = folder / f"{seed:08d}.npz"
    if not path.exists():
        render_scene(folder, seed)
    with np.load(path) as data:
        return data["rgb"], data["disparity"].astype(np.float32)


def render_scene(folder: Path, seed: int) -> None:
    """Renders scene ``seed`` into the pool unless it is there; other processes never see half a file.

    Args:
        folder: The pool.
        seed: Decides everything in the scene.
    """
    from ..scenes import render_clip

    path = folder / f"{seed:08d}.npz"
    if path.exists():
        return
    clip = render_clip(seed, FRAMES, HEIGHT, WIDTH, noise=False, moving=None)
    rgb = np.round(clip.rgb.transpose(0, 2, 3, 1) * 255).astype(np.uint8)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez(file, rgb=rgb, disparity=(1 / clip.depth).astype(np.float16))


def _work(folder: Path, first: int, count: int, worker: int, workers: int, parent: int) -> None:
    import cv2
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    for seed in range(first + worker, first + count, workers):
        if os.getppid() != parent:
            return
        render_scene(folder, seed)


class Renderers:
    """Background processes that fill the pool with seeds [first, first + count) in order."""

    def __init__(self, folder: Path, first: int, count: int, workers: int) -> None:
        """``workers`` processes render scenes."""
        folder.mkdir(parents=True, exist_ok=True)
        context = multiprocessing.get_context("spawn")
        self.processes = [
            context.Process(target=_work, args=(folder, first, count, k, workers, os.getpid()), daemon=True)
            for k in range(workers)
        ]
        for process in self.processes:
            process.start()

    def close(self) -> None:
        """Stops the processes."""
        for process in self.processes:
            process.terminate()
            process.join()


def wait_for(folder: Path, seed: int, renderers: Renderers | None) -> None:
    """Waits until scene ``seed`` is in the pool; renders it here if nobody else does.

    Args:
        folder: The pool.
        seed: Of the scene.
        renderers: Processes that fill the pool; None: there are none.
    """
    path = folder / f"{seed:08d}.npz"
    while not path.exists():
        if renderers is None or not any(process.is_alive() for process in renderers.processes):
            render_scene(folder, seed)
            return
        time.sleep(0.05)
