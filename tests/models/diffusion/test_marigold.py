"""Marigold is diffusers' own pipeline, with noise that depends on nothing but the seed."""

import pytest
import torch
from diffusers import LCMScheduler, MarigoldDepthPipeline
from tiny_diffusion import change_json

from vdepth_core.errors import WeightsError
from vdepth_core.methods.frames import to_disparity
from vdepth_core.models.diffusion.latent import seeded_noise
from vdepth_core.models.diffusion.marigold import CHAIN, FRESH, load_marigold
from vdepth_core.models.registry import load_model
from vdepth_core.models.tiny.diffusion import make_tiny
from vdepth_core.protocols import DepthModel

HEIGHT, WIDTH = 32, 48
FRAMES = torch.rand((3, 3, HEIGHT, WIDTH), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("marigold")
    make_tiny("marigold", folder)
    return folder


@pytest.fixture(scope="module")
def lcm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lcm")
    make_tiny("marigold-lcm", folder)
    return folder


@pytest.fixture(scope="module", params=["marigold", "marigold-lcm"])
def either(request, folder, lcm):
    return load_marigold(folder if request.param == "marigold" else lcm, dtype="fp32")


def stock(folder):
    pipeline = MarigoldDepthPipeline.from_pretrained(folder, low_cpu_mem_usage=False)
    pipeline.set_progress_bar_config(disable=True)
    return lambda frame, latents: pipeline(
        frame, latents=latents, processing_resolution=0, output_type="pt", output_latent=True
    )


def close(ours, theirs):
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().max()) < 2e-5


def test_contract(either, folder):
    assert isinstance(either, DepthModel)
    copy, state = FRAMES.clone(), torch.get_rng_state()
    depth = either.predict(FRAMES)
    assert depth.shape == (3, HEIGHT, WIDTH)
    assert depth.dtype == torch.float32
    assert not depth.requires_grad
    assert float(depth.std()) > 0.05
    torch.manual_seed(5)
    assert torch.equal(either.predict(FRAMES), depth)
    torch.set_rng_state(state)
    either.predict(FRAMES)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(FRAMES, copy)
    with pytest.raises(ValueError, match="T, 3, H, W"):
        either.predict(FRAMES[0])


def test_a_frame_does_not_depend_on_its_batch(either):
    together = either.predict(FRAMES)
    for index in range(3):
        close(either.predict(FRAMES[index : index + 1])[0], together[index])


def test_equal_frames_get_equal_depth(either):
    """All frames start from the same noise: a still stays still."""
    depth = either.predict(FRAMES[:1].expand(3, -1, -1, -1))
    close(depth[1:], depth[:1].expand(2, -1, -1))


def test_it_is_diffusers_own_pipeline(folder):
    pipeline, noise = stock(folder), seeded_noise(HEIGHT, WIDTH, 4)
    ours = load_marigold(folder, dtype="fp32", seed=4).predict(FRAMES)
    for frame, depth in zip(FRAMES, ours, strict=True):
        close(depth, pipeline(frame, noise).prediction[0, 0])
    assert float((load_marigold(folder, dtype="fp32").predict(FRAMES) - ours).abs().max()) > 1e-2


def test_lcm_in_one_step_is_diffusers_own_pipeline(lcm, tmp_path):
    make_tiny("marigold-lcm", tmp_path)
    change_json(tmp_path / "model_index.json", default_denoising_steps=1)
    ours = load_marigold(tmp_path, dtype="fp32").predict(FRAMES[:1])
    close(ours[0], stock(tmp_path)(FRAMES[0], seeded_noise(HEIGHT, WIDTH, 0)).prediction[0, 0])
    assert not torch.equal(ours, load_marigold(lcm, dtype="fp32").predict(FRAMES[:1]))  # which takes 4


