"""What files say about the lens, against tags written by other programs or by hand from the formats."""

import math
import struct
from fractions import Fraction

import av
import numpy as np
import OpenEXR
import pytest
from clip_media import numbered, write_movie
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from vdepth_core.clip import open_clip
from vdepth_core.clip.lens import DIAGONAL_35MM, Raster, lens_of_still, named

WIDE = math.hypot(160, 96)


def still(path, size=(160, 120), **tags):
    numbers = {
        "focal": 0x920A,
        "equivalent": 0xA405,
        "across": 0xA20E,
        "unit": 0xA210,
        "wide": 0xA002,
        "high": 0xA003,
    }
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Canon", "Canon EOS R5"
    inner = exif.get_ifd(0x8769)
    for name, value in tags.items():
        inner[numbers[name]] = (
            IFDRational(round(value * 1000), 1000) if name in {"focal", "across"} else value
        )
    inner[0xA434] = "RF35mm F1.8"
    Image.new("RGB", size, (90, 120, 60)).save(path, exif=exif)
    return open_clip(path, still=True).info.lens


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_exif_35mm_equivalent_goes_by_the_diagonal(tmp_path, ending):
    lens = still(tmp_path / f"a.{ending}", equivalent=35)
    assert lens.focal == pytest.approx(35 / math.hypot(36, 24) * 200)  # the diagonal of 160 x 120
    assert (lens.source, lens.camera) == ("Exif, 35 mm as of a 35-mm camera", "Canon EOS R5 RF35mm F1.8")
    assert 0 < lens.error < 0.1


def test_the_sensors_pixels_say_more_and_follow_the_pictures_size(tmp_path):
    # 8192 pixels on 36 mm: 5779.91 an inch
    lens = still(
        tmp_path / "a.jpg", focal=35, across=8192 / 36 * 25.4, unit=2, wide=8192, high=6144, equivalent=35
    )
    assert lens.focal == pytest.approx(35 / 36 * 160, rel=1e-4)
    assert lens.note == ""
    assert "sensor" in lens.source


def test_a_file_that_disagrees_with_itself_says_so(tmp_path):
    lens = still(
        tmp_path / "a.jpg", focal=35, across=8192 / 36 * 25.4, unit=2, wide=8192, high=6144, equivalent=70
    )
    assert lens.focal == pytest.approx(35 / 36 * 160, rel=1e-4)
    assert "disagrees with itself" in lens.note


@pytest.mark.parametrize("tags", [{}, {"focal": 35}, {"equivalent": 0}, {"equivalent": 60000}])
def test_what_says_nothing_is_no_lens(tmp_path, tags):
    lens = still(tmp_path / "a.jpg", **tags)
    assert lens.focal is None
    assert lens.camera.startswith("Canon")


def exr(path, **header):
    pixels = np.full((120, 160, 3), 0.5, np.float16)
    OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, **header}, {"RGB": pixels}).write(str(path))
    return open_clip(path, still=True).info.lens


def test_openexrs_camera_attributes(tmp_path):
    window = ((0, 0), (3423, 2201))
    lens = exr(
        tmp_path / "a.exr", pinholeFocalLength=35.5, nominalFocalLength=35.0, sensorPhotositePitch=8.25,
        sensorAcquisitionRectangle=window, cameraMake="ARRI", cameraModel="ALEXA 35", lensModel="SP35",
    )  # fmt: skip
    assert lens.focal == pytest.approx(35.5 / (0.00825 * 3424) * 160)
    assert lens.camera == "ARRI ALEXA 35 SP35"
    lens = exr(tmp_path / "b.exr", nominalFocalLength=35.0, sensorOverallDimensions=np.float32((28, 19)))
    assert lens.focal == pytest.approx(35 / 28 * 160)
    assert exr(tmp_path / "c.exr", nominalFocalLength=35.0).focal is None


def test_a_renderers_matrices_are_exact(tmp_path):
    """A point projected by the matrices, as OpenEXR's page on them has it, and by the lens."""
    fx, fy, cx, cy = 210.0, 205.0, 70.0, 65.0
    angle = 0.3
    turn = np.array(
        ((math.cos(angle), 0, math.sin(angle)), (0, 1, 0), (-math.sin(angle), 0, math.cos(angle)))
    )
    to_camera = np.eye(4)
    to_camera[:3, :3], to_camera[3, :3] = turn, (1, 2, 3)  # points are rows
    to_ndc = np.zeros((4, 4))  # camera: x right, y up, z ahead; NDC: y down, (0, 0) to (1, 1)
    to_ndc[0, 0], to_ndc[1, 1] = fx / 160, -fy / 120
    to_ndc[2] = cx / 160, cy / 120, 1, 1
    matrices = {"worldToCamera": np.float32(to_camera), "worldToNDC": np.float32(to_camera @ to_ndc)}
    lens = exr(tmp_path / "a.exr", **matrices)
    assert (lens.focal, lens.focal_y) == pytest.approx((fx, fy), rel=1e-5)
    assert lens.centre == pytest.approx((cx, cy), rel=1e-5)
    assert lens.error == 0
    matrices["worldToNDC"] = np.eye(4, dtype=np.float32)  # orthographic
    assert exr(tmp_path / "b.exr", **matrices).focal is None


# Movies: boxes put into a file by hand, from the QuickTime File Format and GoPro's GPMF --------------------


def box(kind, body):
    return struct.pack(">I4s", 8 + len(body), kind) + body


