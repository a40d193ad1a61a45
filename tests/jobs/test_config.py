"""The configuration refuses nonsense in one sentence, and its hash changes exactly when the output would."""

import re

import pytest

from vdepth_core.errors import UsageError
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.options import limits_of


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 3}, "--size 3 is not possible: it must be a whole number, at least 32 and at most 4096"),
        ({"size": 10**30}, "at most 4096"),
        ({"near": -1}, "--near"),
        (
            {"near": float("nan")},
            "--near nan is not possible: it must be a number, at least 1e-06 and below 1e+10",
        ),
        (
            {"far": float("inf")},
            "--far inf is not possible: it must be a number, at least 1e-06 and below 1e+10",
        ),
        ({"far": 1e10}, "below 1e+10"),
        ({"near": 5, "far": 2}, "Near (5) must be less than far (2)"),
        ({"near": 200}, "Near (200) must be less than far (100)"),
        ({"near": 1, "far": 1.0000001}, "at least 1.001 times near"),
        ({"fov": 180}, "--fov 180 is not possible: it must be a number, above 1 and below 175"),
        ({"fov": float("nan")}, "--fov"),
        (
            {"seed": -1},
            "--seed -1 is not possible: it must be a whole number, at least 0 and at most 4294967295",
        ),
        ({"start_frame": -1}, "at least 0 and at most 9999999"),
        ({"cfr": "0"}, "'0' is no frame rate. It must be frames per second above 0 and up to 1000"),
        ({"cfr": "1/0"}, "--cfr"),
        ({"cfr": "1e999999999"}, "--cfr"),
        ({"cfr": "inf"}, "--cfr"),
        ({"rate": "nan"}, "--rate"),
        ({"cfr": "fast"}, "--cfr"),
        ({"frames": "10-5"}, "--frames: the frame range 10-5 runs backwards"),
        ({"frames": "ten"}, "--frames"),
        ({"frames": "9" * 5000}, "--frames: is too long"),
        ({"stabilize": "hard"}, "--stabilize"),
        ({"fov": 40, "intrinsics": "k.json"}, "give one"),
        ({"frobnicate": 1}, "--frobnicate"),
    ],
)
def test_bad_options_are_one_sentence(options, words):
    with pytest.raises(UsageError) as caught:
        EstimateConfig.parse(**options)
    assert words in caught.value.message
    assert "\n" not in str(caught.value)


def test_a_device_may_have_a_number():
    assert EstimateConfig.parse(device="cuda:1").device == "cuda:1"
    for odd in ("cuda:x", "cuda:", "tpu", "cpu:0"):
        with pytest.raises(UsageError, match=rf"--device {odd} does not exist"):
            EstimateConfig.parse(device=odd)


def test_rates_stay_exact():
    assert EstimateConfig.parse(cfr="24000/1001").cfr == "24000/1001"


def numbers(text):
    return {float(number) for number in re.findall(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?", text)}


NUMBERS = [name for name in EstimateConfig.model_fields if limits_of(EstimateConfig, name)]


@pytest.mark.parametrize("field", NUMBERS)
def test_the_help_says_the_limits_of_every_number(field):
    said = EstimateConfig.model_fields[field].description
    assert numbers(limits_of(EstimateConfig, field)) <= numbers(said), said


def test_every_number_has_limits():
    kinds = {name: field.annotation for name, field in EstimateConfig.model_fields.items()}
    assert [name for name, kind in kinds.items() if kind in (int, float) and name not in NUMBERS] == []
