"""EXR files say what was meant, in every reader, or are not there at all."""

import errno
import os
from fractions import Fraction

import av
import numpy as np
import OpenEXR
import OpenImageIO as oiio
import pytest

from vdepth_core.clip.smpte import TimeCode
from vdepth_core.errors import InputError, ResourceError, UsageError
from vdepth_core.output.channels import channels_of
from vdepth_core.output.exr import COMPRESSIONS, exr_matches, read_exr, write_exr
from vdepth_core.output.exr_header import read_header

resource = pytest.importorskip("resource", reason="limits of the process exist on POSIX only")

ATTRIBUTES = {
    "framesPerSecond": Fraction(24000, 1001),
    "timeCode": TimeCode(23, 59, 58, 29, drop_frame=True, field=True),
    "pixelAspectRatio": 1.25,
    "imageCounter": 1001,
    "comments": "Käse ✓",
    "vdepth/scale": 0.1,
    "vdepth/empty": "",
    "vdepth/shift": -3.0,
    "vdepth/source_pts": -(2**31),
    "vdepth/a name that is longer than the thirty-one bytes of old": "x",
}


@pytest.fixture
def pixels():
    return np.random.default_rng(3).normal(size=(37, 53)).astype(np.float32)


def size(pixels):
    return pixels.shape[1], pixels.shape[0]


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("shape", [(1, 1), (16, 3), (17, 1), (1, 40), (37, 53)])
def test_pixels_and_attributes_survive(tmp_path, compression, shape):
    z = np.random.default_rng(0).random(shape, np.float32) * 50
    path = tmp_path / "a.exr"
    write_exr(path, {"Z": z, "Y": z, "C": z.astype(np.float16)}, ATTRIBUTES, compression)
    channels, attributes = read_exr(path)
    assert set(channels) == {"Z", "Y", "C"}
    tolerance = 2**-15 if compression == "pxr24" else 0
    np.testing.assert_allclose(channels["Z"], z, rtol=tolerance)
    np.testing.assert_array_equal(channels["Y"], channels["Z"])
    assert channels["C"].dtype == np.float16
    for name, value in ATTRIBUTES.items():
        assert attributes[name] == (np.float32(value) if isinstance(value, float) else value), name
    assert exr_matches(path, ATTRIBUTES, size(z))


@pytest.mark.parametrize("compression", ["NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24"])
@pytest.mark.parametrize("height", [1, 15, 16, 17, 31, 32, 33, 65])
def test_every_compressions_chunks_are_known(tmp_path, compression, height):
    """Files of other programs, too: a wrong number of lines a chunk would call them cut short."""
    path = tmp_path / "a.exr"
    header = {"compression": getattr(OpenEXR, f"{compression}_COMPRESSION"), "type": OpenEXR.scanlineimage}
    values = np.random.default_rng(0).random((height, 5), np.float32)
    with OpenEXR.File(header, {"Z": values, "A": values.astype(np.float16)}) as file:
        file.write(str(path))
    found = read_header(path)
    assert found.complete
    assert (found.width, found.height, found.channels) == (5, height, {"A": "half", "Z": "float"})
    data = path.read_bytes()
    for broken in (data[:-1], data + b"x"):
        path.write_bytes(broken)
        assert not read_header(path).complete


def test_ids_are_read_and_a_window_may_begin_anywhere(tmp_path):
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, {"id": np.ones((3, 4), np.uint32)}) as file:
        file.write(str(tmp_path / "id.exr"))
    assert read_header(tmp_path / "id.exr").channels == {"id": "uint"}
    values = np.random.default_rng(1).random((20, 7), np.float32)
    write_exr(tmp_path / "a.exr", {"Z": values}, {}, origin=(-3, 11))
    found = read_header(tmp_path / "a.exr")
    assert (found.width, found.height, found.complete) == (7, 20, True)
    with OpenEXR.File(str(tmp_path / "a.exr"), header_only=True) as file:
        window = [corner.tolist() for corner in dict(file.header())["dataWindow"]]
    assert window == [[-3, 11], [3, 30]]
    np.testing.assert_array_equal(read_exr(tmp_path / "a.exr")[0]["Z"], values)


