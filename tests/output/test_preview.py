"""The preview decodes: right frames at the right times, the same bytes every time, whole or not at all."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from vdepth_core.errors import ResourceError
from vdepth_core.output import movie, preview
from vdepth_core.output.preview import PreviewWriter, beside

NTSC = Fraction(24000, 1001)


def make(path, times, size=(161, 121), rate=NTSC, **more):
    with PreviewWriter(path, rate, size, **more) as film:
        for index, time in enumerate(times):
            rgb = np.full((size[1], size[0], 3), 20 + 8 * index, np.uint8)
            film.write(rgb, np.tile(np.linspace(0, 1, size[0], dtype=np.float32), (size[1], 1)), time)


def decoded(path):
    with av.open(str(path)) as film:
        stream = film.streams.video[0]
        frames = list(film.decode(stream))
        return stream.codec_context.name, stream.average_rate, frames


def test_constant_rate_is_exact(tmp_path):
    times = [index / NTSC for index in range(12)]
    make(tmp_path / "p.mp4", times)
    codec, rate, frames = decoded(tmp_path / "p.mp4")
    assert codec == "h264"
    assert rate == NTSC
    assert [frame.pts * frame.time_base for frame in frames] == times
    assert frames[0].format.name == "yuv420p"
    assert (frames[0].width, frames[0].height) == (320, 120)
    for index, frame in enumerate(frames):
        grey = frame.to_ndarray(format="rgb24")[:, :150].mean()
        assert grey == pytest.approx(20 + 8 * index, abs=4)


def test_variable_rate_keeps_its_times(tmp_path):
    times = [Fraction(0), Fraction(33, 1000), Fraction(391, 1000), Fraction(392, 1000), Fraction(2)]
    make(tmp_path / "p.mp4", times, rate=Fraction(30))
    found = [frame.pts * frame.time_base for frame in decoded(tmp_path / "p.mp4")[2]]
    assert len(found) == 5
    assert max(abs(a - b) for a, b in zip(found, times, strict=True)) < Fraction(1, 200)


def test_same_frames_same_bytes(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        make(tmp_path / name, [index / NTSC for index in range(10)], size=(320, 180))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize(
    ("size", "aspect", "wanted"),
    [
        ((1920, 1080), Fraction(1), (1280, 360)),
        ((1, 1), Fraction(1), (32, 16)),
        ((720, 576), Fraction(16, 11), (1280, 352)),
        ((1080, 1920), Fraction(1), (810, 720)),
        ((5000, 20), Fraction(1), (1280, 16)),
    ],
)
def test_sizes_are_even_and_moderate(tmp_path, size, aspect, wanted):
    make(tmp_path / "p.mp4", [Fraction(0)], size=size, pixel_aspect=aspect)
    frame = decoded(tmp_path / "p.mp4")[2][0]
    assert frame.width % 2 == frame.height % 2 == 0
    assert abs(frame.width - wanted[0]) <= 4
    assert abs(frame.height - wanted[1]) <= 4


def test_without_x264_there_is_still_a_film(tmp_path, monkeypatch):
    real = av.container.OutputContainer.add_stream

    def without_x264(self, codec, **more):
        if codec == "libx264":
            raise av.codec.codec.UnknownCodecError(codec)
        return real(self, codec, **more)

    monkeypatch.setattr(movie, "_add_stream", without_x264)
    make(tmp_path / "p.mp4", [index / NTSC for index in range(6)])
    codec, _, frames = decoded(tmp_path / "p.mp4")
    assert codec == "mpeg4"
    assert len(frames) == 6


def test_a_broken_run_leaves_no_film_and_keeps_the_old_one(tmp_path):
    path = tmp_path / "p.mp4"
    make(path, [Fraction(0)])
    before = path.read_bytes()

    class Stop(Exception):
        pass

    def broken():
        with PreviewWriter(path, NTSC, (64, 48)) as film:
            film.write(np.zeros((48, 64, 3), np.uint8), np.zeros((48, 64), np.float32), Fraction(0))
            raise Stop

    with pytest.raises(Stop):
        broken()
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ResourceError, match="gone"):
        PreviewWriter(tmp_path / "gone" / "p.mp4", NTSC, (64, 48))


@pytest.mark.parametrize(
    ("size", "aspect", "wanted"),
    [((640, 720), 1, (640, 720)), ((1280, 720), 1, (640, 360)), ((640, 1440), 1, (320, 720)),
     ((100, 50), 1, (100, 50)), ((101, 51), 1, (100, 52)),
     ((300, 300), 2, (600, 300)), ((3, 400), 1, (16, 400))],
)  # fmt: skip
def test_a_panel_is_at_most_640_by_720_with_square_pixels(size, aspect, wanted):
    assert preview._panel(size, Fraction(aspect)) == wanted


def test_colours_are_turbo_of_the_nearest_of_256_steps():
    d = np.float32([[0, 0.5 / 255 - 1e-4, 0.5 / 255 + 1e-4, 1, -1, 2]])
    table = cv2.applyColorMap(np.uint8([[0, 0, 1, 255, 0, 255]]), cv2.COLORMAP_TURBO)[..., ::-1]
    np.testing.assert_array_equal(preview.colour_map(d), table)


def test_the_two_panels_are_averaged_down_and_interpolated_up():
    rgb = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3) * 5
    d = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)
    for size, how in (((2, 2), cv2.INTER_AREA), ((8, 8), cv2.INTER_LINEAR), ((4, 8), cv2.INTER_LINEAR),
                      ((8, 4), cv2.INTER_LINEAR), ((4, 4), cv2.INTER_AREA)):  # fmt: skip
        both = beside(rgb, d, size)
        assert both.shape == (size[1], 2 * size[0], 3)
        np.testing.assert_array_equal(both[:, : size[0]], cv2.resize(rgb, size, interpolation=how))
        seen = preview.colour_map(cv2.resize(d, size, interpolation=how))
        np.testing.assert_array_equal(both[:, size[0] :], seen)


def test_frames_nearer_than_a_tick_are_kept_one_tick_apart(tmp_path):
    make(
        tmp_path / "p.mp4",
        [Fraction(0), Fraction(1, 10_000), Fraction(1, 5000), Fraction(1)],
        rate=Fraction(25),
    )
    times = [frame.pts * frame.time_base for frame in decoded(tmp_path / "p.mp4")[2]]
    assert times == [0, Fraction(1, 200), Fraction(2, 200), 1]


def test_near_is_red_and_far_is_blue():
    picture = beside(np.zeros((40, 60, 3), np.uint8), np.float32([[0.05] * 30 + [0.95] * 30] * 40), (60, 40))
    far, near = picture[20, 70].astype(int), picture[20, 110].astype(int)
    assert far[2] > far[0]
    assert near[0] > near[2] + 50
