"""Points and meshes come back from independent readers where depth and lens put them."""

from types import SimpleNamespace

import cv2
import numpy as np
import plyfile
import pytest

from vdepth_core.errors import UsageError
from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.output.exports.export import export
from vdepth_core.output.exports.options import SurfaceOptions
from vdepth_core.output.exports.surface import surface
from vdepth_core.output.manifest import read_manifest, write_manifest
from vdepth_core.output.naming import manifest_path
from vdepth_core.output.sequence import read_sequence

LENS = Intrinsics(90.0, 80.0, 30.0, 22.0)
pytestmark = pytest.mark.filterwarnings("ignore:builtin type:DeprecationWarning")  # of usd-core


def expected(job, index, stride):
    sequence = read_sequence(job)
    z = sequence[index].astype(np.float64)[::stride, ::stride]
    lens = sequence.intrinsics
    rows, columns = np.mgrid[: z.shape[0], : z.shape[1]] * stride + 0.5
    return np.stack(((columns - lens.cx) / lens.fx * z, -(rows - lens.cy) / lens.fy * z, -z), 2).reshape(
        -1, 3
    )


def test_a_plane_and_a_sphere_are_where_they_were():
    rows, columns = np.mgrid[:48, :64] + 0.5
    rays = np.stack(((columns - LENS.cx) / LENS.fx, (rows - LENS.cy) / LENS.fy, np.ones_like(rows)), 2)
    normal = np.array((0.2, -0.5, 1.0))
    found = surface(1, 3 / (rays @ normal), None, LENS, SurfaceOptions(stride=1)).points * (1, -1, -1)
    np.testing.assert_allclose(found @ normal, 3, rtol=1e-5)
    middle, square = np.array((0, 0, 5.0)), (rays**2).sum(2)
    along = rays @ middle
    under = along**2 - square * (25 - 4)
    z = np.where(under > 0, (along - np.sqrt(np.maximum(under, 0))) / square, 1e10)
    ball = surface(1, z, None, LENS, SurfaceOptions(stride=1))
    assert len(ball.points) == (under > 0).sum()
    np.testing.assert_allclose(np.linalg.norm(ball.points * (1, -1, -1) - middle, axis=1), 2, rtol=1e-5)
    assert ball.faces.max() < len(ball.points)


def test_a_mesh_is_torn_at_a_jump_and_faces_the_camera():
    z = np.full((8, 10), 2.0)
    z[:, 5:] = 4
    found = surface(1, z, None, LENS, SurfaceOptions(stride=1))
    assert len(found.faces) == 7 * 8  # nine columns of faces but one
    a, b, c, _ = (found.points[found.faces[:, k]] for k in range(4))
    assert (np.cross(b - a, c - a)[:, 2] > 0).all()
    whole = surface(1, z, None, LENS, SurfaceOptions(stride=1, tear=1.1))
    assert len(whole.faces) == 7 * 9


@pytest.mark.parametrize("stride", [1, 3])
def test_ply_by_plyfile(job, tmp_path, stride):
    files = export(job, "ply", tmp_path, stride=stride, frames="1002-1003")
    assert [file.name for file in files] == ["a clip_points.1002.ply", "a clip_points.1003.ply"]
    vertices = plyfile.PlyData.read(files[1])["vertex"]
    found = np.stack([vertices[axis] for axis in "xyz"], 1)
    np.testing.assert_allclose(found, expected(job, 2, stride), rtol=1e-5, atol=1e-5)
    assert set(vertices["red"]) == {128}  # its clip is gone
    with pytest.raises(UsageError, match="no frame of 7-8"):
        export(job, "ply", tmp_path, frames="7-8")


def test_points_have_the_plates_colours(job, tmp_path):
    manifest = read_manifest(manifest_path(job))
    plates = tmp_path / "plates"
    plates.mkdir()
    shape = (manifest.clip.height, manifest.clip.width, 3)
    for index in range(manifest.count):
        picture = np.full(shape, (10, 20, 30 + index), np.uint8)
        cv2.imwrite(str(plates / f"a.{index:04d}.png"), picture[..., ::-1])
    entry = manifest.clip.model_copy(update={"path": str(plates), "kind": "sequence"})
    frames = manifest.frames.model_copy(update={"first": 0, "stop": manifest.count})
    shots = [shot.model_copy(update={"start": 0, "stop": manifest.count}) for shot in manifest.shots]
    changed = manifest.model_copy(update={"clip": entry, "frames": frames, "shots": shots})
    write_manifest(changed, manifest_path(job))
    files = export(job, "ply", tmp_path / "out", stride=4)
    vertices = plyfile.PlyData.read(files[2])["vertex"]
    assert [set(vertices[name].tolist()) for name in ("red", "green", "blue")] == [{10}, {20}, {32}]


@pytest.mark.parametrize("points", [False, True])
def test_usd_by_its_stage(job, tmp_path, points):
    pxr = pytest.importorskip("pxr", reason="usd-core is an extra")
    assert pxr
    from pxr import Gf, Usd, UsdGeom

    files = export(job, "usd", tmp_path, stride=2, points=points)
    stage = Usd.Stage.Open(str(files[0]))
    numbers = read_sequence(job).numbers
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (numbers[0], numbers[-1])
    kind = UsdGeom.Points if points else UsdGeom.Mesh
    thing = kind(stage.GetPrimAtPath("/World/Depth"))
    for index, number in enumerate(numbers):
        found = np.array(thing.GetPointsAttr().Get(number))
        np.testing.assert_allclose(found, expected(job, index, 2), rtol=1e-5, atol=1e-5)
        assert len(UsdGeom.PrimvarsAPI(thing).GetPrimvar("displayColor").Get(number)) == len(found)
        if not points:
            indices = np.array(thing.GetFaceVertexIndicesAttr().Get(number))
            assert len(indices) == sum(thing.GetFaceVertexCountsAttr().Get(number))
            assert indices.max() < len(found)
    # The camera sees a point where the plate has its pixel.
    camera = UsdGeom.Camera(stage.GetPrimAtPath("/World/Camera")).GetCamera(numbers[0])
    seen = camera.frustum.ComputeProjectionMatrix().Transform(Gf.Vec3d(*map(float, found[7])))
    width, height = read_sequence(job).shape[:0:-1]
    assert seen[0] == pytest.approx(2 * 14.5 / width - 1, abs=1e-4)
    assert seen[1] == pytest.approx(1 - 2 * 0.5 / height, abs=1e-4)


def test_without_usd_core_it_is_said_how_to_get_it(job, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pxr", None)
    with pytest.raises(UsageError, match="usd-core") as caught:
        export(job, "usd", tmp_path / "out")
    assert "vdepth[usd]" in SimpleNamespace(hint=caught.value.hint).hint
