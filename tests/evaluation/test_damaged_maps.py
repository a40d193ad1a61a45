"""Damaged depth maps, archives and cameras are one sentence, and a small archive never grows to gigabytes."""

from __future__ import annotations

import io
import resource
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from vdepth_core.errors import InputError
from vdepth_core.evaluation.arrays import open_arrays
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
