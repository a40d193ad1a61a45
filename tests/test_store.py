"""The store keeps what was written, and trusts nothing it cannot check."""

import os
import threading
import time

import numpy as np
import pytest

from vdepth_core import store as store_module
from vdepth_core.errors import ResourceError
from vdepth_core.store import DepthStore, FrameArray, has_predictions


def fill(folder, **made_of):
    """A store of six frames of 3 x 5, all predicted and settled."""
    values = np.random.default_rng(0).random((6, 3, 5), np.float32)
    with DepthStore(
        folder, 6, 3, 5, **{k: v if k == "shot" else tuple(v) for k, v in made_of.items()}
    ) as store:
        for array in (store.raw, store.final, store.luma):
            array.write(0, values)
        store.fov.write(0, np.ones(6))


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


def test_reading_and_asking_beyond_the_ends(tmp_path):
    with FrameArray(tmp_path / "a", 3, (2,), "<f4") as array:
        array.write(0, np.arange(6.0).reshape(3, 2))
        assert array.read(1).tolist() == [[2, 3]]
        assert array.read(0, 3).shape == (3, 2)
        assert array.read(1, 1).shape == (0, 2)
        for index in (-1, 3):
            with pytest.raises(IndexError):
                array.done(index)
        for start, count in ((-1, 1), (3, 1), (2, 2)):
            with pytest.raises(ValueError, match="do not fit"):
                array.write(start, np.zeros((count, 2)))
        array.write(3, np.zeros((0, 2)))
        with pytest.raises(ValueError, match="do not fit"):
            array.write(0, np.zeros((1, 3)))


def test_one_frame_written_anew_changes_that_frame_only(tmp_path):
    with FrameArray(tmp_path / "a", 4, (3, 2), "<f4") as array:
        array.write(0, np.arange(24.0).reshape(4, 3, 2))
        array.write(2, np.full((1, 3, 2), 7.0))
    with FrameArray(tmp_path / "a", 4, (3, 2), "<f4") as again:
        assert again.missing() == []
        assert again.read(2).tolist() == [[[7, 7]] * 3]
        assert again.read(1).ravel().tolist() == [6, 7, 8, 9, 10, 11]
        assert again.read(3).ravel().tolist() == [18, 19, 20, 21, 22, 23]
    assert (tmp_path / "a").stat().st_size == 4 * 3 * 2 * 4
    assert (tmp_path / "a.crc").stat().st_size == 4 * 4


def test_dropped_frames_are_missing_at_once_and_after_reopening(tmp_path):
    with FrameArray(tmp_path / "a", 4, (2,), "<f4") as array:
        array.write(0, np.ones((4, 2)))
        array.drop([1, 3])
        assert array.missing() == [1, 3]
        array.write(3, np.ones((1, 2)))
    with FrameArray(tmp_path / "a", 4, (2,), "<f4") as again:
        assert again.missing() == [1]


