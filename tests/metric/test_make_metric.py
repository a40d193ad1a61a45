"""A finished job in metres: exact where it was measured, what disagrees told, what is open refused."""

import json
import os
import signal

import numpy as np
import pytest
from metric_jobs import (
    CAMERA,
    FIRST,
    HEIGHT,
    WIDTH,
    truth,
    write_colmap,
    write_job,
    write_plates,
    write_points,
)

from vdepth_core.errors import InputError, JobConflictError, UsageError
from vdepth_core.geometry.normals import normals_from_depth
from vdepth_core.metric import by_model, make
from vdepth_core.metric.known import Distance, Known
from vdepth_core.metric.make import make_metric
from vdepth_core.output.exr import read_exr
from vdepth_core.output.manifest import read_manifest
from vdepth_core.output.sequence import read_sequence
from vdepth_core.output.verify import verify
from vdepth_core.types import ModelSpec

COUNT = 4
TRUTH = truth(COUNT)
SOLID = np.isfinite(TRUTH)
SPACES = [("affine_invariant", "disparity"), ("affine_invariant", "depth"), ("scale_invariant", "disparity"),
          ("scale_invariant", "depth"), ("metric", "depth")]  # fmt: skip


def at(x, y, frame=FIRST):
    """The true distance of a pixel, as it would be measured."""
    return Distance(x, y, frame, float(TRUTH[frame - FIRST, int(y), int(x)]))


BOX, FLOOR, WALL = at(25.5, 30.5), at(60.5, 60.5, FIRST + 2), at(60.5, 30.5, FIRST + 1)


def absrel(out):
    z = np.asarray(read_sequence(out))
    return float(np.abs(z[SOLID] / TRUTH[SOLID] - 1).mean())


@pytest.mark.parametrize(("space", "quantity"), SPACES)
def test_known_distances_are_exact_and_so_is_the_rest(tmp_path, space, quantity):
    job = write_job(tmp_path / "job", TRUTH, space, quantity, shift=0.3)
    known = (BOX, WALL) if space == "affine_invariant" else (BOX,)
    result = make_metric(job, Known(known))
    assert result.out == job / "metric"
    depth = read_sequence(result.out)
    for one in known:
        written = depth[one.frame - FIRST][int(one.y), int(one.x)]
        assert written == pytest.approx(one.metres, rel=1e-6)
    assert absrel(result.out) < 1e-4  # the job's own files have 24 bits
    assert (np.asarray(depth)[~SOLID] > 5e9).all()
    assert (np.asarray(depth.disparity)[~SOLID] == 0).all()
    y = np.asarray(depth.disparity)[SOLID]
    assert y == pytest.approx(1 / np.asarray(depth)[SOLID], rel=1e-6)


def test_files_and_manifest_say_that_it_is_metres_and_by_what(tmp_path):
    job = write_job(tmp_path / "job", TRUTH)
    before = {path.name: path.read_bytes() for path in job.iterdir()}
    result = make_metric(job, Known((BOX, WALL)))
    assert {path.name: path.read_bytes() for path in job.iterdir() if path.is_file()} == before
    manifest = read_manifest(result.out / "manifest.json")
    assert manifest == result.manifest
    assert manifest.model.space == "metric"
    assert manifest.metric.job == "f00dcafe"
    assert manifest.metric.shots[0].source == "known distances"
    assert manifest.job != "f00dcafe"
    header = read_sequence(result.out).attributes(2)
    assert header["vdepth/units"] == "m"
    assert header["vdepth/space"] == "metric"
    assert header["vdepth/job"] == manifest.job
    assert header["vdepth/metric_source"] == "known distances"
    assert header["vdepth/metric_inliers"] == 1.0
    assert header["vdepth/metric_residual"] == pytest.approx(0, abs=1e-9)
    old = read_sequence(job).disparity[0].astype(np.float64)
    new = read_sequence(result.out).disparity[0]
    line = header["vdepth/metric_scale"] * old + header["vdepth/metric_shift"]
    assert new[SOLID[0]] == pytest.approx(line[SOLID[0]], rel=1e-5)
    near, far = manifest.shots[0].near, manifest.shots[0].far
    assert near == pytest.approx(TRUTH[SOLID].min(), rel=1e-3)
    assert far == pytest.approx(TRUTH[SOLID].max(), rel=1e-3)
    assert not verify(result.out).faults
    page = (result.out / "report.html").read_text()
    assert "metric, in metres" in page
    assert "by known distances" in page


