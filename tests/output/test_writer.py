"""What a frame becomes on disk, and what a second run leaves alone."""

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import cv2
import numpy as np
import pytest

from vdepth_core.errors import ResourceError, UsageError
from vdepth_core.output import writer as writer_module
from vdepth_core.output.attributes import intrinsics_from, mapping_from
from vdepth_core.output.exr import read_exr
from vdepth_core.output.finish import FAR_AWAY, DepthMapping, DisparityRange
from vdepth_core.output.writer import SequenceSettings, SequenceWriter, _resized


def test_the_two_standard_sequences(tmp_path, attributes, frame):
    rgb, disparity = frame(0)
    written = SequenceWriter(tmp_path / "new" / "job", "a clip", SequenceSettings()).write(
        rgb, disparity, attributes()
    )
    assert [path.name for path in written.paths] == ["a clip_depth.1001.exr", "a clip_disparity.1001.exr"]
    assert written.fresh == written.paths
    depth, header = read_exr(written.paths[0])
    assert set(depth) == {"X", "Y", "Z"}  # what Blender, FFmpeg, OIIO and Nuke all read right
    np.testing.assert_array_equal(depth["X"], depth["Z"])
    np.testing.assert_array_equal(depth["Y"], depth["Z"])
    values, other = read_exr(written.paths[1])
    assert set(values) == {"Y"}
    y = values["Y"]
    assert y.shape == rgb.shape[:2]
    # the files agree with each other and with what their headers say
    mapping = mapping_from(header)
    np.testing.assert_allclose(mapping.depth(y), depth["Z"], rtol=1e-4)
    np.testing.assert_allclose(mapping.normalised(y), written.d, atol=1e-5)
    assert 1 <= depth["Z"].min() < depth["Z"].max() <= 100.001
    assert (header["vdepth/quantity"], other["vdepth/quantity"]) == ("depth", "disparity")
    assert header["framesPerSecond"] == Fraction(24000, 1001)
    assert header["pixelAspectRatio"] == pytest.approx(4 / 3)
    assert str(header["timeCode"]) == "01:00:00:00"
    assert header["imageCounter"] == 1001
    assert header["vdepth/license"] == "Apache-2.0"
    assert intrinsics_from(header).fx == pytest.approx(attributes().intrinsics.fx, rel=1e-6)
    assert intrinsics_from(header).source == "assumed"


def test_a_second_run_writes_nothing_and_another_job_everything(tmp_path, attributes, frame):
    writer = SequenceWriter(tmp_path, "c", SequenceSettings(normals=True))
    first = writer.write(*frame(0), attributes())
    stamps = [path.stat().st_mtime_ns for path in first.paths]
    assert writer.done(attributes(), (63, 41))
    again = writer.write(*frame(0), attributes())
    assert again.fresh == ()
    assert again.paths == first.paths
    assert [path.stat().st_mtime_ns for path in first.paths] == stamps
    np.testing.assert_array_equal(again.d, first.d)
    assert not writer.done(attributes(job="other"), (63, 41))
    assert writer.write(*frame(0), attributes(job="other")).fresh == first.paths


def test_only_what_is_missing_or_damaged_is_written_again(tmp_path, attributes, frame):
    writer = SequenceWriter(tmp_path, "c", SequenceSettings())
    first = writer.write(*frame(0), attributes())
    whole = [path.read_bytes() for path in first.paths]
    first.paths[0].write_bytes(whole[0][:-1])
    assert writer.write(*frame(0), attributes()).fresh == first.paths[:1]
    first.paths[1].unlink()
    assert writer.write(*frame(0), attributes()).fresh == first.paths[1:]
    assert [path.read_bytes() for path in first.paths] == whole


def test_threads_write_the_same_bytes_as_one_after_the_other(tmp_path, attributes, frame):
    folders = tmp_path / "one", tmp_path / "two"
    settings = SequenceSettings(normals=True)
    one = SequenceWriter(folders[0], "c", settings)
    for index in range(8):
        one.write(*frame(index), attributes(1001 + index))
    two = SequenceWriter(folders[1], "c", settings)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda index: two.write(*frame(index), attributes(1001 + index)), range(8)))
    names = sorted(path.name for path in folders[0].iterdir())
    assert len(names) == 24
    assert names == sorted(path.name for path in folders[1].iterdir())
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_the_layered_file_holds_what_there_is(tmp_path, attributes, frame):
    rgb, disparity = frame(0)
    writer = SequenceWriter(tmp_path, "c", SequenceSettings(layered=True))
    path = writer.write(rgb, disparity, attributes()).paths[0]
    assert path.name == "c_layers.1001.exr"
    assert set(read_exr(path)[0]) == {"depth.Z", "disparity.Y"}
    writer = SequenceWriter(tmp_path / "all", "c", SequenceSettings(layered=True, normals=True))
    confidence = np.full((3, 4), 0.5)
    path = writer.write(rgb, disparity, attributes(), confidence).paths[0]
    channels, _ = read_exr(path)
    assert set(channels) == {"depth.Z", "disparity.Y", "confidence.Y", "N.X", "N.Y", "N.Z"}
    assert channels["depth.Z"].dtype == np.float32
    assert channels["confidence.Y"].dtype == channels["N.X"].dtype == np.float16
    np.testing.assert_array_equal(channels["confidence.Y"], np.float16(0.5))
    length = sum(channels[f"N.{axis}"].astype(np.float32) ** 2 for axis in "XYZ")
    np.testing.assert_allclose(length, 1, atol=3e-3)


