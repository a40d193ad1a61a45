"""The temporal loss against hand-computed cases, and against the warp the flow room has."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vdepth_core.flow.warp import sample, target
from vdepth_core.learning.losses.temporal import temporal_loss, visibility, warp


def test_warp_is_that_of_the_flow_room() -> None:
    rng = np.random.default_rng(0)
    image = rng.random((20, 30)).astype(np.float32)
    flow = rng.uniform(-6, 6, (20, 30, 2)).astype(np.float32)
    ours = warp(torch.from_numpy(image)[None, None], torch.from_numpy(flow)[None])[0, 0].numpy()
    np.testing.assert_allclose(ours, sample(image, target(flow)), atol=2e-2)  # cv2 rounds to 1/32 pixel


def test_warp_takes_frame_two_to_frame_one() -> None:
    first = torch.rand(1, 2, 8, 12)
    second = first.roll(3, -1)  # everything moves 3 pixels to the right
    flow = torch.zeros(1, 8, 12, 2)
    flow[..., 0] = 3
    torch.testing.assert_close(warp(second, flow)[..., :9], first[..., :9])


def test_visibility_by_hand() -> None:
    first, carried = torch.zeros(1, 3, 1, 2), torch.zeros(1, 3, 1, 2)
    carried[0, :, 0, 1] = 0.1
    expected = torch.tensor([[[1.0, np.exp(-50 * 0.03)]]], dtype=torch.float32)
    torch.testing.assert_close(visibility(first, carried), expected)
    assert float(visibility(first, carried, sigma=0).min()) == 1


def test_plain_by_hand() -> None:
    first = torch.tensor([[[1.0, 2.0, 3.0]]])
    carried = torch.tensor([[[1.5, 2.0, 9.0]]])
    mask = torch.tensor([[[1.0, 1.0, 0.0]]])
    assert float(temporal_loss(first, carried, mask)) == pytest.approx(0.25)
    assert float(temporal_loss(first, carried, torch.tensor([[[1.0, 0.0, 0.5]]]))) == pytest.approx(3.5 / 1.5)


def test_residual_lets_depth_change_as_the_supervision_does() -> None:
    rng = torch.Generator().manual_seed(0)
    target_first, target_carried = torch.rand(1, 4, 5, generator=rng), torch.rand(1, 4, 5, generator=rng)
    mask, change = torch.ones(1, 4, 5), target_first - target_carried
    assert float(temporal_loss(target_first + 3, target_carried + 3, mask, change)) == pytest.approx(
        0, abs=1e-6
    )
    assert float(temporal_loss(target_first, target_carried, mask)) > 0.1
    steady = torch.ones(1, 4, 5)
    assert float(temporal_loss(steady, steady, mask)) == 0  # the plain form rewards a still picture…
    assert float(temporal_loss(steady, steady, mask, change)) > 0.1  # …the residual one does not


def test_a_pair_that_sees_nothing_again_says_nothing() -> None:
    first = torch.rand(1, 10, 10, requires_grad=True)
    loss = temporal_loss(first, torch.rand(1, 10, 10), torch.zeros(1, 10, 10))
    loss.backward()
    assert loss.item() == 0
    assert bool(torch.isfinite(first.grad).all())
    one = torch.zeros(1, 10, 10)
    one[0, 0, 0] = 1
    assert float(temporal_loss(torch.ones(1, 10, 10), torch.zeros(1, 10, 10), one)) == pytest.approx(1 / 5)


def test_gradients_reach_both_frames() -> None:
    first, second = (torch.rand(1, 1, 8, 8).requires_grad_() for _ in range(2))
    flow = torch.full((1, 8, 8, 2), 0.5)
    temporal_loss(first[:, 0], warp(second, flow)[:, 0], torch.ones(1, 8, 8)).backward()
    assert float(first.grad.abs().sum()) > 0
    assert float(second.grad.abs().sum()) > 0
