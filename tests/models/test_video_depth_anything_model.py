"""Video Depth Anything and Depth Anything V2's ``.pth`` as models: files, kinds, sizes, preprocessing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from vdepth_core.errors import UsageError, WeightsError
from vdepth_core.learning.student import load_student
from vdepth_core.models.registry import load_model
from vdepth_core.models.sizing import network_size, resample_keeping_overshoot
from vdepth_core.models.tiny.depth_anything import FAMILIES, make_tiny
from vdepth_core.protocols import DepthModel, PreparingModel, SnippetModel, WindowModel
from vdepth_core.weights.catalogue import find_entry
from vdepth_core.weights.parts import read_network

Tiny = Callable[[str], Path]


@pytest.mark.parametrize("family", FAMILIES)
def test_contract(family: str, tiny: Tiny) -> None:
    model = load_model(tiny(family))
    assert isinstance(model, DepthModel)
    assert isinstance(model, PreparingModel)
    assert isinstance(model, WindowModel) == family.startswith("video")
    assert not isinstance(model, SnippetModel)
    metric = "metric" in family
    assert (model.spec.quantity, model.spec.space) == (
        ("depth", "metric") if metric else ("disparity", "affine_invariant")
    )
    assert (model.spec.license, model.spec.commercial) == ("unknown", False)
    assert model.spec.window == (32 if family.startswith("video") else 1)
    frames = torch.rand(3, 3, 42, 56)
    maps = model.predict(frames)
    assert maps.shape == (3, 42, 56)
    assert maps.dtype == torch.float32
    assert bool(torch.isfinite(maps).all())
    assert float(maps.min()) >= 0
    assert float(maps.std()) > 0
    assert torch.equal(maps, model.predict(frames))
    torch.testing.assert_close(maps[:1], model.predict(frames[:1]), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="multiples"):
        model.predict(torch.rand(1, 3, 60, 56))


def test_safetensors_and_one_file_of_the_same_tensors_are_the_same_model(tiny: Tiny, tmp_path: Path) -> None:
    (path,) = tiny("video-depth-anything").iterdir()
    save_file(torch.load(path, weights_only=True), tmp_path / "video.safetensors")
    frames = torch.rand(2, 3, 28, 42)
    model, other = load_model(path), load_model(tmp_path / "video.safetensors")
    assert torch.equal(model.predict(frames), other.predict(frames))
    assert other.spec.parameters == 676_561


def test_the_name_or_the_user_says_what_is_metric(tiny: Tiny, tmp_path: Path) -> None:
    (path,) = tiny("video-depth-anything").iterdir()
    named = shutil.copy(path, tmp_path / "Metric_Video_Depth_Anything_vits.pth")
    assert load_model(named).spec.space == "metric"
    told = load_model(path, predicts="metric-depth")
    assert (told.spec.quantity, told.spec.space) == ("depth", "metric")
    (path,) = tiny("depth-anything-v2-pth").iterdir()
    frames = torch.rand(1, 3, 28, 42)
    outdoor = shutil.copy(path, tmp_path / "depth_anything_v2_metric_vkitti_vits.pth")
    indoor = load_model(path, predicts="metric-depth").predict(frames)
    assert float(indoor.max()) <= 20
    torch.testing.assert_close(load_model(outdoor).predict(frames), 4 * indoor)


def test_windows_see_their_frames_together_and_no_more_than_fit(tiny: Tiny) -> None:
    model = load_model(tiny("video-depth-anything"))
    assert isinstance(model, WindowModel)
    frames = torch.rand(33, 3, 14, 28)
    features = model.encode(frames)
    window = model.decode([part[:5] for part in features])
    assert window.shape == (5, 14, 28)
    assert not torch.allclose(window, model.predict(frames[:5]), atol=1e-3)
    with pytest.raises(ValueError, match="33 frames are more than a window"):
        model.decode(features)
    half = load_model(tiny("video-depth-anything"), dtype="bf16")
    assert isinstance(half, WindowModel)
    rough = half.decode(half.encode(frames[:5]))
    assert rough.dtype == torch.float32
    assert float((rough - window).abs().max()) < 0.2 * float(window.max())
    assert len(rough.unique()) > 1000  # no steps of a half-precision answer


@pytest.mark.parametrize("family", FAMILIES)
def test_wrong_keys_are_refused_by_name(family: str, tiny: Tiny, tmp_path: Path) -> None:
    state = read_network(tiny(family)).state
    key = list(state)[-1]
    for number, (changed, words) in enumerate(
        (
            ({k: v for k, v in state.items() if k != key}, rf"lacks 1 key \({re.escape(key)}\)"),
            (state | {"odd.weight": torch.zeros(3)}, r"has unknown 1 key \(odd\.weight\)"),
            (state | {key: torch.zeros(2, 3, 7)}, rf"wrong shapes.*{re.escape(key)}"),
        )
    ):
        torch.save(changed, tmp_path / f"{number}.pth")
        with pytest.raises(WeightsError, match=words):
            load_model(tmp_path / f"{number}.pth")


def test_hostile_shapes_and_names_are_an_error_and_cost_nothing(tiny: Tiny, tmp_path: Path) -> None:
    state = read_network(tiny("video-depth-anything")).state
    for number, (key, value) in enumerate(
        (
            ("pretrained.blocks.99999999.norm1.weight", torch.zeros(1)),
            ("pretrained.cls_token", torch.zeros(1)),
            ("pretrained.pos_embed", torch.zeros(1, 0, 64)),
            ("head.projects.0.weight", torch.zeros(0)),
            ("head.scratch.refinenet1.out_conv.weight", torch.zeros(7, 7, 1, 1)),
            ("head.projects.2.weight", torch.zeros(33, 64, 1, 1)),
        )
    ):
        torch.save(state | {key: value}, tmp_path / f"{number}.pth")
        with pytest.raises(WeightsError):
            load_model(tmp_path / f"{number}.pth")


def test_a_network_that_sees_windows_is_not_adapted(tiny: Tiny) -> None:
    with pytest.raises(WeightsError, match="no network that can be adapted"):
        load_student(tiny("video-depth-anything"))
    with pytest.raises(UsageError, match="cannot be adapted") as error:
        load_student("video-depth-anything-small")
    assert "anything" not in error.value.hint


@pytest.mark.parametrize(
    ("rows", "columns", "size", "expected"),
    [
        (1080, 1920, None, (518, 924)),
        (858, 2048, None, (392, 938)),
        (2160, 4096, None, (490, 924)),
        (480, 640, None, (518, 686)),
        (1920, 1080, None, (924, 518)),
        (90, 200, 126, (98, 224)),
    ],
)
def test_the_published_size_rule(
    rows: int, columns: int, size: int | None, expected: tuple[int, int]
) -> None:
    spec = find_entry("video-depth-anything-small").spec()
    assert network_size(columns, rows, Fraction(1), spec, size) == expected


@pytest.mark.parametrize("rows", [1, 37, 90, 517, 1079])
@pytest.mark.parametrize("columns", [1, 91, 640, 1921])
def test_the_size_rule_as_written_down(rows: int, columns: int) -> None:
    spec, wanted = find_entry("video-depth-anything-small").spec(), 518
    ratio = max(rows, columns) / min(rows, columns)
    if ratio > 1.78:
        wanted = max(1, round(int(518 * 1.777 / ratio) / 14)) * 14
    factor = max(wanted / rows, wanted / columns)
    expected = []
    for side in (rows, columns):
        value = round(factor * side / 14) * 14
        expected.append(value if value >= wanted else int(np.ceil(factor * side / 14)) * 14)
    assert network_size(columns, rows, Fraction(1), spec) == tuple(expected)


def test_preprocessing_is_the_published_one_and_keeps_what_shoots_over(tiny: Tiny) -> None:
    rgb = np.random.default_rng(0).integers(0, 2, (50, 61, 3)).astype(np.uint8) * 255
    expected = cv2.resize(rgb.astype(np.float32) / 255, (70, 56), interpolation=cv2.INTER_CUBIC)
    model = load_model(tiny("video-depth-anything"))
    assert isinstance(model, PreparingModel)
    for layout in (rgb, rgb.transpose(2, 0, 1)):
        prepared = model.prepare(torch.from_numpy(np.ascontiguousarray(layout))[None], (56, 70))
        np.testing.assert_array_equal(prepared[0].permute(1, 2, 0).numpy(), expected)
    assert float(prepared.min()) < -0.05
    assert float(prepared.max()) > 1.05
    seen: list[torch.Tensor] = []
    model.network.pretrained.register_forward_pre_hook(lambda _, given: seen.append(given[0]))  # type: ignore[attr-defined]
    model.predict(prepared)
    normal = (expected.astype(np.float64) - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    np.testing.assert_array_equal(seen[0][0].permute(1, 2, 0).numpy(), normal.astype(np.float32))


def test_an_accelerator_resamples_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """By matrices, as there; on the meta device only shapes can be seen, so the CPU plays the accelerator."""
    rgb = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (1, 50, 61, 3), np.uint8))
    expected = resample_keeping_overshoot(rgb, (56, 70))
    assert resample_keeping_overshoot(rgb.to("meta"), (56, 70)).shape == expected.shape

    from vdepth_core.models import sizing

    down, across = sizing._weights(50, 56, False, "cpu"), sizing._weights(61, 70, False, "cpu")
    by_matrices = down @ (rgb.permute(0, 3, 1, 2).float() / 255 @ across.T)
    torch.testing.assert_close(by_matrices, expected, rtol=0, atol=2e-5)


def test_the_same_seed_gives_the_same_tensors(tiny: Tiny, tmp_path: Path) -> None:
    state = torch.get_rng_state()
    make_tiny("video-depth-anything", tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    (one,), (other,) = tmp_path.iterdir(), tiny("video-depth-anything").iterdir()
    assert one.read_bytes() == other.read_bytes()
