"""One image file: every format, upright, to its last byte, where it lies, and nothing that is not there."""

from __future__ import annotations

import os
import resource
import struct
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import OpenImageIO as oiio
import pytest
from clip_media import HEIGHT, WIDTH, number_of, numbered, write_movie
from image_media import layer, light, write_channels, write_image

from vdepth_core.clip import open_clip
from vdepth_core.clip.images import MAX_PIXELS, read_image
from vdepth_core.clip.orient import from_exif
from vdepth_core.errors import InputError

PICTURE = numbered(9)
LOSSLESS = ["png", "tif", "tiff", "bmp", "tga", "sgi", "ppm", "iff", "dpx"]
LOSSY = ["jpg", "jpeg", "jp2", "webp"]
LINEAR = ["exr", "hdr", "pfm"]


@pytest.mark.parametrize("suffix", [*LOSSLESS, *LOSSY, *LINEAR])
def test_numbered_images_of_every_format_are_a_sequence(tmp_path: Path, suffix: str) -> None:
    for number in (7, 8):
        pixels = light(numbered(number)) if suffix in LINEAR else numbered(number)
        write_image(tmp_path / f"a.{number:04d}.{suffix}", pixels)
    clip = open_clip(tmp_path / f"a.0007.{suffix}")
    frames = list(clip.read())
    assert [(frame.pts, number_of(frame.rgb)) for frame in frames] == [(7, 7), (8, 8)]
    assert (clip.info.width, clip.info.height, clip.info.first_number) == (WIDTH, HEIGHT, 7)
    assert (clip.info.transfer == "linear") == (suffix in LINEAR)
    if suffix in LOSSLESS:
        assert np.array_equal(frames[0].rgb, numbered(7))