def test_confidence_has_its_own_sequence_where_the_method_gives_one(tmp_path, attributes, frame):
    writer = SequenceWriter(tmp_path, "c", SequenceSettings(depth=False, disparity=False, confidence=True))
    with pytest.raises(UsageError, match="confidence"):
        writer.write(*frame(0), attributes())
    path = writer.write(*frame(0), attributes(), np.eye(5)).paths[0]
    pixels = read_exr(path)[0]["Y"]
    assert pixels.dtype == np.float16
    assert 0 <= pixels.min() < pixels.max() <= 1


def test_holes_become_sky(tmp_path, attributes, frame):
    rgb, disparity = frame(0)
    disparity[:8] = np.nan
    written = SequenceWriter(tmp_path, "c", SequenceSettings(normals=True)).write(
        rgb, disparity, attributes()
    )
    z, y = read_exr(written.paths[0])[0]["Z"], read_exr(written.paths[1])[0]["Y"]
    np.testing.assert_array_equal(z[:14], FAR_AWAY)
    np.testing.assert_array_equal(y[:14], 0)
    np.testing.assert_array_equal(written.d[:14], 0)
    assert (z[18:] < 101).all()


def test_metric_depth_is_not_mapped(tmp_path, attributes, frame):
    rgb, disparity = frame(0)
    mapping = DepthMapping("metric", DisparityRange(0.1, 0.9), 1.1, 10.0)
    written = SequenceWriter(tmp_path, "c", SequenceSettings()).write(
        rgb, disparity, attributes(mapping=mapping)
    )
    (depth, header), (values, other) = (read_exr(path) for path in written.paths)
    np.testing.assert_allclose(depth["Z"], 1 / values["Y"], rtol=1e-5)
    assert (header["vdepth/units"], other["vdepth/units"]) == ("m", "1/m")
    assert header["vdepth/space"] == "metric"


def test_long_time_stamps_and_restricted_licences_are_stamped(tmp_path, attributes, frame):
    settings = SequenceSettings(disparity=False, compression="zips")
    path = (
        SequenceWriter(tmp_path, "c", settings)
        .write(*frame(0), attributes(source_pts=2**40, license="CC-BY-NC-4.0", comments="No commercial use."))
        .paths[0]
    )
    header = read_exr(path)[1]
    assert int(header["vdepth/source_pts"]) == 2**40
    assert header["vdepth/license"] == "CC-BY-NC-4.0"
    assert header["comments"] == "No commercial use."


@pytest.mark.parametrize(("shape", "step"), [((41, 9), 7), ((5, 63), 8), ((41, 63), 2), ((20, 31), 2)])
def test_normals_look_as_far_as_the_maps_pixels_are_apart(
    tmp_path, attributes, frame, monkeypatch, shape, step
):
    asked = []

    def seen(surface, camera, reach):
        asked.append((surface.shape, reach))
        return np.zeros((*surface.shape, 3), np.float32)

    monkeypatch.setattr(writer_module, "normals_from_depth", seen)
    writer = SequenceWriter(tmp_path / "job", "a clip", SequenceSettings(normals=True))
    writer.write(frame(0)[0], np.linspace(0.1, 0.9, shape[0] * shape[1]).reshape(shape), attributes())
    assert asked == [((41, 63), step)]


def test_confidence_is_clipped_averaged_down_and_interpolated_up():
    values = np.float32([[0, 1, 2, -1], [0.5, 0.5, np.nan, 0], [1, 1, 1, 1], [0, 0, 0, 0]])
    clean = np.nan_to_num(np.clip(values, 0, 1))
    for size, how in (((2, 2), cv2.INTER_AREA), ((4, 4), cv2.INTER_AREA), ((8, 8), cv2.INTER_LINEAR),
                      ((2, 8), cv2.INTER_LINEAR), ((8, 2), cv2.INTER_LINEAR)):  # fmt: skip
        np.testing.assert_array_equal(_resized(values, size), cv2.resize(clean, size, interpolation=how))


def test_a_file_in_the_way_of_the_folder(tmp_path):
    (tmp_path / "job").write_text("here first")
    with pytest.raises(ResourceError, match="job"):
        SequenceWriter(tmp_path / "job", "c", SequenceSettings())


def test_unknown_compression_is_refused_at_once():
    with pytest.raises(UsageError, match="dwab"):
        SequenceSettings(compression="dwab")


def test_normals_of_the_sky_face_the_camera_where_its_depth_is_infinite(tmp_path, attributes, frame):
    rgb, disparity = frame(0)

    class Upper:
        def mask(self, rgb, d):
            mask = np.zeros(rgb.shape[:2], np.float32)
            mask[:20] = 1.0
            return mask

    for depth in (True, False):
        settings = SequenceSettings(normals=True, sky=True, sky_depth=depth)
        written = SequenceWriter(tmp_path / str(depth), "c", settings).write(
            rgb, disparity, attributes(), sky=Upper()
        )
        normals, _ = read_exr(next(path for path in written.paths if "normal" in path.name))
        upper = np.stack([normals[name][:20] for name in "RGB"], 2)
        assert (upper == (0, 0, 1)).all() == depth
        below = np.stack([normals[name][20:] for name in "RGB"], 2)
        np.testing.assert_allclose(np.linalg.norm(below, axis=2), 1, atol=2e-3)
