"""The background script: several clips, one of them broken, scenes for each, exit codes."""

import math
import random
from pathlib import Path

import pytest

FRAMES = 3


@pytest.fixture
def plates(blender, tmp_path):
    """Makes three small noisy images, numbered from 11."""

    def make(folder: str) -> Path:
        (tmp_path / folder).mkdir()
        image = blender.data.images.new("plate", 96, 64)
        for number in range(11, 11 + FRAMES):
            noise = random.Random(number)
            image.pixels.foreach_set(
                [0.5 + 0.4 * math.sin(i / 37) + 0.1 * noise.random() for i in range(96 * 64 * 4)]
            )
            image.filepath_raw = str(tmp_path / folder / f"shot.{number:04d}.png")
            image.file_format = "PNG"
            image.save()
        blender.data.images.remove(image)
        return tmp_path / folder / "shot.0011.png"

    return make


def test_broken_clip_does_not_stop_the_others(blender, core_python, plates, tmp_path, capfd) -> None:
    from blender_addon import batch

    broken = tmp_path / "broken.mov"
    broken.write_bytes(b"no movie" * 99)
    one, two = plates("a"), plates("b")
    out, blend = tmp_path / "depth", tmp_path / "shots.blend"
    words = ["--clip", str(broken), "--clip", str(one), "--clip", str(two), "--out", str(out)]
    words += ["--preset", "draft", "--size", "64", "--normals", "--mesh", "--compositor"]
    words += ["--render", str(tmp_path / "frames"), "--scale", "100", "--save", str(blend)]
    assert batch.run(words) == 3
    said = capfd.readouterr()
    assert "broken: broken.mov holds no pictures that Blender can read: choose another file." in said.err
    assert "Traceback" not in said.out + said.err
    names = [f"shot_{kind}.{n:04d}.exr" for kind in ("depth", "disparity", "normal") for n in (11, 12, 13)]
    for folder in ("shot", "shot_2"):  # two clips of one name
        assert {path.name for path in (out / folder).glob("*.exr")} == set(names)
    assert len(blender.data.scenes) == 3
    assert [obj.type for obj in blender.data.scenes[-1].objects].count("MESH") == 1
    for folder in ("shot", "shot_2"):
        assert len(list((tmp_path / "frames" / folder).glob("*.png"))) == FRAMES
    assert blend.is_file()


def test_setup_is_set_up_shot(blender, core_python, plates, tmp_path) -> None:
    from blender_addon import batch, compat

    words = ["--clip", str(plates("a")), "--out", str(tmp_path / "depth"), "--preset", "draft"]
    assert batch.run([*words, "--size", "64", "--setup"]) == 0
    scene = blender.data.scenes[0]
    assert [obj.type for obj in scene.objects].count("MESH") == 1
    assert scene.render.resolution_x == 96
    assert compat.compositor_tree(scene) is not None


def test_clips_of_the_file_are_taken_without_clip(blender, core_python, plates, tmp_path) -> None:
    from blender_addon import batch

    clip = blender.data.movieclips.load(str(plates("a")))
    assert batch.run(["--out", str(tmp_path / "depth"), "--preset", "draft", "--size", "64"]) == 0
    assert Path(clip.vdepth.manifest) == tmp_path / "depth" / "shot" / "manifest.json"


def test_bad_usage_is_2(blender, capfd) -> None:
    from blender_addon import batch

    assert batch.run([]) == 2
    assert batch.run(["--preset", "fastest"]) == 2
    assert batch.run(["--help"]) == 0
    assert "No clip is given" in capfd.readouterr().err
