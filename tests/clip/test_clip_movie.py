from __future__ import annotations

import struct
import threading
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from clip_media import HEIGHT, WIDTH, number_of, numbered, write_movie

from vdepth_core.clip import open_clip
from vdepth_core.clip.orient import from_display_matrix
from vdepth_core.errors import InputError, UsageError


def test_frames_come_in_order_with_their_times(movie: Path) -> None:
    clip = open_clip(movie)
    frames = list(clip.read())
    assert [number_of(frame.rgb) for frame in frames] == list(range(60))
    assert [frame.index for frame in frames] == list(range(60))
    assert [frame.time for frame in frames] == [Fraction(k, 25) for k in range(60)]
    assert (clip.info.width, clip.info.height, clip.info.rate) == (WIDTH, HEIGHT, 25)
    assert clip.info.frames_declared == 60
    assert all(frame.rgb.dtype == np.uint8 and frame.rgb.flags.c_contiguous for frame in frames)


def test_a_picture_that_stays_is_no_damage(tmp_path: Path) -> None:
    """Some encoders, as Theora's, store an empty packet where the picture before stays, also at the end."""
    path = tmp_path / "stays.nut"  # keeps empty packets as they are
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        for place, number in enumerate([0, 0, 0, 3, 4, 4, 6, 6]):
            picture = av.VideoFrame.from_ndarray(numbered(number, seed=number))
            picture.pts, picture.time_base = place, Fraction(1, 25)
            for packet in stream.encode(picture):
                empty = av.Packet(0)
                empty.pts, empty.dts, empty.duration = packet.pts, packet.dts, packet.duration
                empty.time_base, empty.stream = packet.time_base, stream
                container.mux(packet if place == number else empty)
    with av.open(str(path)) as container:
        sizes = [packet.size for packet in container.demux(video=0) if packet.dts is not None]
    assert sum(size == 0 for size in sizes) == 4
    clip = open_clip(path)
    for _ in clip.scan():
        pass
    assert clip.facts is not None
    assert not clip.facts.warnings
    assert [time * 25 for time in clip.facts.times] == [0, 3, 4, 6]
    assert [number_of(frame.rgb) for frame in clip.read()] == [0, 3, 4, 6]
    assert [number_of(frame.rgb) for frame in clip.read(2)] == [4, 6]


@pytest.mark.parametrize("scanned", [False, True])
@pytest.mark.parametrize("start", [1, 11, 12, 13, 35, 47, 59])
def test_starting_anywhere_gives_the_same_frames(movie: Path, start: int, scanned: bool) -> None:
    clip = open_clip(movie)
    reference = {frame.index: frame for frame in clip.read()}
    if scanned:
        list(clip.scan())
    frames = list(clip.read(start, start + 9))
    assert [frame.index for frame in frames] == list(range(start, min(60, start + 9)))
    for frame in frames:
        assert np.array_equal(frame.rgb, reference[frame.index].rgb)
        assert (frame.time, frame.pts) == (reference[frame.index].time, reference[frame.index].pts)


