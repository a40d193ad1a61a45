"""FeatDepth's losses against ones written pixel by pixel."""

from dataclasses import replace

import pytest
import torch
from selfsup_reference import (
    FIRST,
    SECOND,
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

from vdepth_core.learning.losses.featdepth import (
    EXACT,
    MONO,
    STEREO,
    autoencoder_terms,
    convergent,
    discriminative,
    featdepth_terms,
    feature_metric_loss,
)
from vdepth_core.learning.losses.synthesis import MONODEPTH2

SHOT = Shot()
COARSE = [random(1, 1, 3, 4, seed=3, low=0.03, high=0.2)]  # the finest of FeatDepth's scales is at half size
FEATURES = [random(1, 5, 3, 4, seed=10 + k) for k in range(3)]


def published(disparity):
    return 0.01 + 9.99 * disparity


def charbonnier(a, b):
    return sum(((p - q) ** 2 + 1e-6).sqrt() for p, q in zip(a, b, strict=True)) / len(a)


def reference(weights, corners):
    how = weights.reprojection
    options = {"padding": "border", "epsilon": 1e-7, "align_corners": corners}
    view, others = SHOT.target[0], [source[0] for source in SHOT.sources]
    disparity = COARSE[0][0]
    depth = 1 / (0.01 + 9.99 * resized(disparity, 6, 8)[0])
    seen = [warp(o, depth, SHOT.K, p[0], **options)[0] for o, p in zip(others, SHOT.poses, strict=True)]
    warped = [error(view, picture, charbonnier=True) for picture in seen]
    still = [error(view, other, charbonnier=True) for other in others] if how.automask else []
    half, own = camera(3.5, 3.25, 1.8, 1.2), FEATURES[0][0]
    depth = 1 / (0.01 + 9.99 * disparity[0])
    found = [
        charbonnier(own, warp(f[0], depth, half, p[0], **options)[0])
        for f, p in zip(FEATURES[1:], SHOT.poses, strict=True)
    ]
    maps = disparity / (disparity.mean() + 1e-7) if weights.normalised else disparity
    small = averaged(view, 2)
    return {
        "photometric": least(warped, still, minimum=True),
        "feature-metric": 1e-3 * least(found, [], minimum=True),
        "smoothness": 1e-3 * roughness(maps, small, FIRST + SECOND, 0.5),
    }


@pytest.mark.parametrize(
    ("weights", "corners"), [(MONO, False), (STEREO, False), (EXACT, True)], ids=["mono", "stereo", "exact"]
)
def test_against_the_loop(weights, corners):
    ours = featdepth_terms(
        COARSE, published, SHOT.target, SHOT.sources, SHOT.K, SHOT.poses, FEATURES, weights
    )
    theirs = reference(weights, corners)
    assert ours.keys() == theirs.keys()
    inputs = (*COARSE, *SHOT.poses, *SHOT.sources, *FEATURES, SHOT.target)
    same(sum(ours.values()), sum(theirs.values()), *inputs, tolerance=1e-10)
    for term, value in theirs.items():
        torch.testing.assert_close(ours[term], value, rtol=1e-10, atol=1e-12)


def test_scales_are_means_and_coarser_ones_are_less_smooth():
    """The same disparity twice: nothing changes but smoothness, which is (1 + 1/2) / 2 of it."""
    one = featdepth_terms(COARSE, published, SHOT.target, SHOT.sources, SHOT.K, SHOT.poses, FEATURES)
    two = featdepth_terms(COARSE * 2, published, SHOT.target, SHOT.sources, SHOT.K, SHOT.poses, FEATURES)
    torch.testing.assert_close(two["photometric"], one["photometric"])
    torch.testing.assert_close(two["feature-metric"], one["feature-metric"])
    torch.testing.assert_close(two["smoothness"], 0.75 * one["smoothness"])


def test_autoencoder_against_the_loop():
    picture, features = random(1, 3, 8, 8), [random(1, 3, 4, 4, seed=5), random(1, 2, 4, 4, seed=6)]
    made = [random(1, 3, 8, 8, seed=1), random(1, 3, 4, 4, seed=2)]
    small = averaged(picture[0], 2)
    same(discriminative(features[0], picture), -roughness(features[0][0], small, FIRST), features[0], picture)
    same(convergent(features[0], picture), roughness(features[0][0], small, SECOND), features[0], picture)
    ours = autoencoder_terms(made, picture, features)
    whole = error(made[0][0], picture[0], charbonnier=True).mean()
    half = error(made[1][0], resized(picture[0], 4, 4), charbonnier=True).mean()
    theirs = {
        "reconstruction": (whole + half) / 2,
        "discriminative": -1e-3
        / 2
        * sum(roughness(f[0], small, FIRST) / 2**i for i, f in enumerate(features)),
        "convergent": 1e-3 / 2 * sum(roughness(f[0], small, SECOND) / 2**i for i, f in enumerate(features)),
    }
    assert ours.keys() == theirs.keys()
    same(sum(ours.values()), sum(theirs.values()), *made, *features, picture)
    for term, value in theirs.items():
        torch.testing.assert_close(ours[term], value, rtol=1e-10, atol=1e-12)


def test_flat_colour_is_explained_by_any_depth_but_not_its_features():
    flat = torch.full((1, 3, 6, 8), 0.5, dtype=torch.float64)
    disparity = random(1, 1, 3, 4, seed=3, low=0.03, high=0.2)
    off = replace(MONO, reprojection=replace(EXACT.reprojection, automask=False))
    terms = featdepth_terms([disparity], published, flat, [flat, flat], SHOT.K, SHOT.poses, FEATURES, off)
    still, moving = (
        float(torch.autograd.grad(terms[name], disparity, retain_graph=True)[0].abs().max())
        for name in ("photometric", "feature-metric")
    )
    assert still < 1e-12
    assert moving > 1e-6


def test_gradcheck():
    disparity = random(1, 1, 3, 4, seed=3, low=0.05, high=0.2)
    pose = SHOT.poses[0].detach()
    assert torch.autograd.gradcheck(
        lambda d, f: feature_metric_loss(FEATURES[0], [f], d, published, SHOT.K, [pose], MONODEPTH2),
        (disparity, FEATURES[1]),
    )
