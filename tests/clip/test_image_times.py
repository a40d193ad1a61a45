"""Time codes, rates and aspects of images: each plate's own, stated, or asked for."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import OpenEXR
import pytest
from clip_media import numbered
from image_media import layer, write_channels, write_image

from vdepth_core.clip import open_clip
from vdepth_core.clip.smpte import pack_frame, read_timecode, unpack
from vdepth_core.errors import UsageError


def plates(folder: Path, codes: list[str], **header: object) -> Path:
    """EXR plates 1001…; a code's frame may be followed by ``+`` for the second of a pair."""
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(codes, 1001):
        code = OpenEXR.TimeCode()
        code.dropFrame, code.fieldPhase = ";" in text, text.endswith("+")
        code.hours, code.minutes, code.seconds, code.frame = map(
            int, text.rstrip("+").replace(";", ":").split(":")
        )
        write_channels(folder / f"plate.{number}.exr", layer(numbered(number)), timeCode=code, **header)
    return folder


def own(folder: Path, **options: object) -> list[str | None]:
    return [frame.timecode for frame in open_clip(folder, **options).read()]


@pytest.mark.parametrize(
    "codes",
    [
        ["01:00:00:23", "01:00:00:24", "01:00:01:00"],  # 25 a second
        ["01:00:00:28", "01:00:00:29", "01:00:01:00"],  # 30 a second
        ["00:00:59;29", "00:01:00;02", "00:01:00;03"],
        ["10:00:00:00", "11:30:00:05", "09:00:00:00"],  # cut together
    ],
)
def test_each_plate_keeps_its_own_time_code_without_a_rate(tmp_path: Path, codes: list[str]) -> None:
    folder = plates(tmp_path / "plates", codes)
    clip = open_clip(folder)
    assert own(folder) == codes
    assert (clip.info.rate, clip.info.timecode) == (24, codes[0])
    (note,) = (note for note in clip.info.notes if "--rate" in note)
    assert "24 frames per second are assumed" in note
    assert not any("--rate" in note for note in open_clip(folder, rate=Fraction(25)).info.notes)


@pytest.mark.parametrize("rate", [50, 60, Fraction(60000, 1001)])
def test_pairs_at_fast_rates_count_every_frame(tmp_path: Path, rate: Fraction) -> None:
    folder = plates(tmp_path / "plates", ["01:00:00:12", "01:00:00:12+", "01:00:00:13"])
    assert own(folder, rate=Fraction(rate)) == ["01:00:00:24", "01:00:00:25", "01:00:00:26"]
    assert open_clip(folder, rate=Fraction(rate)).info.timecode == "01:00:00:24"
    stated = plates(tmp_path / "stated", ["01:00:00:12"], framesPerSecond=Fraction(rate))
    assert own(stated) == ["01:00:00:24"]


def test_a_number_no_pair_has_counts_every_frame() -> None:
    word = 0x01000029  # frame 29 at 50 a second: pairs end at 24
    assert str(read_timecode(word, Fraction(50))) == "01:00:00:29"
    assert str(read_timecode(word, Fraction(60))) == "01:00:00:58"
    assert pack_frame(58, Fraction(60)) == (29, False)
    assert pack_frame(29, Fraction(30)) == (29, False)
    assert unpack(0x0100C0A9) == (1, 0, 40, 29, False, True)
    for nonsense in (0xFFFFFFFF, 0x31000000, 0x01780000):
        assert read_timecode(nonsense, Fraction(24)) is None


def test_a_stated_time_code_counts_for_all(tmp_path: Path, movie: Path) -> None:
    folder = plates(tmp_path / "plates", ["01:00:00:23", "01:00:00:24"])
    clip = open_clip(folder, timecode="10:00:00:00", rate=Fraction(25))
    assert clip.info.timecode == "10:00:00:00"
    assert [frame.timecode for frame in clip.read()] == [None, None]
    assert open_clip(movie, timecode="10:00:00:07").info.timecode == "10:00:00:07"


@pytest.mark.parametrize(
    ("code", "rate", "complaint"),
    [
        ("1 o'clock", 24, "is not a timecode"),
        ("25:00:00:00", 24, "is not a timecode"),
        ("01:00:00:24", 24, "has frame 24, but at 24 frames per second they end at 23"),
        ("01:00:00;00", 25, "is drop-frame"),
    ],
)
def test_a_time_code_that_cannot_be_is_refused(tmp_path: Path, code: str, rate: int, complaint: str) -> None:
    path = write_image(tmp_path / "a.png", numbered(1))
    with pytest.raises(UsageError, match=complaint):
        open_clip(path, timecode=code, rate=Fraction(rate))


def scan(folder: Path, transfer: int) -> Path:
    """DPX as a film scanner writes it (SMPTE 268M)."""
    folder.mkdir()
    for number, frame in ((1001, 0x24), (1002, 0x00)):
        path = write_image(folder / f"scan.{number}.dpx", numbered(number))
        data = bytearray(path.read_bytes())
        order, seconds = ">" if data[:4] == b"SDPX" else "<", 0x30 if frame else 0x31
        struct.pack_into(f"{order}I", data, 1920, 0x10200000 | seconds << 8 | frame)
        struct.pack_into(f"{order}f", data, 1724, 25.0)
        struct.pack_into(f"{order}II", data, 1628, 2, 1)
        data[801] = data[802] = transfer
        path.write_bytes(data)
    return folder


@pytest.mark.parametrize(
    ("transfer", "word", "note"),
    [(3, "log100", "log-encoded"), (1, "cineon", "Cineon film log"), (6, "iec61966-2-1", "")],
)
def test_a_dpx_header_is_heard(tmp_path: Path, transfer: int, word: str, note: str) -> None:
    clip = open_clip(scan(tmp_path / "scan", transfer))
    info = clip.info
    assert (info.rate, info.pixel_aspect, info.transfer) == (25, 2, word)
    assert [frame.timecode for frame in clip.read()] == ["10:20:30:24", "10:20:31:00"]
    assert note in " ".join(info.notes)
    assert note or not info.notes


def test_print_resolutions_are_no_pixel_aspect(tmp_path: Path) -> None:
    resolution = {"XResolution": 300.0, "YResolution": 150.0, "PixelAspectRatio": 0.5}
    for suffix in ("tif", "png", "jpg"):
        assert (
            open_clip(write_image(tmp_path / f"a.{suffix}", numbered(1), **resolution)).info.pixel_aspect == 1
        )
