"""Left-right consistency as a system: pairs of either side are the same, one in the mirror."""

import numpy as np
import pytest
import torch
from selfsup_reference import random

from vdepth_core.errors import UsageError
from vdepth_core.learning.losses.leftright import leftright_terms
from vdepth_core.learning.losses.monodepth2 import stereo_pose
from vdepth_core.learning.systems.scales import as_it_is
from vdepth_core.learning.systems.system import Views
from vdepth_core.learning.systems.table import SYSTEMS
from vdepth_core.training.selfsup.augment import prepared
from vdepth_core.training.selfsup.gallery import Sample

TARGET, PARTNER = random(2, 3, 4, 12), random(2, 3, 4, 12, seed=1)
SCALES = [random(2, 2, 4, 12, seed=2, high=0.3), random(2, 2, 2, 6, seed=3, high=0.3)]


def system(**options):
    return SYSTEMS.create("leftright", SYSTEMS.read("leftright", options))


def views(target, partner, scales, left):
    poses = [stereo_pose(torch.tensor(left))]
    return Views(target, [partner], torch.eye(3), poses, scales, as_it_is, stereo=True)


def test_left_targets_are_published_and_right_ones_the_same_in_the_mirror():
    plain = system().terms(views(TARGET, PARTNER, SCALES, [True, True]), {})
    published = leftright_terms(SCALES, TARGET, PARTNER)
    mirrored = [maps.detach().clone() for maps in (TARGET, PARTNER, *SCALES)]
    for maps in mirrored:
        maps[1] = maps[1].flip(-1)
    turned = system().terms(views(*mirrored[:2], mirrored[2:], [True, False]), {})
    for name, value in published.items():
        torch.testing.assert_close(plain[name], value)
        torch.testing.assert_close(turned[name], value)


def test_weights_are_options():
    given = views(TARGET, PARTNER, SCALES, [True, True])
    one, other = (
        system(**more).terms(given, {})
        for more in ({}, {"leftright_smoothness": 0.2, "leftright_consistency": 0.5})
    )
    torch.testing.assert_close(other["smoothness"], 2 * one["smoothness"])
    torch.testing.assert_close(other["consistency"], one["consistency"] / 2)
    torch.testing.assert_close(other["appearance"], one["appearance"])


@pytest.mark.parametrize("left", [True, False])
def test_its_network_sees_left_pictures_only(left):
    sample = Sample(np.zeros((2, 8, 8, 3), np.uint8), np.eye(3), left)
    assert prepared(sample, system().course, None).turned.item() is not left


def test_it_has_no_poses():
    with pytest.raises(UsageError, match="stereo pairs only"):
        system().pose_network("separate", 2)
    assert system().read_poses(torch.nn.Identity(), TARGET, [PARTNER], ()).poses == []
