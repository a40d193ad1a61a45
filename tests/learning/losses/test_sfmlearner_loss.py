"""SfMLearner's loss and its masks against one written pixel by pixel."""

import pytest
import torch
from selfsup_reference import SECOND, Shot, averaged, camera, random, roughness, same, warp

from vdepth_core.learning.losses.explainability import explainability_loss, explained_difference
from vdepth_core.learning.losses.sfmlearner import WEIGHTS, sfmlearner_terms

SHOT = Shot()
DEPTHS = [random(1, 1, 6, 8, seed=3, low=0.5, high=3), random(1, 1, 3, 4, seed=4, low=0.5, high=3)]
MASKS = [random(1, 2, 6, 8, seed=7, low=0.1, high=0.9), random(1, 2, 3, 4, seed=8, low=0.1, high=0.9)]


def reference(masks, weights):
    photometric = rough = 0
    for s, depth in enumerate(DEPTHS):
        view, *others = (averaged(picture[0], 2**s) for picture in (SHOT.target, *SHOT.sources))
        K = camera(7.0 / 2**s, 6.5 / 2**s, 3.6 / 2**s, 2.4 / 2**s)
        for number, (other, pose) in enumerate(zip(others, SHOT.poses, strict=True)):
            seen, inside = warp(other, depth[0, 0], K, pose[0], "zeros", near=1e-3)
            gaps = []
            for y in range(view.shape[1]):
                for x in range(view.shape[2]):
                    counted = inside[y, x].double() * (1 if masks is None else masks[s][0, number, y, x])
                    gaps += [((view[c, y, x] - seen[c, y, x]) * counted).abs() for c in range(3)]
            photometric = photometric + sum(gaps) / len(gaps)
        if weights.smooth == "depth":
            rough = rough + roughness(depth[0], None, SECOND) / 2.3**s
        else:
            rough = rough + roughness(1 / depth[0], None, SECOND) / 2**s
    terms = {"photometric": weights.photometric * photometric, "smoothness": weights.smoothness * rough}
    if masks is not None:
        crossed = sum(-torch.log(mask).mean() for mask in masks)
        terms["explainability"] = weights.explainability * crossed
    return terms


@pytest.mark.parametrize(("name", "masks"), [("readme", MASKS), ("released", None), ("original", MASKS)])
def test_against_the_loop(name, masks):
    arguments = (DEPTHS, SHOT.target, SHOT.sources, SHOT.K, SHOT.poses, masks, WEIGHTS[name])
    ours, theirs = sfmlearner_terms(*arguments), reference(masks, WEIGHTS[name])
    assert ours.keys() == theirs.keys()
    inputs = (*DEPTHS, *SHOT.poses, *SHOT.sources, *(masks or ()))
    same(sum(ours.values()), sum(theirs.values()), *inputs, tolerance=1e-10)
    for term, value in theirs.items():
        torch.testing.assert_close(ours[term], value, rtol=1e-10, atol=1e-12)


def test_a_mask_may_give_up_a_pixel_at_a_price():
    target, warped = random(1, 3, 4, 5, grad=False), random(1, 3, 4, 5, seed=1, grad=False)
    valid = torch.ones(1, 1, 4, 5, dtype=torch.bool)
    mask = torch.full((1, 1, 4, 5), 0.5, dtype=torch.float64)
    whole, half = (
        explained_difference(target, warped, valid),
        explained_difference(target, warped, valid, mask),
    )
    assert float(half) == pytest.approx(float(whole) / 2)
    assert float(explained_difference(target, warped, ~valid)) == 0
    assert float(explainability_loss([mask, mask])) == pytest.approx(2 * torch.tensor(2.0).log().item())
    assert float(explainability_loss([torch.ones(1, 1, 4, 5)])) == 0


def test_gradcheck():
    valid = torch.ones(1, 1, 3, 4, dtype=torch.bool)
    inputs = random(1, 3, 3, 4), random(1, 3, 3, 4, seed=1), random(1, 1, 3, 4, seed=2, low=0.2, high=0.8)
    assert torch.autograd.gradcheck(
        lambda a, b, m: explained_difference(a, b, valid, m) + explainability_loss([m]), inputs
    )
