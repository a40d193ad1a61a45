"""Adaptation steadies a flickering model without spoiling it, repeats, resumes, refuses the impossible."""

from __future__ import annotations

import json
import shutil
import signal
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from generated import write_movie
from processes import run
from safetensors.torch import load_file

from vdepth_core.adaptation.adapt import Adaptation, adapt
from vdepth_core.adaptation.tc import Tc
from vdepth_core.clip import open_clip
from vdepth_core.errors import Cancelled, InputError, ResourceError, UsageError, WeightsError
from vdepth_core.evaluation.accuracy import evaluate_clip
from vdepth_core.evaluation.temporal import consistency
from vdepth_core.learning.state import read_facts
from vdepth_core.learning.student import load_student
from vdepth_core.models.registry import load_model
from vdepth_core.progress import Progress
from vdepth_core.scenes.clip import SceneClip, render_clip
from vdepth_core.weights.loading import read_metadata

SIZE = (96, 128)


class StopAt(Progress):
    """Cancels once a stage has come so far."""

    def __init__(self, name: str, done: int) -> None:
        super().__init__()
        self.name, self.left = name, done

    def advance(self, name: str, done: int = 1) -> None:
        if name == self.name and done:
            self.left -= done
            if self.left <= 0:
                self.cancel()


@pytest.fixture(scope="module")
def scene() -> SceneClip:
    return render_clip(11, 8, *SIZE)


