"""Our PXR24 files hold, value by value and byte by byte where nothing is compressed, what OpenEXR's hold."""

from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from vdepth_core.output.exr import read_exr, write_exr
from vdepth_core.output.exr_header import read_header

RNG = np.random.default_rng(7)


def official(path: Path, channels: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    header = {"compression": OpenEXR.PXR24_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(
        header, {name: np.ascontiguousarray(values) for name, values in channels.items()}
    ) as file:
        file.write(str(path))
    return read_exr(path)[0]


def kinds(shape: tuple[int, int]) -> dict[str, np.ndarray]:
    ramp = np.linspace(0.01, 3, shape[0] * shape[1], dtype=np.float32).reshape(shape)
    bits = RNG.integers(0, 2**32, shape, dtype=np.uint64).astype(np.uint32).view(np.float32)
    return {
        "ramp": ramp,
        "noise": RNG.normal(0, 1, shape).astype(np.float32),
        "anything": np.where(np.isfinite(bits), bits, 0),
        "largest": np.full(shape, np.finfo(np.float32).max) * np.sign(ramp - 1),
        "half": ramp.astype(np.float16),
        "view": np.asfortranarray(ramp),
    }


@pytest.mark.parametrize(
    "shape", [(1, 1), (3, 90), (15, 2), (16, 31), (17, 40), (64, 8), (65, 33), (130, 70)]
)
def test_every_value_is_what_openexr_would_store(tmp_path: Path, shape: tuple[int, int]) -> None:
    planes = kinds(shape)
    for names in (["ramp"], ["half"], ["noise", "ramp", "noise"], list(planes)):
        channels = {f"c{index}": planes[name] for index, name in enumerate(names)}
        expected = official(tmp_path / "theirs.exr", channels)
        write_exr(tmp_path / "ours.exr", channels, {}, "pxr24")
        found = read_exr(tmp_path / "ours.exr")[0]
        assert list(found) == list(expected)
        for name, values in expected.items():
            assert found[name].dtype == values.dtype
            np.testing.assert_array_equal(found[name].view(np.uint8), values.view(np.uint8), err_msg=name)


def test_the_header_is_openexrs_own(tmp_path: Path) -> None:
    plane = kinds((40, 30))["ramp"]
    facts = {"imageCounter": 7, "vdepth/near": 1.5, "comments": "dataWindow\0box2i"[:10]}
    write_exr(tmp_path / "ours.exr", {"Z": plane}, facts, "pxr24", origin=(-3, 5))
    write_exr(tmp_path / "zip.exr", {"Z": plane}, facts, "zip", origin=(-3, 5))
    ours, theirs = ((tmp_path / name).read_bytes() for name in ("ours.exr", "zip.exr"))
    end = theirs.index(b"screenWindowWidth")
    assert ours.index(b"screenWindowWidth") == end
    assert sum(a != b for a, b in zip(ours[:end], theirs[:end], strict=True)) == 1  # the compression
    assert read_header(tmp_path / "ours.exr").complete
    with OpenEXR.File(str(tmp_path / "ours.exr")) as file:
        assert [corner.tolist() for corner in file.header()["dataWindow"]] == [[-3, 5], [26, 44]]


def test_one_plane_in_three_channels_costs_little_more_than_in_one(tmp_path: Path) -> None:
    y, x = np.mgrid[:360, :640].astype(np.float32)
    plane = 2 + np.sin(x / 50) + y / 90
    write_exr(tmp_path / "one.exr", {"Y": plane}, {}, "pxr24")
    write_exr(tmp_path / "three.exr", dict.fromkeys("XYZ", plane), {}, "pxr24")
    one, three = ((tmp_path / name).stat().st_size for name in ("one.exr", "three.exr"))
    assert three < 1.6 * one
