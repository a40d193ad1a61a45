"""Jobs side by side: plate and depth of each preview, labelled."""

from fractions import Fraction
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from vdepth_core.errors import InputError, JobConflictError, UsageError
from vdepth_core.output import comparison
from vdepth_core.output.preview import PreviewWriter, write_picture

SIZE = (96, 64)


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """Two made-up jobs: a film of three frames, and a still."""
    rgb = np.full((SIZE[1], SIZE[0], 3), (0, 200, 0), np.uint8)
    manifests = {}
    timings = {"total": 60.0, "scan": 1.0, "infer": 4.0, "write": 1.0}  # a long start
    for name, preview in (("draft", "preview.mp4"), ("best", "preview.png")):
        out = tmp_path / name
        out.mkdir()
        if preview.endswith("mp4"):
            with PreviewWriter(out / preview, Fraction(24), SIZE) as film:
                for index, d in enumerate((0.0, 1.0, 0.0)):
                    film.write(rgb, np.full((8, 8), d, np.float32), Fraction(index, 24))
        else:
            write_picture(out / preview, rgb, np.zeros((8, 8), np.float32))
        manifests[out / "manifest.json"] = SimpleNamespace(
            clip=SimpleNamespace(name="shot"), preview=preview, method="framewise", count=3,
            model=SimpleNamespace(name="embedded"), configuration={"preset": name}, timings=timings,
        )  # fmt: skip
    monkeypatch.setattr(comparison, "read_manifest", manifests.__getitem__)
    monkeypatch.setattr(comparison, "manifest_path", lambda out: out / "manifest.json")
    return tmp_path / "draft", tmp_path / "best"


def test_the_plate_and_each_depth_stand_in_one_picture(jobs, tmp_path):
    labels = comparison.compare(jobs, tmp_path / "sheet.png", 0)
    assert labels == [f"{name}: framewise, embedded, 2 s a frame" for name in ("draft", "best")]
    sheet = cv2.imread(str(tmp_path / "sheet.png"))[..., ::-1]
    high, wide = SIZE[1] + 30, SIZE[0]
    assert sheet.shape == (2 * high, 2 * wide, 3)
    np.testing.assert_allclose(sheet[20, 20], (0, 200, 0), atol=12)  # the plate
    far = sheet[20, wide + 20].astype(int)
    np.testing.assert_allclose(sheet[high + 20, 20], far, atol=12)  # both depths are far
    assert sheet[high - 28 : high, :wide].max() > 100  # words
    assert not sheet[high:, wide:].any()


def test_a_job_that_lies_another_way_is_not_stretched(jobs, tmp_path):
    high, wide = SIZE[1], SIZE[0]
    turned = np.full((wide, high, 3), (0, 200, 0), np.uint8)
    write_picture(jobs[1] / "preview.png", turned, np.ones((8, 8), np.float32))
    comparison.compare(jobs, tmp_path / "sheet.png", 0)
    sheet = cv2.imread(str(tmp_path / "sheet.png"))[high + 30 : 2 * high + 30, :wide, ::-1].astype(int)
    lit = np.flatnonzero(sheet[high // 2].sum(1) > 60)
    assert abs(len(lit) - high * high / wide) <= 3  # as narrow as it is high, beside black
    assert abs(lit.mean() - (wide - 1) / 2) <= 2


def test_the_frame_asked_for_is_shown(jobs, tmp_path):
    comparison.compare(jobs[:1], tmp_path / "sheet.png", 1)
    near = cv2.imread(str(tmp_path / "sheet.png"))[20, SIZE[0] + 20, ::-1].astype(int)
    assert near[0] > near[2] + 50  # red, not blue


def test_no_file_is_replaced_unless_asked(jobs, tmp_path):
    with pytest.raises(UsageError, match="no name of a PNG"):
        comparison.compare(jobs, jobs[0] / "manifest.json", 0)
    mine = tmp_path / "mine.png"
    mine.write_bytes(b"mine")
    with pytest.raises(JobConflictError, match="--overwrite"):
        comparison.compare(jobs, mine, 0)
    assert mine.read_bytes() == b"mine"
    (tmp_path / "link.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(JobConflictError):
        comparison.compare(jobs, tmp_path / "link.png", 0)
    comparison.compare(jobs, mine, 0, overwrite=True)
    assert cv2.imread(str(mine)) is not None


def test_what_is_not_there_is_one_sentence(jobs, tmp_path):
    with pytest.raises(InputError, match="has no frame 9: it has 3"):
        comparison.compare(jobs[:1], tmp_path / "sheet.png", 9)
    (jobs[0] / "preview.mp4").write_bytes(b"no film")
    with pytest.raises(InputError, match="cannot be read"):
        comparison.compare(jobs[:1], tmp_path / "sheet.png")
    (jobs[0] / "preview.mp4").unlink()
    with pytest.raises(InputError, match="has no preview"):
        comparison.compare(jobs[:1], tmp_path / "sheet.png")
    with pytest.raises(UsageError, match=r"The folder .*nowhere does not exist"):
        comparison.compare(jobs[:1], tmp_path / "nowhere" / "sheet.png")


def test_jobs_alike_are_told_apart(jobs, tmp_path):
    labels = comparison.compare([jobs[0], jobs[0]], tmp_path / "sheet.png")
    assert labels == ["draft/ draft: framewise, embedded, 2 s a frame"] * 2
    second = comparison.read_manifest(jobs[1] / "manifest.json")
    second.configuration |= {
        "preset": "draft",
        "refiner": "boost",
        "boost": "shot",
        "sharpen": True,
        "frames": "1-3",
    }
    labels = comparison.compare(jobs, tmp_path / "third.png")
    assert labels == [
        f"draft: framewise, embedded{what}, 2 s a frame" for what in ("", ", boost shot, sharpen")
    ]
    second.configuration = {"preset": "best"}
    second.clip.name = "other"
    labels = comparison.compare(jobs, tmp_path / "other.png")
    assert [label.split(":")[0] for label in labels] == ["shot, draft", "other, best"]
