"""What is trained: low-rank matrices that merge, gradients under cross-frame attention and checkpointing."""

import sys
from types import ModuleType

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file

from vdepth_core.errors import UsageError
from vdepth_core.learning.checkpoint import Counters, Standing
from vdepth_core.learning.diffusion.adapters import Trained, choose, fold, merged
from vdepth_core.learning.diffusion.chrono import is_temporal
from vdepth_core.learning.diffusion.moments import HalfMoments, make_optimiser, rounded
from vdepth_core.learning.loop import parameter_groups
from vdepth_core.models.diffusion.parts import read_network
from vdepth_core.networks import cross_frame
from vdepth_core.networks.frame_times import FrameTimesUNet

WEIGHTS = "diffusion_pytorch_model.safetensors"


def snippets_unet(tiny):
    unet = read_network(UNet2DConditionModel, tiny("rollingdepth") / "unet", torch.float32)
    cross_frame.install(unet)
    return unet


def snippets_answer(unet, sample=None):
    torch.manual_seed(1)
    sample = torch.randn(2, 3, 8, 8, 8) if sample is None else sample
    return cross_frame.denoise(unet, sample, torch.tensor([10] * 3 + [600] * 3), torch.ones(1, 2, 16))


def clips_unet(tiny):
    return read_network(FrameTimesUNet, tiny("chronodepth"), torch.float32)


def clips_answer(unet):
    torch.manual_seed(1)
    times, ids = torch.linspace(-1, 1, 3), torch.tensor([[6.0, 127.0, 0.0]])
    return unet(torch.randn(1, 3, 8, 8, 8), times, torch.ones(3, 1, 16), ids, return_dict=False)[0]


BOTH = pytest.mark.parametrize(
    ("make", "answer"),
    [(snippets_unet, snippets_answer), (clips_unet, clips_answer)],
    ids=["rolling", "chrono"],
)


@BOTH
def test_low_rank_matrices_merge_to_the_same_answers(tiny, tmp_path, make, answer):
    pytest.importorskip("peft")
    unet = make(tiny)
    before, keys = answer(unet).detach(), list(unet.state_dict())
    trained = choose(unet, lambda name: True, 4)
    torch.testing.assert_close(answer(unet).detach(), before, atol=1e-5, rtol=0)  # they begin as nothing
    assert trained.count() < sum(p.numel() for p in unet.parameters()) / 5
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.1)
    adapted = answer(unet).detach()
    assert (adapted - before).abs().max() > 0.01
    weights = merged(unet)
    assert sorted(weights) == sorted(keys)
    save_file({k: v.contiguous() for k, v in weights.items()}, tmp_path / WEIGHTS)
    fresh = make(tiny)
    fresh.load_state_dict(load_file(tmp_path / WEIGHTS))
    assert (answer(fresh).detach() - adapted).abs().max() < 1e-5
    fold(unet)
    assert sorted(unet.state_dict()) == sorted(keys)
    assert (answer(unet).detach() - adapted).abs().max() < 1e-5


def test_low_rank_matrices_of_one_stage_only(tiny):
    pytest.importorskip("peft")
    trained = choose(clips_unet(tiny), is_temporal, 2)
    names = [name for name, _ in trained.named_parameters()]
    assert names
    assert all("temporal_transformer_blocks" in name and "lora_" in name for name in names)


@BOTH
def test_checkpointing_changes_no_gradient(tiny, make, answer):
    found = []
    for again in (False, True):
        unet = make(tiny)
        trained = choose(unet, lambda name: True, None)
        if again:
            unet.enable_gradient_checkpointing()
        answer(unet).square().mean().backward()
        found.append({name: p.grad for name, p in trained.named_parameters()})
    assert found[0].keys() == found[1].keys()
    for name, gradient in found[0].items():
        torch.testing.assert_close(gradient, found[1][name], atol=1e-6, rtol=1e-5)


