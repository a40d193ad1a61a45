"""Reading a finished job: lazily, exactly, and never around a missing frame."""

from fractions import Fraction

import numpy as np
import pytest

from vdepth_core.errors import InputError
from vdepth_core.output import sequence as module
from vdepth_core.output.exr import read_exr, write_exr
from vdepth_core.output.manifest import write_manifest
from vdepth_core.output.naming import frame_pattern
from vdepth_core.output.sequence import read_sequence
from vdepth_core.output.writer import SequenceSettings, SequenceWriter


def test_frames_and_slices(job):
    depth = read_sequence(job)
    assert len(depth) == 5
    assert depth.shape == (5, 41, 63)
    whole = np.asarray(depth)
    assert whole.dtype == np.float32
    for index in range(5):
        file = read_exr(job / f"a clip_depth.{1001 + index}.exr")[0]["Z"]
        np.testing.assert_array_equal(whole[index], file)
    np.testing.assert_array_equal(depth[-1], whole[4])
    np.testing.assert_array_equal(depth[1:4], whole[1:4])
    np.testing.assert_array_equal(depth[::-2], whole[::-2])
    assert depth[5:].shape == (0, 41, 63)
    with pytest.raises(IndexError):
        depth[5]
    assert len(list(depth)) == 5


def test_disparity_times_numbers_and_attributes(job):
    depth = read_sequence(str(job))
    assert depth.disparity.shape == depth.shape
    assert np.asarray(depth.disparity).min() >= 0
    assert list(depth.numbers) == [1001, 1002, 1003, 1004, 1005]
    assert depth.times[2] == Fraction(2002, 24000)
    assert depth.rate == Fraction(24000, 1001)
    assert depth.attributes(-1)["imageCounter"] == 1005
    assert depth.attributes(0)["framesPerSecond"] == depth.rate
    assert depth.near_far == (1, 100)
    assert depth.intrinsics.source == "assumed"
    assert depth.manifest.method == "temporal"
    with pytest.raises(InputError, match="confidence"):
        _ = depth.confidence


def test_only_what_is_asked_for_is_read(job, monkeypatch):
    opened = []
    monkeypatch.setattr(module, "read_exr", lambda path: opened.append(path.name) or read_exr(path))
    depth = read_sequence(job)
    assert depth.shape
    assert opened == []
    depth[1:3]
    assert opened == ["a clip_depth.1002.exr", "a clip_depth.1003.exr"]


def test_a_frame_of_another_program_is_named(job):
    depth = read_sequence(job)
    path = depth.path(0)
    write_exr(path, dict.fromkeys("XYZ", depth[0]), {})
    with pytest.raises(InputError, match=f"{path.name} was written by another program"):
        depth.attributes(0)


def test_layered_jobs_read_the_same(tmp_path, job, attributes, frame, manifest):
    out = tmp_path / "layered"
    writer = SequenceWriter(out, "a clip", SequenceSettings(layered=True))
    for index in range(5):
        writer.write(*frame(index), attributes(1001 + index))
    write_manifest(manifest(sequences={"layers": frame_pattern("a clip", "layers")}), out / "manifest.json")
    np.testing.assert_array_equal(np.asarray(read_sequence(out)), np.asarray(read_sequence(job)))
    np.testing.assert_array_equal(read_sequence(out).disparity[2], read_sequence(job).disparity[2])


def test_a_folder_may_move(job, tmp_path):
    moved = job.rename(tmp_path / "elsewhere")
    assert read_sequence(moved)[0].shape == (41, 63)


@pytest.mark.parametrize("damage", ["gone", "cut", "empty", "foreign"])
def test_missing_and_damaged_frames_are_named(job, damage):
    victim = job / "a clip_depth.1003.exr"
    data = victim.read_bytes()
    victim.unlink()
    if damage != "gone":
        victim.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "foreign": b"GIF89a" * 40}[damage])
    depth = read_sequence(job)
    assert depth[1].shape == (41, 63)
    with pytest.raises(InputError, match=r"a clip_depth\.1003\.exr") as caught:
        depth[2]
    assert caught.value.hint
    with pytest.raises(InputError, match=r"1003"):
        np.asarray(depth)


def test_an_unfinished_job_is_no_sequence(tmp_path):
    with pytest.raises(InputError, match="no finished depth sequence"):
        read_sequence(tmp_path)
