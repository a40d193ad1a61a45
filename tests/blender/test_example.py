"""The example for Blender's Python, run as it stands."""

from pathlib import Path

import pytest

bpy = pytest.importorskip("bpy")
import numpy as np  # noqa: E402

ROOT = Path(__file__).parents[2]


def test_depth_pass(blender, demo_job, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "examples")
    import depth_pass_blender

    pictures = []
    for output in ("Image", "Fog"):
        blender.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
        path = tmp_path / f"{output}.png"
        depth_pass_blender.main(ROOT / "vdepth_core" / "demo" / "clip.mp4", demo_job, 4, path, output)
        image = bpy.data.images.load(str(path))
        pixels = np.empty(len(image.pixels), np.float32)
        image.pixels.foreach_get(pixels)
        pictures.append(pixels.reshape(image.size[1], image.size[0], 4)[..., :3])
    plate, fog = pictures
    assert plate.shape == (360, 640, 3)
    change = np.abs(fog - plate).mean(-1)
    assert change[240:].mean() > 2 * change[:60].mean()  # rows go up: the far wall is above
