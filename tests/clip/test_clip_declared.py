"""Colour facts that only the stream, its container or a chunk of a picture declares."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from clip_media import numbered, write_movie
from image_media import light, write_image

from vdepth_core.clip import open_clip

PQ, HLG = (9, 16, 9, 1), (9, 18, 9, 1)  # primaries, transfer, matrix, range


def tagged(primaries: int, transfer: int, matrix: int, range_: int) -> Callable:
    def tag(_: av.container.OutputContainer, stream: av.VideoStream) -> None:
        context = stream.codec_context
        context.color_primaries, context.color_trc = primaries, transfer
        context.colorspace, context.color_range = matrix, range_

    return tag


def silent_stream(source: Path, path: Path, codec: str) -> Path:
    """A copy whose stream says nothing of colour although its container does."""
    with av.open(str(source)) as given, av.open(str(path), "w") as copy:
        stream = copy.add_stream_from_template(given.streams.video[0])
        options = {"colour_primaries": "2", "transfer_characteristics": "2", "matrix_coefficients": "2"}
        text = ":".join(f"{key}={value}" for key, value in options.items())
        strip = av.BitStreamFilterContext(f"{codec}_metadata={text}", given.streams.video[0], stream)
        for packet in given.demux(video=0):
            if packet.size:
                for filtered in strip.filter(packet):
                    filtered.stream = stream
                    copy.mux(filtered)
        for filtered in strip.filter(None):
            filtered.stream = stream
            copy.mux(filtered)
    return path


@pytest.mark.parametrize("codes", [PQ, HLG])
@pytest.mark.parametrize("name", ["a.mov", "a.mp4", "a.mkv"])
def test_container_speaks_where_the_stream_is_silent(
    tmp_path: Path, name: str, codes: tuple[int, int, int, int]
) -> None:
    loud = write_movie(
        tmp_path / f"loud{name[1:]}",
        [numbered(k) for k in range(4)],
        pix_fmt="yuv420p10le",
        prepare=tagged(*codes),
    )
    path = silent_stream(loud, tmp_path / name, "h264")
    with av.open(str(path)) as container:
        assert int(next(container.decode(video=0)).color_trc) == 2  # the frame does not know
    clip, same = open_clip(path), open_clip(loud)
    assert clip.info.transfer == {16: "smpte2084", 18: "arib-std-b67"}[codes[1]]
    assert (clip.info.primaries, clip.info.matrix, clip.info.color_range) == ("bt2020", "bt2020nc", "tv")
    assert "HDR" in " ".join(clip.info.notes)
    (shot,) = clip.scan()
    assert shot.exposure != 1
    pictures = [next(iter(one.read(1, 2, exposure=shot.exposure))).rgb for one in (clip, same)]
    assert np.array_equal(*pictures)


def test_matrix_and_range_of_the_container_decide_the_picture(tmp_path: Path) -> None:
    flat = np.empty((96, 160, 3), np.uint8)
    flat[:] = 200, 90, 40
    for matrix, range_ in ((9, 1), (1, 2), (6, 1)):
        path = write_movie(
            tmp_path / f"{matrix}.mkv",
            [flat] * 2,
            codec="ffv1",
            pix_fmt="yuv444p",
            prepare=tagged(2, 2, matrix, range_),
        )
        clip = open_clip(path)
        assert clip.info.color_range == {1: "tv", 2: "pc"}[range_]
        shown = next(iter(clip.read())).rgb[48, 80].astype(int)
        with av.open(str(path)) as container:
            y, cb, cr = (
                float(plane[48, 80])
                for plane in next(container.decode(video=0)).to_ndarray().reshape(3, 96, 160)
            )
        kr, kb = {9: (0.2627, 0.0593), 1: (0.2126, 0.0722), 6: (0.299, 0.114)}[matrix]
        luma = y / 255 if range_ == 2 else (y - 16) / 219
        blue, red = ((value - 128) / (255 if range_ == 2 else 224) for value in (cb, cr))
        r, b = luma + 2 * (1 - kr) * red, luma + 2 * (1 - kb) * blue
        expected = 255 * np.array([r, (luma - kr * r - kb * b) / (1 - kr - kb), b])
        assert np.abs(shown - expected).max() < 1.5, (matrix, range_)


def with_chunk(path: Path, kind: bytes, body: bytes) -> Path:
    """A PNG that says of its colours what this chunk does, and nothing else."""
    data, place, kept = path.read_bytes(), 8, [path.read_bytes()[:8]]
    while place < len(data):
        length, name = struct.unpack(">I4s", data[place : place + 8])
        if name not in {b"sRGB", b"gAMA", b"cHRM", b"iCCP", b"cICP"}:
            kept.append(data[place : place + 12 + length])
        place += 12 + length
    whole = kind + body
    kept.insert(2, struct.pack(">I", len(body)) + whole + struct.pack(">I", zlib.crc32(whole)))
    path.write_bytes(b"".join(kept))
    return path


def as_pq(linear: np.ndarray) -> np.ndarray:
    """BT.2100's inverse EOTF of light whose diffuse white is at 203 cd/m2."""
    power = (linear * 203 / 10000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


@pytest.mark.parametrize(
    ("encode", "chunk", "transfer"),
    [
        (as_pq, (b"cICP", bytes([1, 16, 0, 1])), "smpte2084"),
        (lambda linear: linear, (b"cICP", bytes([1, 8, 0, 1])), "linear"),
        (lambda linear: linear, (b"gAMA", struct.pack(">I", 100_000)), "linear"),
    ],
    ids=["PQ", "linear", "gamma 1"],
)
def test_a_png_s_chunks_say_what_its_numbers_are(
    tmp_path: Path, encode: Callable, chunk: tuple[bytes, bytes], transfer: str
) -> None:
    """It looks as the same light in an EXR."""
    linear = light(numbered(3))
    codes = np.round(encode(linear) * 65535).astype(np.uint16)
    write_image(tmp_path / "light.exr", linear)
    write_image(tmp_path / "coded.png", codes)
    coded = open_clip(with_chunk(tmp_path / "coded.png", *chunk))
    assert coded.info.transfer == transfer
    shown, same = next(coded.read()).rgb, next(open_clip(tmp_path / "light.exr").read()).rgb
    assert np.abs(shown.astype(int) - same).max() <= 1


@pytest.mark.parametrize(
    ("kind", "body"),
    [(b"cICP", bytes([1, 13, 0, 1])), (b"gAMA", struct.pack(">I", 45_455)), (b"sRGB", b"\0")],
)
def test_a_png_for_a_display_is_used_as_it_is(tmp_path: Path, kind: bytes, body: bytes) -> None:
    picture = numbered(3)
    write_image(tmp_path / "plain.png", picture)
    assert np.array_equal(next(open_clip(with_chunk(tmp_path / "plain.png", kind, body)).read()).rgb, picture)


def test_wide_primaries_of_a_png_are_turned(tmp_path: Path) -> None:
    """BT.2020's red is beyond Rec. 709's: green and blue end at nothing."""
    red = np.zeros((64, 64, 3), np.uint16)
    red[..., 0] = 40_000
    red[:, 32:] = 20_000
    shown = {}
    for primaries, name in ((1, "narrow"), (9, "wide")):
        path = write_image(tmp_path / f"{name}.png", red)
        clip = open_clip(with_chunk(path, b"cICP", bytes([primaries, 8, 0, 1])))
        shown[primaries] = next(clip.read()).rgb.astype(int)
    assert np.abs(shown[1][:, 40:] - shown[9][:, 40:]).max() <= 1, "grey stays grey"
    assert shown[9][5, 5, 0] > shown[1][5, 5, 0] + 3
