from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import OpenEXR
import pytest
from clip_media import HEIGHT, WIDTH, number_of, numbered

from vdepth_core.clip import open_clip
from vdepth_core.errors import InputError
from vdepth_core.types import Shot


def write_png(path: Path, picture: np.ndarray) -> None:
    assert cv2.imwrite(str(path), np.ascontiguousarray(picture[..., ::-1]))


def write_exr(path: Path, light: np.ndarray, **attributes: object) -> None:
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **attributes}
    with OpenEXR.File(header, {"RGB": np.ascontiguousarray(light)}) as file:
        file.write(str(path))


def to_linear(picture: np.ndarray) -> np.ndarray:
    value = picture / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


@pytest.fixture
def pngs(tmp_path: Path) -> Path:
    folder = tmp_path / "plates"
    folder.mkdir()
    for number in range(8, 13):
        write_png(folder / f"shot_v2.{number:04d}.png", numbered(number))
    (folder / "notes.txt").write_text("not an image")
    (folder / ".shot_v2.0099.png").write_bytes(b"hidden")
    return folder


@pytest.mark.parametrize(
    ("spelling", "numbers"),
    [
        ("", range(8, 13)),
        ("shot_v2.####.png", range(8, 13)),
        ("shot_v2.@@@@.png", range(8, 13)),
        ("shot_v2.%04d.png", range(8, 13)),
        ("shot_v2.$F4.png", range(8, 13)),
        ("shot_v2.0010.png", range(8, 13)),
        ("shot_v2.0009-0011.png", range(9, 12)),
        ("shot_v2.[0009-0011].png", range(9, 12)),
    ],
)
def test_every_spelling_finds_the_files(pngs: Path, spelling: str, numbers: range) -> None:
    clip = open_clip(pngs / spelling if spelling else pngs)
    assert [number_of(frame.rgb) for frame in clip.read()] == list(numbers)
    assert [frame.pts for frame in clip.read()] == list(numbers)
    assert clip.info.first_number == numbers[0]
    assert clip.info.name == "shot_v2"
    assert clip.info.rate == 24
    assert [frame.time for frame in clip.read(1, 3)] == [Fraction(1, 24), Fraction(2, 24)]
    assert list(clip.scan()) == [Shot(0, 0, len(numbers))]
    assert clip.facts is not None
    assert clip.facts.pts == tuple(numbers)
    assert np.array_equal(next(iter(clip.read())).rgb, numbered(numbers[0]))


def test_rate_can_be_given(pngs: Path) -> None:
    clip = open_clip(pngs, rate=Fraction(30000, 1001))
    assert [frame.time for frame in clip.read(0, 2)] == [0, Fraction(1001, 30000)]


def test_numbers_sort_as_numbers(tmp_path: Path) -> None:
    for number in (8, 9, 10, 11):
        write_png(tmp_path / f"a{number}.png", numbered(number))
    assert [number_of(frame.rgb) for frame in open_clip(tmp_path).read()] == [8, 9, 10, 11]


def test_a_lone_image_is_one_frame(tmp_path: Path) -> None:
    write_png(tmp_path / "still.png", numbered(5))
    for path in (tmp_path, tmp_path / "still.png"):
        clip = open_clip(path)
        assert [frame.index for frame in clip.read()] == [0]
        assert clip.info.first_number is None


def _gap(folder: Path) -> Path:
    (folder / "shot_v2.0010.png").unlink()
    return folder


def _twice(folder: Path) -> Path:
    write_png(folder / "shot_v2.10.png", numbered(10))
    return folder


def _two(folder: Path) -> Path:
    for number in (1, 2):
        write_png(folder / f"mask.{number}.png", numbered(1))
    return folder


def _other_size(folder: Path) -> Path:
    write_png(folder / "shot_v2.0011.png", numbered(0)[:64])
    return folder


def _short(folder: Path) -> Path:
    path = folder / "shot_v2.0011.png"
    path.write_bytes(path.read_bytes()[:-400])
    return folder


def _empty(folder: Path) -> Path:
    (folder / "shot_v2.0012.png").write_bytes(b"")
    return folder


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (_gap, "Frame 10 of .* is missing"),
        (lambda folder: _gap(folder) / "shot_v2.####.png", "Frame 10 of .* is missing"),
        (_twice, "Frame 10 .* is there twice"),
        (_two, "holds 2 different sequences"),
        (_other_size, "shot_v2.0011.png is 160 x 64 pixels, but the sequence starts with 160 x 96"),
        (_short, "shot_v2.0011.png is cut short"),
        (_empty, "shot_v2.0012.png is empty"),
        (lambda folder: folder / "nothing.####.png", "No file in .* matches"),
        (lambda folder: folder / "shot_v2.#.exr", "No file in .* matches"),
        (lambda folder: folder / "shot_v2.0009-0019.png", "Frame 19 .* is missing"),
        (lambda folder: folder / "nothing.png", "does not exist"),
        (lambda folder: folder.parent / "nowhere" / "a.####.png", "does not exist"),
    ],
)
def test_broken_sequences_are_refused_with_the_frame(pngs: Path, spoil: object, complaint: str) -> None:
    path = spoil(pngs)  # type: ignore[operator]
    with pytest.raises(InputError, match=complaint):
        list(open_clip(path).scan())


