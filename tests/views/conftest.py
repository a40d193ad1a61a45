"""A finished job that views are made of."""

import cv2
import numpy as np
import pytest

import vdepth_core

COUNT, HEIGHT, WIDTH = 5, 64, 96


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """Five frames that pan over a random picture, beside their plates."""
    root = tmp_path_factory.mktemp("view")
    rng = np.random.default_rng(0)
    wide = cv2.GaussianBlur(rng.integers(0, 255, (HEIGHT, WIDTH + 20, 3), np.uint8), (0, 0), 2)
    (root / "plates").mkdir()
    for index in range(COUNT):
        cv2.imwrite(str(root / "plates" / f"shot.{index + 1001}.png"), wide[:, 2 * index : 2 * index + WIDTH])
    config = vdepth_core.EstimateConfig(model="embedded", method="framewise", size=64, device="cpu")
    vdepth_core.estimate(root / "plates", root / "job", config)
    return root / "job"
