"""RollingDepth's numbers, against the published formulas written down once more on the published modules."""

import shutil

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor2_0
from safetensors.torch import load_file
from tiny_diffusion import WEIGHTS, change_json
from transformers import CLIPTextModel, CLIPTokenizer

from vdepth_core.models.diffusion.rollingdepth import FACTS, load_rollingdepth
from vdepth_core.models.registry import load_model
from vdepth_core.models.tiny.diffusion import make_tiny
from vdepth_core.protocols import DepthModel
from vdepth_core.weights.catalogue import find_entry
from vdepth_core.weights.prepare import prepare

HEIGHT, WIDTH = 32, 48
SCALE = 0.18215


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rollingdepth")
    make_tiny("rollingdepth", folder)
    return folder


@pytest.fixture(scope="module")
def model(folder):
    return load_rollingdepth(folder, dtype="fp64")


@pytest.fixture(scope="module")
def published(folder):
    return Published(folder)


class JoinedAttention(AttnProcessor2_0):
    """All frames of the batch are one sequence."""

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None):
        joined = hidden_states.reshape(1, -1, hidden_states.shape[-1])
        return super().__call__(attn, joined).reshape(hidden_states.shape)


class Published:
    """The published algorithm for one snippet, from its description, on stock modules in float64."""

    def __init__(self, folder):
        files = {"torch_dtype": torch.float64, "low_cpu_mem_usage": False}
        self.unet = UNet2DConditionModel.from_pretrained(folder / "unet", **files).requires_grad_(False)
        self.vae = AutoencoderKL.from_pretrained(folder / "vae", **files).requires_grad_(False)
        self.alphas = DDIMScheduler.from_pretrained(folder / "scheduler").alphas_cumprod
        text = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float64).requires_grad_(
            False
        )
        ids = CLIPTokenizer.from_pretrained(folder / "tokenizer")("").input_ids
        self.prompt = text(torch.tensor([ids])).last_hidden_state
        for name, module in self.unet.named_modules():
            if name.endswith("attn1"):
                module.set_processor(JoinedAttention())

    def encode(self, pictures):
        """(n, 3, H, W) in [-1, 1] -> (n, 4, h, w)."""
        return self.vae.quant_conv(self.vae.encoder(pictures))[:, :4] * SCALE

    def decode(self, latents):
        """(n, 4, h, w) -> (n, H, W)."""
        return self.vae.decoder(self.vae.post_quant_conv(latents / SCALE)).mean(1)

    def velocity(self, rgb, depth, time):
        prompt = self.prompt.expand(len(rgb), -1, -1)
        return self.unet(torch.cat((rgb, depth), 1), time, encoder_hidden_states=prompt).sample

    def step(self, rgb, depth, time, stride):
        """DDIM with v-prediction and without added noise; after the last step α is that of time 0."""
        velocity = self.velocity(rgb, depth, time)
        now, later = self.alphas[time], self.alphas[max(0, time - stride)]
        clean = now**0.5 * depth - (1 - now) ** 0.5 * velocity
        noise = now**0.5 * velocity + (1 - now) ** 0.5 * depth
        return later**0.5 * clean + (1 - later) ** 0.5 * noise


def numbers(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pictures(count=3, height=HEIGHT, width=WIDTH, seed=0):
    return torch.rand((count, 3, height, width), generator=torch.Generator().manual_seed(seed)).double()


def assert_same(ours, theirs, tolerance=1e-8):
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().max()) < tolerance * max(1.0, float(theirs.abs().max()))


def test_spec_and_contract(folder, model):
    assert isinstance(model, DepthModel)
    spec = model.spec
    assert (spec.quantity, spec.space, spec.window, spec.multiple) == ("disparity", "affine_invariant", 3, 8)
    assert (spec.native_size, spec.native_side) == (768, "longer")
    assert (spec.name, spec.license, spec.commercial) == (folder.name, "unknown", False)
    networks = (folder / part / WEIGHTS for part in ("unet", "vae"))
    assert spec.parameters == sum(value.numel() for file in networks for value in load_file(file).values())
    single = load_rollingdepth(folder, dtype="fp32")
    frames = pictures().float()
    copy = frames.clone()
    maps = single.predict(frames)
    assert maps.shape == (3, HEIGHT, WIDTH)
    assert maps.dtype == torch.float32
    assert not maps.requires_grad
    assert torch.equal(maps, single.predict(frames))
    assert torch.equal(frames, copy)
    assert float((maps - model.predict(frames)).abs().max()) < 1e-3
    assert torch.equal(maps, load_rollingdepth(folder, dtype="fp16").predict(frames))  # CPU: fp32
    assert torch.equal(maps, load_rollingdepth(folder, dtype=torch.float32).predict(frames))


