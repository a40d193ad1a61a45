"""Damaged depth maps, archives and cameras are one sentence, and a small archive never grows to gigabytes."""

from __future__ import annotations

import io
import math
import resource
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from vdepth_core.errors import InputError
from vdepth_core.evaluation import map_files
from vdepth_core.evaluation.arrays import Arrays, open_arrays
from vdepth_core.evaluation.depth_maps import open_maps, open_truth
from vdepth_core.evaluation.map_files import PLANES, load_map
from vdepth_core.output.exr import write_exr

DEPTH = np.linspace(1, 5, 3 * 12 * 16, dtype=np.float32).reshape(3, 12, 16)


def read_all(path: Path) -> None:
    """What `evaluate` does with truth."""
    maps, _, _ = open_truth(path, None)
    for frame in maps:
        assert frame.shape == (12, 16)


def save(path: Path) -> bytes:
    """A sound file of the kind that ``path`` names."""
    if path.suffix == ".npz":
        np.savez_compressed(path, depth=DEPTH)
    elif path.suffix == ".npy":
        np.save(path, DEPTH)
    elif path.suffix == ".png":
        cv2.imwrite(str(path), (DEPTH[0] * 1000).astype(np.uint16))
    else:
        write_exr(path, {"Z": DEPTH[0], "Y": DEPTH[0]}, {})
    return path.read_bytes()


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.png", "a.exr"])
@pytest.mark.parametrize("damage", ["empty", "head", "half", "last", "flipped", "text"])
def test_damaged_file_is_one_sentence(name: str, damage: str, tmp_path: Path) -> None:
    path = tmp_path / "maps" / name
    path.parent.mkdir()
    data = save(path)
    flipped = bytearray(data)
    for position in range(len(data) // 3, len(data) // 3 + 24):
        flipped[position] ^= 0xA5
    path.write_bytes(
        {
            "empty": b"",
            "head": data[:9],
            "half": data[: len(data) // 2],
            "last": data[:-5],
            "flipped": bytes(flipped),
            "text": b"depth, they said\n" * 40,
        }[damage]
    )
    source = path if path.suffix in (".npz", ".npy") else path.parent
    if (name, damage) in {("a.npy", "flipped"), ("a.png", "last")}:
        read_all(source)  # an .npy has no checksum; a PNG's pixels are all there before its last bytes
        return
    with pytest.raises(InputError, match=r"a\.") as caught:
        read_all(source)
    assert "\n" not in str(caught.value)


def test_small_archive_stays_small(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    shape = (4000, 512, 512)  # 4.2 GB of zeros in a few megabytes
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        header = io.BytesIO()
        np.lib.format.write_array_header_2_0(header, {"descr": "<f4", "fortran_order": False, "shape": shape})
        with archive.open("depth.npy", "w", force_zip64=True) as file:
            file.write(header.getvalue())
            block = bytes(1 << 24)
            for _ in range(12):
                file.write(block)
    with pytest.raises(InputError, match="should hold"):
        open_maps(path, 1.0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        header = io.BytesIO()
        whole = {"descr": "<f4", "fortran_order": False, "shape": (192, 512, 512)}
        np.lib.format.write_array_header_2_0(header, whole)
        with archive.open("depth.npy", "w", force_zip64=True) as file:
            file.write(header.getvalue())
            for _ in range(12):
                file.write(block)
    maps = open_maps(path, 1.0)
    assert len(maps) == 192
    assert maps.read(150).shape == (512, 512)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # of 201 MB, in KB


def test_frames_of_an_archive_come_in_any_order(tmp_path: Path) -> None:
    for name, values in (("c.npz", DEPTH), ("f.npz", np.asfortranarray(DEPTH))):
        np.savez_compressed(tmp_path / name, depth=values, times=np.arange(3.0))
        array, quantity = open_arrays(tmp_path / name, PLANES)
        assert quantity == "depth"
        for index in (2, 0, 1, 1):
            np.testing.assert_array_equal(array[index], DEPTH[index])


def test_header_that_promises_too_much_is_refused_before_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    with path.open("wb") as file:
        facts = {"descr": "<f4", "fortran_order": False, "shape": (10**9, 4000, 4000)}
        np.lib.format.write_array_header_1_0(file, facts)
    with pytest.raises(InputError, match="should hold"):
        open_maps(path, 1.0)


def sparse(path: Path, shape: tuple[int, ...], dtype: str = "|u1", fortran: bool = False) -> Path:
    """An .npy file of zeros that takes no room on the disk."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_2_0(file, {"descr": dtype, "fortran_order": fortran, "shape": shape})
        file.truncate(file.tell() + math.prod(shape) * np.dtype(dtype).itemsize)
    return path


def test_a_map_has_at_most_2_to_the_28_pixels(tmp_path: Path) -> None:
    side = 1 << 14
    assert open_arrays(sparse(tmp_path / "a.npy", (side, side)), ())[0].count == 1
    assert open_arrays(sparse(tmp_path / "one.npy", (1, 1)), ())[0][0].shape == (1, 1)
    for shape in ((side, side + 1), (2, side + 1, side), (0, 5), (3, 5, 0)):
        with pytest.raises(InputError, match="no depth map"):
            open_arrays(sparse(tmp_path / "b.npy", shape), ())
    maps = open_arrays(sparse(tmp_path / "c.npy", (3, 2, 5), "<f4"), ())[0]
    assert (len(maps), maps[2].shape) == (3, (2, 5))
    with (tmp_path / "c.npy").open("ab") as file:
        file.write(b"x")
    with pytest.raises(InputError, match="should hold 120 bytes, not 121"):
        open_arrays(tmp_path / "c.npy", ())
    for shape in ((5,), (2, 3, 4, 5)):
        with pytest.raises(InputError, match="not \\(T, H, W\\)"):
            open_arrays(sparse(tmp_path / "d.npy", shape), ())
    with pytest.raises(InputError, match="no depth"):
        open_arrays(sparse(tmp_path / "e.npy", (2, 3), "<c8"), ())


def test_in_one_piece_at_most_a_gigabyte_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns first, a frame's numbers lie all over the file."""
    monkeypatch.setattr(Arrays, "_read", lambda self, *asked: asked)
    whole = open_arrays(sparse(tmp_path / "a.npy", (4, 1 << 14, 1 << 14), fortran=True), ())[0]
    assert whole.whole() == (0, 1 << 30, (4, 1 << 14, 1 << 14))
    more = open_arrays(sparse(tmp_path / "b.npy", (5, 1 << 14, 1 << 14), fortran=True), ())[0]
    with pytest.raises(InputError, match=r"1\.3 GB in an order"):
        more[0]
    alone = open_arrays(sparse(tmp_path / "c.npy", (7, 9), fortran=True), ())[0]
    assert alone[0] == (0, 63, (7, 9))
    rows = open_arrays(sparse(tmp_path / "d.npy", (3, 7, 9), "<f8"), ())[0]
    assert rows[2] == (2 * 63 * 8, 63 * 8, (7, 9))


def test_the_only_array_of_pictures_is_meant(tmp_path: Path) -> None:
    np.savez(tmp_path / "one.npz", values=DEPTH, times=np.arange(3.0), name=np.array("x"))
    array, quantity = open_arrays(tmp_path / "one.npz", PLANES)
    assert quantity is None
    np.testing.assert_array_equal(array[1], DEPTH[1])
    np.savez(tmp_path / "two.npz", a=DEPTH, b=DEPTH)
    with pytest.raises(InputError, match="a, b"):
        open_arrays(tmp_path / "two.npz", PLANES)
    np.savez(tmp_path / "both.npz", disparity=DEPTH, depth=2 * DEPTH)
    array, quantity = open_arrays(tmp_path / "both.npz", PLANES)
    assert quantity == "depth"
    np.testing.assert_array_equal(array[0], 2 * DEPTH[0])


def test_a_header_that_says_too_large_a_map_is_refused_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.exr", "a.png"):
        save(tmp_path / name)
        monkeypatch.setattr(map_files, "MAX_PIXELS", 12 * 16)
        assert load_map(tmp_path / name)[0].shape == (12, 16)
        monkeypatch.setattr(map_files, "MAX_PIXELS", 12 * 16 - 1)
        with pytest.raises(InputError, match="16 x 12 pixels, which is no depth map"):
            load_map(tmp_path / name)


def test_a_file_holds_one_map(tmp_path: Path) -> None:
    for shape, shown in (((4, 6), (4, 6)), ((1, 4, 6), (4, 6)), ((4, 6, 1), (4, 6)), ((1, 4, 1), (4, 1))):
        np.save(tmp_path / "a.npy", np.arange(math.prod(shape), dtype=float).reshape(shape))
        values, quantity = load_map(tmp_path / "a.npy")
        assert values.shape == shown
        assert values.ravel().tolist() == list(range(math.prod(shape)))
        assert quantity is None
    np.save(tmp_path / "a.npy", np.zeros((2, 4, 6)))
    with pytest.raises(InputError, match="one map a file"):
        load_map(tmp_path / "a.npy")


def test_channels_say_what_they_hold(tmp_path: Path) -> None:
    z = DEPTH[0].astype(np.float32)
    for names, quantity in (
        (("Z",), "depth"), (("Y", "Z"), "depth"), (("X", "Y", "Z"), "depth"), (("depth.Z", "N.X"), "depth"),
        (("disparity.Y",), "disparity"), (("Y",), None), (("anything",), None), (("A", "V.Depth.Z"), "depth"),
    ):  # fmt: skip
        write_exr(tmp_path / "a.exr", dict.fromkeys(names, z), {})
        values, found = load_map(tmp_path / "a.exr")
        np.testing.assert_array_equal(values, z)
        assert found == quantity
    write_exr(tmp_path / "x_disparity.0001.exr", {"Y": z}, {})
    assert load_map(tmp_path / "x_disparity.0001.exr")[1] == "disparity"
    write_exr(tmp_path / "a.exr", {"A": z, "B": z}, {})
    with pytest.raises(InputError, match="no depth channel; it has"):
        load_map(tmp_path / "a.exr")
    write_exr(tmp_path / "a.exr", {"A": z, "B": z, "Y": 2 * z}, {})
    np.testing.assert_array_equal(load_map(tmp_path / "a.exr")[0], 2 * z)


@pytest.mark.parametrize(
    "text", ["{'descr': ('<f4', ", "(" * 9000, "-" * 9000 + "1", "{'descr': '\\0'}", "1 2"]
)
def test_header_that_is_no_header_is_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.npy"
    header = text.encode() + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64))
    with pytest.raises(InputError, match=r"a\.npy") as caught:
        open_maps(path, 1.0)
    assert "\n" not in str(caught.value)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", depth=np.array([{"depth": 1}], dtype=object))
    with pytest.raises(InputError, match="no depth"):
        open_maps(tmp_path / "a.npz", 1.0)


def test_another_programs_depth_layer_is_found(tmp_path: Path) -> None:
    write_exr(tmp_path / "a.exr", {"ViewLayer.Depth.Z": DEPTH[0], "ViewLayer.Mist.Y": DEPTH[1]}, {})
    values, quantity = load_map(tmp_path / "a.exr")
    np.testing.assert_array_equal(values, DEPTH[0])
    assert quantity == "depth"


def test_positions_are_not_taken_for_depth(tmp_path: Path) -> None:
    write_exr(tmp_path / "p.exr", {"X": DEPTH[0], "Y": DEPTH[1], "Z": DEPTH[2]}, {})
    with pytest.raises(InputError, match="positions"):
        load_map(tmp_path / "p.exr")
    write_exr(tmp_path / "z.exr", dict.fromkeys("XYZ", DEPTH[0]), {})
    assert load_map(tmp_path / "z.exr")[1] == "depth"


@pytest.mark.parametrize(
    ("k", "poses"),
    [
        ("", "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1\n" * 3),
        ("nan 0 8\n0 10 6\n0 0 1\n", "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1\n" * 3),
        ("0 0 8\n0 10 6\n0 0 1\n", "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1\n" * 3),
        ("10 0 8\n0 10 6\n0 0 1\n", ""),
        ("10 0 8\n0 10 6\n0 0 1\n", "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n" * 3),
        ("10 0 8\n0 10 6\n0 0 1\n", "1 0 0 inf 0 1 0 0 0 0 1 0 0 0 0 1\n" * 3),
        ("10 0 8\n0 10 6\n0 0 1\n", "\xff\xfe\x00broken"),
    ],
)
def test_damaged_camera_is_one_sentence(k: str, poses: str, tmp_path: Path) -> None:
    (tmp_path / "depth").mkdir()
    np.save(tmp_path / "depth" / "0.npy", DEPTH[0])
    np.save(tmp_path / "depth" / "1.npy", DEPTH[1])
    np.save(tmp_path / "depth" / "2.npy", DEPTH[2])
    (tmp_path / "K.txt").write_text(k)
    (tmp_path / "poses_cam_to_world.txt").write_text(poses, encoding="latin-1")
    with pytest.raises(InputError, match="camera of") as caught:
        open_truth(tmp_path, None)
    assert "\n" not in str(caught.value)
