"""Training from folders: it learns, it goes on to the same bytes, and what it writes loads."""

from functools import partial

import numpy as np
import pytest
import torch
from corridors import write_clip, write_kitti
from crashing import Crash, CrashAt
from typer.testing import CliRunner

from vdepth_core.cli.main import app
from vdepth_core.errors import InputError, ResourceError, UsageError, WeightsError
from vdepth_core.geometry.poses import monodepth2_pose
from vdepth_core.learning.config import Stepped
from vdepth_core.learning.systems import featdepth
from vdepth_core.learning.systems.options import Monodepth2Options
from vdepth_core.learning.systems.table import SYSTEMS
from vdepth_core.models.registry import load_model
from vdepth_core.networks import featdepth_train
from vdepth_core.networks.monodepth2 import DepthDecoder, Monodepth2
from vdepth_core.networks.monodepth2_pose import PoseCnn, SeparatePose, SharedPose
from vdepth_core.training.selfsup.networks import fill_encoders
from vdepth_core.training.selfsup.train import STATE, train_selfsup
from vdepth_core.weights.parts import POSE_PARTS, read_network


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("kitti")
    return root, *write_kitti(root)


def small(tree, tiny, family="monodepth2", **more):
    root, train, held = tree
    given = {
        "split": train,
        "val_split": held,
        "init": str(tiny(family)),
        "height": 64,
        "width": 96,
        "batch": 2,
    }
    if family == "monodepth2":
        given["pose"] = "cnn"
    return root, given | {"device": "cpu", "threads": 1} | more


def test_a_few_steps_lower_the_loss(tree, tiny, tmp_path):
    root, options = small(tree, tiny, rate=1e-3, steps=12)
    done = train_selfsup(root, tmp_path / "run", **options)
    rows = (tmp_path / "run" / "losses.csv").read_text().splitlines()
    assert rows[0] == "step,loss,held out photometric,held out smoothness"
    losses = [float(row.split(",")[1]) for row in rows[1:]]
    assert np.mean(losses[-3:]) < 0.95 * np.mean(losses[:3])
    assert done.steps == 12
    assert done.held_out["photometric"] < 0.95 * losses[0]
    model = load_model(tmp_path / "run")
    assert model.spec.fixed_size == (64, 96)
    assert bool(torch.isfinite(model.predict(torch.rand(1, 3, 64, 96))).all())
    pose = read_network(tmp_path / "run", POSE_PARTS[1:])
    PoseCnn().load_state_dict(pose.state)


def test_a_killed_run_goes_on_to_the_same_bytes(tree, tiny, tmp_path):
    root, options = small(tree, tiny, steps=3, every=2, save=0, batch=1)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train_selfsup(root, whole, **options)
    with pytest.raises(Crash):
        train_selfsup(root, killed, progress=CrashAt("train", 2), **options)
    with pytest.raises(UsageError, match="holds a run"):
        train_selfsup(root, killed, **options)
    with pytest.raises(UsageError, match="another seed"):
        train_selfsup(root, killed, resume=True, **options | {"seed": 1})
    train_selfsup(root, killed, resume=True, **options)
    names = {path.name for path in whole.iterdir()}
    assert names == {"encoder.pth", "depth.pth", "pose.pth", "losses.csv", "losses.png", STATE}
    for name in names - {STATE}:
        assert (whole / name).read_bytes() == (killed / name).read_bytes(), name


@pytest.mark.parametrize(
    ("recipe", "family", "more", "terms"),
    [
        ("packnet", "packnet01", {"velocity": True}, {"photometric", "smoothness", "velocity"}),
        (
            "sfmlearner",
            "sfmlearner",
            {"use": "both", "sfmlearner_explainability": 0.2},
            {"photometric", "smoothness", "explainability"},
        ),
        (
            "diffnet",
            "monodepth2",
            {"use": "stereo", "minimum": False, "automask": False},
            {"photometric", "smoothness"},
        ),
        ("ddv", "monodepth2", {"pose": "cnn", "use": "both"}, {"photometric", "smoothness"}),
        ("leftright", "leftright", {"use": "stereo"}, {"appearance", "smoothness", "consistency"}),
    ],
)
def test_recipes(tree, tiny, tmp_path, recipe, family, more, terms):
    root, options = small(tree, tiny, family, steps=1, batch=1, **more)
    done = train_selfsup(root, tmp_path / "run", recipe=recipe, **options)
    assert done.held_out.keys() == terms
    assert load_model(tmp_path / "run").predict(torch.rand(1, 3, 64, 96)).shape == (1, 64, 96)


def test_left_right_consistency_wants_both_eyes_of_the_network(tree, tiny, tmp_path):
    root, options = small(tree, tiny, "sfmlearner", steps=1, use="stereo")
    with pytest.raises(UsageError, match="leftright trains no network of sfmlearner"):
        train_selfsup(root, tmp_path / "run", recipe="leftright", **options)