def test_layers_and_normals_are_those_of_the_new_depth(tmp_path):
    rows = (np.arange(HEIGHT) + 0.5 - CAMERA.cy) / CAMERA.fy
    columns = (np.arange(WIDTH) + 0.5 - CAMERA.cx) / CAMERA.fx
    plane = 1 / (0.3 + 0.1 * columns[None] + 0.2 * rows[:, None])[None]  # a wall that leans
    for quantity, layered in (("disparity", True), ("depth", False)):
        kinds = ("layers",) if layered else ("depth", "disparity", "normal")
        job = write_job(tmp_path / quantity, plane, "affine_invariant", quantity, kinds=kinds)
        places = [Distance(x, y, FIRST, float(plane[0, y, x])) for x, y in ((5, 5), (90, 60))]
        out = make_metric(job, Known(tuple(places))).out
        sequence = read_sequence(out)
        kind, names = ("layers", "N.X N.Y N.Z") if layered else ("normal", "R G B")
        channels, _ = read_exr(sequence.manifest.path(out, kind, FIRST))
        found = np.stack([channels[name] for name in names.split()], 2).astype(np.float64)
        wanted = normals_from_depth(plane[0].astype(np.float32), CAMERA)
        found /= np.linalg.norm(found, axis=2, keepdims=True)
        off = np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(found - wanted, axis=2) / 2, 0, 1)))
        # A line of depth bends planes, and normals were fitted to the bent one: right where it is not steep.
        assert (off.max() if quantity == "disparity" else np.median(off)) < 0.2


def test_distances_along_the_ray_are_turned_into_depth(tmp_path):
    job = write_job(tmp_path / "job", TRUTH, "scale_invariant")
    x, y = 60.5, 60.5
    ray = np.linalg.norm([(x - CAMERA.cx) / CAMERA.fx, (y - CAMERA.cy) / CAMERA.fy, 1])
    metres = float(TRUTH[0, 60, 60] * ray)
    out = make_metric(job, Known((Distance(x, y, FIRST, metres),), along_ray=True)).out
    assert absrel(out) < 1e-4


@pytest.mark.parametrize(
    ("space", "known", "words"),
    [
        ("affine_invariant", (BOX,), "does not tell both scale and shift of shot 1"),
        ("affine_invariant", (BOX, at(26.5, 31.5)), "all about equally far"),
        ("affine_invariant", (BOX, Distance(60.5, 30.5, FIRST, 0.5)), "lie the other way round"),
        ("affine_invariant", (BOX, Distance(26.5, 31.5, FIRST, 9.0)), "lie about equally far"),
        ("scale_invariant", (BOX, Distance(60.5, 30.5, FIRST, 3.0)), "contradict the depth of shot 1"),
        ("scale_invariant", (Distance(80, 2, FIRST, 3.0),), "There is no depth at 80,2"),
        ("scale_invariant", (Distance(800, 2, FIRST, 3.0),), "lies outside the plate"),
        (
            "scale_invariant",
            (Distance(80, 2, 7, 3.0),),
            "The job has no frame 7. Its files are",
        ),
    ],
)
def test_what_is_open_or_contradicts_itself_is_refused_and_leaves_nothing(tmp_path, space, known, words):
    job = write_job(tmp_path / "job", TRUTH, space)
    with pytest.raises(UsageError, match=words):
        make_metric(job, Known(known))
    assert not list((job / "metric").glob("*"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2,3", "no pixel, frame and distance"),
        ("1,2,1001,-3", "above 0"),
        ("1,2,1001,nan", "above 0"),
        ("1,2,10.5,3", "no pixel, frame and distance"),
    ],
)
def test_distances_are_read_or_refused(text, words):
    with pytest.raises(UsageError, match=words):
        Distance.parse(text)
    assert Distance.parse("640, 360.5,1001,2.5") == Distance(640, 360.5, 1001, 2.5)


def test_nothing_known_is_refused():
    with pytest.raises(UsageError, match="Nothing is said"):
        Known()
    with pytest.raises(UsageError, match="less than far"):
        Known(near=3, far=2)


def test_every_shot_needs_something(tmp_path):
    job = write_job(tmp_path / "job", TRUTH, shots=(2,))
    with pytest.raises(UsageError, match=r"Nothing says how far things are in shot 2 \(frames 1003-1004\)"):
        make_metric(job, Known((BOX, WALL)))
    far = at(60.5, 30.5, FIRST + 3), at(25.5, 30.5, FIRST + 3)
    out = make_metric(job, Known((BOX, WALL, *far))).out
    assert absrel(out) < 1e-4
    assert len(read_manifest(out / "manifest.json").metric.shots) == 2


