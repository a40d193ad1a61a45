"""What 3D formats hold comes back from independent readers where truth has it: points, lens and path."""

import json
from dataclasses import replace
from fractions import Fraction
from io import StringIO

import av
import cv2
import numpy as np
import plyfile
import pytest
import trimesh
from filmed import COUNT, FIRST, HEIGHT, START, WIDTH, film

from vdepth_core.errors import ResourceError, UsageError
from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.geometry.camera_files.formats import read_camera, write_camera
from vdepth_core.geometry.camera_files.plate import Plate
from vdepth_core.geometry.camera_path import CameraPath
from vdepth_core.geometry.sparse_points import read_points
from vdepth_core.output.exports.colmap_model import SparseModel
from vdepth_core.output.exports.export import export
from vdepth_core.output.exports.gaussians import OPACITY, SPREAD
from vdepth_core.output.exports.nerfstudio import codes_of, unit_for
from vdepth_core.output.manifest import read_manifest, write_manifest
from vdepth_core.output.naming import manifest_path
from vdepth_core.output.plate import camera_plate, plate_of
from vdepth_core.output.sequence import read_sequence
from vdepth_core.progress import Progress

pytestmark = pytest.mark.filterwarnings("ignore:builtin type:DeprecationWarning")  # of usd-core
FLIP = np.diag((1.0, -1.0, -1.0, 1.0))
LAST = START + COUNT - 1


class Heard(Progress):
    """Keeps what was said."""

    def __init__(self):
        super().__init__()
        self.said = []

    def warn(self, message):
        self.said.append(message)


