"""A clip's identity is its content: every file of a sequence, a movie's whole length, no name or date."""

import os
import shutil

import cv2
import pytest
from clip_media import numbered

from vdepth_core.clip import fingerprint, open_clip
from vdepth_core.errors import Cancelled, InputError
from vdepth_core.progress import Progress


@pytest.fixture
def plate(tmp_path):
    """Nine numbered uncompressed images: equal in size whatever they show."""
    folder = tmp_path / "plate"
    folder.mkdir()
    for number in range(1001, 1010):
        cv2.imwrite(str(folder / f"plate.{number}.bmp"), numbered(number))
    return folder


def of(path, *span):
    return fingerprint(open_clip(path), *span)


def repaint(path):
    """Other pixels in a file of the same size."""
    data = bytearray(path.read_bytes())
    data[-300:] = bytes(value ^ 255 for value in data[-300:])
    path.write_bytes(data)


def test_every_frame_of_a_sequence_counts(plate):
    before = of(plate)
    facts = (plate / "plate.1005.bmp").stat()
    repaint(plate / "plate.1005.bmp")
    os.utime(plate / "plate.1005.bmp", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert (plate / "plate.1005.bmp").stat().st_size == facts.st_size
    after = of(plate)
    assert after.digest != before.digest
    assert after.changed(before.frames) == [1005]


def test_a_copied_touched_or_renamed_sequence_is_the_same_clip(plate, tmp_path):
    before = of(plate)
    assert of(plate / "plate.####.bmp") == of(plate / "plate.1004.bmp") == before
    copy = tmp_path / "elsewhere"
    shutil.copytree(plate, copy, copy_function=shutil.copyfile)
    for file in copy.iterdir():
        file.rename(copy / file.name.replace("plate", "other take"))
    assert of(copy) == before


def test_the_frames_numbers_count(plate):
    before = of(plate)
    for number in range(1009, 1000, -1):
        (plate / f"plate.{number}.bmp").rename(plate / f"plate.{number + 1}.bmp")
    assert of(plate).digest != before.digest


def test_a_range_is_not_changed_by_other_frames(plate):
    before = of(plate, 2, 5)
    assert list(before.frames) == [1003, 1004, 1005]
    repaint(plate / "plate.1001.bmp")
    repaint(plate / "plate.1006.bmp")
    assert of(plate, 2, 5) == before
    repaint(plate / "plate.1004.bmp")
    assert of(plate, 2, 5).changed(before.frames) == [1004]


def test_new_and_lost_frames_are_named(plate):
    before = of(plate)
    (plate / "plate.1009.bmp").unlink()
    (plate / "plate.1001.bmp").unlink()
    assert of(plate).changed(before.frames) == [1001, 1009]


@pytest.mark.parametrize("where", [0.1, 0.5, 0.9])
def test_every_part_of_a_movie_counts(movie, tmp_path, where):
    copy = tmp_path / "copy.mp4"
    data = bytearray(movie.read_bytes())
    copy.write_bytes(data)
    assert of(copy) == of(movie)
    at = int(len(data) * where)
    data[at] ^= 255
    copy.write_bytes(data)
    clip = open_clip(movie)
    clip.files = (copy,)  # whatever the decoder thinks of it
    assert fingerprint(clip).digest != of(movie).digest


def test_reading_stops_when_asked_and_says_which_file_cannot_be_read(plate):
    stopped = Progress()
    stopped.cancel()
    clip = open_clip(plate)
    with pytest.raises(Cancelled):
        fingerprint(clip, progress=stopped)
    (plate / "plate.1003.bmp").unlink()
    with pytest.raises(InputError, match=r"plate\.1003\.bmp cannot be read"):
        fingerprint(clip)
