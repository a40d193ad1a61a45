"""Checkpoints of every published layout, small and random, from their folder to EXR files."""

import math

import numpy as np
import pytest
from generated import write_movie

from vdepth_core.errors import UsageError
from vdepth_core.jobs.batch import estimate
from vdepth_core.models.registry import load_model
from vdepth_core.models.tiny import tiny_families
from vdepth_core.models.tiny.transformers import FAMILIES as TRANSFORMERS
from vdepth_core.output.sequence import read_sequence

FRAMES = 5


@pytest.fixture(scope="module")
def movie(tmp_path_factory):
    return write_movie(tmp_path_factory.mktemp("clip") / "shot.mp4", FRAMES)


def run(movie, out, folder, **options):
    config = {"model": str(folder), "method": "framewise", "device": "cpu", "size": 64, **options}
    manifest = estimate(movie, out, config)
    return manifest, read_sequence(out)


@pytest.mark.parametrize("family", TRANSFORMERS)
def test_every_transformers_family_writes_the_depth_it_means(movie, tiny, tmp_path, family):
    manifest, depth = run(movie, tmp_path, tiny(family))
    spec = load_model(tiny(family)).spec
    assert manifest.model.name == family
    assert manifest.model.license == "unknown"
    assert not manifest.model.commercial
    assert (manifest.model.quantity, manifest.model.space) == (spec.quantity, spec.space)
    frames = np.stack(list(depth))
    assert frames.shape == (FRAMES, 64, 96)
    assert np.isfinite(frames).all()
    assert (frames > 0).all()
    assert np.ptp(frames[0]) > 0
    header = depth.attributes(0)
    assert header["vdepth/weights_sha256"] == spec.weights_sha256
    assert "Non-commercial" in header["comments"]
    if spec.space == "metric":
        assert header["vdepth/units"] == "m"
        np.testing.assert_allclose(depth.disparity[2] * depth[2], 1, rtol=1e-4)
    else:
        assert frames.min() >= 1 - 1e-4
        assert frames.max() <= 100 * (1 + 1e-4)


def test_the_focal_length_depth_pro_sees_reaches_the_headers(movie, tiny, tmp_path):
    manifest, depth = run(movie, tmp_path, tiny("depth-pro"))
    import torch

    from vdepth_core.clip import ClipReader, ShotView, open_clip
    from vdepth_core.types import Shot

    model = load_model(tiny("depth-pro"))
    with ClipReader(open_clip(movie)) as reader:
        pictures = [frame.rgb for frame in ShotView(reader, Shot(0, 0, FRAMES)).frames()]
    frames = model.prepare(torch.from_numpy(np.stack(pictures)), model.spec.fixed_size)
    views = torch.cat([model.predict_with_fov(frame[None])[1] for frame in frames]).numpy()
    fx = 96 / 2 / math.tan(math.radians(float(np.median(views))) / 2)
    header = depth.attributes(3)
    assert header["vdepth/camera"] == "estimated"
    assert header["vdepth/fx"] == pytest.approx(fx, rel=1e-4)
    assert header["vdepth/fy"] == pytest.approx(fx, rel=1e-4)
    assert manifest.camera.source == "estimated"


def test_a_model_of_one_size_says_that_it_ignores_another(movie, tiny, tmp_path):
    manifest, _ = run(movie, tmp_path, tiny("depth-pro"))
    assert any("--size is ignored" in warning for warning in manifest.warnings)
    quiet, _ = run(movie, tmp_path / "quiet", tiny("depth-pro"), size=None)
    assert quiet.warnings == []


def test_a_lens_twice_as_long_puts_depth_pro_twice_as_far(movie, tiny, tmp_path):
    wide = math.degrees(2 * math.atan(0.5))
    _, near = run(movie, tmp_path / "near", tiny("depth-pro"), fov=wide)
    _, far = run(movie, tmp_path / "far", tiny("depth-pro"), fov=math.degrees(2 * math.atan(0.25)))
    np.testing.assert_allclose(far[1], 2 * near[1], rtol=1e-3)
    assert near.attributes(1)["vdepth/camera"] == "given"


def test_what_a_fine_tuned_network_predicts_can_be_said(movie, tiny, tmp_path):
    manifest, depth = run(movie, tmp_path, tiny("dpt-beit"), predicts="metric-depth")
    assert (manifest.model.quantity, manifest.model.space) == ("depth", "metric")
    assert depth.attributes(0)["vdepth/units"] == "m"
    with pytest.raises(UsageError, match="predicts"):
        estimate(movie, tmp_path / "other", {"model": "embedded", "predicts": "metric-depth"})


def test_marigold_lies_between_near_and_far(movie, tiny, tmp_path):
    manifest, depth = run(movie, tmp_path, tiny("marigold"), near=2.0, far=6.0)
    assert (manifest.model.quantity, manifest.model.space) == ("depth", "affine_invariant")
    frames = np.stack(list(depth))
    assert frames.min() >= 2 - 1e-3
    assert frames.max() <= 6 + 1e-3
    assert np.ptp(frames) > 2


@pytest.mark.parametrize("preset", ["fast", "full", "paper"])
def test_rollingdepth_by_its_presets(movie, tiny, tmp_path, preset):
    manifest, depth = run(movie, tmp_path, tiny("rollingdepth"), method="rolling", rolling_preset=preset)
    assert manifest.method == "rolling"
    frames = np.stack(list(depth))
    assert np.isfinite(frames).all()
    assert np.ptp(frames) > 10


def test_a_windowed_model_needs_its_method(movie, tiny, tmp_path):
    with pytest.raises(UsageError, match="rolling"):
        run(movie, tmp_path, tiny("rollingdepth"))


def test_every_family_is_told_apart():
    assert len(set(tiny_families())) == len(tiny_families()) >= 12
