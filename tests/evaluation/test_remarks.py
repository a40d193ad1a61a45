"""Predictions in any unit, with holes, of the other kind, in another order: scored, refused, or said."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from vdepth_core.errors import InputError, UsageError
from vdepth_core.evaluation.evaluate import Evaluation, evaluate
from vdepth_core.output.exr import write_exr

RNG = np.random.default_rng(11)
TRUTH = cv2.GaussianBlur(RNG.uniform(0.5, 9, (3, 24, 36)).astype(np.float32).transpose(1, 2, 0), (0, 0), 2)
TRUTH = np.ascontiguousarray(TRUTH.transpose(2, 0, 1))


def score(pred: object, truth: object = TRUTH, **options: object) -> Evaluation:
    return evaluate(pred, truth, **{"quantity": "depth", "max_depth": 10} | options)  # type: ignore[arg-type]


@pytest.mark.parametrize("protocol", ["clip-lstsq", "first-frame", "per-frame", "median"])
@pytest.mark.parametrize("unit", [1e-3, 1.0, 256.0, 1e6])
def test_depth_of_any_unit_is_exact(protocol: str, unit: float) -> None:
    result = score(TRUTH * np.float32(unit), protocol=protocol)
    assert result.accuracy.abs_rel < 1e-5
    assert not result.warnings


def test_maps_of_millimetres_are_exact(tmp_path: Path) -> None:
    """And so are ours, whose PNG say millimetres like anybody's."""
    whole = np.round(TRUTH * 1000)
    for t, values in enumerate(whole):
        cv2.imwrite(str(tmp_path / f"{t}.png"), values.astype(np.uint16))
    assert score(tmp_path, whole / 1000).accuracy.abs_rel < 1e-6
    assert score(tmp_path, whole / 1000, protocol="none").accuracy.abs_rel < 1e-6
    twice = score(tmp_path, whole / 1000, protocol="none", pred_scale=500)
    assert twice.accuracy.abs_rel == pytest.approx(np.mean(np.minimum(2 * whole, 1e4) / whole - 1), rel=1e-3)


@pytest.mark.parametrize("fault", [0.0, -1.0])
@pytest.mark.parametrize("protocol", ["clip-lstsq", "median", "none", "eigen"])
def test_a_hole_in_depth_decides_nothing(fault: float, protocol: str) -> None:
    pred, truth = TRUTH.copy(), TRUTH.copy()
    pred[1, 12:14, 12:14] = fault
    options = {"protocol": protocol, "max_depth": 80 if protocol == "eigen" else 10}
    with pytest.raises(InputError, match=r"frame 1 has no depth .0 or less. at 4 pixels"):
        score(pred, **options)
    truth[1, 12:14, 12:14] = 0
    assert score(pred, truth, **options).accuracy.abs_rel < 1e-6


def test_small_or_signed_disparity_is_said() -> None:
    for pred in (1e-4 / TRUTH, 1 / TRUTH - 1):
        said = score(pred, quantity="disparity").warnings
        assert any("below 0.001" in line for line in said)
    assert not score(1 / TRUTH, quantity="disparity").warnings


def test_upside_down_is_said() -> None:
    result = score(3 - 1 / TRUTH, quantity="disparity")
    assert result.accuracy.abs_rel < 1e-5
    assert "upside down" in result.warnings[0]
    assert "upside down" in score(TRUTH, quantity="disparity").warnings[0]


def test_both_planes_and_the_one_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "both.npz"
    np.savez(path, depth=np.ones_like(TRUTH), disparity=1 / TRUTH)
    assert score(path, quantity="disparity").accuracy.abs_rel < 1e-5
    assert score(path, quantity=None).quantity == "depth"
    layers = tmp_path / "layers"
    layers.mkdir()
    for t, z in enumerate(TRUTH):
        write_exr(layers / f"{t}.exr", {"depth.Z": np.ones_like(z), "disparity.Y": 1 / z}, {})
    assert score(layers, quantity="disparity").accuracy.abs_rel < 1e-5
    np.savez(tmp_path / "one.npz", depth=TRUTH)
    with pytest.raises(UsageError, match="says that it holds depth"):
        score(tmp_path / "one.npz", quantity="disparity")


def test_an_export_is_what_its_facts_say(tmp_path: Path) -> None:
    path = tmp_path / "clip_inverse-z.npz"
    np.savez(path, depth=1 / TRUTH, facts=np.asarray(json.dumps({"convention": "inverse-z"})))
    result = score(path, quantity=None)
    assert result.quantity == "disparity"
    assert result.accuracy.abs_rel < 1e-5
    for foreign in ("no JSON", "[1]", '{"convention": "opencv"}', '{"convention": null}', np.zeros(3)):
        np.savez(path, depth=TRUTH, facts=np.asarray(foreign))
        assert score(path, quantity=None).quantity == "depth"
    np.savez(path, depth=TRUTH, facts=np.asarray(json.dumps({"convention": "ray"})))
    with pytest.raises(InputError, match="along the rays"):
        score(path, quantity=None)
    with pytest.raises(InputError, match="along the rays"):
        score(TRUTH, path)