@pytest.mark.parametrize("bytes_left", [0, 3, 4, 7, 8, 15])
def test_a_torn_index_costs_its_last_entries_only(tmp_path, bytes_left):
    with FrameArray(tmp_path / "a", 4, (2,), "<f4") as array:
        array.write(0, np.ones((4, 2)))
    os.truncate(tmp_path / "a.crc", bytes_left)
    with FrameArray(tmp_path / "a", 4, (2,), "<f4") as again:
        assert again.missing() == list(range(bytes_left // 4, 4))


def test_arrays_of_numbers_have_no_shape(tmp_path):
    with DepthStore(tmp_path / "s", 3, 4, 5) as store:
        store.fov.write(0, np.float32([50, 60, 70]))
        assert store.fov.read(1, 3).tolist() == [60, 70]
        shapes = (store.raw.shape, store.final.shape, store.luma.shape, store.fov.shape)
        assert shapes == ((4, 5), (4, 5), (4, 5), ())
        assert store.luma.dtype == np.uint8


def test_removing_a_store_leaves_what_is_somebodys(tmp_path):
    fill(tmp_path / "store")
    own = tmp_path / "store" / "own"
    own.mkdir()
    (own / "latents").write_bytes(b"x")
    (own / "latents.crc").write_bytes(b"y")
    (own / "half.tmp").write_bytes(b"z")
    (tmp_path / "store" / "mine.txt").write_text("mine")
    (tmp_path / "store" / "link").symlink_to(tmp_path)
    store_module.remove_store(tmp_path / "store")
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == ["link", "mine.txt"]


def test_all_zero_frame_is_a_written_frame(tmp_path):
    with FrameArray(tmp_path / "a", 1, (4, 4), "u1") as array:
        array.write(0, np.zeros((1, 4, 4)))
        assert array.missing() == []


@pytest.mark.parametrize("size", [(6, 4, 5), (5, 3, 5)])
def test_store_of_another_size_is_made_anew(tmp_path, size):
    fill(tmp_path / "store")
    with DepthStore(tmp_path / "store", *size) as store:
        assert store.raw.missing() == list(range(size[0]))


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"count": "x"}', b"\xff\x00", b'{"format": 99}', None]
)
def test_a_store_that_does_not_say_what_it_holds_is_made_anew(tmp_path, damage):
    fill(tmp_path / "store")
    (tmp_path / "store" / "store.json").unlink()
    if damage is not None:
        (tmp_path / "store" / "store.json").write_bytes(damage)
    with DepthStore(tmp_path / "store", 6, 3, 5) as store:
        assert store.raw.missing() == list(range(6))
        store.raw.write(0, np.ones((6, 3, 5)))
    with DepthStore(tmp_path / "store", 6, 3, 5) as store:
        assert store.raw.missing() == []