def test_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no images"):
        open_clip(tmp_path)


@pytest.mark.parametrize("suffix", ["png", "tif", "tiff"])
def test_sixteen_bits_are_display_referred(tmp_path: Path, suffix: str) -> None:
    deep = numbered(3).astype(np.uint16) * 257
    write_png(tmp_path / f"deep.1.{suffix}", deep)
    clip = open_clip(tmp_path)
    assert (clip.info.bit_depth, clip.info.transfer) == (16, "iec61966-2-1")
    assert np.array_equal(next(iter(clip.read())).rgb, numbered(3))


def test_float_tiff_is_scene_linear(tmp_path: Path) -> None:
    write_png(tmp_path / "light.1.tif", to_linear(numbered(3)))
    clip = open_clip(tmp_path)
    assert clip.info.transfer == "linear"
    shown = next(iter(clip.read())).rgb.astype(int)
    dark = numbered(3) < 180
    assert np.abs(shown - numbered(3))[dark].max() <= 1


@pytest.mark.parametrize(
    ("pix_fmt", "bits", "tolerance"), [("rgb24", 8, 0), ("gbrp10be", 10, 1), ("gbrp12be", 12, 1)]
)
def test_dpx(tmp_path: Path, pix_fmt: str, bits: int, tolerance: int) -> None:
    for number in (5, 6):
        codec = av.CodecContext.create("dpx", "w")
        codec.width, codec.height, codec.pix_fmt, codec.time_base = WIDTH, HEIGHT, pix_fmt, Fraction(1, 24)
        deep = numbered(number).astype(np.uint16) * 257
        frame = av.VideoFrame.from_ndarray(deep, format="rgb48le").reformat(format=pix_fmt)
        if bits == 8:
            frame = av.VideoFrame.from_ndarray(numbered(number), format="rgb24")
        frame.pts = 0
        (packet,) = codec.encode(frame)
        (tmp_path / f"film.{number:03d}.dpx").write_bytes(bytes(packet))
    clip = open_clip(tmp_path / "film.%03d.dpx")
    assert (clip.info.bit_depth, clip.info.codec) == (bits, "dpx")
    for frame in clip.read():
        assert np.abs(frame.rgb.astype(int) - numbered(frame.pts)).max() <= tolerance
    (tmp_path / "film.006.dpx").write_bytes(b"SDPX" + bytes(500))
    with pytest.raises(InputError, match=r"film.006.dpx cannot be read"):
        list(clip.read())


def test_jpeg_is_scanned_at_reduced_size(tmp_path: Path) -> None:
    big = cv2.resize(numbered(77), (1287, 771), interpolation=cv2.INTER_CUBIC)
    for number in (1, 2):
        write_png(tmp_path / f"p{number}.jpg", big)
    clip = open_clip(tmp_path)
    assert list(clip.scan()) == [Shot(0, 0, 2)]
    small = next(iter(clip.read(max_side=200))).rgb
    assert max(small.shape) == 200
    assert number_of(small) == 77
    (tmp_path / "p2.jpg").write_bytes((tmp_path / "p2.jpg").read_bytes()[:-5000])
    with pytest.raises(InputError, match=r"p2.jpg is cut short"):
        list(clip.scan())


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("gain", [0.02, 1.0, 30.0])
def test_exr_plate_looks_the_same_at_any_exposure(tmp_path: Path, dtype: type, gain: float) -> None:
    for number in range(3):
        write_exr(tmp_path / f"plate.{number + 1001}.exr", (to_linear(numbered(number)) * gain).astype(dtype))
    clip = open_clip(tmp_path / "plate.####.exr")
    (shot,) = clip.scan()
    assert (clip.info.transfer, clip.info.first_number) == ("linear", 1001)
    shown = [frame.rgb for frame in clip.read(exposure=shot.exposure)]
    assert [number_of(picture) for picture in shown] == [0, 1, 2]
    reference = open_clip(tmp_path / "plate.1001.exr")
    assert shot.exposure * gain == pytest.approx(next(reference.scan()).exposure * gain)
    texture = shown[1][20:].astype(int)
    assert np.abs(np.diff(texture, axis=0)).mean() > 1
    assert 60 < texture.mean() < 190


