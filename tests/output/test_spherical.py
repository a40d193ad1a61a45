"""A film marked as VR180 plays as before and says what it is to other readers."""

import json
import shutil
import struct
import subprocess
from fractions import Fraction

import av
import numpy as np
import pytest

from vdepth_core.output.movie import FINE, MovieWriter
from vdepth_core.output.spherical import mark_vr180


def boxes(data):
    """(kind, content) of boxes in a row, by ISO/IEC 14496-12."""
    place = 0
    while place < len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        yield kind.decode("latin1"), data[place + 8 : place + size]
        place += size
    assert place == len(data)


def within(data, *way, skip=0):
    for kind in way:
        data = dict(boxes(data[skip:]))[kind]
        skip = 0
    return data


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.mp4"
    with MovieWriter(path, Fraction(24), (64, 32), encoders=FINE) as movie:
        for index in range(5):
            movie.append(np.full((32, 64, 3), 40 * index, np.uint8), Fraction(index, 24))
    return path


def decoded(path):
    with av.open(str(path)) as film:
        return [(frame.pts, frame.to_ndarray().tobytes()) for frame in film.decode(video=0)]


def test_the_boxes_say_left_right_on_half_a_sphere_and_nothing_else_changes(film):
    before = decoded(film)
    mark_vr180(film)
    assert decoded(film) == before
    entries = within(film.read_bytes(), "moov", "trak", "mdia", "minf", "stbl", "stsd")[8:]
    ((codec, entry),) = boxes(entries)
    assert codec in {"avc1", "mp4v"}
    inside = dict(boxes(entry[78:]))
    assert inside["st3d"] == bytes(4) + b"\2"
    sphere = dict(boxes(inside["sv3d"]))
    assert sphere["svhd"] == bytes(4) + b"vdepth\0"
    assert within(sphere["proj"], "prhd") == bytes(16)
    top, bottom, left, right = struct.unpack(">4I", within(sphere["proj"], "equi")[4:])
    assert (top, bottom, left / 2**32, right / 2**32) == (0, 0, 0.25, 0.25)


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="ffprobe is not there")
def test_ffprobe_reads_them(film):
    mark_vr180(film)
    asked = ["ffprobe", "-v", "error", "-show_streams", "-of", "json", str(film)]
    (stream,) = json.loads(subprocess.run(asked, capture_output=True, check=True).stdout)["streams"]
    said = {data["side_data_type"]: data for data in stream["side_data_list"]}
    assert said["Stereo 3D"]["type"] == "side by side"
    sphere = said["Spherical Mapping"]
    assert sphere["projection"] == "tiled equirectangular"
    for side in ("left", "right"):  # in pixels, as if the eye's 64 were half of a whole turn
        assert sphere[f"bound_{side}"] == pytest.approx(32, abs=1)


def test_a_film_whose_index_comes_first_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(struct.pack(">I4s", 8, b"moov") + struct.pack(">I4s", 8, b"mdat"))
    with pytest.raises(ValueError, match="end with its index"):
        mark_vr180(path)
