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


def test_shot_without_a_window(blender, core_python, tmp_path, monkeypatch):
    """From a clip to a rendered frame; what is no clip is an error, which ends Blender with an exit code."""
    monkeypatch.syspath_prepend(ROOT / "examples")
    import shot_blender

    plates = tmp_path / "plates"
    plates.mkdir()
    image = bpy.data.images.new("plate", 96, 64)
    rng = np.random.default_rng(1)
    for number in (11, 12):
        image.pixels.foreach_set(rng.random(96 * 64 * 4).astype(np.float32))
        image.filepath_raw, image.file_format = str(plates / f"shot.{number:04d}.png"), "PNG"
        image.save()
    bpy.context.scene.vdepth.size = 64
    out = tmp_path / "frame.png"
    shot_blender.main(plates / "shot.0011.png", tmp_path / "depth", 1, out)
    rendered = bpy.data.images.load(str(out))
    assert tuple(rendered.size) == (96, 64)
    broken = tmp_path / "broken.mov"
    broken.write_bytes(b"no movie" * 99)
    with pytest.raises(RuntimeError, match="holds no pictures"):
        shot_blender.main(broken, tmp_path / "other", 1, out)