def test_a_scan_lets_read_seek(movie: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vdepth_core.clip import decode

    def never(*_: object) -> None:
        raise AssertionError("decoded from the start")

    clip = open_clip(movie)
    list(clip.scan())
    saved = clip.facts
    monkeypatch.setattr(decode, "_threaded", never)
    assert number_of(next(iter(clip.read(50, 51))).rgb) == 50
    assert saved is not None
    clip.facts = type(saved).from_json(saved.to_json())
    assert number_of(next(iter(clip.read(40, 41))).rgb) == 40


def test_wrong_saved_timestamps_do_not_mislead_a_seek(movie: Path) -> None:
    from dataclasses import replace

    clip = open_clip(movie)
    list(clip.scan())
    assert clip.facts is not None
    clip.facts = replace(clip.facts, pts=tuple(pts + 7 for pts in clip.facts.pts))
    assert number_of(next(iter(clip.read(30, 31))).rgb) == 30


def test_several_threads_read_at_once(movie: Path) -> None:
    clip, found = open_clip(movie), {}

    def work(start: int) -> None:
        found[start] = [number_of(frame.rgb) for frame in clip.read(start, start + 15)]

    threads = [threading.Thread(target=work, args=(start,)) for start in (0, 20, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {start: list(range(start, start + 15)) for start in (0, 20, 40)}


def test_closing_a_reader_closes_the_file(movie: Path) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("no /proc on this system to count open files in")
    clip = open_clip(movie)
    before = len(list(descriptors.iterdir()))
    reader = clip.read()
    next(reader)
    assert len(list(descriptors.iterdir())) == before + 1
    reader.close()
    assert len(list(descriptors.iterdir())) == before


def test_shrinking_keeps_the_picture(movie: Path) -> None:
    frame = next(iter(open_clip(movie).read(21, 22, max_side=80)))
    assert frame.rgb.shape == (48, 80, 3)
    assert number_of(frame.rgb) == 21


def test_variable_rate_keeps_every_time(tmp_path: Path) -> None:
    pts = [0, 3, 4, 9, 10, 11, 30, 31, 33, 90]
    path = write_movie(
        tmp_path / "vfr.mkv",
        (numbered(k) for k in range(10)),
        pts=pts,
        time_base=Fraction(1, 30),
        rate=Fraction(30),
    )
    clip = open_clip(path)
    frames = list(clip.read())
    assert [number_of(frame.rgb) for frame in frames] == list(range(10))
    assert [round(frame.time * 30) for frame in frames] == pts
    list(clip.scan())
    assert clip.facts is not None
    assert clip.facts.times == tuple(frame.time for frame in frames)
    assert not clip.facts.warnings


def _turn_back(picture: np.ndarray, rotation: int, mirrored: bool) -> np.ndarray:
    stored = np.rot90(picture, rotation // 90)
    return stored[:, ::-1] if mirrored else stored


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_display_matrix_makes_the_picture_upright(tmp_path: Path, rotation: int, mirrored: bool) -> None:
    angle = np.deg2rad(rotation)
    a, b, c, d = np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle)
    if mirrored:  # mirror first: x' = M (-x, y)
        a, b = -a, -b
    matrix = [round(value * 65536) for value in (a, b, 0, c, d, 0, 0, 0)] + [1 << 30]
    stored = [np.ascontiguousarray(_turn_back(numbered(k, 3), rotation, mirrored)) for k in range(3)]
    path = write_movie(
        tmp_path / "turned.mp4",
        stored,
        prepare=lambda _, stream: stream.set_display_matrix(matrix),
        pix_fmt="yuv444p",
    )
    clip = open_clip(path)
    assert (clip.info.rotation, clip.info.mirrored) == (rotation, mirrored)
    assert (clip.info.width, clip.info.height) == (WIDTH, HEIGHT)
    for index, frame in enumerate(clip.read()):
        assert frame.rgb.shape == (HEIGHT, WIDTH, 3)
        assert number_of(frame.rgb) == index
        assert np.abs(frame.rgb.astype(int) - numbered(index, 3)).mean() < 6

    as_stored = open_clip(path, orientation="stored")
    assert (as_stored.info.rotation, as_stored.info.mirrored) == (0, False)
    assert as_stored.info.shown == ("stored" if rotation or mirrored else "upright")
    assert any("lies on its side" in note for note in as_stored.info.notes) == bool(rotation or mirrored)
    assert not clip.info.notes
    assert (as_stored.info.height, as_stored.info.width) == stored[0].shape[:2]
    assert np.abs(next(as_stored.read()).rgb.astype(int) - stored[0]).mean() < 6
    turned = open_clip(path, orientation="turned")
    assert turned.info.shown == ("turned" if mirrored else "upright")
    # its angle alone, as `ffprobe` and Blender 4.4 read it from the matrix' first row
    quarters = round(np.rad2deg(np.arctan2(matrix[1], matrix[0])) / 90)
    assert np.abs(next(turned.read()).rgb.astype(int) - np.rot90(stored[0], -quarters)).mean() < 6


def test_display_matrix_off_the_right_angle_is_said_to_be_inexact() -> None:
    angle = np.deg2rad(80)
    values = np.round(np.array([np.cos(angle), np.sin(angle), 0, -np.sin(angle), np.cos(angle)]) * 65536)
    found = from_display_matrix(struct.pack("<9i", *values.astype(int), 0, 0, 0, 1 << 30))
    assert (found.rotation, found.exact) == (90, False)


def _flat(path: Path, yuv: tuple[int, int, int], pix_fmt: str, colorspace: int, full: bool) -> Path:
    """A movie of one colour given directly in Y'CbCr."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, pix_fmt
        stream.codec_context.colorspace, stream.codec_context.color_range = colorspace, 2 if full else 1
        for index in range(3):
            frame = av.VideoFrame(64, 64, pix_fmt)
            for plane, value in zip(frame.planes, yuv, strict=True):
                plane.update(bytes([value]) * plane.buffer_size)
            frame.pts, frame.colorspace, frame.color_range = index, colorspace, 2 if full else 1
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("colorspace", "kr", "kb"), [(1, 0.2126, 0.0722), (6, 0.299, 0.114), (9, 0.2627, 0.0593)]
)
@pytest.mark.parametrize(("pix_fmt", "tolerance"), [("yuv420p", 3.5), ("yuv444p", 1.01)])
def test_colour_matrix_and_range(
    tmp_path: Path, colorspace: int, kr: float, kb: float, full: bool, pix_fmt: str, tolerance: float
) -> None:
    y, cb, cr = 120, 150, 100
    luma = y / 255 if full else (y - 16) / 219
    blue, red = ((cb - 128) / (255 if full else 224), (cr - 128) / (255 if full else 224))
    r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
    expected = 255 * np.array([r, (luma - kr * r - kb * b) / (1 - kr - kb), b])
    path = _flat(tmp_path / "flat.mp4", (y, cb, cr), pix_fmt, colorspace, full)
    for frame in open_clip(path).read():
        assert np.abs(frame.rgb[10:50, 10:50] - expected).max() < tolerance


@pytest.mark.parametrize(("pix_fmt", "tolerance"), [("yuv420p10le", 0.6), ("yuv444p10le", 0.51)])
def test_ten_bits_are_rounded_to_eight(tmp_path: Path, pix_fmt: str, tolerance: float) -> None:
    luma = np.linspace(70, 930, 128).round().astype(np.uint16)
    with av.open(str(tmp_path / "deep.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = 128, 64, pix_fmt
        frame = av.VideoFrame(128, 64, pix_fmt)
        for plane, row in zip(frame.planes, (luma, np.full(128, 512), np.full(128, 512)), strict=True):
            line = np.zeros(plane.line_size // 2, np.uint16)
            line[: plane.width] = row[: plane.width]
            plane.update(np.tile(line, plane.height).tobytes())
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    clip = open_clip(tmp_path / "deep.mkv")
    assert clip.info.bit_depth == 10
    grey = 255 * (luma / 4 - 16) / 219
    assert np.abs(next(iter(clip.read())).rgb - grey[None, :, None]).max() < tolerance


def test_alpha_is_dropped_with_a_note(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "alpha.mov"), "w") as container:
        stream = container.add_stream("prores_ks", rate=24)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuva444p10le"
        rgba = np.dstack([numbered(0), np.full((HEIGHT, WIDTH), 40, np.uint8)])
        container.mux(stream.encode(av.VideoFrame.from_ndarray(rgba, format="rgba")))
        container.mux(stream.encode(None))
    clip = open_clip(tmp_path / "alpha.mov")
    assert clip.info.has_alpha
    assert "alpha" in " ".join(clip.info.notes)
    assert np.abs(next(iter(clip.read())).rgb.astype(int) - numbered(0)).mean() < 6


@pytest.mark.parametrize(
    ("rate", "text"), [(Fraction(30000, 1001), "01:00:00;00"), (Fraction(25), "10:11:12:13")]
)
def test_start_timecode(tmp_path: Path, rate: Fraction, text: str) -> None:
    def stamp(container: av.container.OutputContainer, stream: av.VideoStream) -> None:
        stream.metadata["timecode"] = text

    path = write_movie(tmp_path / "code.mov", [numbered(k) for k in range(3)], rate=rate, prepare=stamp)
    assert open_clip(path).info.timecode == text
    assert open_clip(path).info.rate == rate


def test_anamorphic_pixels_follow_the_rotation(tmp_path: Path) -> None:
    def stretch(container: av.container.OutputContainer, stream: av.VideoStream) -> None:
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)

    def both(container: av.container.OutputContainer, stream: av.VideoStream) -> None:
        stretch(container, stream)
        stream.set_display_matrix([0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30])

    path = write_movie(tmp_path / "wide.mkv", [numbered(0)] * 2, prepare=stretch)
    assert open_clip(path).info.pixel_aspect == Fraction(4, 3)
    path = write_movie(tmp_path / "tall.mp4", [numbered(0)] * 2, prepare=both)
    assert open_clip(path).info.pixel_aspect == Fraction(3, 4)


@pytest.mark.parametrize(("aspect", "taken"), [(Fraction(2), 2), (Fraction(45), 1), (Fraction(1, 45), 1)])
def test_an_aspect_that_cannot_be_is_none(tmp_path: Path, aspect: Fraction, taken: int) -> None:
    def squeeze(_: av.container.OutputContainer, stream: av.VideoStream) -> None:
        stream.sample_aspect_ratio = aspect

    path = write_movie(tmp_path / "aspect.mp4", [numbered(0)], prepare=squeeze)
    assert open_clip(path).info.pixel_aspect == taken


def test_truncated_file_gives_its_frames_and_says_so(tmp_path: Path) -> None:
    whole = write_movie(
        tmp_path / "whole.mkv", [numbered(k, k) for k in range(40)], options={"g": "5", "bf": "0"}
    )
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    clip = open_clip(cut)
    shots = list(clip.scan(shots=False))
    assert clip.facts is not None
    assert 10 < clip.facts.frames < 35
    assert len(clip.facts.warnings) == 1
    assert "cut short" in clip.facts.warnings[0] or "damaged" in clip.facts.warnings[0]
    frames = list(clip.read())
    assert len(frames) == clip.facts.frames == shots[-1].stop
    assert [number_of(frame.rgb) for frame in frames[:10]] == list(range(10))


def test_damage_in_the_middle_is_counted_and_repeatable(tmp_path: Path) -> None:
    path = write_movie(
        tmp_path / "hurt.mp4", [numbered(k, k) for k in range(40)], options={"g": "10", "bf": "0"}
    )
    with av.open(str(path)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    data = bytearray(path.read_bytes())
    position, size = packets[14]
    data[position : position + size] = b"\xff" * size
    path.write_bytes(bytes(data))
    clip = open_clip(path)
    list(clip.scan(shots=False))
    assert clip.facts is not None
    assert clip.facts.frames == 39
    assert "1 frame near frame 14" in clip.facts.warnings[0]
    ranged = open_clip(path)
    list(ranged.scan(shots=False, start=18, stop=30))
    assert ranged.facts is not None
    assert "1 frame near frame 14" in ranged.facts.warnings[0]
    times = [round(time * 25) for time in clip.facts.times]
    assert times == [k for k in range(40) if k != 14]
    runs = [[frame.rgb.tobytes() for frame in clip.read(start)] for start in (0, 0, 17, 25)]
    assert runs[0] == runs[1]
    assert runs[0][17:] == runs[2]
    assert runs[0][25:] == runs[3]
    assert number_of(next(iter(clip.read(19, 20))).rgb) == 20


def _audio_only(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _without_index(path: Path) -> Path:
    whole = write_movie(path, [numbered(k, k) for k in range(10)])
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    return path


def _written(data: bytes) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize(
    ("name", "make", "complaint"),
    [
        ("a.wav", _audio_only, "holds only sound"),
        ("a.mp4", _without_index, "moov atom"),
        ("b.mp4", _written(b""), "is empty"),
        ("c.mp4", _written(b"\x00" * 5000), "cannot be opened"),
        ("readme.txt", _written(b"hello there\n" * 50), "neither a movie nor|cannot be opened"),
        (
            "tiny.mp4",
            lambda path: write_movie(path, [np.zeros((8, 8, 3), np.uint8)] * 2),
            "at least 16 pixels",
        ),
    ],
)
def test_unusable_files_are_refused_in_one_sentence(
    tmp_path: Path, name: str, make: Callable[[Path], Path], complaint: str
) -> None:
    path = make(tmp_path / name)
    with pytest.raises(InputError, match=complaint) as caught:
        open_clip(path)
    assert name in caught.value.message
    assert caught.value.message.endswith(".")
    assert "\n" not in caught.value.message


def test_missing_file_and_rate_of_a_movie(tmp_path: Path, movie: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        open_clip(tmp_path / "nothing.mp4")
    with pytest.raises(UsageError, match="own frame rate"):
        open_clip(movie, rate=Fraction(24))


def test_gif(tmp_path: Path) -> None:
    path = write_movie(
        tmp_path / "a.gif", [numbered(k) for k in range(5)], codec="gif", pix_fmt="rgb8", rate=Fraction(10)
    )
    clip = open_clip(path)
    assert [number_of(frame.rgb) for frame in clip.read()] == list(range(5))
    assert not clip.info.has_alpha


def test_size_change_and_missing_timestamps_are_survived(tmp_path: Path) -> None:
    parts = []
    for index, scale in enumerate((1, 2)):
        pictures = [np.kron(numbered(10 * index + k), np.ones((scale, scale, 1), np.uint8)) for k in range(5)]
        parts.append(write_movie(tmp_path / f"part{index}.h264", pictures, options={"bf": "0"}))
    path = tmp_path / "größer 100 %d.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    clip = open_clip(path)
    list(clip.scan(shots=False))
    assert clip.facts is not None
    frames = list(clip.read())
    assert [number_of(frame.rgb) for frame in frames] == [*range(5), *range(10, 15)]
    assert {frame.rgb.shape for frame in frames} == {(HEIGHT, WIDTH, 3)}
    assert tuple(frame.time for frame in frames) == clip.facts.times
    assert all(one < other for one, other in pairwise(clip.facts.times))
    assert "changes its picture size at frame 5" in " ".join(clip.facts.warnings)


def test_hdr_is_tone_mapped_with_the_exposure_given(tmp_path: Path) -> None:
    def tag(container: av.container.OutputContainer, stream: av.VideoStream) -> None:
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace = 16, 9, 9

    codes = np.round(np.linspace(0.2, 0.75, 160)[None, :, None].repeat(96, 0).repeat(3, 2) * 65535).astype(
        np.uint16
    )
    path = write_movie(
        tmp_path / "hdr.mkv", [codes] * 8, pix_fmt="yuv420p10le", prepare=tag, options={"qp": "0"}
    )
    clip = open_clip(path)
    assert clip.info.transfer == "smpte2084"
    (shot,) = clip.scan()
    assert shot.exposure != 1
    dim, bright = (next(iter(clip.read(0, 1, exposure=gain))).rgb.astype(int) for gain in (0.1, 10))
    assert bright.mean() > dim.mean() + 50
    shown = next(iter(clip.read(0, 1, exposure=shot.exposure))).rgb.astype(int)
    assert (np.diff(shown[48, :, 1]) >= -1).all()
    assert 60 < np.median(shown) < 160
    assert np.abs(shown[..., 0] - shown[..., 2]).max() <= 6