@pytest.fixture(scope="module")
def plate(scene: SceneClip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scene with a lamp that flickers: what makes a per-frame model flicker, too."""
    folder = tmp_path_factory.mktemp("plate")
    for t, rgb in enumerate(scene.rgb):
        lit = rgb.transpose(1, 2, 0) * (0.8 if t % 2 else 1.0)
        cv2.imwrite(str(folder / f"{t:03d}.png"), np.round(lit[..., ::-1] * 255).astype(np.uint8))
    return folder


def scores(weights: Path | str, plate: Path, scene: SceneClip) -> tuple[float, float]:
    """rTC@1.05 under the true flow and AbsRel, of a model run frame by frame."""
    model = load_model(weights)
    frames = [f.rgb for f in open_clip(plate, rate=Fraction(24)).read()]
    disparity = model.predict(torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2) / 255).numpy()
    accuracy = evaluate_clip(disparity, scene.depth, max_depth=80)
    depth = 1 / np.maximum(accuracy.scale * disparity + accuracy.shift, 1 / 80)
    flows = iter(scene.flow)
    unlit = scene.rgb.transpose(0, 2, 3, 1)
    return consistency(depth, unlit, lambda a, b: next(flows)).rtc[1.05], accuracy.abs_rel


@pytest.mark.parametrize(
    ("rate", "steps"),
    [(4e-4, 20), pytest.param(Tc.rate, 80, marks=pytest.mark.slow)],  # in few steps what minutes do
)
def test_a_flickering_model_becomes_steady_and_stays_accurate(
    plate: Path, scene: SceneClip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: float, steps: int
) -> None:
    monkeypatch.setattr(Tc, "rate", rate)
    out = tmp_path / "steady.safetensors"
    result = adapt(plate, out, steps=steps, size=SIZE[0], device="cpu")
    assert result.changed
    assert result.after["temporal"] < 0.9 * result.before["temporal"]
    steady_before, error_before = scores("embedded", plate, scene)
    steady_after, error_after = scores(out, plate, scene)
    assert steady_after > steady_before + 0.2
    assert error_after < 1.02 * error_before
    assert not out.with_suffix(".footage").exists()
    facts = read_metadata(out)
    assert (facts["license"], facts["commercial"], facts["recipe"]) == ("Apache-2.0 AND MIT", "true", "tc")


SHORT = {"steps": 2, "size": 64, "seed": 3, "device": "cpu", "frames": "0-5"}


@pytest.fixture(scope="module")
def straight(plate: Path, net: Path, tmp_path_factory: pytest.TempPathFactory) -> Adaptation:
    """A run of `SHORT` that nothing stopped."""
    out = tmp_path_factory.mktemp("straight") / "straight.safetensors"
    return adapt(plate, out, model=net, **SHORT)


def test_stopped_runs_end_like_uninterrupted_ones(
    plate: Path, net: Path, straight: Adaptation, tmp_path: Path
) -> None:
    short = SHORT | {"model": net}
    out = tmp_path / "resumed.safetensors"
    with pytest.raises(Cancelled):
        adapt(plate, out, progress=StopAt("adapt", 1), **short)
    assert not out.exists()
    kept = out.with_suffix(".adapting").read_bytes()
    with pytest.raises(UsageError, match=r"resumed\.adapting holds a run that is not over") as refused:
        adapt(plate, out, **short)
    assert "--resume" in refused.value.hint
    with pytest.raises(UsageError, match="not over") as refused:
        adapt(plate, out, **(short | {"seed": 4}))
    assert "begun with other options" in refused.value.hint
    assert out.with_suffix(".adapting").read_bytes() == kept
    shutil.rmtree(out.with_suffix(".footage"))  # it is large, and made again
    resumed = adapt(plate, out, resume=True, **short)
    assert resumed.before == straight.before
    assert resumed.after == straight.after
    assert out.read_bytes() == straight.weights.read_bytes()
    early = tmp_path / "early.safetensors"
    with pytest.raises(Cancelled, match="--resume"):  # while it still prepares
        adapt(plate, early, progress=StopAt("flow", 2), **short)
    assert adapt(plate, early, resume=True, **short).weights.read_bytes() == straight.weights.read_bytes()
    with pytest.raises(UsageError, match="other options"):
        adapt(plate, out, resume=True, **(short | {"seed": 4}))
    more = adapt(plate, out, resume=True, **(short | {"steps": 3}))
    assert more.steps == 3
    with pytest.raises(WeightsError, match="resume"):
        adapt(plate, tmp_path / "none.safetensors", resume=True, **short)


KILLED = """
import json, os, signal, sys
from vdepth_core.adaptation import adapt as module
from vdepth_core.learning.checkpoint import Standing
class Often(module.LoopConfig):
    def __init__(self, **options):
        super().__init__(**options, save_every=0)
save = Standing.save
def killed(standing, path):
    save(standing, path)
    if standing.counters.step == 1:
        os.kill(os.getpid(), signal.SIGKILL)
Standing.save = killed
module.LoopConfig = Often
module.probe_threads = lambda model, size: 1
module.adapt(sys.argv[1], sys.argv[2], model=sys.argv[3], **json.loads(sys.argv[4]))
"""


def test_a_killed_process_is_gone_on_from(
    plate: Path, net: Path, straight: Adaptation, tmp_path: Path
) -> None:
    """SIGKILL while it trains; what it leaves is gone on from to the same bytes."""
    out = tmp_path / "killed.safetensors"
    assert run(KILLED, plate, out, net, json.dumps(SHORT)).returncode == -signal.SIGKILL
    assert not out.exists()
    assert 0 < json.loads(read_facts(out.with_suffix(".adapting"))["counters"])["step"] < SHORT["steps"]
    adapt(plate, out, model=net, resume=True, **SHORT)
    assert out.read_bytes() == straight.weights.read_bytes()


def test_a_run_that_does_harm_changes_nothing(
    plate: Path, net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vdepth_core.adaptation.tc.Tc.rate", 10.0)
    options = {"steps": 3, "size": 64, "device": "cpu", "frames": "0-3"}
    result = adapt(plate, tmp_path / "w.safetensors", model=net, **options)
    assert not result.changed
    assert result.after == result.before
    untouched = load_student(net).network.state_dict()
    written = load_file(tmp_path / "w.safetensors")
    assert written.keys() == untouched.keys()
    assert all(torch.equal(written[k], untouched[k]) for k in written)


def test_a_teacher_of_other_terms_and_scale(
    plate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its terms go on to the weights, and its scale does not: the student keeps its own."""
    from vdepth_core.adaptation import adapt as module

    def foreign(name: str | Path, device: str) -> object:
        model = load_model("embedded", device)
        own = model.predict
        model.predict = lambda frames: own(frames) * 900 + 50  # type: ignore[method-assign]
        model.spec = model.spec.__class__(
            **{**model.spec.__dict__, "name": "foreign", "license": "CC-BY-NC-4.0", "commercial": False}
        )
        return model

    monkeypatch.setattr(module, "load_model", foreign)
    out = tmp_path / "w.safetensors"
    result = adapt(plate, out, teacher="foreign", steps=1, size=64, device="cpu", frames="0-3")
    assert result.before["depth"] < 2  # spreads; hundreds if the scale were not undone
    spec = load_model(out).spec
    assert spec.license == "Apache-2.0 AND MIT AND CC-BY-NC-4.0 (the file's own claim)"
    assert not spec.commercial


def test_pairs_never_straddle_a_cut(net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from vdepth_core.adaptation.tc import TemporalConsistency

    seen: set[int] = set()
    terms = TemporalConsistency.terms

    def spy(self: TemporalConsistency, predict: object, pairs: list[int], rng: object) -> object:
        seen.update(pairs)
        return terms(self, predict, pairs, rng)  # type: ignore[arg-type]

    monkeypatch.setattr(TemporalConsistency, "terms", spy)
    clip = write_movie(tmp_path / "two.mp4", 16, shots=2)
    options = {"model": net, "steps": 7, "size": 64, "device": "cpu"}  # all that may be seen, and more
    adapt(clip, tmp_path / "w.safetensors", **options)
    assert len(seen) > 5
    assert 7 not in seen


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"recipe": "magic"}, UsageError, "Choose one of ddv, .*tc"),
        ({"form": "round"}, UsageError, "residual, plain"),
        ({"steps": 0}, UsageError, "positive"),
        ({"minutes": 0}, UsageError, "positive"),
        ({"size": 5}, UsageError, "32 to 4096"),
        ({"model": "nonsense"}, UsageError, "no model nonsense"),
        ({"model": "midas-v21"}, WeightsError, "not installed"),
        ({"teacher": "midas-v21"}, WeightsError, "not installed"),
        ({"frames": "0-0"}, InputError, "no two frames"),
        ({"frames": "90-95"}, UsageError, "frame"),
    ],
)
def test_wrong_options_are_named(
    options: dict[str, object], error: type[Exception], words: str, plate: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words):
        adapt(plate, tmp_path / "w.safetensors", device="cpu", **options)  # type: ignore[arg-type]


