"""``vdepth train-embedded`` checks its options and trains."""

import pytest
import torch
from typer.testing import CliRunner

from vdepth_core.cli.main import app
from vdepth_core.errors import UsageError
from vdepth_core.models.registry import load_model
from vdepth_core.training import train


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["-o", "{}/w.pt"], "safetensors"),
        (["-o", "{}/none/w.safetensors"], "does not exist"),
        (["-o", "{}/w.safetensors", "--minutes", "0"], "positive"),
        (["-o", "{}/w.safetensors", "--batch", "0"], "positive"),
    ],
)
def test_wrong_options(tmp_path, arguments, word):
    result = CliRunner().invoke(app, ["train-embedded", *(a.format(tmp_path) for a in arguments)])
    assert isinstance(result.exception, UsageError)
    assert word in str(result.exception)


def test_one_step(tmp_path, monkeypatch):
    class Small(train.TrainConfig):
        def __init__(self, **options):
            super().__init__(**options, head_start=2, fresh=0, scenes=2, held_out=1, half=False)

    monkeypatch.setattr(train, "TrainConfig", Small)
    out, before = tmp_path / "w.safetensors", torch.get_num_threads()
    options = ["--steps", "1", "--batch", "2", "--renderers", "0", "--seed", "9"]
    result = CliRunner().invoke(app, ["train-embedded", "-o", str(out), *options])
    torch.set_num_threads(before)
    assert result.exit_code == 0, result.output
    assert load_model(out).spec.native_size == 192
    assert out.with_suffix(".training").is_file()
    assert len(list(out.with_suffix(".scenes").glob("*.npz"))) == 3