@pytest.fixture(scope="module", params=["plane", "sphere", "scene"])
def shot(request, tmp_path_factory):
    return film(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    return film(tmp_path_factory.mktemp("the_scene"), "scene")


def of_frame(files, index, ending):
    (found,) = [file for file in files if file.name.endswith(f"{START + index:04d}{ending}")]
    return found


def by_plyfile(files, index):
    vertices = plyfile.PlyData.read(of_frame(files, index, ".ply"))["vertex"]
    return np.stack([vertices[axis] for axis in "xyz"], 1).astype(np.float64)


def by_trimesh(files, index):
    scene = trimesh.load_scene(of_frame(files, index, ".glb"), process=False)
    (node,) = scene.graph.nodes_geometry
    matrix, name = scene.graph[node]
    return trimesh.transform_points(scene.geometry[name].vertices, matrix)


def by_usd(files, index):
    pytest.importorskip("pxr", reason="usd-core is an extra")
    from pxr import Usd, UsdGeom

    stage, time = Usd.Stage.Open(str(files[0])), START + index
    prim = stage.GetPrimAtPath("/World/Depth")
    points = np.array(UsdGeom.PointBased(prim).GetPointsAttr().Get(time), np.float64)
    matrix = np.array(UsdGeom.XformCache(time).GetLocalToWorldTransform(prim))
    return points @ matrix[:3, :3] + matrix[3, :3]


def lifted(z, K, pose):
    """Points of a depth map, by a pinhole written here."""
    rows, columns = np.nonzero(z > 0)
    rays = np.linalg.inv(K) @ np.stack((columns + 0.5, rows + 0.5, np.ones(len(rows))))
    return (rays * z[rows, columns]).T @ pose[:3, :3].T + pose[:3, 3]


def map_of(path):
    """A dense map as COLMAP's own read_write_dense.py reads it: (H, W) or (H, W, C)."""
    data = path.read_bytes()
    *sides, rest = data.split(b"&", 3)
    width, height, channels = map(int, sides)
    values = np.frombuffer(rest, "<f4").reshape((width, height, channels), order="F")
    return values.transpose(1, 0, 2).squeeze()


def model_of(folder):
    """A text model by COLMAP's manual: number, world to camera, K and points of each picture by name."""
    cameras, images = {}, {}
    for line in (folder / "cameras.txt").read_text().splitlines():
        if line[0] != "#":
            place, model, *sides = line.split()
            fx, fy, cx, cy = map(float, sides[2:])
            assert (model, sides[:2]) == ("PINHOLE", [str(WIDTH), str(HEIGHT)])
            cameras[place] = np.array(((fx, 0, cx), (0, fy, cy), (0, 0, 1)))
    lines = [line for line in (folder / "images.txt").read_text().splitlines() if not line.startswith("#")]
    for head, points in zip(lines[::2], lines[1::2], strict=True):
        place, *values, camera, name = head.split()
        w, x, y, z = map(float, values[:4])
        pose = np.eye(4)
        pose[:3, :3] = cv2.Rodrigues(2 * np.arctan2(np.hypot(np.hypot(x, y), z), w) * unit((x, y, z)))[0]
        pose[:3, 3] = list(map(float, values[4:]))
        images[name] = int(place), pose, cameras[camera], np.array(points.split(), float).reshape(-1, 3)
    return images


def unit(vector):
    return np.array(vector) / max(np.linalg.norm(vector), 1e-30)


def by_maps(files, index):
    root = files[0].parents[1]
    name = f"shot.{START + index:04d}.png"
    _, to_camera, K, _ = model_of(root / "sparse")[name]
    return lifted(map_of(root / "stereo/depth_maps" / f"{name}.geometric.bin"), K, np.linalg.inv(to_camera))


def by_transforms(files, index):
    told = json.loads(files[0].read_text())
    frame = told["frames"][index]
    codes = cv2.imread(str(files[0].parent / frame["depth_file_path"]), cv2.IMREAD_UNCHANGED)
    assert codes.dtype == np.uint16
    K = np.array(((frame["fl_x"], 0, frame["cx"]), (0, frame["fl_y"], frame["cy"]), (0, 0, 1)))
    # its camera looks along -z, y up
    return lifted(codes * told["depth_unit_scale_factor"], K, np.array(frame["transform_matrix"]) @ FLIP)


def by_numpy(files, index):
    with np.load(files[0]) as data:
        fx, fy, cx, cy = data["lenses"][index]
        z = np.where(data["depth"][index] < 1e9, data["depth"][index], 0)
        return lifted(z, np.array(((fx, 0, cx), (0, fy, cy), (0, 0, 1))), data["poses"][index])


WAYS = {
    "ply": ("ply", by_plyfile, {"stride": 1}),
    "ply-mesh": ("ply", by_plyfile, {"stride": 1, "mesh": True}),
    "glb": ("glb", by_trimesh, {"stride": 1}),
    "gaussians": ("gaussians", by_plyfile, {}),
    "usd": ("usd", by_usd, {"stride": 1}),
    "usd-points": ("usd", by_usd, {"stride": 1, "points": True}),
    "colmap": ("colmap", by_maps, {}),
    "nerfstudio": ("nerfstudio", by_transforms, {}),
    "npz": ("npz", by_numpy, {}),
}


@pytest.mark.parametrize("way", WAYS)
def test_points_come_back(shot, tmp_path, way):
    to, read, options = WAYS[way]
    files = export(shot.out, to, tmp_path, camera=shot.camera, **options)
    for index in range(COUNT):
        found, wanted = read(files, index), shot.points(index)
        far = np.linalg.norm(wanted - shot.poses[index, :3, 3], axis=1)
        within = 1e-5 * far
        if to == "nerfstudio":  # 16-bit depth is right to half a step, along rays that are longer than it
            z = shot.z[index][shot.z[index] < 1e9]
            within += 0.5 * unit_for(float(shot.z[shot.z < 1e9].max())) * far / z
        assert (np.linalg.norm(found - wanted, axis=1) <= within).all()


def test_a_glb_wears_the_plate_and_is_torn_at_steps(scene, tmp_path):
    files = export(scene.out, "glb", tmp_path, stride=2, tear=0.2, frames=f"{LAST}-{LAST}")
    loaded = trimesh.load_scene(files[0], process=False)
    (mesh,) = loaded.geometry.values()
    np.testing.assert_array_equal(np.asarray(mesh.visual.material.baseColorTexture), scene.rgb[-1])
    columns, rows = (mesh.visual.uv * (WIDTH, -HEIGHT) + (0, HEIGHT)).T  # its v is from below
    there = scene.z[-1, ::2, ::2] < 1e9
    wanted = np.argwhere(there) * 2 + 0.5
    np.testing.assert_allclose(np.stack((rows, columns), 1), wanted, atol=1e-3)
    corners = -mesh.vertices[mesh.faces][..., 2]
    assert len(mesh.faces) > 300
    assert (corners.max(1) <= 1.2 * corners.min(1) + 1e-5).all()
    assert (mesh.face_normals * mesh.triangles_center).sum(1).max() < 0  # all face the camera
    field = np.degrees(2 * np.arctan(HEIGHT / 2 / scene.lens.fy))
    assert loaded.camera.fov[1] == pytest.approx(field, rel=1e-6)


def test_a_ply_mesh_is_read_with_its_texture(scene, tmp_path):
    files = export(scene.out, "ply", tmp_path, mesh=True, stride=1, frames=f"{START}-{START}")
    assert [file.name for file in files] == ["shot_mesh.1001.ply", "shot_mesh.1001.png"]
    read = plyfile.PlyData.read(files[0])
    assert read.comments[-1] == "TextureFile shot_mesh.1001.png"
    faces, vertices = np.stack(read["face"]["vertex_indices"]), read["vertex"]
    assert faces.shape[1] == 4
    assert faces.max() < len(vertices["x"])
    np.testing.assert_array_equal(cv2.imread(str(files[1]))[..., ::-1], scene.rgb[0])
    at = np.stack(((1 - vertices["t"]) * HEIGHT, vertices["s"] * WIDTH)).astype(int)
    colours = np.stack([vertices[name] for name in ("red", "green", "blue")], 1)
    np.testing.assert_array_equal(scene.rgb[0][at[0], at[1]], colours)
    mesh = trimesh.load_mesh(files[0], process=False)
    assert len(mesh.faces) == 2 * len(faces)


def test_a_usd_camera_sees_points_where_the_plate_has_them(scene, tmp_path):
    pytest.importorskip("pxr", reason="usd-core is an extra")
    from pxr import Gf, Usd, UsdGeom

    files = export(scene.out, "usd", tmp_path, camera=scene.camera, stride=1)
    stage = Usd.Stage.Open(str(files[0]))
    for index in range(COUNT):
        camera = UsdGeom.Camera(stage.GetPrimAtPath("/World/Camera")).GetCamera(START + index)
        sees = camera.frustum.ComputeViewMatrix() * camera.frustum.ComputeProjectionMatrix()
        for point in scene.points(index)[::501]:
            seen = sees.Transform(Gf.Vec3d(*point))
            column, row = scene.project(point[None], index)[0]
            assert seen[0] == pytest.approx(2 * column / WIDTH - 1, abs=1e-5)
            assert seen[1] == pytest.approx(1 - 2 * row / HEIGHT, abs=1e-5)


def test_a_splat_is_its_pixels_footprint(tmp_path):
    plane = film(tmp_path / "plane", "plane")
    files = export(plane.out, "gaussians", tmp_path / "g", camera=plane.camera, gaussians_degree=3)
    for index, file in enumerate(files):
        read = plyfile.PlyData.read(file)["vertex"]
        names = [entry.name for entry in read.properties]
        assert names[:9] == ["x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2"]
        assert names[9:54] == [f"f_rest_{k}" for k in range(45)]
        assert names[54:] == ["opacity", *(f"scale_{k}" for k in range(3)), *(f"rot_{k}" for k in range(4))]
        colours = np.stack([read[f"f_dc_{k}"] for k in range(3)], 1) * 0.28209479177387814 + 0.5
        np.testing.assert_allclose(colours * 255, plane.rgb[index].reshape(-1, 3), atol=1e-3)
        assert 1 / (1 + np.exp(-read["opacity"])) == pytest.approx(OPACITY)
        points = np.stack([read[axis] for axis in "xyz"], 1).astype(np.float64)
        scales = np.exp(np.stack([read[f"scale_{k}"] for k in range(3)], 1).astype(np.float64))
        quaternions = np.stack([read[f"rot_{k}"] for k in range(4)], 1).astype(np.float64)
        np.testing.assert_allclose(np.linalg.norm(quaternions, axis=1), 1, rtol=1e-6)
        for k in range(0, len(points), 97):
            # The covariance on the plane, seen by the camera: a round Gaussian of SPREAD pixels.
            angle = 2 * np.arctan2(np.linalg.norm(quaternions[k, 1:]), quaternions[k, 0])
            turn = cv2.Rodrigues(angle * unit(quaternions[k, 1:]))[0]
            sides = turn * scales[k]
            steps = np.stack([points[k] + 1e-5 * sides[:, axis] for axis in range(2)])
            seen = (plane.project(steps, index) - plane.project(points[k : k + 1], index)) / 1e-5
            np.testing.assert_allclose(seen.T @ seen, SPREAD**2 * np.eye(2), atol=2e-3)
            facing = turn[:, 2] @ (plane.poses[index, :3, 3] - points[k])
            assert facing > 0
            assert abs(unit((0.3, -0.6, 1.0)) @ turn[:, 2]) == pytest.approx(1, abs=1e-4)


def test_colmaps_points_are_seen_where_their_tracks_say(scene, tmp_path):
    files = export(scene.out, "colmap", tmp_path, camera=scene.camera)
    images = model_of(tmp_path / "sparse")
    assert (tmp_path / "stereo/fusion.cfg").read_text().split() == list(images)
    by_place = {place: rest for place, *rest in images.values()}
    points = [line.split() for line in (tmp_path / "sparse/points3D.txt").read_text().splitlines()[1:]]
    assert len(points) > 50
    lengths = set()
    for number, *values in points:
        place, track = np.array(values[:3], float), [int(word) for word in values[7:]]
        lengths.add(len(track) // 2)
        for image, at in zip(track[::2], track[1::2], strict=True):
            to_camera, K, pixels = by_place[image]
            seen = K @ (to_camera[:3, :3] @ place + to_camera[:3, 3])
            np.testing.assert_allclose(seen[:2] / seen[2], pixels[at, :2], atol=1e-4)
            assert pixels[at, 2] == int(number)
    assert lengths == {2, 3}
    normals = map_of(next(file for file in files if file.parent.name == "normal_maps"))
    there = np.linalg.norm(normals, axis=2) > 0
    rays = scene.lens.rays(WIDTH, HEIGHT)
    assert ((normals * rays).sum(2)[there] < 0).all()
    np.testing.assert_array_equal(there, scene.z[0] < 1e9)


def test_colmap_itself_reads_and_fuses_it(scene, tmp_path):
    pycolmap = pytest.importorskip("pycolmap", reason="pycolmap is large")
    export(scene.out, "colmap", tmp_path / "x", camera=scene.camera)
    model = pycolmap.Reconstruction(str(tmp_path / "x/sparse"))
    model.update_point_3d_errors()
    assert model.compute_mean_reprojection_error() < 1e-3
    options = pycolmap.StereoFusionOptions()
    options.min_num_pixels = 2
    (tmp_path / "fused").mkdir()
    cloud = pycolmap.stereo_fusion(str(tmp_path / "fused"), str(tmp_path / "x"), options=options)
    assert len(cloud.points3D) > 1000


def test_sixteen_bits_reach_the_far_end():
    assert unit_for(60) == 0.001
    for far in (70, 100, 1234.5, 1e6):
        assert far / 65535 <= unit_for(far) < 1.15 * far / 65535
    for far in (1e-9, 1e-5, 0.02, 1.9):  # near scenes use them, too
        assert far / 65535 <= unit_for(far) < 1.15 * far / 65535
    assert unit_for(2.1) == 0.001
    codes = codes_of(np.array([[0.0, 1e-9, 1.0, 65.535, 66, 1e10]]), 0.001)
    assert codes.tolist() == [[0, 1, 1000, 65535, 0, 0]]


def test_a_camera_that_nobody_knows_stands_still_and_it_is_said(scene, tmp_path):
    for to in ("colmap", "nerfstudio"):
        heard = Heard()
        files = export(scene.out, to, tmp_path / to, progress=heard)
        assert sum("--camera FILE" in words for words in heard.said) == 1
    for frame in json.loads(files[0].read_text())["frames"]:
        assert frame["transform_matrix"] == np.eye(4).tolist()


def test_units_that_differ_are_said_and_scaled(tmp_path):
    shot = film(tmp_path / "shot", "plane", space="affine_invariant")
    heard = Heard()
    export(shot.out, "npz", tmp_path / "a", camera=shot.camera, progress=heard)
    assert "--camera-scale" in heard.said[-1]
    heard = Heard()
    files = export(shot.out, "npz", tmp_path / "b", camera=shot.camera, camera_scale=2.5, progress=heard)
    assert heard.said == []
    with np.load(files[0]) as data:
        np.testing.assert_allclose(data["poses"][:, :3, 3], 2.5 * shot.poses[:, :3, 3])


def test_frames_without_a_pose_are_left_out(tmp_path):
    shot, heard = film(tmp_path / "shot", "plane", known=2), Heard()
    files = export(shot.out, "ply", tmp_path / "x", camera=shot.camera, progress=heard)
    assert [file.name for file in files] == ["shot_points.1001.ply", "shot_points.1002.ply"]
    assert "1 frame" in heard.said[-1]
    with np.load(export(shot.out, "npz", tmp_path / "n", camera=shot.camera)[0]) as data:
        assert np.isnan(data["poses"][2]).all()


def test_folders_of_an_export_are_its_own(scene, tmp_path):
    first = export(scene.out, "nerfstudio", tmp_path / "x")
    assert export(scene.out, "nerfstudio", tmp_path / "x") == first
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / "images").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ResourceError, match="is a link"):
        export(scene.out, "nerfstudio", tmp_path / "y")
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("way", ["nerfstudio", "colmap", "usd"])
def test_the_camera_of_an_export_is_read_as_it_was(scene, tmp_path, way):
    if way == "usd":
        pytest.importorskip("pxr", reason="usd-core is an extra")
    files = export(scene.out, way, tmp_path / way, camera=scene.camera)
    file = {"nerfstudio": tmp_path / way / "transforms.json", "colmap": tmp_path / way, "usd": files[0]}[way]
    plate = Plate(
        range(FIRST, FIRST + COUNT), Fraction(24), WIDTH, HEIGHT, Fraction(1), Intrinsics(1, 1, 1, 1)
    )
    path = read_camera(file, plate).path
    assert path.numbers == tuple(plate.numbers)
    assert np.abs(path.poses - scene.poses).max() < 1e-9
    for number in path.numbers:
        lens, true = path.lens(number), scene.lens
        found = (lens.fx, lens.fy, lens.cx, lens.cy)
        assert found == pytest.approx((true.fx, true.fy, true.cx, true.cy), rel=1e-5)


