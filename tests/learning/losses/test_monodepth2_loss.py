"""Monodepth2's loss against one written pixel by pixel, with every switch."""

from dataclasses import replace

import pytest
import torch
from selfsup_reference import (
    FIRST,
    Shot,
    averaged,
    camera,
    error,
    least,
    random,
    resized,
    roughness,
    same,
    warp,
)

from vdepth_core.learning.losses.monodepth2 import PUBLISHED, monodepth2_terms, reprojection_loss, stereo_pose

SHOT = Shot()


def published(disparity):
    return 0.01 + 9.99 * disparity


def reference(shot, how, masks=None):
    total = 0
    for s, disparity in enumerate(shot.disparities):
        view, others, K = shot.target[0], [source[0] for source in shot.sources], shot.K
        if how.native:
            view, *others = (averaged(picture, 2**s) for picture in (view, *others))
            K = camera(7.0 / 2**s, 6.5 / 2**s, 3.6 / 2**s, 2.4 / 2**s)
        depth = 1 / (0.01 + 9.99 * resized(disparity[0], *view.shape[-2:])[0])
        warped, still = [], []
        for other, pose in zip(others, shot.poses, strict=True):
            move = pose[0]
            if how.scaled:
                size = sum(1 / d for d in depth.flatten()) / depth.numel()
                move = torch.cat(
                    (move[:, :3], move[:, 3:] * torch.stack((size, size, size, size / size))[:, None]), 1
                )
            seen, _ = warp(other, depth, K, move, "border", epsilon=1e-7)
            warped.append(error(view, seen, how.ssim))
            still.append(error(view, other, how.ssim))
        mask = None if masks is None else resized(masks[s][0], *view.shape[-2:])
        total = total + least(warped, still if how.automask else [], how.minimum, mask)
    return total / len(shot.disparities)


@pytest.mark.parametrize(
    "change",
    [{}, {"minimum": False}, {"automask": False}, {"native": True}, {"ssim": 0, "scaled": True}],
    ids=str,
)
def test_reprojection_against_the_loop(change):
    how = replace(PUBLISHED, **change)
    ours = reprojection_loss(
        SHOT.disparities, published, SHOT.target, SHOT.sources, SHOT.K[None], SHOT.poses, how
    )
    same(ours, reference(SHOT, how), *SHOT.inputs, tolerance=1e-10)


def test_all_terms_with_predicted_masks():
    how = replace(PUBLISHED, automask=False, ssim=0)
    masks = [random(1, 2, 6, 8, seed=7, low=0.1, high=0.9), random(1, 2, 3, 4, seed=8, low=0.1, high=0.9)]
    ours = monodepth2_terms(
        SHOT.disparities, published, SHOT.target, SHOT.sources, SHOT.K, SHOT.poses, how, masks=masks
    )
    large = [masks[0][0], resized(masks[1][0], 6, 8)]
    expected = {
        "photometric": reference(SHOT, how, masks),
        "explainability": 0.2 * sum(-mask.log().mean() for mask in large) / 2,
        "smoothness": 1e-3 / 2 * sum(
            roughness(d[0] / (d.mean() + 1e-7), averaged(SHOT.target[0], 2**s), FIRST) / 2**s
            for s, d in enumerate(SHOT.disparities)
        ),
    }  # fmt: skip
    assert ours.keys() == expected.keys()
    inputs = (*SHOT.inputs, *masks, SHOT.target)
    same(sum(ours.values()), sum(expected.values()), *inputs, tolerance=1e-10)
    for name, value in expected.items():
        torch.testing.assert_close(ours[name], value, rtol=1e-10, atol=1e-12)


def test_noise_is_the_generators():
    def loss(generator):
        generator = None if generator is None else torch.Generator().manual_seed(generator)
        return float(
            monodepth2_terms(
                SHOT.disparities,
                published,
                SHOT.target,
                SHOT.sources,
                SHOT.K,
                SHOT.poses,
                generator=generator,
            )["photometric"].detach()
        )

    assert loss(1) == loss(1)
    assert loss(1) != loss(2)
    assert loss(1) == pytest.approx(loss(None), abs=1e-4)


def test_a_still_picture_teaches_nothing():
    """Sources equal to the target: the auto-mask leaves no gradient, and without it there is one."""
    sources = [SHOT.target.detach()] * 2

    def gradient(how):
        disparity = random(1, 1, 6, 8, seed=3, low=0.03, high=0.2)
        terms = monodepth2_terms(
            [disparity], published, SHOT.target.detach(), sources, SHOT.K, SHOT.poses, how
        )
        return float(torch.autograd.grad(terms["photometric"], disparity)[0].abs().max())

    assert gradient(PUBLISHED) == 0
    assert gradient(replace(PUBLISHED, automask=False)) > 1e-4


def test_stereo_partners_are_a_tenth_apart():
    """The right picture's pixel of a left pixel lies to its left."""
    poses = stereo_pose(torch.tensor([True, False]))
    assert poses[:, 0, 3].tolist() == pytest.approx([-0.1, 0.1])
    torch.testing.assert_close(poses[0] @ poses[1], torch.eye(4))


def test_masks_exclude_each_other():
    with pytest.raises(ValueError, match="exclude each other"):
        monodepth2_terms(
            SHOT.disparities, published, SHOT.target, SHOT.sources, SHOT.K, SHOT.poses, masks=SHOT.disparities
        )