def test_near_and_far_and_one_distance_with_the_far_end(tmp_path):
    job = write_job(tmp_path / "job", TRUTH)
    ends = TRUTH[SOLID].min(), TRUTH[SOLID].max()
    assert absrel(make_metric(job, Known(near=ends[0], far=ends[1]), tmp_path / "ends").out) < 1e-4
    result = make_metric(job, Known((BOX,), far=ends[1]), tmp_path / "one")
    assert absrel(result.out) < 1e-4
    assert result.manifest.metric.shots[0].source == "known distance and far"
    with pytest.raises(UsageError, match="does not tell both"):
        make_metric(job, Known(near=1.0), tmp_path / "near")


class Metres:
    """A metric model that knows the truth but for noise and outliers, of the size of the plate."""

    spec = ModelSpec("metres", "depth", "metric", "none", True, multiple=32, native_size=HEIGHT)

    def __init__(self, factor=1.0):
        self.factor, self.asked = factor, 0

    def predict(self, frames):
        import torch

        rng = np.random.default_rng(self.asked)
        z = (
            np.minimum(TRUTH[self.asked % COUNT], 60)
            * self.factor
            * np.exp(rng.normal(0, 0.05, (HEIGHT, WIDTH)))
        )
        z[rng.random(z.shape) < 0.1] *= 3
        self.asked += 1
        return torch.from_numpy(z.astype(np.float32))[None]


@pytest.fixture
def metres(monkeypatch):
    """Has ``--model`` be such a model."""
    model = Metres()
    monkeypatch.setattr(by_model, "load_model", lambda name, device: model)
    return model


@pytest.mark.parametrize(("space", "quantity"), SPACES)
def test_a_metric_model_gives_scale_and_shift_within_a_percent(tmp_path, metres, space, quantity):
    job = write_job(tmp_path / "job", TRUTH, space, quantity, clip=write_plates(tmp_path / "plates", COUNT))
    result = make_metric(job, Known(model="metres"))
    assert absrel(result.out) < 0.01
    shot = result.manifest.metric.shots[0]
    assert shot.source == "model metres"
    assert shot.residual == pytest.approx(0.05, abs=0.01)
    assert shot.inliers == pytest.approx(0.9, abs=0.03)
    assert metres.asked == COUNT
    assert read_sequence(result.out).attributes(0)["vdepth/metric_inliers"] == pytest.approx(shot.inliers)


def test_sources_that_disagree_are_told_with_numbers_and_not_averaged(tmp_path, metres):
    metres.factor = 1.2
    job = write_job(tmp_path / "job", TRUTH, clip=write_plates(tmp_path / "plates", COUNT))
    result = make_metric(job, Known((BOX, WALL), model="metres"))
    assert absrel(result.out) < 1e-4  # the distances decide
    (said,) = result.warnings
    assert said.startswith("In shot 1 (frames 1001-1004), things are 2")
    assert "% farther by model metres than by known distances" in said
    assert said in result.manifest.warnings
    assert said in (result.out / "report.html").read_text()
    first, second = result.manifest.metric.shots[0].sources
    assert (first.name, second.name) == ("known distances", "model metres")
    assert second.farther == pytest.approx(0.2, abs=0.02)
    assert second.inliers == pytest.approx(0.9, abs=0.03)
    one = make_metric(job, Known((BOX,), model="metres"), tmp_path / "one")
    assert one.manifest.metric.shots[0].source == "known distance, shift by model metres"
    assert absrel(one.out) < 0.01  # the model's shape, the distance's scale
    z = read_sequence(one.out)[0]
    assert z[30, 25] == pytest.approx(BOX.metres, rel=1e-6)
    (said,) = one.warnings
    assert (
        f"things are {100 * one.manifest.metric.shots[0].sources[1].farther:.0f} % farther by model" in said
    )
    assert one.manifest.metric.shots[0].sources[1].farther == pytest.approx(0.2, abs=0.03)


def test_a_model_without_metres_is_refused(tmp_path, metres):
    metres.spec = ModelSpec("relative", "disparity", "affine_invariant", "none", True)
    job = write_job(tmp_path / "job", TRUTH, clip=write_plates(tmp_path / "plates", COUNT))
    with pytest.raises(UsageError, match="The model relative knows no metres: what"):
        make_metric(job, Known(model="relative"))


