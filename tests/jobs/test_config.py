"""The configuration refuses nonsense in one sentence, and its hash changes exactly when the output would."""

import pytest

from vdepth_core.errors import UsageError
from vdepth_core.jobs.config import EstimateConfig


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 3}, "--size"),
        ({"near": -1}, "--near"),
        ({"near": 5, "far": 2}, "Near (5) must be less than far (2)"),
        ({"near": 200}, "Near (200) must be less than far (100)"),
        ({"cfr": "0"}, "--cfr"),
        ({"cfr": "1/0"}, "denominator"),
        ({"cfr": "fast"}, "--cfr"),
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


def test_rates_stay_exact():
    assert EstimateConfig.parse(cfr="24000/1001").cfr == "24000/1001"


def test_hash_follows_what_changes_the_bytes():
    base = EstimateConfig()
    same = base.job_hash("clip", "weights")
    assert base.model_copy(update={"keep_store": True}).job_hash("clip", "weights") == same
    for update in ({"near": 2.0}, {"seed": 1}, {"method": "framewise"}, {"normals": True}, {"frames": "0-4"}):
        assert base.model_copy(update=update).job_hash("clip", "weights") != same
    assert base.job_hash("other clip", "weights") != same
    assert base.job_hash("clip", "other weights") != same


def test_hash_follows_the_content_of_the_camera_file(tmp_path):
    camera = tmp_path / "camera.json"
    camera.write_text('{"fov": 55}')
    config = EstimateConfig(intrinsics=camera)
    before = config.job_hash("clip", "weights")
    camera.write_text('{"fov": 60}')
    assert config.job_hash("clip", "weights") != before