def test_a_long_shots_model_holds_few_frames_at_a_time():
    images, points, seen = StringIO(), StringIO(), []
    model, lens = SparseModel(images, points), Intrinsics(60.0, 60.0, 32.0, 24.0)
    z, rgb = np.full((HEIGHT, WIDTH), 3.0, np.float32), np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for index in range(20):
        model.add(f"{index}.png", z, rgb, lens, np.eye(4))
        seen.append(images.getvalue().count(".png"))
    assert seen == [0] * 8 + list(range(1, 13))  # eight before the last wait for points of later ones
    model.finish()
    heads = [line for line in images.getvalue().splitlines() if line.endswith(".png")]
    assert [int(line.split()[0]) for line in heads] == list(range(1, 21))
    tracks = [line.split()[8:] for line in points.getvalue().splitlines()[1:]]
    assert {len(track) // 2 for track in tracks} == set(range(2, 10))
    assert model.cameras.count("PINHOLE") == 1


@pytest.mark.parametrize("way", ["colmap", "nerfstudio"])
def test_a_movies_export_is_read_back_frame_by_frame(tmp_path, way):
    shot = film(tmp_path / "shot", "plane")
    manifest = read_manifest(manifest_path(shot.out))
    movie = tmp_path / "movie.mp4"
    with av.open(str(movie), "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for rgb in shot.rgb:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24").reformat(format="yuv420p")))
        container.mux(stream.encode())
    clip = manifest.clip.model_copy(
        update={"path": str(movie), "kind": "movie", "name": "movie", "fingerprint": ""}
    )
    path = manifest_path(shot.out)
    write_manifest(manifest.model_copy(update={"clip": clip}), path)
    write_camera(
        CameraPath((0, 1, 2), shot.poses, (shot.lens,), WIDTH, HEIGHT, "metres"), shot.camera,
        Plate(range(COUNT), Fraction(24), WIDTH, HEIGHT, Fraction(1), shot.lens, True),
    )  # fmt: skip
    export(shot.out, way, tmp_path / way, camera=shot.camera, frames="1002-1003")
    file = tmp_path / way / ("transforms.json" if way == "nerfstudio" else "")
    sequence = read_sequence(shot.out)
    plate = camera_plate(sequence, plate_of(sequence.manifest))
    for known in (plate, replace(plate, numbers=range(2000), stem="", shift=None)):
        path = read_camera(file, known).path
        assert path.numbers == (1, 2)
        assert np.abs(path.poses - shot.poses[1:]).max() < 1e-9
    if way == "colmap":
        assert set(read_points(file / "sparse", plate).numbers) <= {1, 2}


@pytest.mark.parametrize("way", ["glb", "ply", "usd"])
def test_a_mesh_without_faces_is_refused_and_leaves_nothing(scene, tmp_path, way):
    if way == "usd":
        pytest.importorskip("pxr", reason="usd-core is an extra")
    options = {"mesh": True} if way == "ply" else {}
    with pytest.raises(UsageError, match="No faces are left") as caught:
        export(scene.out, way, tmp_path / "new" / "x", stride=16, tear=1e-6, **options)
    assert "--stride" in caught.value.hint
    assert "--tear" in caught.value.hint
    assert not (tmp_path / "new").exists()


def test_every_usd_layer_is_in_metres(scene, tmp_path):
    pytest.importorskip("pxr", reason="usd-core is an extra")
    from pxr import Usd, UsdGeom

    for file in export(scene.out, "usd", tmp_path, stride=4):
        stage = Usd.Stage.Open(str(file))
        assert (UsdGeom.GetStageMetersPerUnit(stage), UsdGeom.GetStageUpAxis(stage)) == (1.0, "Y")
