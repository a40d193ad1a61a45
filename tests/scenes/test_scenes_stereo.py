"""Two eyes before one scene: the left one is the clip of the seed, and its truth leads to the right one."""

import numpy as np
import pytest
import torch

from vdepth_core.learning.losses.leftright import from_right, leftright_terms
from vdepth_core.scenes import StereoClip, render_clip, render_stereo
from vdepth_core.scenes.stereo import USUAL

HEIGHT, WIDTH = 64, 96


@pytest.fixture(scope="module")
def clip() -> StereoClip:
    return render_stereo(5, 2, HEIGHT, WIDTH, noise=False, clean=True)


def error(clip: StereoClip, off: float) -> float:
    """Mean difference of the left picture and the one made of the right, ``off`` pixels off, where seen."""
    left, right = (torch.from_numpy(eye.rgb) for eye in (clip.left, clip.right))
    disparity = torch.from_numpy(clip.disparity + off)[:, None] / WIDTH
    apart = (from_right(right, disparity) - left).abs().mean(1)
    return float(apart[torch.from_numpy(clip.seen)].mean())


def test_the_left_eye_is_the_clip_of_the_seed(clip: StereoClip) -> None:
    alone = render_clip(5, 2, HEIGHT, WIDTH, noise=False, clean=True)
    assert np.array_equal(clip.left.rgb, alone.rgb)
    assert np.array_equal(clip.left.poses, alone.poses)
    between = np.linalg.inv(clip.left.poses) @ clip.right.poses
    assert np.allclose(between[:, :3, :3], np.eye(3))
    assert np.allclose(between[:, :3, 3], (clip.baseline, 0, 0))


def test_the_true_disparity_makes_one_eye_of_the_other(clip: StereoClip) -> None:
    assert np.median(clip.disparity[0]) == pytest.approx(USUAL * WIDTH, rel=0.05)
    exact = error(clip, 0)
    assert exact < 0.004
    assert min(error(clip, 0.5), error(clip, -0.5)) > 2 * exact


def test_the_published_loss_prefers_the_truth(clip: StereoClip) -> None:
    left, right = (torch.from_numpy(eye.rgb) for eye in (clip.left, clip.right))
    baseline = clip.left.K[0, 0] * clip.baseline
    both = torch.from_numpy(np.stack((baseline / clip.left.depth, baseline / clip.right.depth), 1)).float()

    def loss(off: float) -> float:
        return float(leftright_terms([(both + off) / WIDTH], left, right)["appearance"])

    assert loss(0) < 0.8 * min(loss(0.5), loss(-0.5))


def test_noise_differs_between_the_eyes_and_a_baseline_is_what_is_given() -> None:
    noisy = render_stereo(3, 1, 32, 48, baseline=0.0)
    assert np.array_equal(noisy.left.depth, noisy.right.depth)
    assert not np.array_equal(noisy.left.rgb, noisy.right.rgb)
    with pytest.raises(ValueError, match="no layout"):
        render_stereo(3, layout="moon")