def test_a_camera_solve_needs_its_unit_or_one_distance(tmp_path):
    job = write_job(tmp_path / "job", TRUTH, clip=write_plates(tmp_path / "plates", COUNT))
    solve = write_colmap(tmp_path / "solve", TRUTH, unit=0.25)
    with pytest.raises(UsageError, match="The unit of the camera solve is not known"):
        make_metric(job, Known(points=solve))
    result = make_metric(job, Known(points=solve, unit=0.25), tmp_path / "unit")
    assert absrel(result.out) < 0.015
    assert result.manifest.metric.shots[0].source == "camera solve"
    assert 0.85 < result.manifest.metric.shots[0].inliers < 0.98
    result = make_metric(job, Known((BOX,), points=solve), tmp_path / "one")
    assert absrel(result.out) < 0.015
    assert result.warnings == ()
    assert result.manifest.metric.shots[0].source == "known distance, shift by camera solve"


def test_points_of_a_json_file_in_metres(tmp_path):
    job = write_job(tmp_path / "job", TRUTH, clip=write_plates(tmp_path / "plates", COUNT))
    rng = np.random.default_rng(1)
    rows = []
    for _ in range(80):
        frame, x, y = rng.integers(0, COUNT), rng.uniform(0, WIDTH), rng.uniform(8, HEIGHT)
        rows.append((int(FIRST + frame), x, y, float(TRUTH[frame, int(y), int(x)])))
    file = write_points(tmp_path / "points.json", rows, "metres")
    assert absrel(make_metric(job, Known(points=file)).out) < 0.01


def test_an_edge_and_what_is_beyond_infinity_are_told(tmp_path):
    job = write_job(tmp_path / "job", TRUTH)
    edge = at(12.5, 30.5)
    result = make_metric(job, Known((edge, WALL)), tmp_path / "edge")
    assert any("is at an edge of the depth" in said for said in result.warnings)
    wrong = Distance(60.5, 60.5, FIRST + 2, FLOOR.metres * 1.3)
    result = make_metric(job, Known((at(25.5, 30.5), wrong)), tmp_path / "beyond")
    assert any("are beyond infinity" in said for said in result.warnings)


def test_three_distances_that_no_line_meets_are_told(tmp_path):
    job = write_job(tmp_path / "job", TRUTH)
    off = Distance(FLOOR.x, FLOOR.y, FLOOR.frame, FLOOR.metres * 1.25)
    result = make_metric(job, Known((BOX, off, WALL)))
    assert any("meets all 3 known distances" in said for said in result.warnings)


@pytest.mark.parametrize("quantity", ["disparity", "depth"])
def test_a_distance_and_the_far_end_are_met_and_the_near_end_is_only_compared(tmp_path, quantity):
    job = write_job(tmp_path / "job", TRUTH, quantity=quantity)
    near, far = float(TRUTH[SOLID].min()), float(TRUTH[SOLID].max())
    result = make_metric(job, Known((FLOOR,), near=1.5 * near, far=far))
    assert absrel(result.out) < 1e-3
    z = read_sequence(result.out)[FLOOR.frame - FIRST]
    assert z[int(FLOOR.y), int(FLOOR.x)] == pytest.approx(FLOOR.metres, rel=1e-6)
    assert result.warnings[0] == (
        "In shot 1 (frames 1001-1004), the near end is 50 % farther by --near than by known distance and "
        "far, which decided."
    )
    shot = result.manifest.metric.shots[0]
    assert shot.source == "known distance and far"
    assert [one.name for one in shot.sources] == ["known distance", "far", "near"]
    agreed = make_metric(job, Known((FLOOR,), near=near, far=far), tmp_path / "agreed")
    assert not any("--near" in said for said in agreed.warnings)
    wall = make_metric(job, Known((WALL,), near=near, far=1.1 * far), tmp_path / "wall")
    assert wall.manifest.metric.shots[0].source == "known distance and near"  # the wall is the far end
    assert "the far end is 10 % farther by --far than by known distance and near" in wall.warnings[0]
    z = read_sequence(wall.out)[WALL.frame - FIRST]
    assert z[int(WALL.y), int(WALL.x)] == pytest.approx(WALL.metres, rel=1e-6)


@pytest.mark.parametrize(("near", "far"), [(20.0, None), (None, 2.0), (1.0, 2.0)])
def test_a_distance_that_an_end_contradicts_is_told_as_that(tmp_path, near, far):
    job = write_job(tmp_path / "job", TRUTH)
    with pytest.raises(UsageError, match=r"contradict the depth of shot 1 .* the other way round"):
        make_metric(job, Known((FLOOR,), near=near, far=far))


def _random_points(file, unit="metres"):
    rng = np.random.default_rng(2)
    rows = [
        (int(FIRST + rng.integers(COUNT)), rng.uniform(1, WIDTH), rng.uniform(8, HEIGHT), rng.uniform(1, 20))
        for _ in range(77)
    ]
    return write_points(file, rows, unit)


