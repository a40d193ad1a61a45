"""What PXR24, the compression of depth by default, may change: the last 8 of a FLOAT's 32 bits, rounded."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.jobs.writer import sequence_settings
from vdepth_core.output.attributes import FrameAttributes
from vdepth_core.output.exr import read_exr, write_exr
from vdepth_core.output.finish import FAR_AWAY
from vdepth_core.output.writer import SequenceWriter

BOUND = 2.0**-16
"""Half of the last of the 16 bits that stay of a float's 24: relative, as docs/exr.md promises."""
FINFO = np.finfo(np.float32)
LARGEST = np.float32(FINFO.max * (1 - BOUND))
"""From here on a number is cut, not rounded: rounded it would be infinite."""


def finite(data: bytes, dtype: type[np.floating]) -> np.ndarray:
    """Four rows of the numbers ``data`` holds; those that are not finite are 0."""
    values = np.frombuffer(data, dtype).copy()
    values[~np.isfinite(values)] = 0
    return values.reshape(4, -1)


FLOATS = st.binary(min_size=512, max_size=512).map(lambda data: finite(data, np.float32))
HALVES = st.binary(min_size=512, max_size=512).map(lambda data: finite(data, np.float16))
DENORMALS = np.arange(-64, 64, dtype=np.float32).reshape(4, 32) * FINFO.smallest_subnormal * 3
HUGE = (FINFO.max * np.linspace(-1, 1, 128)).astype(np.float32).reshape(4, 32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pxr24")


def stored(folder: Path, values: np.ndarray, compression: str = "pxr24") -> np.ndarray:
    """``values`` (H, W) as a file gives them back."""
    write_exr(folder / "a.exr", {"Z": values}, {}, compression)
    return read_exr(folder / "a.exr")[0]["Z"]


@given(values=FLOATS)
@example(values=DENORMALS)
@example(values=HUGE)
@settings(max_examples=60, deadline=None)
def test_no_number_moves_by_more_than_the_bound(folder: Path, values: np.ndarray) -> None:
    found = stored(folder, values)
    assert np.isfinite(found).all()
    exact = values.astype(np.float64)
    # Below the normal numbers the steps are equal: 256 of the smallest.
    allowed = np.maximum(BOUND * np.abs(exact), 128 * float(FINFO.smallest_subnormal))
    allowed[np.abs(values) >= LARGEST] *= 2
    assert (np.abs(found - exact) <= allowed).all()
    assert (np.sign(found) * np.sign(values) >= 0).all()
    assert not found[values == 0].any()
    np.testing.assert_array_equal(stored(folder, found), found, err_msg="writing again moves it again")


@given(values=FLOATS)
@example(values=DENORMALS)
@example(values=HUGE)
@settings(max_examples=30, deadline=None)
def test_what_is_farther_stays_no_nearer(folder: Path, values: np.ndarray) -> None:
    ordered = np.sort(values, axis=None).reshape(values.shape)
    assert (np.diff(stored(folder, ordered).astype(np.float64).ravel()) >= 0).all()


def test_the_ends_of_the_numbers(folder: Path) -> None:
    tiny, smallest = FINFO.smallest_subnormal, FINFO.tiny
    values = np.float32(
        [[0, FAR_AWAY, FINFO.max, -FINFO.max, tiny, 127 * tiny, 128 * tiny, smallest, 1, 100]]
    )
    sky, cut = np.float32(10_000_007_168), np.float32(2.0**127 * (2 - 2.0**-15))
    expected = np.float32([[0, sky, cut, -cut, 0, 0, 256 * tiny, smallest, 1, 100]])
    found = stored(folder, np.repeat(values, 32, axis=0))  # fewer would be kept as they are, see below
    np.testing.assert_array_equal(found, np.repeat(expected, 32, axis=0))
    assert sky > FAR_AWAY  # so that what asks for 1e10 or more still finds it


def test_lines_that_would_not_get_smaller_are_kept_as_they_are(folder: Path) -> None:
    values = np.random.default_rng(1).random((1, 6), np.float32)
    np.testing.assert_array_equal(stored(folder, values), values)


def test_the_bound_is_reached(folder: Path) -> None:
    """Or the documentation could promise more."""
    values = np.random.default_rng(2).uniform(1, 1.01, (64, 64)).astype(np.float32)
    error = np.abs(stored(folder, values) / values.astype(np.float64) - 1).max()
    assert 0.9 * BOUND < error <= BOUND


@given(values=HALVES)
@settings(max_examples=30, deadline=None)
def test_halves_are_exact(folder: Path, values: np.ndarray) -> None:
    found = stored(folder, values)
    assert found.dtype == np.float16
    assert found.tobytes() == values.tobytes()


@pytest.mark.parametrize("compression", ["zip", "zips"])
@given(values=FLOATS)
@example(values=DENORMALS)
@settings(max_examples=20, deadline=None)
def test_zip_keeps_every_bit(folder: Path, compression: str, values: np.ndarray) -> None:
    assert stored(folder, values, compression).tobytes() == values.tobytes()


@pytest.fixture
def written(
    tmp_path: Path,
    frame: Callable[[int], tuple[np.ndarray, np.ndarray]],
    attributes: Callable[[], FrameAttributes],
) -> dict[str, dict[str, Path]]:
    """Files of one frame with normals, as a job writes them by default and with ``--compression zip``."""
    rgb, disparity = frame(0)
    disparity[:4] = np.nan  # sky
    files = {}
    for config in (EstimateConfig(normals=True), EstimateConfig(normals=True, compression="zip")):
        wanted = sequence_settings(config)
        writer = SequenceWriter(tmp_path / wanted.compression, "a clip", wanted)
        writer.write(rgb, disparity, attributes())
        files[wanted.compression] = {str(kind): path for kind, path in writer.paths(1001).items()}
    return files


def test_by_default_depth_is_within_the_bound_and_normals_are_exact(
    written: dict[str, dict[str, Path]],
) -> None:
    assert set(written) == {"pxr24", "zip"}
    for kind in ("depth", "disparity", "normal"):
        found, exact = (read_exr(written[compression][kind])[0] for compression in ("pxr24", "zip"))
        for name, values in exact.items():
            np.testing.assert_allclose(found[name], values, rtol=BOUND if kind != "normal" else 0, atol=0)
    z = read_exr(written["pxr24"]["depth"])[0]
    assert set(z) == set("XYZ")
    for name in "XY":
        np.testing.assert_array_equal(z[name], z["Z"])
    sky = read_exr(written["zip"]["depth"])[0]["Z"] == FAR_AWAY
    assert sky.any()
    assert (z["Z"][sky] > FAR_AWAY).all()
    assert (z["Z"][~sky] < 101).all()


@pytest.mark.parametrize("kind", ["depth", "disparity", "normal"])
def test_every_reader_gives_the_same_numbers(written: dict[str, dict[str, Path]], kind: str) -> None:
    path = written["pxr24"][kind]
    expected = {name: values.astype(np.float32) for name, values in read_exr(path)[0].items()}
    for found in (by_openimageio(path), by_ffmpeg(path)):
        assert set(found) == set(expected)
        for name, values in expected.items():
            np.testing.assert_array_equal(found[name], values)


def by_openimageio(path: Path) -> dict[str, np.ndarray]:
    oiio = pytest.importorskip("OpenImageIO")
    image = oiio.ImageBuf(str(path))
    pixels = image.get_pixels(oiio.FLOAT)
    return {name: pixels[..., index] for index, name in enumerate(image.spec().channelnames)}


def by_ffmpeg(path: Path) -> dict[str, np.ndarray]:
    """FFmpeg, and so ffplay and mpv; X, Y and Z are R, G and B to it."""
    av = pytest.importorskip("av")
    with av.open(str(path)) as film:
        frame = next(film.decode(video=0))
    kind = np.float16 if "16" in frame.format.name else np.float32
    planes = [
        np.frombuffer(plane, kind).reshape(frame.height, -1)[:, : frame.width] for plane in frame.planes
    ]
    names = "Y" if len(planes) == 1 else "GBR" if "normal" in path.name else "YZX"
    return {name: plane.astype(np.float32) for name, plane in zip(names, planes, strict=True)}
