"""Clips with known depth, as data sets are laid out; scenes are held out whole."""

import cv2
import numpy as np
import pytest

from vdepth_core.errors import InputError
from vdepth_core.training.diffusion import footage, layouts
from vdepth_core.training.diffusion.footage import cut, procedural, whole
from vdepth_core.training.diffusion.layouts import find_footage
from vdepth_core.training.shards import write_shard

PICTURE = np.full((24, 32, 3), 90, np.uint8)


def put(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, pixels)
    else:
        assert cv2.imwrite(str(path), pixels)


def depth_of(split):
    """The first frame's disparity, and how many frames and scenes are learnt from and held out."""
    _, (disparity,) = split.training[0].load([0])
    return disparity, [clip.count for clip in (*split.training, *split.held_out)]


def test_rgbd_folders(tmp_path):
    for scene in ("a", "b", "c"):
        for t in range(3):
            put(tmp_path / scene / "color" / f"{t}.png", PICTURE)
            metres = np.full((24, 32), 2000, np.uint16)
            metres[0, 0] = 0
            put(tmp_path / scene / "depth" / f"{t}.png", metres)
    split = find_footage(tmp_path)
    disparity, counts = depth_of(split)
    assert disparity[1, 1] == 0.5
    assert np.isnan(disparity[0, 0])
    assert counts == [3, 3, 3]
    assert {clip.scene for clip in split.held_out} == {"a"}
    (tmp_path / "b" / "color" / "0.png").unlink()
    with pytest.raises(InputError, match="2 pictures"):
        find_footage(tmp_path)


def test_tartanair_of_both_kinds(tmp_path):
    for env in ("office", "street"):
        home = tmp_path / env / "Easy" / "P000"
        depth = np.full((24, 32), 4.0, np.float32)
        depth[0] = 1e4
        put(home / "image_left" / "000000_left.png", PICTURE)
        put(home / "depth_left" / "000000_left_depth.npy", depth)
        put(home / "image_lcam_front" / "000000_lcam_front.png", PICTURE)
        put(home / "depth_lcam_front" / "000000_lcam_front_depth.png", depth[..., None].view(np.uint8))
    split = find_footage(tmp_path)
    assert len(split.training) == 2
    for clip in split.training:
        _, (disparity,) = clip.load([0])
        assert disparity[5, 5] == 0.25
        assert disparity[0, 0] == 0


def test_virtual_kitti_holds_out_all_weathers_of_a_scene(tmp_path):
    for scene in ("Scene01", "Scene02"):
        for weather in ("clone", "rain"):
            frames = tmp_path / scene / weather / "frames"
            depth = np.full((24, 32), 800, np.uint16)
            depth[0] = 65535
            put(frames / "rgb" / "Camera_0" / "rgb_00001.jpg", PICTURE)
            put(frames / "depth" / "Camera_0" / "depth_00001.png", depth)
    split = find_footage(tmp_path)
    disparity, _ = depth_of(split)
    assert disparity[1, 1] == 0.125
    assert disparity[0, 0] == 0
    assert [clip.scene for clip in split.held_out] == ["Scene01"] * 2


def test_hypersims_distances_become_planar_depth(tmp_path):
    h5py = pytest.importorskip("h5py")
    for scene in ("ai_001_001", "ai_001_002"):
        images = tmp_path / scene / "images"
        put(images / "scene_cam_00_final_preview" / "frame.0000.tonemap.jpg", PICTURE)
        geometry = images / "scene_cam_00_geometry_hdf5"
        geometry.mkdir()
        with h5py.File(geometry / "frame.0000.depth_meters.hdf5", "w") as file:
            file["dataset"] = np.full((768, 1024), 2.0, np.float16)
    disparity, _ = depth_of(find_footage(tmp_path))
    assert disparity[384, 512] == pytest.approx(0.5, rel=1e-5)
    assert disparity[0, 0] > 0.55


def test_planar_depth_of_a_sphere_around_the_camera():
    depth = layouts.planar(np.full((3, 5), 2.0, np.float32), 2.0)
    assert depth[1, 2] == 2
    assert depth[1, 4] == pytest.approx(2 * 2 / 8**0.5)


def test_shards_say_what_is_held_out_and_what_follows_in_time(tmp_path):
    for name in ("train-0", "train-1", "held-0"):
        write_shard(tmp_path / f"{name}.npz", np.zeros((4, 16, 16, 3), np.uint8), np.ones((4, 16, 16)))
    split = find_footage(tmp_path)
    assert [clip.scene for clip in split.held_out] == ["held-0"]
    assert [clip.run for clip in split.training] == [2, 2]
    (tmp_path / "held-0.npz").unlink()
    split = find_footage(tmp_path)
    assert [clip.scene for clip in split.held_out] == ["train-0"]
    (tmp_path / "train-1.npz").unlink()
    with pytest.raises(InputError, match="one scene only"):
        find_footage(tmp_path)


def test_procedural_scenes_and_what_is_cut_from_them(tmp_path, monkeypatch):
    monkeypatch.setattr(footage, "_MARGIN", 1.0)
    split = procedural(tmp_path, 0, 3, 2, (16, 24))
    assert not {clip.scene for clip in split.training} & {clip.scene for clip in split.held_out}
    assert split.training[0].run == 2
    scored = whole(split.training[0], (0, 1), (16, 16))
    assert scored.rgb.shape == (2, 3, 16, 16)
    first, same, other = (
        cut(split.training[0], [0, 1], (16, 24), np.random.default_rng(seed), degrade=True)
        for seed in (0, 0, 1)
    )
    assert np.array_equal(first.rgb, same.rgb)
    assert not np.array_equal(first.rgb, other.rgb)
    assert first.disparity.shape == (2, 16, 24)
    assert len(list(tmp_path.glob("*.npz"))) == 1
