"""Readers of KITTI raw and of clips: with the rendered truth every source explains its target exactly."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from corridors import BASELINE, FOLDER, STEP, matrix, rendered, write_clip, write_kitti

from vdepth_core.errors import InputError
from vdepth_core.geometry.poses import rigid
from vdepth_core.learning.losses.synthesis import synthesise
from vdepth_core.learning.systems.system import Course
from vdepth_core.progress import Progress
from vdepth_core.training.selfsup.augment import Colours, joined, prepared
from vdepth_core.training.selfsup.clips import ClipFolder, find_clips, find_pairs, has_eyes, size_like
from vdepth_core.training.selfsup.gallery import Sample
from vdepth_core.training.selfsup.kitti import KittiRaw, calibration, read_split

SIZE = (64, 96)
TURNED = Course(mirror=1.0, jittered=0.0)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("kitti")
    return root, *write_kitti(root)


def kitti(tree, offsets=(-1, 1), partner=True, calibrated=True, velocity=True, size=SIZE):
    root, train, held = tree
    return KittiRaw(
        root, train, held, size, offsets, partner, calibrated, velocity, lambda picture, size: picture
    )


def moved(x, z):
    return rigid(torch.eye(3)[None], torch.tensor([[x, 0.0, z]]))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("number", [0, 1])
def test_truth_explains_every_source(tree, number, mirrored):
    """The left and the right picture of frame 1, mirrored and not."""
    side = "lr"[number]
    batch = prepared(kitti(tree).load(number), TURNED, np.random.default_rng(0) if mirrored else None)
    target, *sources = batch.pictures.unbind(1)
    inverse = torch.from_numpy(rendered(1, side)[1])[None, None]
    depth = 1 / (inverse.flip(-1) if mirrored else inverse)
    across = -BASELINE if batch.left.item() else BASELINE
    assert batch.left.item() == ((side == "l") != mirrored)
    for source, pose in zip(sources, (moved(0, STEP), moved(0, -STEP), moved(across, 0)), strict=True):
        seen, valid = synthesise(source, depth, batch.K, pose)
        explained, unmoved = ((other - target).abs()[:, :1][valid].quantile(0.7) for other in (seen, source))
        assert float(explained) < float(unmoved) / 4  # the texture aliases, and pillars hide some of it
    torch.testing.assert_close(batch.measured.norm(dim=-1), torch.full((1, 2), STEP), rtol=1e-4, atol=0)


def test_cameras(tree):
    sample = kitti(tree).load(0)
    np.testing.assert_allclose(sample.K, matrix(), atol=1e-5)
    nominal = kitti(tree, calibrated=False).load(0).K
    np.testing.assert_allclose(nominal, [[0.58 * 96, 0, 48], [0, 1.92 * 64, 32], [0, 0, 1]])
    half = kitti(tree, size=(32, 48)).load(0).K
    np.testing.assert_allclose(half, matrix((32, 48)), atol=1e-5)


def test_targets_without_neighbours_are_left_out_and_missing_ones_refused(tree, tmp_path):
    root, _, held = tree
    split = tmp_path / "list.txt"
    split.write_text(f"{FOLDER} 0 l\n\n{FOLDER} 3 l\n{FOLDER} 7 r\n")
    gallery = kitti((root, split, held))
    assert gallery.dropped == 2
    assert (len(gallery.training), len(gallery.validation)) == (1, 2)
    assert kitti((root, split, None), offsets=()).dropped == 0  # a stereo pair needs no neighbours
    split.write_text(f"{FOLDER} 99 l\n")
    with pytest.raises(InputError, match="no frame 99 of camera 2"):
        kitti((root, split, held))
    split.write_text(f"{FOLDER} one l\n")
    with pytest.raises(InputError, match=r"Line 1 of list\.txt is no target"):
        read_split(split)
    with pytest.raises(InputError, match="--camera nominal"):
        calibration(tmp_path / "none.txt")


def test_enlarged_pictures_keep_their_rays():
    """What a pixel shows says where it was, so its ray must be the one of that place."""
    x, y = np.meshgrid(np.arange(96), np.arange(64))
    pictures = np.stack((2 * x, 3 * y, 0 * x), -1).astype(np.uint8)[None].repeat(2, 0)
    batch = prepared(
        Sample(pictures, matrix()), Course(zoom=1.3, mirror=0, jittered=0), np.random.default_rng(4)
    )
    shown = batch.pictures[0, 0, :2].permute(1, 2, 0).numpy() * 255 / (2, 3)
    rays = np.linalg.inv(batch.K[0].double().numpy()) @ np.stack((x, y, 1 + 0 * x)).reshape(3, -1)
    wanted = np.linalg.inv(matrix()) @ np.stack((*np.moveaxis(shown, -1, 0), 1 + 0 * x)).reshape(3, -1)
    inner = np.zeros((64, 96), bool)
    inner[4:-4, 4:-4] = True
    assert np.abs(rays - wanted)[:, inner.ravel()].max() < 0.012  # a step of 255 is half a pixel
    assert not np.allclose(batch.K[0, 0, 0], matrix()[0, 0])


def test_colours_change_for_the_networks_only_and_for_all_pictures_alike(tree):
    sample = replace(kitti(tree).load(0), pictures=kitti(tree).load(0).pictures[[0, 0, 0, 0]])
    batch = prepared(sample, Course(mirror=0, jittered=1.0), np.random.default_rng(0))
    assert not torch.equal(batch.seen, batch.pictures)
    assert all(torch.equal(batch.seen[0, 0], other) for other in batch.seen[0, 1:])
    again = prepared(sample, Course(mirror=0, jittered=1.0), np.random.default_rng(0))
    assert torch.equal(batch.seen, again.seen)
    picture = np.random.default_rng(1).uniform(0, 1, (8, 8, 3)).astype(np.float32)
    np.testing.assert_allclose(Colours((0, 1, 2, 3), (1, 1, 1, 0)).applied(picture), picture, atol=2e-3)
    brighter = Colours((0, 1, 2, 3), (1.2, 1, 1, 0)).applied(picture * 0.5)
    np.testing.assert_allclose(brighter, picture * 0.6, atol=2e-3)
    turned = Colours((3, 0, 1, 2), (1, 1, 1, 1 / 3)).applied(picture)
    np.testing.assert_allclose(turned, picture[..., [2, 0, 1]], atol=5e-3)


def test_only_the_depth_network_may_see_a_mirror(tree):
    batch = prepared(kitti(tree).load(0), Course(mirrors="depth", mirror=1.0), np.random.default_rng(0))
    assert batch.turned.tolist() == [True]
    assert bool(batch.left)
    assert joined([batch, batch]).pictures.shape == (2, 4, 3, *SIZE)


def test_a_folder_of_clips(tmp_path):
    data = tmp_path / "clips"
    for name in ("a", "b"):
        write_clip(data / name, 6)
    (data / "notes.txt").write_text("x")
    (data / "b" / "camera.json").write_text('{"fx": 100, "fy": 90, "cx": 40, "cy": 30}')
    clips = find_clips(data)
    assert size_like((192, 640), clips[0]) == (256, 480)
    with pytest.raises(InputError, match="Nothing says what the camera of a is"):
        ClipFolder(clips, SIZE, (-1, 1), 2, None, None, tmp_path / "cache", Progress())
    gallery = ClipFolder(clips, SIZE, (-1, 1), 2, 60.0, None, tmp_path / "cache", Progress())
    assert (len(gallery.training), len(gallery.validation)) == (2, 2)  # two targets a clip have neighbours
    sample = gallery.load(gallery.training[0])
    assert sample.pictures.shape == (3, *SIZE, 3)
    assert sample.left is None
    np.testing.assert_allclose(sample.K[0], [48 / np.tan(np.radians(30)), 0, 47.5])
    own = gallery.load(gallery.training[1]).K
    np.testing.assert_allclose(own, [[100, 0, 39.5], [0, 120, 39.5], [0, 0, 1]])  # 48 rows became 64
    first = cv2.imread(str(data / "a" / "f002.png"))
    assert np.abs(cv2.resize(first, SIZE[::-1]).astype(int) - sample.pictures[0]).mean() < 4
    gallery.close()
    with pytest.raises(InputError, match="No shot is long enough"):
        ClipFolder(clips, SIZE, (-1, 1), 3, 60.0, None, tmp_path / "cache", Progress())
    chosen = ClipFolder(clips, SIZE, (-1, 1), None, 60.0, None, tmp_path / "cache", Progress())
    pictures = chosen.load(chosen.training[0]).pictures.astype(float)
    chosen.close()
    assert np.abs(pictures[0] - pictures[1]).mean() > 2  # far enough apart to differ
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no clips"):
        find_clips(tmp_path / "empty")


def test_truth_explains_the_other_eye_of_two_folders(tmp_path):
    for eye, name in zip("lr", ("left", "right"), strict=True):
        write_clip(tmp_path / "data" / name, 4, SIZE, eye)
    assert has_eyes(tmp_path / "data")
    ((left, right),) = find_pairs(tmp_path / "data")
    fov = 2 * np.degrees(np.arctan(0.5 / 0.8))
    gallery = ClipFolder([left], SIZE, (), None, fov, None, tmp_path / "cache", Progress(), [right])
    assert len(gallery.training) + len(gallery.validation) == 8  # both eyes of four frames
    for number, side in enumerate("lr"):
        sample = gallery.load(number)
        assert sample.left == (side == "l")
        batch = prepared(sample, TURNED, None)
        target, source = batch.pictures.unbind(1)
        depth = 1 / torch.from_numpy(rendered(0, side)[1])[None, None]
        seen, valid = synthesise(source, depth, batch.K, moved(-BASELINE if side == "l" else BASELINE, 0))
        explained, unmoved = ((other - target).abs()[:, :1][valid].quantile(0.7) for other in (seen, source))
        assert float(explained) < float(unmoved) / 4
    gallery.close()
