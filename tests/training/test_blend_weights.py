"""The tool that goes part of the way between two files of weights."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

TOOL = Path(__file__).parents[2] / "tools" / "blend_weights.py"


def blend(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", [TOOL.name, *map(str, words)])
    runpy.run_path(str(TOOL), run_name="__main__")


@pytest.fixture
def ends(tmp_path: Path) -> tuple[Path, Path]:
    for name, value, count in (("start", 1.0, 3), ("end", 3.0, 8)):
        state = {
            "conv.weight": torch.full((2, 3), value, dtype=torch.float16),
            "norm.running_mean": torch.full((2,), 10 * value),
            "norm.num_batches_tracked": torch.tensor(count),
        }
        save_file(state, tmp_path / f"{name}.safetensors")
    return tmp_path / "start.safetensors", tmp_path / "end.safetensors"


@pytest.mark.parametrize(("share", "weight"), [(0, 1.0), (0.25, 1.5), (1, 3.0)])
def test_weights_and_statistics_go_the_same_share_of_the_way(
    share: float, weight: float, ends: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.safetensors"
    blend(monkeypatch, *ends, share, out)
    made = load_file(out)
    assert made["conv.weight"].dtype == torch.float16
    assert made["conv.weight"].unique().tolist() == [weight]
    assert made["norm.running_mean"].unique().tolist() == [10 * weight]
    assert made["norm.num_batches_tracked"] == 8  # what counts is counted to the end


def test_other_networks_and_other_shares_are_refused(
    ends: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    save_file({"conv.weight": torch.zeros(2, 4)}, tmp_path / "other.safetensors")
    out = tmp_path / "out.safetensors"
    for words, said in (
        ((ends[0], tmp_path / "other.safetensors", 0.5), "of different networks"),
        ((*ends, 1.5), "not between 0 and 1"),
        ((tmp_path / "none.safetensors", ends[1], 0.5), "none.safetensors does not exist"),
    ):
        with pytest.raises(SystemExit):
            blend(monkeypatch, *words, out)
        assert said in capsys.readouterr().err
    assert not out.exists()
    before = ends[0].read_bytes()
    with pytest.raises(SystemExit):
        blend(monkeypatch, *ends, 0.5, ends[0])
    assert "is there already" in capsys.readouterr().err
    assert ends[0].read_bytes() == before