def test_official_reader_agrees_with_our_header_parser(tmp_path, pixels):
    write_exr(tmp_path / "a.exr", {"Z": pixels, "Y": pixels}, ATTRIBUTES)
    header = read_header(tmp_path / "a.exr")
    with OpenEXR.File(str(tmp_path / "a.exr"), header_only=True) as file:
        official = dict(file.header())  # the module empties its own on closing
    assert header.complete
    assert (header.width, header.height) == (53, 37)
    assert header.channels == {"Y": "float", "Z": "float"}
    for name in ATTRIBUTES:
        if name != "timeCode":
            assert official[name] == header.attributes[name]
    assert str(official["timeCode"]).startswith("(23, 59, 58, 29, 1, 0, 1")
    np.testing.assert_array_equal(official["dataWindow"], official["displayWindow"])
    assert official["compression"] == OpenEXR.ZIP_COMPRESSION


@pytest.mark.parametrize("compression", ["zip", "zips"])
def test_another_decoder_reads_the_same_numbers(tmp_path, pixels, compression):
    write_exr(tmp_path / "y.exr", {"Y": pixels}, ATTRIBUTES, compression)
    rgb = {"R": pixels, "G": pixels + 1, "B": pixels * 2}
    write_exr(tmp_path / "rgb.exr", rgb, ATTRIBUTES, compression)
    with av.open(str(tmp_path / "y.exr")) as file:
        frame = next(file.decode(video=0))
        assert (frame.width, frame.height) == size(pixels)
        decoded = frame.to_ndarray()
    np.testing.assert_array_equal(decoded.reshape(pixels.shape), pixels)
    with av.open(str(tmp_path / "rgb.exr")) as file:
        planes = next(file.decode(video=0)).to_ndarray(format="gbrpf32le")
    for index, name in enumerate("RGB"):
        np.testing.assert_array_equal(planes[..., index], rgb[name])


@pytest.mark.parametrize("kind", ["depth", "disparity", "normal"])
def test_every_reader_gets_every_value(tmp_path, pixels, kind):
    planes = {"depth": pixels, "disparity": pixels}
    planes |= {f"normal.{axis}": pixels / (n + 1) for n, axis in enumerate("xyz")}
    channels = channels_of(kind, planes)
    path = tmp_path / f"a_{kind}.exr"
    write_exr(path, channels, ATTRIBUTES)
    expected = [channels[name].astype(np.float32) for name in sorted(channels, key="RGBXYZ".index)]
    image = oiio.ImageBuf(str(path))
    read = image.get_pixels(oiio.FLOAT)
    for name, values in channels.items():
        position = image.spec().channelnames.index(name)
        np.testing.assert_array_equal(read[..., position], values.astype(np.float32), err_msg=f"OIIO {name}")
    with av.open(str(path)) as film:  # FFmpeg, and so ffplay and mpv
        frame = next(film.decode(video=0))
    if len(expected) == 1:
        planes_read = [frame.to_ndarray().reshape(pixels.shape)]
    elif frame.format.name == "gbrpf32le":
        decoded = frame.to_ndarray()
        planes_read = [decoded[..., n] for n in range(3)]
    else:  # half floats, which PyAV gives as bytes only; the planes lie as G B R
        assert frame.format.name == "gbrpf16le"
        raw = [np.frombuffer(plane, np.float16).reshape(len(pixels), -1) for plane in frame.planes]
        planes_read = [raw[n][:, : pixels.shape[1]] for n in (2, 0, 1)]
    for found, values in zip(planes_read, expected, strict=True):
        np.testing.assert_array_equal(found.astype(np.float32), values, err_msg="FFmpeg")


def test_same_arguments_same_bytes(tmp_path, pixels):
    for name in ("a.exr", "b.exr"):
        write_exr(tmp_path / name, {"Z": pixels, "Y": pixels}, ATTRIBUTES)
    assert (tmp_path / "a.exr").read_bytes() == (tmp_path / "b.exr").read_bytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path, pixels, bad):
    pixels[3, 4] = bad
    with pytest.raises(ValueError, match="channel Z"):
        write_exr(tmp_path / "a.exr", {"Z": pixels}, {})
    with pytest.raises(ValueError, match="attribute near"):
        write_exr(tmp_path / "a.exr", {"Z": np.ones((2, 2), np.float32)}, {"near": float(bad)})
    assert list(tmp_path.iterdir()) == []