def tags_box(**tags):
    """A ``meta`` box of QuickTime's; numbers are floats of 32 bits."""
    names = [key.replace("__", ".").encode() for key in tags]
    keys = box(b"keys", struct.pack(">II", 0, len(names)) + b"".join(box(b"mdta", name) for name in names))
    items = b""
    for place, value in enumerate(tags.values(), 1):
        kind, body = (1, value.encode()) if isinstance(value, str) else (23, struct.pack(">f", value))
        if isinstance(value, int):
            kind, body = 21, struct.pack(">i", value)
        items += box(struct.pack(">I", place), box(b"data", struct.pack(">II", kind, 0) + body))
    handler = box(b"hdlr", bytes(8) + b"mdta" + bytes(13))
    return box(b"meta", handler + keys + box(b"ilst", items))


def with_boxes(path, movie=b"", track=b""):
    """The movie with more boxes in its ``moov`` and its picture track, which lie behind the pictures."""
    data = path.read_bytes()
    at = data.rindex(b"moov") - 4
    size = struct.unpack_from(">I", data, at)[0]
    body = data[at + 8 : at + size]
    place = body.index(b"trak") - 4
    length = struct.unpack_from(">I", body, place)[0]
    body = body[:place] + box(b"trak", body[place + 8 : place + length] + track) + body[place + length :]
    assert data[at + size :] == b""
    path.write_bytes(data[:at] + box(b"moov", body + movie))
    return path


@pytest.fixture
def film(tmp_path):
    return write_movie(tmp_path / "a.mov", [numbered(k, 0) for k in range(3)])


EQUIVALENT = "com__apple__quicktime__camera__focal_length__35mm_equivalent"


@pytest.mark.parametrize("value", [28, 28.0, "28"])
def test_apples_focal_length_stands_in_the_track(film, value):
    movie = tags_box(com__apple__quicktime__make="Apple", com__apple__quicktime__model="iPhone 15 Pro")
    track = tags_box(**{EQUIVALENT: value, "com__apple__quicktime__camera__lens_model": "back camera f/1.78"})
    lens = open_clip(with_boxes(film, movie, track)).info.lens
    assert lens.focal == pytest.approx(28 / DIAGONAL_35MM * WIDE)
    assert lens.camera == "Apple iPhone 15 Pro back camera f/1.78"
    assert lens.source == "the movie's tags, 28 mm as of a 35-mm camera"


def gpmf(key, kind, body, count=1):
    return struct.pack(">4scBH", key, kind, len(body) // count, count) + body + bytes(-len(body) % 4)


@pytest.mark.parametrize(("mode", "bent"), [("L", False), ("W", True)])
def test_gopros_settings(film, mode, bent):
    inner = gpmf(b"MINF", b"c", b"HERO11 Black\0", 13) + gpmf(b"VFOV", b"c", mode.encode())
    inner += gpmf(b"ZFOV", b"f", struct.pack(">f", 120.0))
    device = gpmf(b"DEVC", b"\0", inner, len(inner) // 4)
    lens = open_clip(with_boxes(film, box(b"udta", box(b"GPMF", device)))).info.lens
    half = math.radians(60)
    assert lens.focal == pytest.approx(WIDE / 2 / (half if bent else math.tan(half)))
    assert lens.camera == "GoPro HERO11 Black"
    assert bool(lens.note) == bent


def test_djis_captions_beside_the_movie(film):
    text = "1\n00:00:00,000 --> 00:00:00,033\n[iso : 100] [fnum : 170] [focal_len : 240] [latitude: 1]\n"
    film.with_suffix(".SRT").write_text(text)
    lens = open_clip(film).info.lens
    assert lens.focal == pytest.approx(24 / DIAGONAL_35MM * WIDE)
    assert "DJI" in lens.source


def test_djis_captions_in_the_movie(tmp_path):
    text = b"[iso : 100] [fnum : 170] [focal_len : 240] [latitude: 1]"
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        pictures = container.add_stream("mpeg4", rate=24)
        pictures.width, pictures.height, pictures.pix_fmt = 160, 96, "yuv420p"
        captions = container.add_mux_stream("mov_text")
        captions.time_base = Fraction(1, 1000)
        for k in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((96, 160, 3), 80 * k, np.uint8), "rgb24")
            frame.pts = k
            container.mux(pictures.encode(frame))
            caption = av.Packet(struct.pack(">H", len(text)) + text)
            caption.stream, caption.time_base = captions, Fraction(1, 1000)
            caption.pts = caption.dts = 40 * k
            container.mux(caption)
        container.mux(pictures.encode())
    assert open_clip(tmp_path / "a.mp4").info.lens.focal == pytest.approx(24 / DIAGONAL_35MM * WIDE)


def test_damaged_exif_is_no_lens_and_no_error(tmp_path):
    still(tmp_path / "a.jpg", focal=35, across=5000, equivalent=35)
    data = (tmp_path / "a.jpg").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(100):
        junk = bytearray(data)
        for place in rng.integers(0, 300, 3):
            junk[place] = rng.integers(256)
        (tmp_path / "a.jpg").write_bytes(junk)
        lens_of_still(tmp_path / "a.jpg", Raster(160, 120))


def test_damaged_tags_are_no_lens_and_no_error(film):
    whole = tags_box(**{EQUIVALENT: 28.0})
    data = film.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(40):
        junk = bytearray(whole)
        for place in rng.integers(8, len(junk), 3):
            junk[place] = rng.integers(256)
        film.write_bytes(data)
        with_boxes(film, box(b"udta", box(b"GPMF", bytes(junk))), bytes(junk))
        open_clip(film)


def test_wide_pixels_make_the_focal_length_along_x_shorter():
    square, wide = Raster(160, 96), Raster(80, 96, Fraction(2))
    assert wide.of_equivalent(28) == pytest.approx(square.of_equivalent(28) / 2)


def test_a_camera_named_to_steer_a_terminal_does_not():
    assert named("Evil\x1b[2J\x07", "Model\u202e\x9b1m\0") == "Evil [2J Model  1m"
