"""``vdepth evaluate`` prints the protocol, and accuracy beside whatever it says about time."""

import json

import numpy as np
import pytest
import typer
from generated import write_movie
from typer.testing import CliRunner

from vdepth_core.cli.evaluate import evaluate
from vdepth_core.errors import InputError, UsageError

app = typer.Typer(rich_markup_mode=None)
app.command()(evaluate)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Truth, a prediction and a plate."""
    folder = tmp_path_factory.mktemp("evaluate")
    rng = np.random.default_rng(0)
    truth = rng.uniform(1, 5, (3, 64, 96)).astype(np.float32)
    np.savez(folder / "truth.npz", depth=truth)
    np.savez(folder / "pred.npz", disparity=1 / truth + rng.uniform(0, 0.1, truth.shape))
    write_movie(folder / "clip.mp4", 3)
    return folder


def run(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


@pytest.mark.parametrize("protocol", ["clip-lstsq", "per-frame", "none"])
def test_table(files, protocol):
    text = run(files / "pred.npz", files / "truth.npz", "--protocol", protocol, "--clip", files / "clip.mp4")
    assert f"Accuracy under {protocol}" in text
    beside = next(line for line in text.splitlines() if line.startswith("Over time"))
    assert "AbsRel" in beside
    assert f"aligned by {'none' if protocol == 'none' else 'clip-lstsq'}" in beside
    assert "rTC@1.05" in text
    assert "TGM" in text
    assert "disparity" in text


def test_json_says_everything(files):
    facts = json.loads(run(files / "pred.npz", files / "truth.npz", "--json", "--max-depth", 10))
    assert facts["accuracy"]["protocol"] == "clip-lstsq"
    assert 0 < facts["accuracy"]["abs_rel"] < 0.2
    assert facts["consistency"] is None
    assert facts["max_depth"] == 10


def test_errors(files):
    with pytest.raises(UsageError, match="protocol 'best'"):
        run(files / "pred.npz", files / "truth.npz", "--protocol", "best")
    with pytest.raises(InputError, match="does not exist"):
        run(files / "gone", files / "truth.npz")


def test_boundaries_are_always_told_and_orders_where_asked(files):
    plain = run(files / "pred.npz", files / "truth.npz")
    assert "Boundaries, depth aligned by clip-lstsq\n  F1 0." in plain
    assert "precision" in plain
    assert "D3R" not in plain
    both = run(files / "pred.npz", files / "truth.npz", "--ordinal")
    assert "ORD 0." in both
    assert "D3R (slic) 0." in both


def test_published_figures_alone():
    text = run("--published")
    assert "Published under eigen: KITTI" in text
    assert "No figure at hand: DeepV2D, CLSTM, BTS, NVDS" in text
    facts = json.loads(run("--published", "--json"))
    assert {"system", "protocol", "source", "conditions", "figures"} <= set(facts["published"][0])
    assert facts["lacking"][0] == "DeepV2D"
    video = run("--published", "--protocol", "clip-lstsq")
    assert "Published under clip-lstsq: Sintel" in video
    assert "Published under eigen" not in video
    with pytest.raises(UsageError, match="protocol 'best'"):
        run("--published", "--protocol", "best")


def test_published_figures_stand_beside_a_result_of_their_protocol_only(files):
    both = files / "pred.npz", files / "truth.npz"
    assert "Published" not in run(*both)
    assert "published" not in json.loads(run(*both, "--json"))
    eigen = run(*both, "--protocol", "eigen")
    assert eigen.index("Accuracy under eigen") < eigen.index("Published under eigen")
    assert "Published under clip-lstsq" not in eigen
    assert "nothing is said about time" in eigen
    video = run(*both, "--published")
    assert "Published under clip-lstsq: ScanNet" in video
    assert "Published under eigen" not in video
    assert "Published under median: no figure at hand" in run(*both, "--published", "--protocol", "median")
    rows = json.loads(run(*both, "--protocol", "eigen", "--json"))["published"]
    assert {row["protocol"] for row in rows} == {"eigen"}


def test_half_a_question_is_refused(files):
    with pytest.raises(UsageError, match="without PRED and GT"):
        run()
    with pytest.raises(UsageError, match="without GT"):
        run(files / "pred.npz")
    with pytest.raises(UsageError, match="without GT"):
        run(files / "pred.npz", "--published")