@pytest.mark.parametrize("suffix", [*LOSSLESS, *LOSSY, *LINEAR])
@pytest.mark.parametrize("share", [0.5, 0.98])
def test_a_file_cut_short_is_an_error(tmp_path: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    path = write_image(tmp_path / f"a.{suffix}", light(noise) if suffix in LINEAR else noise)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(InputError, match=rf"a.{suffix} (is cut short|cannot be read)"):
        open_clip(path)


@pytest.mark.parametrize("code", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_images_are_turned_upright(tmp_path: Path, code: int, suffix: str) -> None:
    upright = cv2.resize(PICTURE, (96, 64))
    inverse = {5: 5, 6: 8, 7: 7, 8: 6}.get(code, code)
    stored = from_exif(inverse).apply(upright)
    clip = open_clip(write_image(tmp_path / f"a.{suffix}", stored, Orientation=code))
    shown = next(clip.read()).rgb
    assert shown.shape == upright.shape
    assert np.abs(shown.astype(int) - upright).mean() < 3
    asked = from_exif(code)
    assert (clip.info.rotation, clip.info.mirrored) == (asked.rotation, asked.mirrored)
    as_stored = open_clip(clip.info.path, orientation="stored")
    assert as_stored.info.shown == ("upright" if code == 1 else "stored")
    assert any("lies on its side" in note for note in as_stored.info.notes) == (code != 1)
    assert np.abs(next(as_stored.read()).rgb.astype(int) - stored).mean() < 3


def test_exif_codes_are_what_opencv_makes_of_them(tmp_path: Path) -> None:
    for code in range(1, 9):
        path = write_image(tmp_path / "a.jpg", PICTURE, Orientation=code)
        theirs = cv2.imread(str(path))[..., ::-1].astype(int)
        ours = read_image(path).pixels
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).mean() < 1


@pytest.mark.parametrize("suffix", ["png", "tif", "tga", "webp"])
def test_alpha_is_dropped_and_colours_stay_as_stored(tmp_path: Path, suffix: str) -> None:
    alpha = np.full((HEIGHT, WIDTH, 1), 3, np.uint8)
    options = ["oiio:UnassociatedAlpha"]
    pixels = np.dstack([PICTURE, alpha])
    if suffix == "webp":
        assert cv2.imwrite(
            str(tmp_path / "a.webp"), pixels[..., [2, 1, 0, 3]], [cv2.IMWRITE_WEBP_QUALITY, 101]
        )
    else:
        write_image(tmp_path / f"a.{suffix}", pixels, **dict.fromkeys(options, 1))
    clip = open_clip(tmp_path / f"a.{suffix}")
    assert clip.info.has_alpha
    assert np.abs(next(clip.read()).rgb.astype(int) - PICTURE).max() <= (0 if suffix != "webp" else 2)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("suffix", ["png", "tif", "exr"])
def test_grey_images_are_grey(tmp_path: Path, channels: int, suffix: str) -> None:
    grey = np.repeat(PICTURE[..., :1], channels, 2)
    grey[..., 1:] = 255
    if suffix == "exr":
        planes = {"Y": light(grey)[..., 0]} | (
            {"A": np.ones((HEIGHT, WIDTH), np.float32)} if channels > 1 else {}
        )
        path = write_channels(tmp_path / "a.exr", planes)
    else:
        path = write_image(tmp_path / f"a.{suffix}", grey)
    clip = open_clip(path)
    shown = next(clip.read()).rgb
    assert np.ptp(shown, axis=2).max() == 0
    assert clip.info.has_alpha == (channels == 2)
    if suffix != "exr":
        assert np.array_equal(shown[..., 0], PICTURE[..., 0])


def test_mixed_halves_and_floats_keep_the_colour_as_it_is(tmp_path: Path) -> None:
    half = {name: plane.astype(np.float16) for name, plane in layer(PICTURE).items()}
    depth = {"Z": np.ones((HEIGHT, WIDTH), np.float32), "id": np.ones((HEIGHT, WIDTH), np.uint32)}
    pixels = read_image(write_channels(tmp_path / "a.exr", half | depth)).pixels
    assert pixels.dtype == np.float16
    assert np.array_equal(pixels[..., 1], half["G"])


def test_a_video_behind_a_jpeg_does_no_harm(tmp_path: Path) -> None:
    path = write_image(tmp_path / "motion.jpg", PICTURE)
    whole = next(open_clip(path).read()).rgb
    video = b"\0\0\0\x18ftypmp42" + b"\xff\xd8\xff\xda" * 3 + os.urandom(20_000).replace(b"\xff\xd9", b"")
    path.write_bytes(path.read_bytes() + video)
    assert np.array_equal(next(open_clip(path).read()).rgb, whole)


def test_animations_are_clips_or_refused_truly(tmp_path: Path) -> None:
    frames = [numbered(number) for number in range(6)]
    write_movie(tmp_path / "anim.apng", frames, codec="apng", pix_fmt="rgb24").rename(tmp_path / "anim.png")
    write_movie(tmp_path / "anim.webp", frames, codec="libwebp_anim", pix_fmt="bgra")
    clip = open_clip(tmp_path / "anim.png")
    assert [number_of(frame.rgb) for frame in clip.read()] == list(range(6))
    assert (clip.info.kind, clip.info.rate) == ("movie", 25)
    with pytest.raises(InputError, match=r"anim.webp is an animation") as caught:
        open_clip(tmp_path / "anim.webp")
    assert "Convert it" in caught.value.hint


def test_of_a_tiff_of_several_pages_the_first_is_read_and_it_is_said(tmp_path: Path) -> None:
    path, spec = tmp_path / "pages.tif", oiio.ImageSpec(WIDTH, HEIGHT, 3, "uint8")
    output = oiio.ImageOutput.create(str(path))
    output.open(str(path), (spec, spec))
    output.write_image(numbered(4))
    output.open(str(path), spec, "AppendSubimage")
    output.write_image(numbered(5))
    output.close()
    clip = open_clip(path)
    assert number_of(next(clip.read()).rgb) == 4
    assert any("several pages" in note for note in clip.info.notes)


def box(left: int, top: int, right: int, bottom: int) -> tuple[np.ndarray, np.ndarray]:
    return np.array([left, top], np.int32), np.array([right, bottom], np.int32)


def test_windows_are_kept_and_overscan_is_said(tmp_path: Path) -> None:
    whole = open_clip(write_channels(tmp_path / "plain.exr", layer(PICTURE)))
    wide = {name: np.pad(plane, ((12, 12), (16, 16)), mode="edge") for name, plane in layer(PICTURE).items()}
    over = write_channels(
        tmp_path / "over.exr", wide,
        dataWindow=box(84, 38, 84 + WIDTH + 31, 38 + HEIGHT + 23),
        displayWindow=box(100, 50, 99 + WIDTH, 49 + HEIGHT),
    )  # fmt: skip
    clip = open_clip(over)
    assert (clip.info.width, clip.info.height, clip.info.origin) == (WIDTH, HEIGHT, (100, 50))
    assert np.array_equal(next(clip.read()).rgb, next(whole.read()).rgb)
    (note,) = (note for note in clip.info.notes if "overscan" in note)
    assert f"{WIDTH + 32} x {HEIGHT + 24}" in note
    assert not any("overscan" in note for note in whole.info.notes)


def test_display_windows_that_move_are_refused(tmp_path: Path) -> None:
    for number, left in ((1, 0), (2, 10)):
        window = box(left, 0, left + WIDTH - 1, HEIGHT - 1)
        write_channels(tmp_path / f"a.{number}.exr", layer(PICTURE), dataWindow=window, displayWindow=window)
    with pytest.raises(InputError, match=r"The display window of .*a.2.exr begins at 10, 0"):
        list(open_clip(tmp_path).read())


def forged(path: Path, window: bytes, right: int, bottom: int) -> Path:
    data = bytearray(path.read_bytes())
    at = data.index(window + b"\0box2i\0") + len(window) + 7 + 4
    struct.pack_into("<4i", data, at, 0, 0, right, bottom)
    path.write_bytes(data)
    return path


def png_of(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(999)))
        + chunk(b"IEND", b"")
    )  # fmt: skip


