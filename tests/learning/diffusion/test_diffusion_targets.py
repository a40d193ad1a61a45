"""Targets of diffusion training: one scale a snippet, filled and masked where nothing is known."""

import numpy as np
import torch

from vdepth_core.learning.diffusion.noise import levels, multi_resolution
from vdepth_core.learning.diffusion.targets import known_latents, masked_mean, target_of


def ramps(*tops):
    """Frames whose disparity rises from 0.1 to each of ``tops``."""
    return np.stack([np.linspace(0.1, top, 64 * 64, dtype=np.float32).reshape(64, 64) for top in tops])


def test_a_frames_target_depends_on_the_frames_beside_it():
    alone, beside = target_of(ramps(1), "disparity"), target_of(ramps(1, 3), "disparity")
    assert np.abs(alone.maps[0] - beside.maps[0]).max() > 0.5
    assert alone.maps.min() == -1
    assert alone.maps.max() == 1


def test_a_snippet_has_one_scale():
    """One line takes disparity to the target in all frames; in frames by themselves there are two."""
    disparity = ramps(1, 3)
    joint = target_of(disparity, "disparity").maps
    inside = np.abs(joint) < 1
    lines = [np.polyfit(disparity[t][inside[t]], joint[t][inside[t]], 1) for t in range(2)]
    np.testing.assert_allclose(lines[0], lines[1], rtol=1e-4)
    apart = [target_of(disparity[t : t + 1], "disparity").maps[0] for t in range(2)]
    slopes = [np.polyfit(disparity[t].ravel()[500:-500], apart[t].ravel()[500:-500], 1)[0] for t in range(2)]
    assert slopes[0] > 2 * slopes[1]


def test_percentiles_not_extremes_are_the_ends():
    disparity = ramps(1)
    disparity[0, 0, 0] = 50
    assert (
        np.abs(target_of(disparity, "disparity").maps - target_of(ramps(1), "disparity").maps).mean() < 0.02
    )


def test_depth_has_the_sky_as_far_as_the_farthest():
    disparity = ramps(1)
    disparity[0, :8] = 0
    depth = target_of(disparity, "depth").maps
    assert (depth[0, :8] == 1).all()
    assert depth[0, -1, -1] == -1


def test_unknown_pixels_are_filled_and_masked():
    disparity = ramps(1)
    disparity[0, :4, :4] = np.nan
    target = target_of(disparity, "disparity")
    assert np.isfinite(target.maps).all()
    mask = known_latents(torch.from_numpy(target.known), 8)
    assert mask.shape == (1, 1, 8, 8)
    assert mask.sum() == 63
    assert mask[0, 0, 0, 0] == 0
    error = torch.ones(1, 4, 8, 8)
    error[..., 0, 0] = 1e6
    assert masked_mean(error, mask) == 1


def test_nothing_known_and_nothing_but_a_wall():
    unknown = target_of(np.full((2, 8, 8), np.nan, np.float32), "depth")
    assert not unknown.known.any()
    assert (unknown.maps == 0).all()
    assert masked_mean(torch.ones(2, 4, 1, 1), known_latents(torch.from_numpy(unknown.known), 8)) == 0
    assert (target_of(np.full((1, 8, 8), 0.5, np.float32), "disparity").maps == 0).all()


def test_annealed_noise_is_plain_at_the_start_and_coarse_at_the_end():
    def neighbours(share):
        noise = multi_resolution((4, 4, 32, 32), share, np.random.default_rng(0))
        assert abs(float(noise.std()) - 1) < 1e-5
        return float((noise[..., 1:] * noise[..., :-1]).mean())

    assert abs(neighbours(0.0)) < 0.03
    assert neighbours(1.0) > 0.3


def test_noise_levels_are_really_per_frame():
    found = levels(2000, 0.7, 1.6, np.random.default_rng(0)).log()
    assert len(found.unique()) > 1990
    assert abs(float(found.mean()) - 0.7) < 0.1
    assert abs(float(found.std()) - 1.6) < 0.1
