"""Where a fine-tuning was killed before its first checkpoint, or its folder holds something else."""

import shutil

import cv2
import numpy as np
import pytest
from crashing import Crash, CrashAt

from vdepth_core.errors import BusyError, InputError, UsageError, WeightsError
from vdepth_core.progress import Progress
from vdepth_core.training.diffusion.begun import alone
from vdepth_core.training.diffusion.request import find_data, read_settings
from vdepth_core.training.diffusion.train import train_diffusion
from vdepth_core.training.shards import write_shard

pytest.importorskip("accelerate")

UNET = "unet/diffusion_pytorch_model.safetensors"
SMALL = {
    "height": 64, "width": 64, "batch": 1, "steps": 2, "every": 2, "rate": 1e-3, "threads": 1,
    "device": "cpu", "degrade": False, "held_out": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shards")
    for name in ("train-0", "held-0"):
        disparity = np.kron(np.linspace(0.1, 1, 48).reshape(4, 3, 4), np.ones((1, 24, 24)))
        rgb = np.repeat((disparity[..., None] * 255).astype(np.uint8), 3, -1)
        write_shard(folder / f"{name}.npz", rgb, disparity.astype(np.float32))
    return folder


def killed(shards, start, out):
    with pytest.raises(Crash):
        train_diffusion("rolling", [shards], start, out, progress=CrashAt("train", 1), **SMALL)
    assert not list(out.glob("state-*"))


def test_killed_before_its_first_checkpoint(shards, tiny, tmp_path):
    whole, out, start = tmp_path / "whole", tmp_path / "out", tiny("rollingdepth")
    train_diffusion("rolling", [shards], start, whole, **SMALL)
    killed(shards, start, out)
    with alone(out), pytest.raises(BusyError, match="Another"):
        train_diffusion("rolling", [shards], start, out, **SMALL)
    (out / ".model_index.json.0123456789ab.tmp").touch()
    killed(shards, start, out)  # a plain run may begin anew
    with pytest.raises(
        UsageError, match=r"another lora \(none there, 2 here\); another seed \(0 there, 1 here\)"
    ):
        train_diffusion("rolling", [shards], start, out, resume=True, **SMALL | {"seed": 1, "lora": 2})
    other = tmp_path / "other"
    shutil.copytree(shards, other)
    (other / "train-0.npz").rename(other / "train-7.npz")
    with pytest.raises(UsageError, match="comes from other scenes"):
        train_diffusion("rolling", [other], start, out, resume=True, **SMALL)
    train_diffusion("rolling", [shards], start, out, resume=True, **SMALL)
    assert (whole / UNET).read_bytes() == (out / UNET).read_bytes()

    state = out / "state-snippets.training"
    state.write_bytes(state.read_bytes()[:100])
    with pytest.raises(WeightsError, match=r"damaged.*Delete .*state-snippets.training and run"):
        train_diffusion("rolling", [shards], start, out, resume=True, **SMALL)
    state.unlink()
    train_diffusion("rolling", [shards], start, out, resume=True, **SMALL)
    assert (whole / UNET).read_bytes() == (out / UNET).read_bytes()


def test_files_of_the_user_are_not_replaced(shards, tiny, tmp_path):
    out, start = tmp_path / "out", tiny("rollingdepth")
    killed(shards, start, out)
    (out / "unet" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds unet/notes.txt, which is not ours"):
        train_diffusion("rolling", [shards], start, out, **SMALL)
    (out / "run.json").write_text("{}")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(WeightsError, match="nothing to resume"):
        train_diffusion("rolling", [shards], start, out, resume=True, **SMALL)
    assert before == {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match="is not ours"):
        train_diffusion("rolling", [shards], start, out, **SMALL)


def put_scene(home, disparity):
    (home / "color").mkdir(parents=True)
    (home / "depth").mkdir()
    for t in range(2):
        cv2.imwrite(str(home / "color" / f"{t}.png"), np.full((64, 64, 3), 90, np.uint8))
        np.save(home / "depth" / f"{t}.npy", disparity)


def data(places, tmp_path):
    progress = Warned()
    settings, _, _ = read_settings("rolling", SMALL | {"scenes": 2})
    return find_data(places, settings, tmp_path / "cache", progress), progress.said


class Warned(Progress):
    def __init__(self):
        super().__init__()
        self.said = []

    def warn(self, message):
        self.said.append(message)


def test_scenes_of_unknown_depth_are_left_out_or_refused(tmp_path):
    unknown, known = np.zeros((64, 64), np.float32), np.full((64, 64), 2, np.float32)
    for name, depth in (("a", unknown), ("b", known), ("c", known)):
        put_scene(tmp_path / "data" / name, depth)
    split, said = data([tmp_path / "data"], tmp_path)
    assert {clip.scene for clip in (*split.training, *split.held_out)} == {"b", "c"}
    assert said == ["No depth is known in a: left out."]
    for name in ("a", "b"):
        put_scene(tmp_path / "none" / name, unknown)
    with pytest.raises(InputError, match="Nothing can be learnt from a, b"):
        data([tmp_path / "none"], tmp_path)


def test_one_scene_beside_procedural_ones(tmp_path):
    put_scene(tmp_path / "data" / "a", np.full((64, 64), 2, np.float32))
    split, _ = data([tmp_path / "data", "procedural"], tmp_path)
    assert "a" in {clip.scene for clip in split.training}
    assert all(clip.scene.startswith("procedural") for clip in split.held_out)
    with pytest.raises(InputError, match="holds one scene only, a: nothing could be held out"):
        data([tmp_path / "data"], tmp_path)


def test_pictures_without_depth_are_told(tmp_path):
    (tmp_path / "color").mkdir()
    with pytest.raises(InputError, match="no folder depth"):
        data([tmp_path], tmp_path)