def test_shapes_types_and_words_are_checked(tmp_path, pixels):
    path = tmp_path / "a.exr"
    with pytest.raises(ValueError, match="channel Y"):
        write_exr(path, {"Z": pixels, "Y": pixels[1:]}, {})
    with pytest.raises(ValueError, match="float64"):
        write_exr(path, {"Z": pixels.astype(np.float64)}, {})
    with pytest.raises(ValueError, match="32 bits"):
        write_exr(path, {"Z": pixels}, {"pts": 2**31})
    with pytest.raises(ValueError, match="no EXR type"):
        write_exr(path, {"Z": pixels}, {"flag": True})
    with pytest.raises(UsageError, match="dwaa"):
        write_exr(path, {"Z": pixels}, {}, "dwaa")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.exr"
    old = np.ones((8, 8), np.float32)
    write_exr(path, {"Z": old}, {"take": 1})
    before = path.read_bytes()
    noise = np.random.default_rng(0).random((200, 200), np.float32)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(ResourceError, match=r"a\.exr: File too large") as caught:
            write_exr(path, {"Z": noise}, {"take": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.hint
    assert caught.value.exit_code == 5
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_named(tmp_path, pixels, monkeypatch):
    def full(self, path):
        raise RuntimeError(f'Failed to write pixel data to image file "{path}". {os.strerror(errno.ENOSPC)}.')

    monkeypatch.setattr(OpenEXR.File, "write", full)
    with pytest.raises(ResourceError, match=r"a\.exr.*No space left") as caught:
        write_exr(tmp_path / "a.exr", {"Z": pixels}, {})
    assert "space" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path, pixels):
    with pytest.raises(ResourceError, match="gone"):
        write_exr(tmp_path / "gone" / "a.exr", {"Z": pixels}, {})


def test_a_file_cut_anywhere_is_not_done(tmp_path, pixels):
    path = tmp_path / "a.exr"
    write_exr(path, {"Z": pixels, "Y": pixels}, ATTRIBUTES)
    whole = path.read_bytes()
    for length in [*range(0, len(whole), max(1, len(whole) // 60)), len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert not exr_matches(path, {}, size(pixels)), length
        with pytest.raises(InputError, match=r"a\.exr"):
            read_exr(path)
    path.write_bytes(whole + b"\0")
    assert not exr_matches(path, {}, size(pixels))
    path.write_bytes(whole)
    assert exr_matches(path, {}, size(pixels))


def test_damaged_pixels_are_an_error_that_names_the_file(tmp_path, capfd):
    path = tmp_path / "a.exr"
    write_exr(path, {"Z": np.tile(np.linspace(0, 1, 99, dtype=np.float32), (64, 1))}, {})
    data = bytearray(path.read_bytes())
    data[-60:-40] = bytes(20)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.exr"):
        read_exr(path)


def test_only_this_jobs_file_of_this_size_matches(tmp_path, pixels):
    path = tmp_path / "a.exr"
    assert not exr_matches(path, {}, size(pixels))
    write_exr(path, {"Z": pixels}, ATTRIBUTES)
    assert exr_matches(path, {"vdepth/scale": 0.1}, size(pixels))
    assert not exr_matches(path, {"vdepth/scale": 0.100001}, size(pixels))
    assert not exr_matches(path, {"imageCounter": 1002}, size(pixels))
    assert not exr_matches(path, {"imageCounter": "1001"}, size(pixels))
    assert not exr_matches(path, {"vdepth/job": "x"}, size(pixels))
    assert not exr_matches(path, {}, (54, 37))
    path.write_bytes(b"not an exr at all, but long enough to be looked at twice")
    assert not exr_matches(path, {}, size(pixels))


def test_who_finds_a_frame_cut_short_is_told_what_writes_it_anew(tmp_path):
    path = tmp_path / "a.exr"
    write_exr(path, {"Z": np.ones((8, 8), np.float32)}, {})
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match="cut short") as caught:
        read_exr(path)
    assert "vdepth verify" in caught.value.hint
    assert "vdepth estimate" in caught.value.hint