def patched(path: Path, at: int, layout: str, *values: int) -> Path:
    data = bytearray(path.read_bytes())
    struct.pack_into(layout, data, at, *values)
    path.write_bytes(data)
    return path


def bombs(folder: Path) -> list[Path]:
    written = {
        "a.png": png_of(100_000, 100_000),
        "a.hdr": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 90000 +X 90000\n" + bytes(99),
        "a.pfm": b"PF\n90000 90000\n-1.0\n" + bytes(99),
        "a.ppm": b"P6\n90000 90000\n255\n" + bytes(99),
        # Cineon: magic, offset of the picture, lengths of two headers and of the user data
        "a.cin": struct.pack(">5I", 0x802A5FD7, 2048, 1024, 1024, 0x30000000) + bytes(4000),
    }
    for name, data in written.items():
        (folder / name).write_bytes(data)
    jp2 = write_image(folder / "a.jp2", PICTURE)
    siz = jp2.read_bytes().index(b"\xff\x4f\xff\x51")
    return [
        *(folder / name for name in written),
        forged(write_channels(folder / "data.exr", layer(PICTURE)), b"dataWindow", 199_999, 199_999),
        forged(write_channels(folder / "display.exr", layer(PICTURE)), b"displayWindow", 199_999, 199_999),
        forged(write_channels(folder / "negative.exr", layer(PICTURE)), b"displayWindow", -5, 10),
        patched(jp2, siz + 8, ">2I", 60_000, 60_000),
        patched(write_image(folder / "a.tga", PICTURE), 12, "<2H", 65_000, 65_000),
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="no resource module")
def test_what_a_header_claims_is_not_allocated(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for path in bombs(tmp_path):
        with pytest.raises(InputError) as caught:
            open_clip(path)
        assert path.name in caught.value.message
        assert caught.value.hint
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000
    with pytest.raises(InputError, match=f"200000 x 200000 pixels; pictures may have {MAX_PIXELS // 10**6}"):
        open_clip(tmp_path / "display.exr")


def test_subsampled_colour_is_refused_truly(tmp_path: Path) -> None:
    chroma = {name: np.ones((HEIGHT, WIDTH), np.float16) for name in ("Y", "RY", "BY")}
    path = write_channels(tmp_path / "chroma.exr", chroma)
    with pytest.raises(InputError, match="holds no picture, only"):
        open_clip(path)
    data = bytearray(path.read_bytes())
    struct.pack_into("<2i", data, data.index(b"RY\0") + 3 + 8, 2, 2)
    path.write_bytes(data)
    with pytest.raises(InputError, match="subsampled colour channels"):
        open_clip(path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "exr", "dpx", "tif", "tga", "webp", "jp2", "hdr", "psd"])
