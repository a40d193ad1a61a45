"""The store keeps what was written, and trusts nothing it cannot check."""

import numpy as np
import pytest

from vdepth_core.errors import InputError
from vdepth_core.store import DepthStore, FrameArray


def test_frames_survive_reopening(tmp_path):
    values = np.random.default_rng(0).random((4, 3, 5), np.float32)
    with DepthStore(tmp_path, 6, 3, 5) as store:
        store.raw.write(1, values)
    with DepthStore(tmp_path, 6, 3, 5) as store:
        np.testing.assert_array_equal(store.raw.read(1, 5), values)
        assert store.raw.missing() == [0, 5]
        assert store.final.missing() == list(range(6))


def test_unwritten_frames_are_an_error_not_zeros(tmp_path):
    with FrameArray(tmp_path / "a", 3, (2, 2), "<f4") as array:
        array.write(2, np.ones((1, 2, 2)))
        with pytest.raises(KeyError, match="frame 1"):
            array.read(1, 3)


@pytest.mark.parametrize("damage", ["flip", "cut"])
def test_damaged_frame_counts_as_missing(tmp_path, damage):
    with FrameArray(tmp_path / "a", 3, (8, 8), "<f4") as array:
        array.write(0, np.random.default_rng(1).random((3, 8, 8)))
    with open(tmp_path / "a", "r+b") as file:
        if damage == "flip":
            file.seek(2 * 256 + 7)
            file.write(b"\xff\x13")
        else:
            file.truncate(2 * 256 + 100)
    with FrameArray(tmp_path / "a", 3, (8, 8), "<f4") as again:
        assert again.missing() == [2]


def test_all_zero_frame_is_a_written_frame(tmp_path):
    with FrameArray(tmp_path / "a", 1, (4, 4), "u1") as array:
        array.write(0, np.zeros((1, 4, 4)))
        assert array.missing() == []


def test_store_of_another_size_is_refused(tmp_path):
    DepthStore(tmp_path, 6, 3, 5).close()
    with pytest.raises(InputError, match="another job"):
        DepthStore(tmp_path, 6, 4, 5)


def test_misfit_write_is_refused(tmp_path):
    with (
        FrameArray(tmp_path / "a", 3, (2, 2), "<f4") as array,
        pytest.raises(ValueError, match="do not fit"),
    ):
        array.write(2, np.ones((2, 2, 2)))
