"""ChronoDepth's training: a noise level a frame, context that teaches nothing, two stages, EDM's weights."""

import math

import numpy as np
import pytest
import torch

from vdepth_core.learning.diffusion.adapters import choose
from vdepth_core.learning.diffusion.chrono import ChronoRecipe, is_temporal, velocity_target
from vdepth_core.learning.diffusion.options import ChronoTraining
from vdepth_core.learning.diffusion.targets import Snippet
from vdepth_core.models.diffusion.chronodepth import CONTEXT_TIME, euler_step


def recipe(**options):
    return ChronoRecipe(ChronoTraining(**options))


@pytest.fixture(scope="module")
def net(tiny):
    return recipe().load(tiny("chronodepth"), "cpu", torch.float32)


def clip(frames=5, side=64):
    rng = np.random.default_rng(0)
    return Snippet(
        rng.random((frames, 3, side, side), np.float32), rng.random((frames, side, side), np.float32) + 0.1
    )


def velocity(net, sample, times):
    return recipe().answer(net.parts.unet, sample[None], times[None], net.parts.prompt)[0]


class Watched:
    """A UNet that notes the times and the latents it was given."""

    def __init__(self, unet):
        self.unet, self.times, self.samples, self.answers = unet, [], [], []

    def __call__(self, sample, times, *more, **options):
        self.times.append(times)
        self.samples.append(sample[0, :, 4:])
        answer = self.unet(sample, times, *more, **options)
        answer[0].requires_grad_(True).retain_grad()
        self.answers.append(answer[0])
        return answer


def watched_loss(net, options, monkeypatch, seed=0):
    trained = recipe(**options)
    choose(net.parts.unet, lambda name: True, None)
    watched = Watched(net.parts.unet)
    parts = type(net.parts)(watched, net.parts.vae, net.parts.scheduler, net.parts.prompt)
    own = type(net)(parts, net.model, net.device, net.config)
    stage = trained.stages(1)[-1]
    return trained.loss(own, stage, [clip()], np.random.default_rng(seed)), watched


def test_every_frame_has_a_noise_level_of_its_own(net, monkeypatch):
    _, watched = watched_loss(net, {"context": 0.0}, monkeypatch)
    (times,) = watched.times
    assert times.shape == (5,)
    assert len(times.unique()) == 5


def test_the_network_answers_by_the_frames_own_level(net):
    """It matters which frame has another level, with the same latents in all of them."""
    sample, times = torch.randn(1, 8, 8, 8).repeat(4, 1, 1, 1), torch.zeros(4, 4) + 1.5 * torch.eye(4)
    with torch.no_grad():
        same, *changed = (velocity(net, sample, given) for given in (torch.zeros(4), *times))
    for one in range(4):
        assert (changed[one][one] - same[one]).abs().mean() > 0.01
        for other in range(one):
            assert (changed[one] - changed[other]).abs().mean() > 1e-3


def test_context_teaches_nothing_and_its_noise_gets_no_gradient(net, monkeypatch):
    loss, watched = watched_loss(net, {"context": 1.0}, monkeypatch)
    (times,), (answer,) = watched.times, watched.answers
    loss.backward()
    given = times == CONTEXT_TIME
    assert 1 <= given.sum() < 5
    assert (answer.grad[0][given] == 0).all()
    assert (answer.grad[0][~given].abs().amax((1, 2, 3)) > 0).all()

    clean, noise = torch.randn(5, 4, 8, 8), torch.randn(5, 4, 8, 8, requires_grad=True)
    seen, told = recipe().noisy(clean, noise, torch.full((5,), 2.0), 2)
    velocity(net, torch.cat((clean, seen), 1), told).square().mean().backward()
    assert (noise.grad[:2] == 0).all()
    assert (noise.grad[2:].abs().amax((1, 2, 3)) > 0).all()


def test_context_is_what_inference_gives():
    clean, noise, sigmas = torch.randn(3, 4, 8, 8), torch.randn(3, 4, 8, 8), torch.tensor([0.1, 5.0, 700.0])
    seen, times = recipe(context_noise=0).noisy(clean, noise, sigmas, 1)
    assert torch.equal(seen[0], clean[0])
    assert times[0] == CONTEXT_TIME
    torch.testing.assert_close(times[1:], sigmas[1:].log() / 4)
    torch.testing.assert_close(seen[2], noise[2], atol=0.02, rtol=0)
    rest, _ = recipe().noisy(clean, noise, sigmas, 1)
    assert abs(float((rest[0] - clean[0]).std()) - math.exp(-4)) < 2e-3


@pytest.mark.parametrize("sigma", [0.02, 1.0, 30.0])
def test_the_target_is_the_samplers_and_the_weight_edms(sigma):
    clean, noise = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8)
    target = velocity_target(clean, noise, torch.tensor([sigma]))
    torch.testing.assert_close(
        euler_step(clean + sigma * noise, target, sigma, 0.0), clean, atol=2e-4, rtol=0
    )
    wrong = target + 0.1 * torch.randn(target.shape)
    said = euler_step(clean + sigma * noise, wrong, sigma, 0.0)
    weighted = (sigma**2 + 1) / sigma**2 * (said - clean).square().mean()
    torch.testing.assert_close((wrong - target).square().mean(), weighted, rtol=2e-2, atol=0)


def test_the_stages_train_the_layers_they_name(net):
    spatial, temporal = recipe().stages(7)
    assert (spatial.longest, temporal.longest, spatial.steps) == (1, 5, 7)
    names = [name for name, _ in net.parts.unet.named_parameters()]
    assert all(spatial.trains(name) != temporal.trains(name) for name in names)
    assert is_temporal("down_blocks.0.attentions.0.temporal_transformer_blocks.0.attn1.to_q.weight")
    assert is_temporal("mid_block.resnets.0.time_mixer.mix_factor")
    assert not is_temporal("time_embedding.linear_1.weight")
    assert not is_temporal("down_blocks.0.resnets.0.spatial_res_block.time_emb_proj.weight")
    assert [stage.name for stage in recipe(stage="temporal").stages(None)] == ["temporal"]
