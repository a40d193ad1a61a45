"""Files that ask to be turned: the depth lies as Blender shows the picture, whatever other programs do."""

import subprocess

import pytest

# A bright quarter at the left top of what is stored, in a movie or image that asks for a turn.
WRITE = """
import sys
from fractions import Fraction

import av
import numpy as np
from PIL import Image

path, kind = sys.argv[1:]
picture = np.zeros((64, 96, 3), np.uint8)
picture[:32, :48] = 255
if kind == "exif":
    stored = Image.fromarray(picture)
    exif = stored.getexif()
    exif[274] = 3
    stored.save(path, exif=exif)
else:
    a, b = {"90": (0, 1), "180": (-1, 0), "mirrored": (-1, 0)}[kind]
    c, d = (0, 1) if kind == "mirrored" else (-b, a)
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(24))
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.set_display_matrix([a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30])
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
"""
# What the core sees then: its size, and which corner is bright.
READ = """
import sys

import vdepth_core

clip = vdepth_core.open_clip(sys.argv[1], orientation=sys.argv[2])
picture = next(clip.read()).rgb
h, w = picture.shape[:2]
bright = [bool(picture[y, x, 0] > 128) for y in (h // 4, -h // 4) for x in (w // 4, -w // 4)]
print(w, h, bright)
"""


@pytest.mark.parametrize("kind", ["90", "180", "mirrored", "exif"])
def test_the_core_is_asked_for_what_blender_shows(blender, core_python, tmp_path, kind):
    from blender_addon.scene.source import make_request

    path = tmp_path / ("a_0001.jpg" if kind == "exif" else "a.mp4")
    subprocess.run([core_python, "-c", WRITE, str(path), kind], check=True)
    clip = blender.data.movieclips.load(str(path))
    request = make_request(blender.context, clip)
    read = [core_python, "-c", READ, str(path), request.orientation]
    said = subprocess.run(read, capture_output=True, text=True, check=True).stdout.strip()
    image = blender.data.images.load(str(path))
    width, height = image.size
    assert (width, height) == tuple(clip.size)
    red = list(image.pixels)[::4]  # from the left bottom on

    def bright(x, y):
        return red[(height - 1 - y) * width + x] > 0.5

    corners = [bright(x, y) for y in (height // 4, height * 3 // 4) for x in (width // 4, width * 3 // 4)]
    assert said == f"{width} {height} {corners}"
    assert sum(corners) == 1


def test_depth_of_the_picture_turned_otherwise_is_refused(blender, core_python, tmp_path):
    from blender_addon.result.manifest import ResultError
    from blender_addon.scene.active import result_of

    path = tmp_path / "a.mp4"
    subprocess.run([core_python, "-c", WRITE, str(path), "mirrored"], check=True)
    clip = blender.data.movieclips.load(str(path))
    clip.vdepth.manifest = str(tmp_path / "out" / "manifest.json")
    estimate = [
        *(core_python, "-m", "vdepth_core", "estimate", str(path), "-o", str(tmp_path / "out")),
        *("--preset", "draft", "--size", "64", "--overwrite"),
    ]
    subprocess.run(estimate, capture_output=True, check=True)  # upright, which Blender does not show
    with pytest.raises(ResultError, match="turned otherwise"):
        result_of(clip)
    from blender_addon.compat import orientation_of

    subprocess.run([*estimate, "--orientation", "stored"], capture_output=True, check=True)  # by an old one
    with pytest.raises(ResultError, match="turned otherwise"):
        result_of(clip)
    subprocess.run([*estimate, "--orientation", orientation_of(True)], capture_output=True, check=True)
    assert result_of(clip).lies_as(orientation_of(True), tuple(clip.size))
