"""PackNet's loss against one written pixel by pixel, with every switch."""

from dataclasses import replace

import pytest
import torch
from selfsup_reference import FIRST, Shot, camera, corner_resized, error, least, roughness, same, warp

from vdepth_core.learning.losses.packnet import DEFAULTS, packnet_terms

SHOT = Shot()
MEASURED = [torch.tensor([[0.3, 0.1, 0.0]]).double(), torch.tensor([[0.0, 0.02, 0.1]]).double()]


def reference(weights):
    photometric = rough = 0
    for s, own in enumerate(SHOT.disparities):
        inverse, q = own[0, 0], 1 / 2**s
        if weights.upsample and s:
            rows = [[inverse[y // 2, x // 2] for x in range(8)] for y in range(6)]
            inverse, q = torch.stack([torch.stack(row) for row in rows]), 1
        view, *others = (corner_resized(p[0], *inverse.shape) for p in (SHOT.target, *SHOT.sources))
        K = camera(7.0 * q, 6.5 * q, 4.1 * q - 0.5, 2.9 * q - 0.5)
        warped, still = [], []
        for other, pose in zip(others, SHOT.poses, strict=True):
            seen, _ = warp(other, 1 / inverse.clamp(min=1e-6), K, pose[0], "zeros", near=1e-5)
            warped.append(error(view, seen))
            still.append(error(view, other))
        if weights.clip:
            warped, still = (
                [e.clamp(max=float((e.mean() + weights.clip * e.std()).detach())) for e in errors]
                for errors in (warped, still)
            )
        photometric = photometric + least(warped, still if weights.automask else [], weights.minimum)
        rough = rough + roughness(inverse[None] / inverse.mean().clamp(min=1e-6), view, FIRST) / 2**s
    lengths = [
        (pose[0, :3, 3].square().sum().sqrt() - t[0].square().sum().sqrt()).abs()
        for pose, t in zip(SHOT.poses, MEASURED, strict=True)
    ]
    return {
        "photometric": photometric / 2,
        "smoothness": 1e-3 * rough / 2,
        "velocity": 0.1 * sum(lengths) / 2,
    }


@pytest.mark.parametrize(
    "change", [{}, {"upsample": False, "clip": 0.5}, {"minimum": False, "automask": False}], ids=str
)
def test_against_the_loop(change):
    weights = replace(DEFAULTS, **change)
    ours = packnet_terms(SHOT.disparities, SHOT.target, SHOT.sources, SHOT.K, SHOT.poses, MEASURED, weights)
    theirs = reference(weights)
    assert ours.keys() == theirs.keys()
    same(sum(ours.values()), sum(theirs.values()), *SHOT.inputs, tolerance=1e-10)
    for term, value in theirs.items():
        torch.testing.assert_close(ours[term], value, rtol=1e-10, atol=1e-12)


def test_no_velocity_without_a_measurement():
    ours = packnet_terms(SHOT.disparities, SHOT.target, SHOT.sources, SHOT.K, SHOT.poses)
    assert ours.keys() == {"photometric", "smoothness"}


def test_the_mean_needs_the_mask_off():
    with pytest.raises(ValueError, match="auto-mask off"):
        packnet_terms([], SHOT.target, [], SHOT.K, [], weights=replace(DEFAULTS, minimum=False))