def test_lcm_steps_are_diffusers_own_with_seeded_noise(lcm, monkeypatch):
    """Stock LCM draws from the global state; told to draw our noise there, it computes the same."""
    drawn = iter([torch.Generator().manual_seed(1 + step) for step in range(3)])
    step = LCMScheduler.step

    def seeded(self, output, time, sample, generator=None):
        return step(self, output, time, sample, next(drawn, None))

    ours = load_marigold(lcm, dtype="fp32").predict(FRAMES[:1])
    monkeypatch.setattr(LCMScheduler, "step", seeded)
    close(ours[0], stock(lcm)(FRAMES[0], seeded_noise(HEIGHT, WIDTH, 0)).prediction[0, 0])


def test_depth_grows_with_distance_and_has_no_reciprocal(folder):
    model = load_marigold(folder, dtype="fp32")
    assert (model.spec.quantity, model.spec.space, model.spec.window) == ("depth", "affine_invariant", 1)
    assert (model.spec.native_size, model.spec.native_side, model.spec.multiple) == (768, "longer", 8)
    depth = model.predict(FRAMES)
    assert float(depth.min()) >= 0
    assert float(depth.max()) <= 1
    assert (to_disparity(depth.numpy(), model.spec) == depth.numpy()).all()  # placed when it is finished


def test_the_index_says_what_the_numbers_mean(folder, tmp_path):
    make_tiny("marigold", tmp_path)
    index = tmp_path / "model_index.json"
    change_json(index, prediction_type="disparity", shift_invariant=False, default_processing_resolution=512)
    spec = load_marigold(tmp_path).spec
    assert (spec.quantity, spec.space, spec.native_size) == ("disparity", "scale_invariant", 512)
    for wrong in (
        {"prediction_type": "normals"},
        {"default_denoising_steps": None},
        {"default_denoising_steps": 0},
        {"default_processing_resolution": "big"},
        {"_class_name": "RollingDepthPipeline"},
    ):
        change_json(index, **{"prediction_type": "depth", "default_denoising_steps": 4} | wrong)
        with pytest.raises(WeightsError, match=r"model_index\.json"):
            load_marigold(tmp_path)


def test_video_chains_the_frames_of_a_call_as_documented(folder):
    model = load_marigold(folder, dtype="fp32", video=True)
    pipeline, noise = stock(folder), seeded_noise(HEIGHT, WIDTH, 0)
    latents, expected = noise, []
    for frame in FRAMES:
        found = pipeline(frame, latents)
        expected.append(found.prediction[0, 0])
        latents = 0.9 * noise + 0.1 * found.latent
    assert FRESH == 0.9
    chained = model.predict(FRAMES)
    close(chained, torch.stack(expected))
    single = load_marigold(folder, dtype="fp32").predict(FRAMES)
    close(chained[0], single[0])
    assert float((chained[1:] - single[1:]).abs().amax((1, 2)).min()) > 1e-3
    assert torch.equal(model.predict(FRAMES), chained)  # the next call begins a new chain


def test_other_sizes(folder):
    depth = load_marigold(folder, dtype="fp32").predict(FRAMES[..., :30, :45])
    assert depth.shape == (3, 30, 45)


def test_bf16_reads_the_depth_off_a_layer_in_full_precision(folder):
    depth = load_marigold(folder, dtype="bf16").predict(FRAMES)
    full = load_marigold(folder, dtype="fp32").predict(FRAMES)
    assert depth.dtype == torch.float32
    assert not torch.equal(depth, depth.bfloat16().float())
    assert float((depth - full).std()) < 0.2 * float(full.std())


@pytest.mark.parametrize("name", ["marigold-v1-1", "marigold-lcm", "marigold-v1-1-video"])
def test_the_registered_models_are_what_the_catalogue_says(name, folder, lcm, monkeypatch):
    installed = {"marigold-v1-1": folder, "marigold-lcm": lcm}
    monkeypatch.setattr("vdepth_core.models.registry.find_weights", installed.get)
    spec = load_model(name, "cpu", "fp16").spec
    assert spec.chain == (CHAIN if name.endswith("video") else 1)
    assert (spec.name, spec.license, spec.quantity) == (name, "OpenRAIL++-M", "depth")
    assert spec.commercial
    assert (spec.native_size, spec.native_side) == (768, "longer")
