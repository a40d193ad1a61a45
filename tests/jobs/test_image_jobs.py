"""Jobs on image sequences: depth lies on the plate in space and time, and is what was asked for."""

import cv2
import numpy as np
import OpenEXR
import OpenImageIO as oiio
import pytest
from test_run import run

from vdepth_core.errors import InputError, UsageError
from vdepth_core.jobs.events import Warning_
from vdepth_core.output.exr import read_exr
from vdepth_core.output.manifest import read_manifest

RNG = np.random.default_rng(5)
PICTURE = RNG.random((8, 12, 3), np.float32).repeat(8, 0).repeat(8, 1)
HEIGHT, WIDTH = PICTURE.shape[:2]


def channels(prefix="", picture=PICTURE):
    return {f"{prefix}{name}": np.ascontiguousarray(picture[..., k]) for k, name in enumerate("RGB")}


def write_plates(folder, numbers=range(1001, 1004), codes=(), layers=None, **header):
    folder.mkdir(exist_ok=True)
    for index, number in enumerate(numbers):
        if codes:
            hours, minutes, seconds, frame = codes[index]
            code = OpenEXR.TimeCode()
            code.hours, code.minutes, code.seconds, code.frame = hours, minutes, seconds, frame
            header["timeCode"] = code
        with OpenEXR.File({"type": OpenEXR.scanlineimage, **header}, layers or channels()) as file:
            file.write(str(folder / f"plate.{number}.exr"))
    return folder


def window(left, top):
    return np.array([left, top], np.int32), np.array([left + WIDTH - 1, top + HEIGHT - 1], np.int32)


def finished(clip, out, **options):
    (result,) = run([clip], out, **options)
    assert result.error is None, result.error
    return result.manifest


def headers(out, kind="depth"):
    found = []
    for path in sorted(out.glob(f"*_{kind}.*.exr")):
        image = oiio.ImageInput.open(str(path))
        found.append(image.spec())
        image.close()
    return found


def test_depth_lies_on_the_plates_display_window(tmp_path):
    wide = {name: np.pad(plane, 6) for name, plane in channels().items()}
    data = np.array([94, 44], np.int32), np.array([99 + WIDTH + 6, 49 + HEIGHT + 6], np.int32)
    plates = write_plates(tmp_path / "in", layers=wide, dataWindow=data, displayWindow=window(100, 50))
    manifest = finished(plates, tmp_path / "out", normals=True)
    for kind in ("depth", "disparity", "normal"):
        for spec in headers(tmp_path / "out", kind):
            assert (spec.full_x, spec.full_y, spec.full_width, spec.full_height) == (100, 50, WIDTH, HEIGHT)
            assert (spec.x, spec.y, spec.width, spec.height) == (100, 50, WIDTH, HEIGHT)
    assert manifest.clip.origin == (100, 50)
    assert any("display window only" in warning for warning in manifest.warnings)
    planes, _ = read_exr(tmp_path / "out" / "plate_depth.1001.exr")
    assert planes["Z"].shape == (HEIGHT, WIDTH)


def test_depth_carries_each_plates_time_code(tmp_path):
    codes = [(1, 0, 0, 27), (1, 0, 0, 29), (2, 0, 0, 0)]
    plates = write_plates(tmp_path / "in", codes=codes)
    manifest = finished(plates, tmp_path / "out")
    found = [read_exr(path)[1]["timeCode"] for path in sorted((tmp_path / "out").glob("*_depth.*"))]
    assert [str(code) for code in found] == ["01:00:00:27", "01:00:00:29", "02:00:00:00"]
    assert any("--rate" in warning for warning in manifest.warnings)
    finished(plates, tmp_path / "stated", timecode="10:00:00:23", rate="24")
    found = [read_exr(path)[1]["timeCode"] for path in sorted((tmp_path / "stated").glob("*_depth.*"))]
    assert [str(code) for code in found] == ["10:00:00:23", "10:00:01:00", "10:00:01:01"]