def test_what_is_no_image_is_one_sentence(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"this is no picture, whatever its name says\n" * 40)
    with pytest.raises(InputError, match=rf"a.{suffix} cannot be read; it is damaged or no {suffix.upper()}"):
        open_clip(path)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have UTF-8 names only")
def test_a_name_that_is_no_utf8_is_read(tmp_path: Path) -> None:
    try:
        for number in (1, 2):
            write_image(tmp_path / "a.png", numbered(number))
            os.replace(tmp_path / "a.png", os.fsencode(tmp_path) + b"/plat\xe9.%04d.png" % number)
    except OSError:
        pytest.skip("this disk takes UTF-8 names only")
    assert [number_of(frame.rgb) for frame in open_clip(tmp_path).read()] == [1, 2]


def test_an_unreadable_image_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_image(tmp_path / "a.png", PICTURE)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr("vdepth_core.clip.opening.peek", refuse)
        with pytest.raises(InputError, match=r"a.png cannot be read: Permission denied"):
            open_clip(path)
    clip = open_clip(path)
    monkeypatch.setattr("vdepth_core.clip.images.peek", refuse)
    with pytest.raises(InputError, match=r"a.png cannot be read: Permission denied"):
        list(clip.read())
    monkeypatch.setattr("vdepth_core.clip.naming.os.scandir", refuse)
    with pytest.raises(InputError, match=r"The folder .* cannot be read: Permission denied"):
        open_clip(path)


def test_pixels_that_are_no_numbers_make_no_noise(tmp_path: Path) -> None:
    """Warnings are errors here: no cast of NaN, no infinity times zero."""
    for dtype in (np.float16, np.float32):
        for number in range(8):
            plate = light(numbered(number)).astype(dtype)
            plate[5:9, 5:9], plate[15:20, 5:9] = np.inf, np.nan
            plate[25:28, 5:9], plate[30:33, 5:9] = -np.inf, np.finfo(dtype).max
            with OpenEXR.File({"type": OpenEXR.scanlineimage}, {"RGB": plate}) as file:
                file.write(str(tmp_path / f"plate.{number:04d}.exr"))
        clip = open_clip(tmp_path)
        (shot,) = clip.scan()
        assert np.isfinite(shot.exposure)
        for options in ({}, {"max_side": 80}):
            shown = next(clip.read(exposure=shot.exposure, **options)).rgb
            scale = shown.shape[1] / WIDTH
            assert shown[int(6 * scale), int(6 * scale)].min() == 255
            assert shown[int(17 * scale), int(6 * scale)].max() == 0
    for stated in ("pq", "log", "cineon", "linear"):
        assert next(open_clip(tmp_path, transfer=stated).read()).rgb.shape == (HEIGHT, WIDTH, 3)
    assert next(open_clip(tmp_path, colorspace="acescg").read()).rgb.shape == (HEIGHT, WIDTH, 3)