def test_encoding_is_the_scaled_posterior_mean(model, published):
    state = torch.get_rng_state()
    latents = model.encode(pictures())
    assert torch.equal(torch.get_rng_state(), state)
    assert_same(latents, published.encode(pictures() * 2 - 1))


def test_decoding_is_the_mean_of_the_channels_unclipped(model, published):
    latents = 5 * numbers(2, 4, HEIGHT // 8, WIDTH // 8)
    maps = model.decode(latents)
    assert_same(maps, published.decode(latents))
    assert float(maps.abs().max()) > 1


@pytest.mark.parametrize("count", [1, 2, 3])
def test_snippets_are_as_published(model, published, count):
    rgb, noise = model.encode(pictures(count)), model.noise(HEIGHT, WIDTH, 7)
    ours = model.predict_snippets(rgb[None], noise)
    theirs = published.decode(published.step(rgb, noise.expand_as(rgb), 999, 1000))
    assert_same(ours[0], theirs)


def test_several_denoising_steps_go_down_the_trailing_schedule(model, published):
    rgb, noise = model.encode(pictures()), model.noise(HEIGHT, WIDTH, 7)
    depth = noise.expand_as(rgb)
    for time in (999, 749, 499, 249):
        depth = published.step(rgb, depth, time, 250)
    assert_same(model.predict_snippets(rgb[None], noise, 4)[0], published.decode(depth))


def test_one_step_keeps_the_residual_noise(model, published):
    rgb, noise = model.encode(pictures()), model.noise(HEIGHT, WIDTH, 7)
    velocity = published.velocity(rgb, noise.expand_as(rgb), 999)
    by_hand = 0.99915**0.5 * -velocity + 0.02916 * noise
    assert_same(model.predict_snippets(rgb[None], noise)[0], published.decode(by_hand), 1e-4)
    without = published.decode(0.99915**0.5 * -velocity)
    assert float((model.predict_snippets(rgb[None], noise)[0] - without).abs().max()) > 1e-3


def test_refinement_starts_at_time_499_with_the_shared_noise(model, published):
    disparity = pictures(2)[:, 0] * 2 - 1
    noise = model.noise(HEIGHT, WIDTH, 7)
    start = model.start_refinement(disparity, noise, 10)
    clean = published.encode(disparity[:, None].repeat(1, 3, 1, 1))
    now = published.alphas[499].double()
    assert_same(start, now**0.5 * clean + (1 - now) ** 0.5 * noise)


@pytest.mark.parametrize(("step", "time"), [(0, 499), (1, 449), (5, 249), (9, 49)])
def test_refinement_steps_are_as_published(model, published, step, time):
    rgb, depth = model.encode(pictures()), numbers(3, 4, HEIGHT // 8, WIDTH // 8)
    before = model.predict_snippets(rgb[None], depth[:1])
    ours = model.refine_snippets(rgb[None], depth[None], step, 10)
    assert_same(ours[0], published.step(rgb, depth, time, 50))
    model.start_refinement(pictures(1)[:, 0], depth[:1], 10)
    assert torch.equal(model.predict_snippets(rgb[None], depth[:1]), before)  # no state is left behind


def test_a_batch_is_its_snippets_and_low_memory_changes_nothing(model):
    rgb, noise = model.encode(pictures(6)).unflatten(0, (2, 3)), model.noise(HEIGHT, WIDTH, 0)
    depth = numbers(2, 3, 4, HEIGHT // 8, WIDTH // 8)
    together = model.predict_snippets(rgb, noise), model.refine_snippets(rgb, depth, 3, 10)
    alone = [
        torch.cat([model.predict_snippets(part, noise) for part in rgb.split(1)]),
        torch.cat([model.refine_snippets(rgb[i : i + 1], depth[i : i + 1], 3, 10) for i in range(2)]),
    ]
    model.low_memory = True
    try:
        frugal = model.predict_snippets(rgb, noise), model.refine_snippets(rgb, depth, 3, 10)
        assert_same(model.encode(pictures()), rgb[0])
    finally:
        model.low_memory = False
    for a, b, c in zip(together, alone, frugal, strict=True):
        assert_same(b, a, 1e-11)
        assert_same(c, a, 1e-11)


def test_noise_is_seeded_and_leaves_the_global_state_alone(model):
    state = torch.get_rng_state()
    noise = model.noise(HEIGHT, WIDTH + 1, 3)
    assert noise.shape == (1, 4, HEIGHT // 8, WIDTH // 8 + 1)
    assert torch.equal(noise, model.noise(HEIGHT, WIDTH + 1, 3))
    assert not torch.equal(noise, model.noise(HEIGHT, WIDTH + 1, 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(noise, noise.float().double())  # the numbers of every precision


def test_other_sizes_are_padded_with_copies_of_the_edge(model):
    frames = pictures(2, HEIGHT - 3, WIDTH - 5)
    padded = torch.nn.functional.pad(frames, (0, 5, 0, 3), mode="replicate")
    assert torch.equal(model.predict(frames), model.predict(padded)[:, : HEIGHT - 3, : WIDTH - 5])
    assert model.encode(frames).shape == (2, 4, HEIGHT // 8, WIDTH // 8)


def test_wrong_shapes(model):
    latents, noise = numbers(1, 3, 4, 4, 6), numbers(1, 4, 4, 6)
    with pytest.raises(ValueError, match="4 frames"):
        model.predict(pictures(4))
    with pytest.raises(ValueError, match="T, 3, H, W"):
        model.encode(pictures()[0])
    with pytest.raises(ValueError, match="B, n, 4"):
        model.refine_snippets(latents[0], latents[0], 0, 10)
    with pytest.raises(ValueError, match="B, n, 4"):
        model.refine_snippets(latents, noise[None], 0, 10)


def test_answers_can_be_differentiated_through(model):
    maps = model.predict(pictures(1))
    scale = torch.ones((), dtype=torch.float64, requires_grad=True)
    (maps * scale).square().sum().backward()
    assert torch.allclose(scale.grad, 2 * maps.square().sum())


def test_bf16_reads_the_depth_off_a_layer_in_full_precision(folder, model):
    half = load_rollingdepth(folder, dtype="bf16")
    maps = half.predict(pictures())
    assert maps.dtype == torch.float32
    assert not torch.equal(maps, maps.bfloat16().float())
    assert float((maps - model.predict(pictures())).std()) < 0.2 * float(maps.std())


def test_the_text_encoder_is_needed_once(folder, model, tmp_path):
    kept = tmp_path / "kept"
    shutil.copytree(folder, kept)
    prepare("rollingdepth", kept)  # as installing does
    assert (kept / "empty_prompt.safetensors").is_file()
    assert load_rollingdepth(kept).spec.weights_sha256 == model.spec.weights_sha256
    for part in ("text_encoder", "tokenizer"):
        shutil.rmtree(kept / part)
    frames = pictures()
    expected = load_rollingdepth(folder, dtype="fp32").predict(frames)
    assert torch.equal(load_rollingdepth(kept, dtype="fp32").predict(frames), expected)


def test_the_registered_model_is_what_the_catalogue_says(folder, monkeypatch):
    assert find_entry("rollingdepth-v1").spec().parameters == 949_576_107
    monkeypatch.setattr("vdepth_core.models.registry.find_weights", {"rollingdepth-v1": folder}.get)
    spec = load_model("rollingdepth-v1", "cpu", "fp16").spec
    assert (spec.name, spec.license, spec.commercial) == ("rollingdepth-v1", "OpenRAIL++-M", True)
    assert {name: getattr(spec, name) for name in FACTS} == FACTS
    assert len(spec.weights_sha256) == 64
    assert load_model(folder).spec.license == "unknown"  # a user's own


def test_the_schedule_is_the_folders_own(folder, model, published, tmp_path):
    """It is read, not assumed: with α set to one after the last step, no noise is left over."""
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    change_json(other / "scheduler" / "scheduler_config.json", set_alpha_to_one=True)
    rgb = model.encode(pictures())[None]
    noise = model.noise(HEIGHT, WIDTH, 0)
    velocity = published.velocity(rgb[0], noise.expand_as(rgb[0]), 999)
    changed = load_rollingdepth(other, dtype="fp64").predict_snippets(rgb, noise)
    assert_same(changed[0], published.decode(-velocity))
