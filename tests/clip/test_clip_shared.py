"""Every file of the shared clips either works, with these numbers, or is refused with one clear sentence."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from vdepth_core.clip import Clip, open_clip
from vdepth_core.clip.timing import is_regular
from vdepth_core.errors import InputError

CLIPS = Path(__file__).parents[2] / ".." / "shared" / "clips"
NTSC = Fraction(30000, 1001)

pytestmark = pytest.mark.skipif(
    not CLIPS.is_dir(), reason="the shared clips are not beside this checkout (../shared/clips)"
)


def scanned(name: str) -> Clip:
    clip = open_clip(CLIPS / name)
    list(clip.scan())
    return clip


# name, width, height, frames, rate, shot starts, part of a note or warning ("" = there is none)
WORKING = [
    ("vid_walk_gopro/max-heromode.mp4", 848, 480, 315, NTSC, [0], ""),
    ("vid_phone_alley/golf.mov", 1920, 1080, 40, 30, [0], ""),
    ("vid_drive_highway/solidWhiteRight.mp4", 960, 540, 221, 25, [0], ""),
    ("vid_people_dog_dolly/internal_emulator_transformer_output.mp4", 1280, 720, 149, NTSC, [0], ""),
    ("vid_puppy_handheld/dog-example.mp4", 1280, 720, 122, NTSC, [0], ""),
    ("vid_pan_kingscross/sample_shorter_audio.mp4", 320, 240, 72, 60, [0], ""),
    ("vid_static_juggle/05_default_juggle.mp4", 1280, 720, 247, 24, [0], ""),
    ("awk_odd_161x121_vp9/bear-vp9-odd-dimensions.webm", 161, 121, 30, NTSC, [0], ""),
    ("awk_rot90_4k60_vfr/portrait_4k60.mp4", 2160, 3840, 18, 60, [0], ""),
    ("awk_rotate_and_mirror/sample_rotate_and_reflect.mp4", 720, 1080, 30, NTSC, [0], ""),
    ("awk_10bit_vp9_cuts/roadtrip-vp92-10bit.webm", 426, 240, 72, Fraction(24000, 1001), [0, 42, 69], ""),
    ("awk_10bit_av1_hdr/sample_with_colr_mdcv_and_clli.mp4", 1920, 1080, 60, 2 * NTSC, [0], "HDR"),
    ("awk_vfr_slowmo/sample_android_slow_motion.mp4", 1280, 720, 7, 30, [0], ""),
    ("awk_corrupt_midstream/sample_with_invalid_nalu.mp4", 1080, 720, 29, NTSC, [0], "1 frame near frame 26"),
    ("awk_corrupt_decord/corrupted.mp4", 1280, 720, 49, 10, [0], "1 frame near frame 28"),
    ("awk_gif_animated/people-detection.gif", 480, 270, 23, 12, [0], ""),
    ("awk_alpha_vp9/transparent.webm", 200, 200, 150, 30, [0], "alpha"),
    ("awk_nonmonotonic_pts_avi/sample-with-large-length.avi", 256, 144, 58, 30, [0], "run backwards"),
    ("awk_interlaced_mpeg2_derived/interlaced_tff.mpg", 424, 240, 18, 25, [0], "interlaced"),
    ("awk_alpha_prores4444_derived/alpha.mov", 212, 120, 6, 25, [0], "alpha"),
    ("awk_vfr_derived/vfr.mp4", 424, 240, 24, 30, [0], ""),
    ("awk_odd_333x187_444_derived/odd444.mkv", 333, 187, 20, 25, [0], ""),
    ("awk_single_frame_derived/one_frame.mp4", 424, 240, 1, 25, [0], ""),
    ("awk_truncated_derived/truncated_mid_stream.mkv", 424, 240, 17, 25, [0], "cut short"),
    ("gt_hololens_office_A/color", 540, 360, 36, 24, [0], ""),
    ("gt_kinect_stills/tum_color.png", 640, 480, 1, 24, [0], ""),
    ("train_hololens_office/color", 540, 360, 190, 24, None, ""),
]

REFUSED = [
    ("awk_audio_only_mp3/bear-vbr-no-seek-table.mp3", "holds only sound"),
    ("awk_audio_with_cover_art/bear_with_picture.flac", "only picture is the cover"),
    ("awk_1x1_pixel/bitmap.mp4", "is 1 x 1 pixels"),
    ("awk_truncated_derived/truncated_no_moov.mp4", "moov atom"),
    ("gt_drive_lidar_A/color", "Frame 2 of .* is missing"),
    ("gt_shelf_realsense/color", "Frame 1 of .* is missing"),
    ("MANIFEST.md", "cannot be opened"),
]


@pytest.mark.parametrize(("name", "width", "height", "frames", "rate", "starts", "note"), WORKING)
def test_clip_works(
    name: str, width: int, height: int, frames: int, rate: Fraction, starts: list[int] | None, note: str
) -> None:
    clip = scanned(name)
    info, facts = clip.info, clip.facts
    assert facts is not None
    assert (info.width, info.height, facts.frames, info.rate) == (width, height, frames, rate)
    assert starts is None or [shot.start for shot in facts.shots] == starts
    problems = " ".join([*info.notes, *facts.warnings])
    assert note in problems
    assert note or not problems
    assert all(one < other for one, other in pairwise(facts.times))
    last = list(clip.read(frames - 1, exposure=facts.shots[-1].exposure))
    assert [frame.index for frame in last] == [frames - 1]
    assert last[0].rgb.shape == (height, width, 3)
    assert last[0].time == facts.times[-1]


@pytest.mark.parametrize(("name", "complaint"), REFUSED)
def test_clip_is_refused(name: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        open_clip(CLIPS / name)
    assert caught.value.exit_code == 3
    assert caught.value.message.endswith(".")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("name", "frames"), [("gt_drive_lidar_A/color/#_CAMERA_01.jpg", 3), ("gt_shelf_realsense/color", 8)]
)
def test_strides_are_read_on_request(name: str, frames: int) -> None:
    clip = open_clip(CLIPS / name, every_file=True)
    assert [frame.pts for frame in clip.read(max_side=64)] == list(range(1, frames + 1))
    assert list(clip.files) == sorted(clip.files)  # all of one padding


def test_every_awkward_folder_has_an_expectation() -> None:
    expected = {Path(row[0]).parts[0] for row in [*WORKING, *REFUSED]}
    assert {folder.name for folder in CLIPS.glob("[agtv]*_*")} <= expected


@pytest.mark.parametrize(
    ("name", "regular"),
    [
        ("awk_vfr_slowmo/sample_android_slow_motion.mp4", False),
        ("awk_vfr_derived/vfr.mp4", False),
        ("vid_pan_kingscross/sample_shorter_audio.mp4", True),
        ("awk_10bit_vp9_cuts/roadtrip-vp92-10bit.webm", True),
    ],
)
def test_variable_rates_are_seen(name: str, regular: bool) -> None:
    clip = scanned(name)
    assert clip.facts is not None
    assert is_regular(clip.facts.times, clip.info.rate) is regular


def test_orientation_and_timecode() -> None:
    turned = open_clip(CLIPS / "awk_rot90_4k60_vfr/portrait_4k60.mp4").info
    assert (turned.rotation, turned.mirrored) == (90, False)
    mirrored = open_clip(CLIPS / "awk_rotate_and_mirror/sample_rotate_and_reflect.mp4").info
    assert (mirrored.rotation, mirrored.mirrored) == (270, True)
    assert open_clip(CLIPS / "vid_walk_gopro/max-heromode.mp4").info.timecode == "15:44:35:10"


@pytest.mark.parametrize(
    "name", ["awk_corrupt_decord/corrupted.mp4", "vid_pan_kingscross/sample_shorter_audio.mp4"]
)
def test_reading_from_the_middle_is_the_same(name: str) -> None:
    clip = scanned(name)
    assert clip.facts is not None
    start = clip.facts.frames * 3 // 4
    whole = {frame.index: frame for frame in clip.read(0, start + 4, max_side=320)}
    for frame in clip.read(start, start + 4, max_side=320):
        assert frame.rgb.tobytes() == whole[frame.index].rgb.tobytes()
        assert frame.time == whole[frame.index].time


def test_what_real_movies_tell_of_the_lens() -> None:
    action = open_clip(CLIPS / "vid_walk_gopro/max-heromode.mp4").info.lens
    assert (action.camera, round(action.focal or 0)) == ("GoPro Max", 406)
    assert "137 degrees from corner to corner, mode W" in action.source
    phone = open_clip(CLIPS / "vid_phone_alley/golf.mov").info.lens
    assert (phone.camera, phone.focal) == ("Apple iPhone 6", None)