def test_gradients_cross_frames_and_are_right(tiny):
    """One frame's answer depends on another's picture; a directional derivative agrees with differences."""
    unet = snippets_unet(tiny).double()
    torch.manual_seed(0)
    sample = torch.randn(1, 3, 8, 8, 8, dtype=torch.float64, requires_grad=True)
    prompt, direction = torch.ones(1, 2, 16).double(), torch.randn(1, 3, 8, 8, 8, dtype=torch.float64)

    def first(given):
        return cross_frame.denoise(unet, given, 300, prompt)[0, 0].square().mean()

    first(sample).backward()
    assert (sample.grad[0, 1:].abs().amax((1, 2, 3)) > 0).all()
    step = 1e-5
    with torch.no_grad():
        slope = (first(sample + step * direction) - first(sample - step * direction)) / (2 * step)
    torch.testing.assert_close(slope, (sample.grad * direction).sum(), rtol=1e-6, atol=1e-10)


def test_only_what_is_trained_is_kept(tiny):
    unet = clips_unet(tiny)
    trained = choose(unet, is_temporal, None)
    own = dict(unet.named_parameters())
    for name, parameter in trained.named_parameters():
        assert parameter is own[name.replace("/", ".")]
    with pytest.raises(UsageError, match="nothing to train"):
        choose(unet, lambda name: False, None)


def test_moments_in_half_follow_those_in_full():
    ends = []
    for kind in ("fp32", "bf16"):
        torch.manual_seed(0)
        layer = torch.nn.Linear(32, 32)
        optimiser = make_optimiser(parameter_groups(layer.parameters(), 1e-2, 0.01), kind)
        for _ in range(60):
            optimiser.zero_grad()
            (layer(torch.randn(16, 32)) - 1).square().mean().backward()
            optimiser.step()
        ends.append(layer.weight.detach())
    assert optimiser.state[layer.weight]["exp_avg_sq"].dtype == torch.bfloat16
    torch.manual_seed(0)
    moved = (ends[0] - torch.nn.Linear(32, 32).weight).abs().mean()
    assert (ends[0] - ends[1]).abs().mean() < 0.05 * moved


def test_rounding_at_random_is_right_on_average():
    values = torch.full((100_000,), 1.0 + 2**-10)  # a quarter of the way to bfloat16's next
    found = rounded(values, torch.Generator().manual_seed(0)).float()
    assert set(found.unique().tolist()) == {1.0, 1.0078125}
    assert abs(float(found.mean()) - float(values[0])) < 1e-4


class Counting(torch.optim.Optimizer):
    """As bitsandbytes' optimisers: states of their own names, and a step that is a number."""

    def __init__(self, groups):
        super().__init__(groups, {})

    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state["step"] = state.get("step", 0) + 1
                state["state1"] = torch.full_like(p, state["step"], dtype=torch.uint8)


def test_eight_bits_are_bitsandbytes_and_can_be_resumed(tmp_path, monkeypatch):
    layer = torch.nn.Linear(2, 2)
    with pytest.raises(UsageError, match="bitsandbytes"):
        make_optimiser(layer.parameters(), "8bit")
    module = ModuleType("bitsandbytes.optim")
    module.AdamW8bit = Counting
    monkeypatch.setitem(sys.modules, "bitsandbytes", ModuleType("bitsandbytes"))
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", module)
    optimiser = make_optimiser(parameter_groups(layer.parameters(), 1.0, 0.0), "8bit")
    optimiser.step()
    trained = Trained(layer)
    standing = Standing.fresh(trained, optimiser, Counters("x"), keep=False)
    standing.save(tmp_path / "state")
    other = make_optimiser(parameter_groups(layer.parameters(), 1.0, 0.0), "8bit")
    Standing.restored(tmp_path / "state", trained, other, Counters("x"))
    assert other.state[layer.weight]["step"] == 1
    assert other.state[layer.weight]["state1"].dtype == torch.uint8


def test_half_moments_go_on_as_they_would_have(tmp_path):
    def run(stop):
        torch.manual_seed(0)
        layer = torch.nn.Linear(4, 4)
        trained = Trained(layer)
        optimiser = HalfMoments(parameter_groups(layer.parameters(), 1e-2, 0.0))
        for step in range(6):
            if step == stop:
                Standing.fresh(trained, optimiser, Counters("x")).save(tmp_path / "state")
                optimiser = HalfMoments(parameter_groups(layer.parameters(), 1e-2, 0.0))
                Standing.restored(tmp_path / "state", trained, optimiser, Counters("x"))
            optimiser.zero_grad()
            torch.manual_seed(step)
            layer(torch.randn(3, 4)).square().mean().backward()
            optimiser.step()
        return layer.weight.detach()

    assert torch.equal(run(stop=None), run(stop=3))