def test_pairs_are_not_halved_twice(tmp_path):
    plates = write_plates(tmp_path / "in", codes=[(1, 0, 0, 12), (1, 0, 0, 12), (1, 0, 0, 13)])
    finished(plates, tmp_path / "out", rate="50")
    found = [read_exr(path)[1]["timeCode"] for path in sorted((tmp_path / "out").glob("*_depth.*"))]
    assert [code.frame for code in found] == [12, 12, 13]


def test_the_layer_is_in_the_manifest_and_makes_another_job(tmp_path):
    layers = channels("albedo.", PICTURE[::-1]) | channels("beauty.")
    plates = write_plates(tmp_path / "in", layers=layers)
    manifest = finished(plates, tmp_path / "out")
    assert (manifest.clip.layer, sorted(manifest.clip.layers)) == ("beauty", ["albedo", "beauty"])
    assert any("beauty is taken" in warning for warning in manifest.warnings)
    before = read_manifest(tmp_path / "out" / "manifest.json").job
    assert finished(plates, tmp_path / "out", layer="Beauty").job == before
    (other,) = run([plates], tmp_path / "out", layer="albedo")
    assert "layer" in other.error.message
    (none,) = run([plates], tmp_path / "none", layer="combined")
    assert isinstance(none.error, UsageError)
    assert not (tmp_path / "none").exists()


def test_frames_of_one_clip_are_one_job_and_it_is_said(tmp_path):
    plates = write_plates(tmp_path / "in", range(1001, 1006))
    told = []
    some = [plates / f"plate.{number}.exr" for number in (1002, 1003)]
    (result,) = run(some, tmp_path / "out", on_event=told.append)
    assert result.manifest.count == 5
    messages = [event.message for event in told if isinstance(event, Warning_)]
    assert any("2 names given are of this clip, which has 5 images" in message for message in messages)
    (again,) = run([plates / "plate.*.exr"], tmp_path / "out")
    assert again.manifest.job == result.manifest.job


def write_stills(folder, *names):
    folder.mkdir()
    for name in names:
        cv2.imwrite(str(folder / name), (255 * PICTURE).astype(np.uint8))
    return folder


def test_names_of_files_leave_out_nothing_but_the_number(tmp_path):
    folder = write_stills(tmp_path / "in", *(f"shot.{number}.4k.png" for number in (1001, 1002)))
    finished(folder / "shot.1001.4k.png", tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").glob("*_depth.*")) == [
        "shot_4k_depth.1001.exr",
        "shot_4k_depth.1002.exr",
    ]


def test_every_file_is_numbered_from_one(tmp_path):
    folder = write_stills(tmp_path / "in", "000000.png", "000010.png", "000020.png")
    (refused,) = run([folder], tmp_path / "out")
    assert isinstance(refused.error, InputError)
    assert "--every-file" in refused.error.hint
    manifest = finished(folder, tmp_path / "out", every_file=True)
    assert sorted(path.name for path in (tmp_path / "out").glob("*_depth.*")) == [
        f"in_depth.{number:04d}.exr" for number in (1, 2, 3)
    ]
    assert any("000020.png is frame 3" in warning for warning in manifest.warnings)


def test_negative_numbers_need_others_for_the_output(tmp_path):
    folder = write_stills(tmp_path / "in", *(f"shot.{n}.png" for n in ("-0002", "-0001", "0000", "0001")))
    (refused,) = run([folder], tmp_path / "out")
    assert isinstance(refused.error, UsageError)
    assert "negative frame number, -2" in refused.error.message
    assert not (tmp_path / "out").exists()
    assert finished(folder, tmp_path / "out", start_frame=1001).clip.pts == [-2, -1, 0, 1]
    late = finished(folder, tmp_path / "late", frames="0-1")
    assert (late.frames.start_number, late.clip.pts) == (0, [0, 1])
    assert finished(folder, tmp_path / "early", frames="-2-0", start_frame=11).clip.pts == [-2, -1, 0]


@pytest.mark.parametrize("options", [{"timecode": "1 o'clock"}, {"timecode": "24:00:00:00"}])
def test_a_time_code_is_checked_before_anything_is_opened(tmp_path, options):
    with pytest.raises(UsageError, match="--timecode"):
        run([tmp_path / "nowhere"], tmp_path / "out", **options)
