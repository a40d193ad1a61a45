"""A job is what its resolved values say: spelling, defaults and what is installed later make no other job."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from vdepth_core.errors import UsageError
from vdepth_core.geometry.camera import Intrinsics
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.jobs.identity import Identity, differences
from vdepth_core.jobs.record import ClipRecord, JobRecord, keep_choice, read_record
from vdepth_core.types import ClipInfo, ModelSpec

SPEC = ModelSpec("net", "disparity", "affine_invariant", "MIT", True, weights_sha256="ab")
METRIC = ModelSpec("net", "depth", "metric", "MIT", True, weights_sha256="ab")


def info(kind="sequence", **changes):
    facts = {
        "path": Path("plate.1001.exr"), "kind": kind, "name": "plate", "width": 96, "height": 64,
        "pixel_aspect": Fraction(1), "rate": Fraction(24), "frames_declared": 24,
        "first_number": 1001 if kind == "sequence" else None,
    }  # fmt: skip
    return ClipInfo(**{**facts, **changes})


def identity(spec=SPEC, clip=None, camera=None, size=(256, 384), **options):
    options = {"method": "temporal", "model": "net", "device": "cpu", "dtype": "fp32", **options}
    clip = clip or info()
    return Identity.of(
        EstimateConfig(**options), clip, spec, size, camera or Intrinsics.default(clip.width, clip.height)
    )


@pytest.mark.parametrize(
    "same",
    [
        {"near": 1.0},
        {"far": 100},
        {"frames": "1001-1024"},
        {"frames": "1001-2000"},
        {"start_frame": 1001},
        {"seed": 0},
        {"compression": "pxr24"},
        {"rate": "24"},
        {"preset": "best"},
        {"non_commercial": True},
        {"keep_store": True},
        {"rolling_preset": "paper"},
        {"rolling_steps": 3},
        {"orientation": "stored"},  # of a picture that asks for nothing
        {"transfer": "srgb"},  # what the clip is taken as counts, not who said so
    ],
)
def test_an_option_at_its_default_is_no_other_job(same):
    assert identity(**same).facts == identity().facts


@pytest.mark.parametrize(
    ("other", "word"),
    [
        ({"near": 2.0}, "near"),
        ({"far": 50.0}, "far"),
        ({"frames": "1001-1010"}, "frames"),
        ({"start_frame": 1}, "start-frame"),
        ({"seed": 1}, "seed"),
        ({"method": "framewise"}, "method"),
        ({"normals": True}, "normals"),
        ({"sky": True}, "sky"),
        ({"sharpen": False}, "sharpen"),
        ({"stabilize": "align"}, "stabilize"),
        ({"cfr": "25"}, "cfr"),
        ({"shots": False}, "shots"),
        ({"size": (128, 192)}, "size"),
        ({"camera": Intrinsics.from_fov(40, 96, 64)}, "camera"),
        (
            {"camera": Intrinsics.from_fov(55, 96, 64)},
            "camera",
        ),  # given, not assumed: it outweighs a model's own
        (
            {"spec": ModelSpec("net", "disparity", "affine_invariant", "MIT", True, weights_sha256="cd")},
            "weights",
        ),
        ({"clip": info(timecode="01:00:00:00")}, "timecode"),
        ({"clip": info(shown="stored")}, "orientation"),
        ({"clip": info(transfer="smpte2084")}, "numbers mean"),
        ({"clip": info(transfer="log", colour="studio/ARRI LogC3 (EI800)")}, "numbers mean"),
    ],
)
def test_what_changes_the_bytes_is_another_job_and_is_named(other, word):
    before, now = identity().facts, identity(**other).facts
    assert word in " ".join(differences(before, now))


def test_which_of_several_gpus_runs_it_makes_no_difference():
    assert identity(device="cuda:1") == identity(device="cuda")
    assert identity(device="cuda") != identity(device="cpu")


def test_spellings_of_a_rate_are_one():
    assert identity(cfr="24000/1001").facts == identity(cfr="48000/2002").facts
    assert identity(cfr="25").facts == identity(cfr="25.0").facts


def test_near_and_far_make_no_difference_to_a_metric_model():
    assert identity(METRIC, near=3.0).facts == identity(METRIC).facts


def test_options_of_another_method_make_no_difference():
    assert identity(method="framewise", stabilize="off").facts == identity(method="framewise").facts


def test_facts_survive_the_file(tmp_path):
    clip = ClipRecord(name="plate", file="plate.1001.exr", digest="d", frames={1001: "a", 1002: "b"})
    config = EstimateConfig(near=0.3, intrinsics=tmp_path / "k.json")
    record = JobRecord(
        job="j",
        vdepth="1",
        given=config,
        chosen=config,
        identity=identity(near=0.3).facts,
        clip=clip,
        threads=2,
    )
    (tmp_path / ".vdepth").mkdir()
    (tmp_path / ".vdepth" / "job.json").write_text(record.model_dump_json())
    read = read_record(tmp_path)
    assert read == record
    assert differences(read.identity, record.identity) == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"job": 1}', b"\xff", b"[" * 200_000])
def test_a_damaged_record_is_none(tmp_path, content):
    (tmp_path / ".vdepth").mkdir()
    (tmp_path / ".vdepth" / "job.json").write_bytes(content)
    assert read_record(tmp_path) is None


def test_a_range_behind_the_end_of_a_sequence_is_refused_in_its_own_numbers():
    with pytest.raises(UsageError, match=r"500-600 lies behind the end.*its frames are 1 to 24") as caught:
        identity(clip=info(first_number=1), frames="500-600")
    assert caught.value.hint
    with pytest.raises(UsageError, match="1001 to 1024"):
        identity(frames="2000-2100")


def record(given, **chosen):
    facts = {"method": "temporal", "model": "small", "device": "cpu", "dtype": "fp32", **chosen}
    clip = ClipRecord(name="plate", file="plate.mp4", digest="d")
    resolved = given.model_copy(update=facts)
    return JobRecord(job="j", vdepth="1", given=given, chosen=resolved, identity={}, clip=clip)


def test_what_a_job_chose_stays_chosen():
    kept = keep_choice(EstimateConfig(near=2.0), record(EstimateConfig()))
    assert (kept.method, kept.model, kept.device, kept.dtype) == ("temporal", "small", "cpu", "fp32")
    assert kept.near == 2.0


def test_what_is_said_now_wins():
    assert keep_choice(EstimateConfig(model="big"), record(EstimateConfig())).model == "big"
    assert keep_choice(EstimateConfig(), record(EstimateConfig(model="small"))).model is None


def test_another_preset_chooses_anew():
    assert keep_choice(EstimateConfig(preset="best"), record(EstimateConfig())).model is None
    assert keep_choice(EstimateConfig(non_commercial=True), record(EstimateConfig())).model is None


def test_a_method_goes_with_its_model():
    """A model of windows named where a model of single frames ran: its own method, so another job."""
    assert keep_choice(EstimateConfig(model="big"), record(EstimateConfig())).method is None
    assert keep_choice(EstimateConfig(model="small"), record(EstimateConfig())).method == "temporal"


def test_a_presets_size_goes_with_its_model():
    draft = EstimateConfig(preset="draft")
    assert keep_choice(draft, record(draft, size=192)).size == 192
    named = EstimateConfig(preset="draft", model="small")
    assert keep_choice(named, record(draft, size=192)).size is None


def test_a_jobs_name_follows_the_clip():
    one = identity()
    assert len(one.job("clip")) == 16
    assert one.job("clip") != one.job("other")
    assert json.dumps(one.facts)
