"""Stills: every kind of picture becomes one EXR under its own name, with a picture as its preview."""

import cv2
import numpy as np
import OpenEXR
import pytest
from PIL import Image
from test_run import run

from vdepth_core.errors import InputError, UsageError
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.output.exr import read_exr
from vdepth_core.output.verify import verify

PICTURE = np.random.default_rng(8).random((8, 14, 3), np.float32).repeat(8, 0).repeat(8, 1)
BYTES = np.round(PICTURE * 255).astype(np.uint8)
HEIGHT, WIDTH = BYTES.shape[:2]


def save(path, turned=False):
    """A picture in the format its name says; `turned`: as a phone held upright marks it."""
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".exr":
        planes = {name: np.ascontiguousarray(PICTURE[..., k]) for k, name in enumerate("RGB")}
        with OpenEXR.File({"type": OpenEXR.scanlineimage}, planes) as file:
            file.write(str(path))
    elif turned:
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(BYTES).save(path, exif=exif.tobytes())
    else:
        deep = "16" in path.stem
        cv2.imwrite(str(path), BYTES.astype(np.uint16) * 257 if deep else BYTES)
    return path


def finished(clip, out, **options):
    (result,) = run([clip], out, **options)
    assert result.error is None, result.error
    return result.manifest


def files(out):
    return sorted(path.name for path in out.iterdir() if path.is_file())


@pytest.mark.parametrize(
    "name", ["photo.jpg", "photo.png", "photo_16bit.png", "photo.tiff", "photo_16bit.tif", "photo.exr"]
)
def test_a_still_is_one_exr_and_a_picture_to_look_at(tmp_path, name):
    out = tmp_path / "out"
    photo = save(tmp_path / "in" / name)
    manifest = finished(photo, out)
    title = photo.stem
    assert files(out) == ["manifest.json", f"{title}_depth.1001.exr", f"{title}_disparity.1001.exr",
                          "preview.png", "report.html"]  # fmt: skip
    assert manifest.preview == "preview.png"
    assert manifest.count == 1
    planes, _ = read_exr(out / f"{title}_depth.1001.exr")
    assert planes["Z"].shape == (HEIGHT, WIDTH)
    preview = cv2.imread(str(out / "preview.png"))
    assert preview.shape == (HEIGHT, 2 * WIDTH, 3)  # as large as the photo, plate and depth
    assert verify(out).faults == ()


def test_exif_turns_the_depth_too(tmp_path):
    finished(save(tmp_path / "in" / "phone.jpg", turned=True), tmp_path / "out")
    planes, _ = read_exr(tmp_path / "out" / "phone_depth.1001.exr")
    assert planes["Z"].shape == (WIDTH, HEIGHT)


def test_a_still_goes_on_and_its_preview_comes_back(tmp_path):
    out = tmp_path / "out"
    photo = save(tmp_path / "in" / "photo.jpg")
    before = finished(photo, out)
    assert finished(photo, out) == before
    held = (out / "preview.png").read_bytes()
    (out / "preview.png").unlink()
    assert [fault.name for fault in verify(out).faults] == ["preview.png"]
    assert finished(photo, out).files == before.files
    assert (out / "preview.png").read_bytes() == held


def test_somebody_elses_picture_is_left_alone(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "preview.png").write_bytes(b"mine")
    (result,) = run([save(tmp_path / "in" / "photo.jpg")], out)
    assert isinstance(result.error, UsageError)
    assert (out / "preview.png").read_bytes() == b"mine"
    save(tmp_path / "two" / "shot.2.png")
    clip = save(tmp_path / "two" / "shot.1.png")
    assert finished(clip, out).preview == "preview.mp4"


def test_numbered_photos_are_a_clip_unless_they_are_stills(tmp_path):
    photos = [save(tmp_path / "in" / f"DSC_004{number}.jpg") for number in (2, 3, 7)]
    (refused,) = run(photos[:1], tmp_path / "out")
    assert isinstance(refused.error, InputError)
    assert "--still" in refused.error.hint
    finished(photos[0], tmp_path / "one", still=True)
    assert files(tmp_path / "one")[0] == "DSC_0042_depth.1001.exr"
    results = run(photos, tmp_path / "all", still=True)
    assert [result.error for result in results] == [None] * 3
    assert [result.out.name for result in results] == ["DSC_0042", "DSC_0043", "DSC_0047"]
    assert {result.manifest.count for result in results} == {1}
    (none,) = run([tmp_path / "in"], tmp_path / "none", still=True)
    assert "no single image" in none.error.message
    with pytest.raises(UsageError, match="every_file all there are"):
        EstimateConfig.parse(still=True, every_file=True)


def test_one_frame_of_a_sequence_is_looked_at_as_a_picture(tmp_path):
    plates = [save(tmp_path / "in" / f"shot.{number}.png") for number in (1, 2, 3)]
    assert finished(plates[0], tmp_path / "out", frames="2-2").preview == "preview.png"
    assert files(tmp_path / "out")[-1] == "shot_disparity.0002.exr"


def test_other_kinds_of_clip_are_no_stills(tmp_path):
    from generated import write_movie

    movie = write_movie(tmp_path / "one.mp4", 1)
    manifest = finished(movie, tmp_path / "out")
    assert (manifest.count, manifest.preview) == (1, "preview.mp4")
    (refused,) = run([movie], tmp_path / "other", still=True)
    assert "--still is for images" in refused.error.message
