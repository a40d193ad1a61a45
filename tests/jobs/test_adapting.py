"""``estimate --adapt``: the clip's own weights first, kept, resumed, and the job's model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from layered import pictures, travelling

from vdepth_core.cli.verify import verify as verb
from vdepth_core.errors import InputError, JobConflictError, UsageError
from vdepth_core.jobs.batch import estimate, estimate_clips
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.jobs.parts import Part
from vdepth_core.output.naming import ADAPTED
from vdepth_core.output.verify import verify

PLAIN = {"size": 64, "device": "cpu", "preset": "draft"}
ADAPT = {"adapt": "monodepth2", "adapt_minutes": 1e-4}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    for t, picture in enumerate(pictures(travelling(6, (0.07, 0.014, 0.042)))[0]):
        cv2.imwrite(str(folder / f"{t:03d}.png"), picture)
    return folder


def test_the_job_s_model_is_the_adapted_one(clip: Path, tiny: Callable[[str], Path], tmp_path: Path) -> None:
    plain = PLAIN | {"model": str(tiny("sfmlearner"))}
    options = plain | ADAPT
    out = tmp_path / "out"
    manifest = estimate(clip, out, options)
    assert manifest.model.name == ADAPTED
    weights = (out / ADAPTED).read_bytes()
    assert not verify(out).faults
    (out / ADAPTED).write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    assert [(fault.name, fault.kind) for fault in verify(out).faults] == [(ADAPTED, "damaged")]
    (out / ADAPTED).unlink()
    assert [(fault.name, fault.kind) for fault in verify(out).faults] == [(ADAPTED, "missing")]
    with pytest.raises(InputError, match="run the same vdepth estimate again"):
        verb(out)
    assert estimate(clip, out, options) == manifest  # as it says
    assert (out / ADAPTED).read_bytes() == weights
    moved = out.rename(tmp_path / "moved")
    (moved / ADAPTED).write_bytes(weights[:-1])
    assert [(fault.name, fault.kind) for fault in verify(moved).faults] == [(ADAPTED, "damaged")]
    (moved / ADAPTED).unlink()
    assert estimate(clip, moved, options).job == manifest.job
    assert not verify(moved).faults
    moved.rename(out)
    theirs = tmp_path / "theirs"
    estimate(clip, theirs, plain | {"model": str(out / ADAPTED)})
    (theirs / ADAPTED).write_bytes(b"somebody's")  # no file of this job
    assert not verify(theirs).faults
    frames = sorted(path.stat().st_mtime_ns for path in out.glob("*.exr"))
    assert estimate(clip, out, options) == manifest  # nothing is done twice
    assert (out / ADAPTED).read_bytes() == weights
    assert sorted(path.stat().st_mtime_ns for path in out.glob("*.exr")) == frames
    with pytest.raises(JobConflictError):
        estimate(clip, out, plain)
    with pytest.raises(UsageError, match="has other options"):
        estimate(clip, out, options | {"seed": 7})
    assert (out / ADAPTED).read_bytes() == weights
    assert estimate(clip, out, options) == manifest
    config = EstimateConfig.parse(**options | {"seed": 7})
    assert estimate_clips([clip], out, config, overwrite=True)[0].error is None
    assert (out / ADAPTED).read_bytes() != weights


def test_another_job_and_shards_are_refused(clip: Path, tmp_path: Path) -> None:
    estimate(clip, tmp_path / "plain", PLAIN)
    with pytest.raises(JobConflictError, match="another model"):
        estimate(clip, tmp_path / "plain", PLAIN | ADAPT)
    config = EstimateConfig.parse(**PLAIN | ADAPT)
    result = estimate_clips([clip], tmp_path / "part", config, part=Part.parse(None, "1/2"))[0]
    assert isinstance(result.error, UsageError)