def test_two_sequences_in_a_folder_are_refused(tmp_path: Path) -> None:
    for t, z in enumerate(TRUTH):
        write_exr(tmp_path / f"a_depth.{t:04d}.exr", {"Z": z}, {})
        write_exr(tmp_path / f"a_disparity.{t:04d}.exr", {"Y": 1 / z}, {})
    for pred, truth in ((tmp_path, TRUTH), (TRUTH, tmp_path)):
        with pytest.raises(InputError, match=r"several sequences: a_depth.# and a_disparity.#"):
            score(pred, truth, quantity=None if pred is tmp_path else "depth")


def test_numbers_that_do_not_run_alike_are_said(tmp_path: Path) -> None:
    folders = {}
    for name, numbers in {"ours": (3, 4, 5), "gap": (3, 4, 6), "later": (13, 14, 15)}.items():
        folders[name] = tmp_path / name
        folders[name].mkdir()
        for number, z in zip(numbers, TRUTH, strict=True):
            np.save(folders[name] / f"{number:05d}.npy", z)
    assert not score(folders["ours"], folders["ours"]).warnings
    assert "5 of the prediction stands against 6 " in score(folders["ours"], folders["gap"]).warnings[0]
    assert "3 stands against 13 of the truth" in score(folders["ours"], folders["later"]).warnings[0]
    stamps = tmp_path / "stamps"
    stamps.mkdir()
    for fraction, z in zip((193407, 226738, 259001), TRUTH, strict=True):
        np.save(stamps / f"1305031102.{fraction}.npy", z)
    assert not score(stamps, folders["ours"]).warnings
    (folders["ours"] / "00003.npy").rename(folders["ours"] / "².npy")  # a digit to some, no number
    assert score(folders["ours"], folders["gap"]).accuracy.frames == 3


def test_another_shape_is_said() -> None:
    square = np.stack([cv2.resize(z, (24, 24), interpolation=cv2.INTER_AREA) for z in TRUTH])
    assert "24x24 pixels were stretched to truth of 36x24" in score(square).warnings[0]
    half = np.stack([cv2.resize(z, (18, 12), interpolation=cv2.INTER_AREA) for z in TRUTH])
    assert not score(half).warnings


def test_truth_in_another_unit_is_said() -> None:
    near = float(np.quantile(TRUTH, 0.2))
    assert "80% of the truth" in score(TRUTH, TRUTH, max_depth=near).warnings[0]
    assert score(TRUTH, TRUTH, max_depth=float(np.quantile(TRUTH, 0.6))).warnings == ()


def test_scattered_truth_has_no_boundaries() -> None:
    points = np.zeros_like(TRUTH)
    points[:, ::4, ::4] = TRUTH[:, ::4, ::4]
    assert "boundaries say nothing" in score(TRUTH, points).warnings[0]


def test_truth_of_several_sizes_has_no_time() -> None:
    pictures = [TRUTH[0], TRUTH[1, :, :30], TRUTH[2, :20]]
    for protocol in ("clip-lstsq", "per-frame", "median"):
        result = score(pictures, pictures, protocol=protocol)
        assert result.accuracy.abs_rel < 1e-5
        assert result.boundaries.f1 > 0
        assert result.tgm is None
        assert result.notes == ("Truth is of several sizes: nothing is said about time",)


def test_the_sky_does_not_bleed_into_its_neighbours() -> None:
    truth = TRUTH.copy()
    truth[:, :8] = 0
    half = np.stack([cv2.resize(1 / z, (18, 12), interpolation=cv2.INTER_AREA) for z in TRUTH])
    half[:, :4] = 1e-10
    whole = np.stack([cv2.resize(y, (36, 24), interpolation=cv2.INTER_LINEAR) for y in half])
    for protocol in ("none", "median"):  # in depth, the rows beside the sky would be as far as it
        small, large = (score(1 / y, truth, protocol=protocol).accuracy for y in (half, whole))
        assert small.abs_rel == pytest.approx(large.abs_rel, rel=1e-4)


def test_masks_count_and_other_arrays_are_refused() -> None:
    masked = np.ma.masked_less(TRUTH, 4)
    assert score(TRUTH, masked).accuracy.pixels == np.count_nonzero(TRUTH >= 4)
    with pytest.raises(InputError, match="not finite"):
        score(masked)
    for values in (TRUTH > 4, TRUTH.astype(complex), TRUTH.astype(str)):
        with pytest.raises(InputError, match="no depth"):
            score(TRUTH, values)
    for nothing in (None, 5):
        with pytest.raises(InputError, match="is no depth"):
            score(nothing)


def test_ranges_and_scales_without_an_end_are_refused() -> None:
    with pytest.raises(UsageError, match="no end"):
        score(TRUTH, max_depth=float("inf"))
    for scale in (1e-50, 1e50):
        with pytest.raises(UsageError, match="no scale"):
            score(TRUTH, gt_scale=scale)


def test_the_command_prints_what_is_doubtful(tmp_path: Path) -> None:
    for name, values in (("pred", 3 - 1 / TRUTH), ("truth", TRUTH)):
        np.save(tmp_path / f"{name}.npy", values)
    words = ["pred.npy", "truth.npy", "--quantity", "disparity"]
    run = subprocess.run(
        [sys.executable, "-m", "vdepth_core", "evaluate", *words],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout.splitlines()[-1].startswith("Warning: The fitted scale is negative")
