"""What containers say of their pictures: timecode, edit lists, lengths, codecs."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest
from clip_media import number_of, numbered, write_movie

from vdepth_core.clip import Clip, open_clip
from vdepth_core.clip.quicktime import TimecodeTrack, timecode_track
from vdepth_core.clip.timing import Timecode
from vdepth_core.errors import InputError
from vdepth_core.output.timecode import timecode_at


def stamped(text: str, key: str = "timecode", stream: bool = True) -> Callable:
    def stamp(container: av.container.OutputContainer, video: av.VideoStream) -> None:
        (video if stream else container).metadata[key] = text

    return stamp


def scanned(path: Path) -> Clip:
    clip = open_clip(path)
    list(clip.scan(shots=False))
    return clip


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("rate", "text"), [(Fraction(25), "10:20:30:12"), (Fraction(30000, 1001), "00:00:59;20")]
)
def test_timecode_tags_count_in_any_case(tmp_path: Path, rate: Fraction, text: str, stream: bool) -> None:
    path = write_movie(
        tmp_path / "capture.mkv",
        [numbered(k) for k in range(3)],
        rate=rate,
        codec="ffv1",
        prepare=stamped(text, "timecode", stream),
    )
    with av.open(str(path)) as container:
        tags = {**container.metadata, **container.streams.video[0].metadata}
        assert "TIMECODE" in tags  # Matroska keeps it so
    assert open_clip(path).info.timecode == text


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """96 numbered frames with a timecode track, a key frame every 24, B-frames, 512 ticks a frame."""
    return write_movie(
        tmp_path_factory.mktemp("edit") / "whole.mov",
        (numbered(k) for k in range(96)),
        rate=Fraction(24),
        options={"g": "24", "bf": "2"},
        prepare=stamped("10:00:00:00"),
        container_options={"video_track_timescale": "12288"},
    )


def edit_lists(data: bytes, start: int, end: int) -> Iterator[int]:
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        if kind in (b"moov", b"trak", b"edts"):
            yield from edit_lists(data, start + 8, start + size)
        if kind == b"elst":
            yield start
        start += size


def trimmed(whole: Path, path: Path, first: int, count: int, code: bool) -> Path:
    """A file trimmed without loss: its edit lists show frames [first, first + count)."""
    data = bytearray(whole.read_bytes())
    video, timecode = list(edit_lists(data, 0, len(data)))[:2]
    begin = struct.unpack_from(">i", data, video + 20)[0]
    struct.pack_into(">IiI", data, video + 16, count * 1000 // 24, begin + 512 * first, 0x10000)
    if code:
        struct.pack_into(">IiI", data, timecode + 16, count * 1000 // 24, 512 * first, 0x10000)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("first", "count", "code", "start"),
    [
        (0, 96, False, "10:00:00:00"),
        (53, 43, False, "10:00:00:00"),
        (0, 40, False, "10:00:00:00"),
        (53, 20, False, "10:00:00:00"),
        (53, 43, True, "10:00:02:05"),
    ],
)
def test_trimmed_clips_are_whole_and_start_at_their_own_timecode(
    whole: Path, tmp_path: Path, first: int, count: int, code: bool, start: str
) -> None:
    clip = scanned(trimmed(whole, tmp_path / "trimmed.mov", first, count, code))
    assert clip.facts is not None
    assert clip.facts.warnings == ()
    assert clip.info.frames_declared == clip.facts.frames == count
    assert [number_of(frame.rgb) for frame in clip.read()] == list(range(first, first + count))
    assert clip.info.timecode == start


def test_a_trimmed_clip_that_is_really_cut_short_is_said_to_be(whole: Path, tmp_path: Path) -> None:
    front = tmp_path / "front.mov"
    with av.open(str(whole)) as source, av.open(str(front), "w", options={"movflags": "faststart"}) as copy:
        stream = copy.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                copy.mux(packet)
    front.write_bytes(front.read_bytes()[: front.stat().st_size * 6 // 10])
    clip = scanned(front)
    assert clip.facts is not None
    assert clip.facts.frames < 80
    assert any("cut short" in warning or "damaged" in warning for warning in clip.facts.warnings)


def test_timecode_track_that_counts_pairs(tmp_path: Path) -> None:
    path = write_movie(
        tmp_path / "p50.mov",
        [numbered(k) for k in range(3)],
        rate=Fraction(50),
        prepare=stamped("01:00:00:30"),
    )
    assert open_clip(path).info.timecode == "01:00:00:30"
    code = timecode_at("01:00:00:30", Fraction(50), 1)
    assert code is not None
    assert (code.frame, code.field) == (15, True)
    data = path.read_bytes()
    entry = data.index(b"tmcd", data.rindex(b"stsd"))
    scale, duration, base = struct.unpack_from(">IIB", data, entry + 20)
    assert (Fraction(scale, duration), base) == (50, 50)
    halved = bytearray(data)
    struct.pack_into(">IIB", halved, entry + 20, 25, 1, 25)
    path.write_bytes(halved)  # number 180030 in the track now counts pairs: 2 hours and 30 pairs
    assert timecode_track(path) == TimecodeTrack(0, 25, Fraction(25))
    assert open_clip(path).info.timecode == "02:00:01:10"
    pair = Timecode.parse("02:00:01:05")
    assert pair.count_every_frame(25, Fraction(50)) == Timecode.parse("02:00:01:10")
    assert pair.count_every_frame(30, Fraction(60000, 1001)) == Timecode.parse("02:00:01:10")
    assert pair.count_every_frame(24, Fraction(24000, 1001)) == pair


def test_recording_that_begins_before_its_pictures_is_not_cut_short(tmp_path: Path) -> None:
    numbers = range(50)
    late = write_movie(
        tmp_path / "late.mkv", (numbered(k) for k in numbers), pts=[50 + k for k in numbers]
    )  # pictures begin after two seconds of sound
    wmv = write_movie(
        tmp_path / "roll.wmv", (numbered(k) for k in numbers), codec="wmv2", pts=[3 + k for k in numbers]
    )
    avi = write_movie(tmp_path / "ticks.avi", (numbered(k) for k in numbers), options={"bf": "2"})
    for path in (late, wmv, avi):
        clip = scanned(path)
        assert clip.facts is not None
        assert clip.facts.frames == 50
        assert not [warning for warning in clip.facts.warnings if "cut short" in warning], path.name


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_stream_cut_inside_a_group_of_pictures_is_not_cut_short(tmp_path: Path, codec: str) -> None:
    path = write_movie(
        tmp_path / "broadcast.ts",
        (numbered(k, k // 10) for k in range(100)),
        codec=codec,
        options={"g": "25", "bf": "2", "sc_threshold": "0"},
    )
    data = path.read_bytes()
    begin = len(data) // 188 * 4 // 10 * 188
    path.write_bytes(data[begin:])
    clip = scanned(path)
    assert clip.facts is not None
    assert 25 <= clip.facts.frames < 65
    assert clip.facts.warnings == ()
    numbers = [number_of(frame.rgb) for frame in clip.read()]
    assert numbers == list(range(100 - len(numbers), 100))


@pytest.mark.parametrize(
    ("name", "codec", "known", "unknown", "complaint"),
    [
        ("a.mov", "libx264", b"avc1", b"zQx9", "codec zQx9, which FFmpeg does not know"),
        ("a.mkv", "libx264", b"V_MPEG4/ISO/AVC", b"V_MYSTERY/XX/AV", "codec V_MYSTERY/XX/AV"),
        ("a.avi", "mpeg4", b"FMP4", b"ZZXY", "codec ZZXY"),
        ("a.wmv", "wmv2", b"WMV2", b"WMX7", "codec WMX7"),
        ("a.mp4", "libx264", b"avc1", b"encv", "are encrypted"),
    ],
)
def test_codec_nobody_knows_is_named(
    tmp_path: Path, name: str, codec: str, known: bytes, unknown: bytes, complaint: str
) -> None:
    path = write_movie(tmp_path / name, [numbered(k) for k in range(5)], codec=codec)
    path.write_bytes(path.read_bytes().replace(known, unknown))
    level = av.logging.get_level()
    with pytest.raises(InputError, match=complaint) as caught:
        open_clip(path)
    assert caught.value.exit_code == 3
    assert name in caught.value.message
    assert caught.value.hint
    assert av.logging.get_level() == level
