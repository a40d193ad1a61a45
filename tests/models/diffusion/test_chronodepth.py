"""ChronoDepth as a model: per-frame times, steps, precision, and the published layout."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from chrono_reference import Reference, set_timesteps
from diffusers import UNetSpatioTemporalConditionModel
from tiny_diffusion import WEIGHTS, change_json, change_weights

from vdepth_core.errors import WeightsError
from vdepth_core.models.diffusion.chronodepth import euler_step, karras_schedule, load_chronodepth
from vdepth_core.models.registry import load_model
from vdepth_core.protocols import ClipDiffusionModel, DepthModel, SnippetModel
from vdepth_core.weights.catalogue import find_entry
from vdepth_core.weights.hashing import folder_sha256
from vdepth_core.weights.prepare import prepare
from vdepth_core.weights.zero_image import ZERO_IMAGE, zero_image_embedding


@pytest.fixture(scope="module")
def published(tiny):
    return tiny("chronodepth")


@pytest.fixture
def folder(published, tmp_path):
    return shutil.copytree(published, tmp_path / "chrono")


def random(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_layout_is_the_published_one(published):
    files = {path.relative_to(published).as_posix() for path in published.rglob("*") if path.is_file()}
    assert files == {file.path for file in find_entry("chronodepth-v1").files}
    assert sum(path.stat().st_size for path in published.rglob("*") if path.is_file()) < 4e6


def test_the_licence_is_asked_for_and_both_places_are_named():
    entry = find_entry("chronodepth-v1")
    assert not entry.commercial
    for words in (
        "jhshao/ChronoDepth-v1 and ",
        "stable-video-diffusion-img2vid-xt, then",
        "--accept-license",
    ):
        assert words in entry.how_to_install


def test_one_time_for_all_is_the_stock_unet(published):
    model = load_chronodepth(published, dtype="fp32")
    stock = UNetSpatioTemporalConditionModel.from_pretrained(published).float().eval()
    sample, state, ids = random(1, 7, 8, 8, 16), random(1, 1, 16, seed=1), torch.tensor([[6.0, 127.0, 0.0]])
    with torch.no_grad():
        expected = stock(sample, torch.tensor(1.2), state, ids).sample
        found = model._unet(sample, torch.full((7,), 1.2), state.expand(7, -1, -1), ids).sample
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="one clip"):
        model._unet(sample, torch.tensor(1.2), state, ids)


def test_every_frame_has_its_own_time(published):
    model, reference = load_chronodepth(published, dtype="fp32"), Reference(published)
    rgb, depth = random(6, 4, 8, 8), random(6, 4, 8, 8, seed=1)
    times = torch.tensor([-4.0, -4.0, 1.6, 1.6, 0.7, -1.5])
    found = model._velocity(rgb, depth, times)
    torch.testing.assert_close(found, reference.velocity(rgb, depth, times), rtol=0, atol=1e-5)
    other = model._velocity(rgb, depth, torch.full((6,), 1.6))
    assert float((found - other).abs().max()) > 1e-3


def test_schedule_is_the_published_one_and_diffusers(published):
    sigmas, times = karras_schedule(5, 700.0, 0.002)
    assert sigmas == pytest.approx([700, 134.85444641, 15.58996773, 0.6781460, 0.002, 0], rel=1e-6)
    assert times == pytest.approx([1.63777, 1.22605, 0.686657, -0.0970982, -1.553652], rel=1e-5)
    stock = Reference(published).scheduler
    for steps in (1, 2, 5, 50):
        set_timesteps(stock, steps)
        sigmas, times = karras_schedule(steps, 700.0, 0.002)
        assert sigmas == stock.sigmas.tolist()
        assert times == pytest.approx(stock.timesteps.tolist(), rel=1e-6)


def test_a_textbook_step_ends_at_the_clean_latents():
    clean, noise = random(2, 4, 8, 8), random(2, 4, 8, 8, seed=1)
    for sigma, following in ((700.0, 134.9), (0.7, 0.002), (0.002, 0.0)):
        size = (sigma**2 + 1) ** 0.5
        velocity = (noise - sigma * clean) / size  # of x = clean + sigma noise, by its definition
        found = euler_step(clean + sigma * noise, velocity, sigma, following)
        torch.testing.assert_close(found, clean + following * noise, rtol=1e-3, atol=2e-4)


def test_the_samplers_differ(published):
    model = load_chronodepth(published, dtype="fp32")
    rgb, noise = random(3, 4, 8, 8), random(2, 4, 8, 8, seed=1)
    ours = model.denoise(rgb, rgb[:1], noise, steps=2)
    assert ours.shape == (2, 4, 8, 8)
    assert not torch.allclose(ours, model.denoise(rgb, rgb[:1], noise, steps=2, sampler="edm"))
    with pytest.raises(ValueError, match="window"):
        model.denoise(rgb, rgb[:2], noise)


def test_pictures_of_any_size_are_padded_and_the_mean_is_taken(published):
    model = load_chronodepth(published, dtype="fp32")
    assert isinstance(model, DepthModel)
    assert isinstance(model, ClipDiffusionModel)
    assert not isinstance(model, SnippetModel)
    frames = torch.rand((2, 3, 33, 70), generator=torch.Generator().manual_seed(0))
    latents = model.encode(frames)
    assert latents.shape == (2, 4, *model.latent_size(33, 70)) == (2, 4, 8, 16)
    assert torch.equal(model.encode(frames, torch.zeros_like(latents)), latents)
    model.low_memory = True
    torch.testing.assert_close(model.encode(frames), latents, rtol=0, atol=1e-5)
    depth = model.predict(frames)
    assert depth.shape == (2, 33, 70)
    assert float(depth.min()) >= 0
    assert float(depth.max()) <= 1
    assert float(depth.std()) > 0.02
    for wrong in (torch.rand(11, 3, 64, 64), torch.rand(3, 64, 64)):
        with pytest.raises(ValueError, match=r"window|T, 3"):
            model.predict(wrong)


def test_in_half_precision_pictures_are_coded_in_full(published):
    frames = torch.rand((2, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    half, full = (load_chronodepth(published, dtype=dtype) for dtype in ("bf16", "fp32"))
    assert half.encode(frames).dtype == torch.float32
    torch.testing.assert_close(half.encode(frames), full.encode(frames), rtol=0, atol=0.02)
    depth = half.predict(frames)
    assert depth.dtype == torch.float32
    assert len(depth.unique()) > 3000  # not the 256 steps of bf16


def test_the_embedding_is_clips_of_a_zero_picture_and_kept(folder, published, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    expected = Reference(published).embedding
    before = sorted(folder.rglob("*"))
    found = zero_image_embedding(folder, torch.float32)
    torch.testing.assert_close(found[0], expected, rtol=0, atol=1e-6)
    assert sorted(folder.rglob("*")) == before  # it may be a user's own
    from vdepth_core.weights import zero_image

    monkeypatch.setattr(zero_image, "_compute", None)  # it is in the cache now
    assert torch.equal(zero_image_embedding(folder, torch.float32), found)
    monkeypatch.undo()
    prepare("chronodepth", folder)
    shutil.rmtree(folder / "image_encoder")
    assert torch.equal(zero_image_embedding(folder, torch.float32), found)
    assert zero_image_embedding(folder, torch.float64).dtype == torch.float64
    (folder / ZERO_IMAGE).unlink()
    with pytest.raises(WeightsError, match="image_encoder"):
        zero_image_embedding(folder, torch.float32)


def test_it_is_found_by_its_unet_wherever_it_lies(folder):
    model = load_model(folder)
    assert (model.spec.quantity, model.spec.space, model.spec.window) == ("depth", "affine_invariant", 10)
    assert model.spec.weights_sha256 == folder_sha256(folder)
    (folder / "model_index.json").write_text('{"_class_name": "StableVideoDiffusionPipeline"}')
    assert type(load_model(folder)) is type(model)
    assert load_model(folder).spec.parameters == model.spec.parameters > 0


@pytest.mark.parametrize(
    ("breaks", "words"),
    [
        (lambda folder: shutil.rmtree(folder / "vae"), "vae"),
        (lambda folder: shutil.rmtree(folder / "image_encoder"), "image_encoder"),
        (lambda folder: (folder / WEIGHTS).unlink(), "no weights"),
        (lambda folder: change_weights(folder / WEIGHTS, lambda state: state.popitem()), "lacks 1 key"),
        (lambda folder: change_json(folder / "config.json", in_channels=4), "does not fit|cannot be built"),
        (
            lambda folder: change_json(
                folder / "scheduler" / "scheduler_config.json", prediction_type="epsilon"
            ),
            "scheduler",
        ),
        (lambda folder: (folder / WEIGHTS).rename(folder / "diffusion_pytorch_model.bin"), "no weights"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, breaks, words):
    breaks(folder)
    with pytest.raises(WeightsError, match=words):
        load_model(folder)