def test_exposure_does_not_flicker_within_a_shot(tmp_path: Path) -> None:
    for number in range(1, 31):  # a lamp comes on: the plate must become brighter, not be corrected back
        light = to_linear(numbered(0)) * (1 + number / 30)
        write_exr(tmp_path / f"lamp.{number:02d}.exr", light.astype(np.float16))
    clip = open_clip(tmp_path)
    shots = list(clip.scan())
    assert len(shots) == 1
    means = [frame.rgb.mean() for frame in clip.read(exposure=shots[0].exposure)]
    assert all(one <= other for one, other in pairwise(means))


def test_each_exr_shot_has_its_own_exposure(tmp_path: Path) -> None:
    for number in range(24):
        first = number < 12
        light = to_linear(numbered(0, 1 if first else 2, shift=number)) * (0.05 if first else 5)
        write_exr(tmp_path / f"cut.{number:02d}.exr", light.astype(np.float16))
    shots = list(open_clip(tmp_path).scan())
    assert [(shot.start, shot.stop) for shot in shots] == [(0, 12), (12, 24)]
    assert 40 < shots[0].exposure / shots[1].exposure < 250


def test_exr_attributes(tmp_path: Path) -> None:
    code = OpenEXR.TimeCode()
    code.hours, code.minutes, code.seconds, code.frame, code.dropFrame = 1, 2, 3, 4, True
    write_exr(
        tmp_path / "a.1.exr",
        to_linear(numbered(0)),
        framesPerSecond=Fraction(24000, 1001),
        pixelAspectRatio=2.0,
        timeCode=code,
    )
    info = open_clip(tmp_path).info
    assert (info.rate, info.pixel_aspect, info.timecode) == (Fraction(24000, 1001), 2, "01:02:03;04")
    assert open_clip(tmp_path, rate=Fraction(25)).info.rate == 25


def _channels(path: Path, channels: dict[str, np.ndarray], **header: object) -> None:
    with OpenEXR.File({"type": OpenEXR.scanlineimage, **header}, channels) as file:
        file.write(str(path))


def test_exr_layers_luminance_and_depth(tmp_path: Path) -> None:
    light = to_linear(numbered(9))
    layer = {f"beauty.{name}": np.ascontiguousarray(light[..., k]) for k, name in enumerate("RGB")}
    _channels(tmp_path / "layered.exr", {**layer, "Z": np.ones((HEIGHT, WIDTH), np.float32)})
    _channels(tmp_path / "grey.exr", {"Y": np.ascontiguousarray(light[..., 1])})
    _channels(tmp_path / "depth.exr", {"Z": np.ones((HEIGHT, WIDTH), np.float32)})
    _channels(tmp_path / "alpha.exr", {"RGBA": np.dstack([light, np.ones((HEIGHT, WIDTH), np.float32)])})
    assert number_of(next(iter(open_clip(tmp_path / "layered.exr").read())).rgb) == 9
    grey = next(iter(open_clip(tmp_path / "grey.exr").read())).rgb
    assert np.ptp(grey, axis=2).max() == 0
    assert open_clip(tmp_path / "alpha.exr").info.has_alpha
    with pytest.raises(InputError, match="holds no picture, only Z"):
        open_clip(tmp_path / "depth.exr")


def test_exr_windows(tmp_path: Path) -> None:
    light = to_linear(numbered(9))
    inner = np.ascontiguousarray(light[20:80, 30:130])
    windows = {"displayWindow": ((0, 0), (WIDTH - 1, HEIGHT - 1)), "dataWindow": ((30, 20), (129, 79))}
    _channels(tmp_path / "small.exr", {"RGB": inner}, **windows)
    clip = open_clip(tmp_path / "small.exr")
    assert (clip.info.width, clip.info.height) == (WIDTH, HEIGHT)
    shown = next(iter(clip.read())).rgb
    assert shown[:20].max() == shown[:, :30].max() == 0
    full = tmp_path / "full.exr"
    write_exr(full, light)
    assert np.array_equal(shown[20:80, 30:130], next(iter(open_clip(full).read())).rgb[20:80, 30:130])


def test_damaged_exr_is_refused(tmp_path: Path) -> None:
    write_exr(tmp_path / "a.exr", np.random.default_rng(0).random((200, 200, 3), np.float32))
    (tmp_path / "b.exr").write_bytes((tmp_path / "a.exr").read_bytes()[:30000])
    (tmp_path / "c.exr").write_bytes(b"no picture at all" * 10)
    for name in ("b.exr", "c.exr"):
        with pytest.raises(InputError, match=f"{name} cannot be read"):
            open_clip(tmp_path / name)