@pytest.mark.parametrize("left", [0, 1, 3, 4, 6, 22, 23])
def test_a_torn_index_is_truncated(tmp_path, left):
    fill(tmp_path / "store")
    with (tmp_path / "store" / "raw.f32.crc").open("r+b") as file:
        file.truncate(left)
    with DepthStore(tmp_path / "store", 6, 3, 5) as store:
        assert store.raw.missing() == list(range(left // 4, 6))
        assert (tmp_path / "store" / "raw.f32.crc").stat().st_size % 4 == 0
        store.raw.write(5, np.ones((1, 3, 5)))
    with DepthStore(tmp_path / "store", 6, 3, 5) as store:
        assert store.raw.missing() == list(range(left // 4, 5))


def test_an_index_too_long_is_no_harm(tmp_path):
    fill(tmp_path / "store")
    with (tmp_path / "store" / "raw.f32.crc").open("ab") as file:
        file.write(b"more and more")
    with DepthStore(tmp_path / "store", 6, 3, 5) as store:
        assert store.raw.missing() == []


def test_changed_pictures_lose_their_predictions_and_nothing_stays_settled(tmp_path):
    fill(tmp_path / "store", frames="abcdef")
    with DepthStore(tmp_path / "store", 6, 3, 5, frames=tuple("abXdeY")) as store:
        for array in (store.raw, store.luma, store.fov):
            assert array.missing() == [2, 5]
        assert store.final.missing() == list(range(6))
    with DepthStore(tmp_path / "store", 6, 3, 5, frames=tuple("abXdeY")) as store:
        assert store.raw.missing() == [2, 5]


def test_killed_while_it_forgets_a_store_forgets_again(tmp_path, monkeypatch):
    fill(tmp_path / "store", frames="abcdef")

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(store_module, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        DepthStore(tmp_path / "store", 6, 3, 5, frames=tuple("abXdef"))
    monkeypatch.undo()
    with DepthStore(tmp_path / "store", 6, 3, 5, frames=tuple("abXdef")) as store:
        assert store.raw.missing() == [2]


def test_a_store_with_a_methods_own_files_goes_as_a_whole(tmp_path):
    fill(tmp_path / "store", frames="abcdef")
    (tmp_path / "store" / "snippets").mkdir()
    with DepthStore(tmp_path / "store", 6, 3, 5, frames=tuple("abXdef")) as store:
        assert store.raw.missing() == list(range(6))
    assert not (tmp_path / "store" / "snippets").exists()


def test_a_store_of_another_shot_goes_as_a_whole(tmp_path):
    fill(tmp_path / "store", shot="0-6", frames="abcdef")
    with DepthStore(tmp_path / "store", 6, 3, 5, shot="6-12", frames=tuple("abcdef")) as store:
        assert store.raw.missing() == list(range(6))


def test_a_store_says_whether_anything_would_be_lost_with_it(tmp_path):
    DepthStore(tmp_path / "store", 6, 3, 5).close()
    assert not has_predictions(tmp_path / "store")
    fill(tmp_path / "store")
    assert has_predictions(tmp_path / "store")


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="no such flag here")
def test_a_link_in_place_of_a_file_is_not_followed(tmp_path):
    precious = tmp_path / "precious"
    precious.write_bytes(b"mine")
    fill(tmp_path / "store")
    (tmp_path / "store" / "raw.f32").unlink()
    (tmp_path / "store" / "raw.f32").symlink_to(precious)
    with pytest.raises(ResourceError):
        DepthStore(tmp_path / "store", 6, 3, 5)
    assert precious.read_bytes() == b"mine"


def test_done_holds_the_lock_while_it_checks(tmp_path):
    """A frame rewritten while its checksum is being compared must not be taken for a damaged one."""
    fill(tmp_path / "store")
    with FrameArray(tmp_path / "store" / "raw.f32", 6, (3, 5), "<f4") as array:
        real, going = array._read, threading.Event()

        def slow(start, stop):
            data = real(start, stop)
            going.set()
            time.sleep(0.05)
            return data

        array._read = slow
        asked = threading.Thread(target=array.done, args=(0,))
        asked.start()
        going.wait()
        array.write(0, np.full((1, 3, 5), 7.0))
        asked.join()
        assert array.done(0)


def test_misfit_write_is_refused(tmp_path):
    with (
        FrameArray(tmp_path / "a", 3, (2, 2), "<f4") as array,
        pytest.raises(ValueError, match="do not fit"),
    ):
        array.write(2, np.ones((2, 2, 2)))


def test_refined_maps_are_of_one_refiner_and_size_and_are_the_result(tmp_path):
    with DepthStore(tmp_path / "store", 3, 2, 4) as store:
        assert store.result is store.final
        with pytest.raises(KeyError):
            store.result.read(0)
        refined = store.open_refined("boost 1", 6, 12)
        refined.write(0, np.full((2, 6, 12), 5.0))
        assert store.result is refined
        assert refined.missing() == [2]
    with DepthStore(tmp_path / "store", 3, 2, 4) as again:
        assert again.open_refined("boost 1", 6, 12).read(1)[0, 0, 0] == 5
    for asked in (("boost 2", 6, 12), ("boost 2", 6, 13), ("boost 2", 7, 13)):
        with DepthStore(tmp_path / "store", 3, 2, 4) as other:
            assert other.open_refined(*asked).missing() == [0, 1, 2]
            other.refined.write(0, np.ones((3, *asked[1:])))


def test_what_is_known_of_a_shot_comes_back_bit_for_bit(tmp_path):
    with DepthStore(tmp_path / "store", 3, 2, 4) as store:
        assert store.load("x") is None
        store.save("x", [0.1, 1e-300])
        store.save("y", {"a": "ä"})
        store.save("x", [0.2])
    with DepthStore(tmp_path / "store", 3, 2, 4) as store:
        assert store.load("x") == [0.2]
        assert store.load("y") == {"a": "ä"}
        assert store.load("z") is None