def test_featdepth_writes_all_its_networks(tree, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(featdepth_train, "POSE_SIZE", (32, 64))  # as small as the rest
    for name in ("AutoEncoder", "FeatPose"):
        monkeypatch.setattr(featdepth, name, partial(getattr(featdepth_train, name), width=8))
    root, options = small(tree, tiny, "featdepth", steps=1, batch=1, featdepth_extractor="resnet18")
    done = train_selfsup(root, tmp_path / "run", recipe="featdepth", **options)
    assert done.held_out.keys() > {"feature-metric", "reconstruction"}
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {"fm_depth.pth"}
    state = read_network(tmp_path / "run").state
    assert {key.split(".")[0] for key in state} == {
        "DepthEncoder", "DepthDecoder", "PoseEncoder", "PoseDecoder", "Encoder", "Decoder",
    }  # fmt: skip


def test_featdepth_with_features_that_stay(tree, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(featdepth_train, "POSE_SIZE", (32, 64))
    monkeypatch.setattr(featdepth, "FeatPose", partial(featdepth_train.FeatPose, width=8))
    before = featdepth_train.AutoEncoder(18, width=8, classifier=False).state_dict()
    file = tmp_path / "features.pth"
    torch.save({"state_dict": {k: v for k, v in before.items() if k.startswith("Encoder.")}}, file)
    more = {"featdepth_features": file, "featdepth_extractor": "resnet18"}
    root, options = small(tree, tiny, "featdepth", steps=1, batch=1, **more)
    done = train_selfsup(root, tmp_path / "run", recipe="featdepth", **options)
    assert "feature-metric" in done.held_out
    assert "reconstruction" not in done.held_out
    state = read_network(tmp_path / "run").state
    assert {key.split(".")[0] for key in state} == {
        "DepthEncoder", "DepthDecoder", "PoseEncoder", "PoseDecoder", "extractor",
    }  # fmt: skip
    for name in ("conv1.weight", "layer4.1.bn2.bias"):
        assert torch.equal(state[f"extractor.encoder.{name}"], before[f"Encoder.encoder.{name}"])
    torch.save({"state_dict": {"Encoder.encoder.conv1.weight": torch.zeros(1)}}, file)
    with pytest.raises(WeightsError, match=r"features\.pth does not fit Encoder: it lacks"):
        train_selfsup(root, tmp_path / "other", recipe="featdepth", **options)


@pytest.mark.parametrize("mask", [False, True])
def test_what_shares_the_encoder_of_the_depth_network(tree, tiny, tmp_path, mask):
    more = {"use": "both", "predictive_mask": True, "automask": False} if mask else {}
    root, options = small(tree, tiny, steps=1, batch=1, **{"pose": "shared"} | more)
    done = train_selfsup(root, tmp_path / "run", **options)
    assert ("explainability" in done.held_out) == mask
    names = {path.name for path in (tmp_path / "run").iterdir() if path.suffix == ".pth"}
    assert names == {"encoder.pth", "depth.pth", "pose.pth"} | ({"predictive_mask.pth"} if mask else set())
    model = load_model(tmp_path / "run")
    assert model.predict(torch.rand(1, 3, 64, 96)).shape == (1, 64, 96)
    channels = Monodepth2.for_state(read_network(tmp_path / "run").state).encoder.channels
    SharedPose(channels[-1]).load_state_dict(torch.load(tmp_path / "run" / "pose.pth", weights_only=True))
    if mask:
        state = torch.load(tmp_path / "run" / "predictive_mask.pth", weights_only=True)
        decoder = DepthDecoder(channels, outputs=3)  # two neighbours, one partner
        decoder.load_state_dict({key.removeprefix("decoder."): value for key, value in state.items()})


def test_a_shared_encoder_says_what_it_says_alone(tree, tiny, tmp_path):
    """One pass over target and sources: the same terms as of each by itself."""
    torch.manual_seed(0)
    depth = Monodepth2(18, width=8, classifier=False).eval()
    pose, system = SharedPose(depth.encoder.channels[-1]), SYSTEMS.create("monodepth2", Monodepth2Options())
    pictures = torch.rand(3, 2, 3, 64, 96)
    features = [depth.encoder(picture)[-1] for picture in pictures]
    motion = system.read_poses(pose, features[0], features[1:], (-1, 1))
    earlier = monodepth2_pose(pose((features[1], features[0]))[:, 0], invert=True)
    later = monodepth2_pose(pose((features[0], features[2]))[:, 0], invert=False)
    torch.testing.assert_close(torch.stack(motion.poses), torch.stack((earlier, later)))
    assert not motion.scaled
    at_once = depth.encoder(torch.cat(tuple(pictures)))[-1].chunk(3)
    torch.testing.assert_close(torch.stack(at_once), torch.stack(features), rtol=1e-4, atol=1e-5)


def test_folders_of_the_left_and_of_the_right_eye(tiny, tmp_path):
    data = tmp_path / "pairs"
    for eye in "lr":
        for name in ("a", "b"):
            write_clip(data / {"l": "left", "r": "right"}[eye] / name, 5, side=eye)
    more = {"init": str(tiny("monodepth2")), "pose": "cnn", "device": "cpu", "threads": 1, "batch": 2}
    more |= {"fov": 64.0, "gap": 1, "height": 64, "width": 96, "steps": 1}
    for use in ("stereo", "both"):
        done = train_selfsup(data, tmp_path / use, use=use, **more)
        assert done.held_out["photometric"] > 0
    with pytest.raises(UsageError, match="left and right"):
        train_selfsup(data / "left", tmp_path / "none", use="stereo", **more)
    (data / "left" / "b").rename(data / "left" / "c")
    with pytest.raises(InputError, match="b is in one of the folders"):
        train_selfsup(data, tmp_path / "lonely", use="stereo", **more)


def test_a_folder_of_clips_with_fewer_targets_than_a_batch(tiny, tmp_path):
    write_clip(tmp_path / "clips" / "a", 4)
    more = {"init": str(tiny("monodepth2")), "pose": "cnn", "device": "cpu", "threads": 1, "batch": 3}
    done = train_selfsup(
        tmp_path / "clips", tmp_path / "run", fov=64, gap=1, height=64, width=96, epochs=2, **more
    )
    assert done.steps == 2  # one target to learn from, one held out
    assert load_model(tmp_path / "run").spec.fixed_size == (64, 96)
    assert (tmp_path / "run" / "frames").is_dir()


def test_the_published_drops():
    schedule = Stepped((15 / 20,), 0.1, 500)
    assert schedule(0, 0) == pytest.approx(1 / 3)
    assert schedule(0.5, 250) == pytest.approx(2 / 3)
    assert schedule(0.74, 9000) == 1
    assert schedule(0.75, 9001) == pytest.approx(0.1)


def test_encoders_start_from_imagenet(tmp_path):
    source = Monodepth2(18, width=8).encoder.state_dict()
    torch.save(source, tmp_path / "resnet18.pth")
    depth, pose = Monodepth2(18, width=8), SeparatePose(width=8)
    for network in (depth, pose):
        fill_encoders(network, tmp_path / "resnet18.pth")
    assert torch.equal(depth.encoder.layer2[0].conv1.weight, source["layer2.0.conv1.weight"])
    torch.testing.assert_close(pose.encoder.conv1.weight[:, 3:], source["conv1.weight"] / 2)
    with pytest.raises(WeightsError, match="does not fit"):
        fill_encoders(Monodepth2(50, width=8), tmp_path / "resnet18.pth")


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"recipe": "monodepth3"}, "monodepth2"),
        ({"network": "resnet"}, "no network resnet"),
        ({"network": "monodepth2", "init": "x"}, "--network or --init"),
        ({"init": "embedded"}, "unknown shift"),
        ({"pose": "joint"}, "no pose network joint"),
        ({"velocity": True}, "packnet's"),
        ({"use": "both"}, "--split"),
        ({"height": 100}, "multiples of 32"),
        ({"batch": 0}, "--batch 0"),
        ({"packnet_clip": 1.0}, "monodepth2 has no option packnet_clip"),
        ({"splitt": 1}, "Did you mean split"),
        ({"recipe": "leftright"}, "learns from stereo partners"),
        ({"recipe": "leftright", "use": "stereo"}, "--split"),
        ({"predictive_mask": True}, "--no-automask"),
        ({"pose": "shared", "recipe": "diffnet"}, "no pose network shared"),
        ({"seed": 2**32}, "--seed"),
        ({"split": "list.txt", "fov": 50, "gap": 2}, "--fov and --gap"),
        ({"camera": "calibrated"}, "KITTI's recordings"),
    ],
)
def test_wrong_options(tmp_path, options, word):
    with pytest.raises(UsageError) as error:
        train_selfsup(tmp_path, tmp_path / "run", device="cpu", **options)
    assert word in str(error.value)


def test_a_file_in_the_folder_s_place(tmp_path):
    (tmp_path / "run").write_text("theirs")
    with pytest.raises(ResourceError):
        train_selfsup(tmp_path, tmp_path / "run", device="cpu")
    assert (tmp_path / "run").read_text() == "theirs"


def test_the_verb(tree, tiny, tmp_path):
    root, train, held = tree
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "encoder.pth").write_bytes(b"x")
    arguments = [
        str(root),
        "--split",
        str(train),
        "--val-split",
        str(held),
        "--init",
        str(tiny("monodepth2")),
    ]
    arguments += ["--height", "64", "--width", "96", "--batch", "1", "--steps", "1", "--pose", "cnn"]
    arguments += ["--no-automask", "--no-minimum", "--threads", "1", "--device", "cpu"]
    result = CliRunner().invoke(app, ["train-selfsup", *arguments, "-o", str(tmp_path / "mine")])
    assert "not ours to replace" in str(result.exception)
    result = CliRunner().invoke(app, ["train-selfsup", *arguments, "-o", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    assert "Held-out photometric" in result.output
