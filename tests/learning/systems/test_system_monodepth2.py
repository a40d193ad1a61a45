"""Monodepth2 as a system: its switches, what counts, and how its pose networks are read."""

import pytest
import torch
from selfsup_reference import Shot, random
from torch import nn

from vdepth_core.geometry.poses import inverse, monodepth2_pose
from vdepth_core.learning.losses.monodepth2 import monodepth2_terms
from vdepth_core.learning.losses.reprojection import weighted_mean
from vdepth_core.learning.systems.scales import scales_of
from vdepth_core.learning.systems.system import Views
from vdepth_core.learning.systems.table import SYSTEMS
from vdepth_core.networks.hybrid_depth import HybridDepthNet
from vdepth_core.networks.monodepth2 import Monodepth2
from vdepth_core.networks.reflected import scaled_disparity

SHOT = Shot()


def system(**options):
    return SYSTEMS.create("monodepth2", SYSTEMS.read("monodepth2", options))


def views(**more):
    return Views(SHOT.target, SHOT.sources, SHOT.K, SHOT.poses, SHOT.disparities, scaled_disparity, **more)


def test_the_defaults_are_the_published_loss():
    ours = system().terms(views(), {})
    published = monodepth2_terms(
        SHOT.disparities, scaled_disparity, SHOT.target, SHOT.sources, SHOT.K, SHOT.poses
    )
    assert ours == published


@pytest.mark.parametrize("option", ["minimum", "automask", "monodepth2_ssim", "monodepth2_native"])
def test_every_switch_switches(option):
    value = {"monodepth2_ssim": 0.0, "monodepth2_native": True}.get(option, False)
    terms = (system(**o).terms(views(), {}) for o in ({}, {option: value}))
    plain, changed = (float(each["photometric"].detach()) for each in terms)
    assert changed != pytest.approx(plain, rel=1e-6)


def test_what_counts_nothing_teaches_nothing():
    """Garbage in the left half of the target is not seen, where pixels there count nothing."""
    confidence = torch.ones(1, 1, 6, 8, dtype=torch.float64)
    confidence[..., :4] = 0
    spoilt = SHOT.target.detach().clone()
    spoilt[..., :3] = 0.5
    values = [
        system(automask=False).terms(
            Views(
                target, SHOT.sources, SHOT.K, SHOT.poses, SHOT.disparities[:1], scaled_disparity, confidence
            ),
            {},
        )["photometric"]
        for target in (SHOT.target, spoilt)
    ]
    torch.testing.assert_close(*values)
    everywhere = system().terms(views(confidence=torch.ones_like(confidence)), {})["photometric"]
    torch.testing.assert_close(everywhere, system().terms(views(), {})["photometric"])


def test_weights_of_a_mean():
    errors, weight = random(2, 3, 4, 6, grad=False), random(2, 1, 4, 6, seed=1, grad=False)
    pixels = [(b, y, x) for b in range(2) for y in range(4) for x in range(6)]
    by_hand = sum(weight[b, 0, y, x] * errors[b, :, y, x].sum() for b, y, x in pixels) / (3 * weight.sum())
    torch.testing.assert_close(weighted_mean(errors, weight), by_hand)
    assert float(weighted_mean(errors, torch.zeros_like(weight))) == 0
    assert float(weighted_mean(errors)) == float(errors.mean())


class Halves(nn.Module):
    """Says how much brighter the second picture is than the first."""

    def forward(self, pair):
        brighter = pair[:, 3:].mean((1, 2, 3)) - pair[:, :3].mean((1, 2, 3))
        vector = torch.stack([brighter * k for k in (0.3, -0.2, 0.1, 1.0, 0.5, -2.0)], -1)
        return torch.stack((vector, 99 * vector), 1)


@pytest.mark.parametrize("training", [True, False])
def test_pairs_are_in_temporal_order_and_inverted_for_earlier_sources(training):
    target, earlier, later = (torch.full((2, 3, 4, 4), level) for level in (0.5, 0.3, 0.9))
    network = Halves().train(training)
    motion = system().read_poses(network, target, [earlier, later], (-1, 1))
    scale = torch.tensor([0.3, -0.2, 0.1, 1.0, 0.5, -2.0])
    torch.testing.assert_close(motion.poses[0], inverse(monodepth2_pose(0.2 * scale)).expand(2, 4, 4))
    torch.testing.assert_close(motion.poses[1], monodepth2_pose(0.4 * scale).expand(2, 4, 4))
    assert motion.masks is None
    assert not motion.scaled


@pytest.mark.parametrize("kind", ["separate", "cnn"])
def test_pose_networks(kind):
    assert kind in system().pose_kinds
    network = system().pose_network(kind, 2).eval()
    pictures = [torch.rand(1, 3, 32, 64) for _ in range(3)]
    motion = system().read_poses(network, pictures[0], pictures[1:], (-1, 1))
    assert [tuple(pose.shape) for pose in motion.poses] == [(1, 4, 4)] * 2
    assert motion.scaled == (kind == "cnn")


def test_networks_say_what_their_scales_mean():
    frames = torch.rand(1, 3, 64, 96)
    network = Monodepth2(width=8).eval()
    disparities, convert = scales_of(network, frames)
    assert [tuple(d.shape[2:]) for d in disparities] == [(64, 96), (32, 48), (16, 24), (8, 12)]
    torch.testing.assert_close(convert(disparities[0])[:, 0], network(frames))
    plain = HybridDepthNet().eval()
    disparities, convert = scales_of(plain, frames)
    assert len(disparities) == 1
    torch.testing.assert_close(convert(disparities[0])[:, 0], plain(frames))
