"""Every system: a short composition whose loss falls to nothing where all that is believed is true."""

import pytest
import torch
from selfsup_reference import Shot
from torch import nn

from vdepth_core.geometry.poses import sfmlearner_pose
from vdepth_core.learning.losses.featdepth import featdepth_terms
from vdepth_core.learning.losses.packnet import packnet_terms
from vdepth_core.learning.losses.sfmlearner import sfmlearner_terms
from vdepth_core.learning.systems.featdepth import FEATURES
from vdepth_core.learning.systems.scales import as_it_is
from vdepth_core.learning.systems.system import Views
from vdepth_core.learning.systems.table import SYSTEMS
from vdepth_core.networks.reflected import scaled_disparity

SHOT = Shot()
SIX = ["monodepth2", "featdepth", "packnet", "sfmlearner", "ddv", "diffnet"]
PATENTED = [name for name in SIX if name != "sfmlearner"]


def system(name, **options):
    return SYSTEMS.create(name, SYSTEMS.read(name, options))


def views(convert=scaled_disparity, **more):
    return Views(SHOT.target, SHOT.sources, SHOT.K, SHOT.poses, SHOT.disparities, convert, **more)


class Features(nn.Module):
    """An auto-encoder of one weight: features are the picture's differences from it, at half size."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.3, dtype=torch.float64))

    def Encoder(self, picture):  # noqa: N802  (the published name)
        return [nn.functional.avg_pool2d(picture, 2) * self.weight] * 5

    def forward(self, picture):
        return self.Encoder(picture), [picture * self.weight]


def terms(name, given, **options):
    return system(name, **options).terms(given, {FEATURES: Features()})


def test_six_systems_are_there():
    assert SYSTEMS.ours == [*SIX, "leftright"]  # which has no poses: see its own test
    for name in SIX:
        made = system(name)
        assert made.name == name
        assert made.course.rate in {1e-4, 2e-4}
        assert made.pose_kinds


@pytest.mark.parametrize("name", PATENTED)
def test_what_a_patent_is_cited_on_can_be_switched_off(name):
    plain, *others = (
        float(terms(name, views(), **options)["photometric"].detach())
        for options in ({}, {"minimum": False}, {"automask": False}, {"minimum": False, "automask": False})
    )
    assert all(other > plain for other in others)
    text = " ".join(str(field.description) for field in SYSTEMS.options_of(name).model_fields.values())
    assert text.count("patent") == 2


def test_packnet_is_published():
    inverse = [scaled_disparity(disparity) for disparity in SHOT.disparities]
    measured = [torch.tensor([[0.1, 0.2, 0.3]], dtype=torch.float64)] * 2
    ours = terms("packnet", views(measured=measured))
    assert ours == packnet_terms(inverse, SHOT.target, SHOT.sources, SHOT.K, SHOT.poses, measured)


def test_sfmlearner_is_published():
    depths = [1 / disparity for disparity in SHOT.disparities]
    masks = [torch.full((1, 2, *d.shape[2:]), 0.7, dtype=torch.float64) for d in depths]
    ours = terms("sfmlearner", views(as_it_is, masks=masks), sfmlearner_explainability=0.2)
    pictures = [2 * picture - 1 for picture in (SHOT.target, *SHOT.sources)]
    published = sfmlearner_terms(depths, pictures[0], pictures[1:], SHOT.K, SHOT.poses, masks)
    torch.testing.assert_close(ours["photometric"], published["photometric"])
    torch.testing.assert_close(ours["smoothness"], published["smoothness"])
    assert float(ours["explainability"]) == pytest.approx(-0.2 * 2 * torch.tensor(0.7).log().item())


def test_featdepth_is_published_and_its_features_learn_only_to_be_features():
    network = Features()
    ours = system("featdepth", featdepth_exact=False).terms(views(), {FEATURES: network})
    features = [network.Encoder(picture)[0] for picture in (SHOT.target, *SHOT.sources)]
    published = featdepth_terms(
        SHOT.disparities, scaled_disparity, SHOT.target, SHOT.sources, SHOT.K, SHOT.poses, features
    )
    for name, value in published.items():
        torch.testing.assert_close(ours[name], value)
    assert ours.keys() - published.keys() == {"reconstruction", "discriminative", "convergent"}
    ours["feature-metric"].backward(retain_graph=True)
    assert network.weight.grad is None
    ours["reconstruction"].backward()
    assert float(network.weight.grad.abs()) > 0


def test_featdepth_with_a_stereo_partner_has_no_automask():
    plain, stereo = (terms("featdepth", views(stereo=stereo)) for stereo in (False, True))
    unmasked = terms("featdepth", views(), automask=False)
    torch.testing.assert_close(stereo["photometric"], unmasked["photometric"])
    assert float(stereo["smoothness"].detach()) != float(plain["smoothness"].detach())


@pytest.mark.parametrize("name", SIX)
def test_what_counts_nothing_teaches_nothing(name):
    confidence = torch.ones(1, 1, 6, 8, dtype=torch.float64)
    confidence[..., :4] = 0
    target = SHOT.target.detach().clone()
    target[..., :2] = 0.5
    shots = [
        Views(picture, SHOT.sources, SHOT.K, SHOT.poses, SHOT.disparities, scaled_disparity, confidence)
        for picture in (SHOT.target, target)
    ]
    options = {} if name == "sfmlearner" else {"automask": False}
    one, other = (terms(name, each, **options) for each in shots)
    for term in {"photometric", "feature-metric"} & one.keys():
        torch.testing.assert_close(one[term], other[term])


@pytest.mark.parametrize("name", SIX)
def test_pose_networks_answer_a_motion_a_source(name):
    made = system(name, **({"sfmlearner_explainability": 0.2} if name == "sfmlearner" else {}))
    pictures = [torch.rand(1, 3, 64, 64) for _ in range(3)]
    features = [torch.rand(1, 512, 2, 2) for _ in range(3)]  # what a shared encoder says of pictures
    for kind in made.pose_kinds:
        network = made.pose_network(kind, 2).eval()
        target, *sources = features if kind == "shared" else pictures
        motion = made.read_poses(network, target, sources, (-1, 1))
        assert [tuple(pose.shape) for pose in motion.poses] == [(1, 4, 4)] * 2
        assert (motion.masks is not None) == (name == "sfmlearner")


class Numbers(nn.Module):
    """Says what it is told."""

    def __init__(self, vectors, masks):
        super().__init__()
        self.answer = (vectors, []) if masks else vectors

    def forward(self, target, sources):
        return self.answer


@pytest.mark.parametrize("name", ["packnet", "sfmlearner"])
def test_joint_poses_are_from_target_to_source_whatever_the_order(name):
    vectors = torch.tensor([[[0.1, 0.2, 0.3, 0.01, 0.02, 0.03], [-0.3, 0.2, 0.1, 0.0, 0.05, 0.1]]])
    network = Numbers(vectors, name == "sfmlearner")
    picture = torch.rand(1, 3, 8, 8)
    motion = system(name).read_poses(network, picture, [picture, picture], (-1, 1))
    for pose, vector in zip(motion.poses, vectors[0], strict=True):
        torch.testing.assert_close(pose[0], sfmlearner_pose(vector))