@pytest.mark.parametrize("space", ["affine_invariant", "scale_invariant"])
def test_points_that_no_line_fits_are_refused(tmp_path, space):
    job = write_job(tmp_path / "job", TRUTH, space, clip=write_plates(tmp_path / "plates", COUNT))
    file = _random_points(tmp_path / "points.json")
    words = (
        r"of shot 1 \(frames 1001-1004\) fits all 7\d points of the camera solve: half of them|contradicts"
    )
    with pytest.raises(UsageError, match=words):
        make_metric(job, Known(points=file))
    scaled = make_metric(job, Known((BOX, WALL), points=file), tmp_path / "known")  # it is only compared
    assert "by camera solve than by known distance" in scaled.warnings[-1]


def test_a_model_that_no_line_fits_is_refused_alone_and_as_the_shape(tmp_path, metres, monkeypatch):
    import torch

    job = write_job(tmp_path / "job", TRUTH, clip=write_plates(tmp_path / "plates", COUNT))
    noise = torch.from_numpy(np.random.default_rng(0).uniform(1, 20, (1, HEIGHT, WIDTH)).astype(np.float32))
    monkeypatch.setattr(metres, "predict", lambda frames: noise)
    for place, known in enumerate((Known(model="metres"), Known((BOX,), model="metres"))):
        with pytest.raises(UsageError, match=r"points of model metres: half of them|contradicts"):
            make_metric(job, known, tmp_path / str(place))


def test_points_at_one_place_tell_no_shift_and_are_told_without_a_crash(tmp_path):
    job = write_job(tmp_path / "job", TRUTH, clip=write_plates(tmp_path / "plates", COUNT))
    file = write_points(tmp_path / "points.json", [(FIRST, 25.5, 30.5, BOX.metres)], "metres")
    with pytest.raises(UsageError, match="One point of the camera solve does not tell both"):
        make_metric(job, Known(points=file))


def test_other_distances_are_another_job(tmp_path):
    job = write_job(tmp_path / "job", TRUTH, "scale_invariant")
    out = make_metric(job, Known((BOX,))).out
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    make_metric(job, Known((BOX,)))
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before
    other = Distance(BOX.x, BOX.y, BOX.frame, 2 * BOX.metres)
    with pytest.raises(JobConflictError, match="made with other distances"):
        make_metric(job, Known((other,)))
    make_metric(job, Known((other,)), overwrite=True)
    assert absrel(out) == pytest.approx(1, abs=1e-3)
    mine = next(out.glob("*_depth.1002.exr"))
    mine.write_bytes(b"mine")
    with pytest.raises(JobConflictError):
        make_metric(job, Known((other,)))
    assert mine.read_bytes() == b"mine"
    with pytest.raises(UsageError, match="was brought to metres before"):
        make_metric(out, Known((BOX,)), tmp_path / "again")


def test_a_folder_of_a_job_and_a_lost_frame_are_refused(tmp_path):
    job = write_job(tmp_path / "job", TRUTH, "scale_invariant")
    next(job.glob("*_depth.1003.exr")).unlink()
    with pytest.raises(InputError, match=r"1003\.exr"):
        make_metric(job, Known((BOX,)))
    with pytest.raises(InputError, match="no finished depth"):
        make_metric(tmp_path, Known((BOX,)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a child of its own")
def test_killed_in_the_middle_it_goes_on_to_the_same_bytes_without_the_model(tmp_path, metres, monkeypatch):
    job = write_job(tmp_path / "job", TRUTH, clip=write_plates(tmp_path / "plates", COUNT))
    known = Known(model="metres")
    whole = make_metric(job, known, tmp_path / "whole").out
    publish, done = make.MetricFolder.publish, []

    def dies(self, names):
        if len(done) == 3:  # the record, and two frames
            os.kill(os.getpid(), signal.SIGKILL)
        done.append(publish(self, names))

    metres.asked = 0
    with monkeypatch.context() as patch:
        patch.setattr(make.MetricFolder, "publish", dies)
        child = os.fork()
        if not child:
            try:
                make_metric(job, known, tmp_path / "killed")
            finally:
                os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert len(list((tmp_path / "killed").glob("*_depth.*.exr"))) == 2
    asked = metres.asked
    make_metric(job, known, tmp_path / "killed")
    assert metres.asked == asked  # what it said was written down
    files = {path.name: path.read_bytes() for path in whole.iterdir() if path.is_file()}
    assert {p.name: p.read_bytes() for p in (tmp_path / "killed").iterdir() if p.is_file()} == files
    assert json.loads(files["metric.json"])["found"]["shots"][0]["source"] == "model metres"