def test_wrong_outputs_are_named(plate: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="safetensors"):
        adapt(plate, tmp_path / "w.pt")
    with pytest.raises(UsageError, match="does not exist"):
        adapt(plate, tmp_path / "none" / "w.safetensors")
    own = tmp_path / "w.footage"
    own.mkdir()
    (own / "take1.mov").write_text("precious")
    with pytest.raises(UsageError, match="in the way"):
        adapt(plate, tmp_path / "w.safetensors", device="cpu")
    assert (own / "take1.mov").exists()


@pytest.mark.parametrize("name", ["w.safetensors", "w.adapting"])
def test_files_of_the_user_are_in_the_way_and_stay(plate: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(UsageError, match=name):
        adapt(plate, tmp_path / "w.safetensors", device="cpu")
    assert (tmp_path / name).read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["w.footage", "w.footage/run.json", "w.footage/shot-0", "w.adapting"])
def test_links_in_its_work_folder_are_not_followed(plate: Path, tmp_path: Path, name: str) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "run.json").write_text("precious")
    (other / "raw.f32").write_text("precious")
    link = tmp_path / name
    if link.parent != tmp_path:
        link.parent.mkdir()
        (link.parent / "run.json").touch()
    link.unlink(missing_ok=True)
    link.symlink_to(other / "run.json" if link.suffix in (".json", ".adapting") else other)
    with pytest.raises(ResourceError, match="is a link"):
        adapt(plate, tmp_path / "w.safetensors", device="cpu")
    assert [path.read_text() for path in sorted(other.iterdir())] == ["precious"] * 2
