"""``vdepth weights`` and ``install_weights.py``: what they print, and the codes they end with."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from commands import vdepth
from weights import small_catalogue
from weights.small_catalogue import checkpoint, use

from vdepth_core.cli.main import app, main
from vdepth_core.cli.weights import _Bars
from vdepth_core.weights.catalogue import catalogue

SCRIPT = Path(__file__).parents[2] / "install_weights.py"
fresh_catalogue = small_catalogue.fresh_catalogue
pytestmark = pytest.mark.usefixtures("fresh_catalogue")


def run(capsys, *arguments):
    """Runs ``vdepth weights`` here, as the command would; returns code, stdout and stderr."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["vdepth", "weights", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
    captured = capsys.readouterr()
    return stop.value.code or 0, captured.out, captured.err


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Two models to be had from the folder returned, and one that may not be used commercially."""
    source = tmp_path / "from"
    for name in ("a", "b", "c"):
        checkpoint(source / f"{name}.pt", {"x": torch.full((3,), float(ord(name)))})
    entries = {
        n: {"files": [{"path": f"{n}.pt"}], "obtain": "https://example.org/x"} for n in ("a", "b", "c")
    }
    use(monkeypatch, tmp_path, entries | {"c": {**entries["c"], "commercial": False, "license": "NC-1"}})
    return source


def test_the_verb_is_registered():
    assert "weights" in {group.name for group in app.registered_groups}


@pytest.mark.parametrize("width", [80, 120])
def test_the_list_fits_the_terminal_and_names_everything(capsys, monkeypatch, width, tmp_path):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("VDEPTH_WEIGHTS", str(tmp_path))
    code, out, _ = run(capsys, "list")
    assert code == 0
    assert max(map(len, out.splitlines())) <= width
    assert out.split()[:6] == ["Name", "Installed", "Size", "Predicts", "Licence", "Commercial"]
    for entry in catalogue().values():
        assert all(word in out for word in entry.license.split())  # a long one is wrapped
        for part in entry.name.split("-"):
            assert any(part in line.split()[0] for line in out.splitlines()), entry.name


def test_the_list_for_programs(capsys, made):
    run(capsys, "install", "a", "--from", made)
    code, out, _ = run(capsys, "list", "--json")
    found = {entry["name"]: entry for entry in json.loads(out)}
    assert code == 0
    assert {name: entry["installed"] for name, entry in found.items()} == {"a": True, "b": False, "c": False}
    facts = (found["c"]["commercial"], found["c"]["license"], found["a"]["space"])
    assert facts == (False, "NC-1", "affine_invariant")


def test_installing_checking_and_removing(capsys, made, tmp_path):
    code, out, err = run(capsys, "install", "a", "b", "--from", made)
    assert (code, out.count("is installed")) == (0, 2)
    assert "Copying a" in err
    assert "already installed" in run(capsys, "install", "a")[1]
    assert run(capsys, "verify")[:2] == (0, "2 installed models are whole.\n")
    assert run(capsys, "verify", "a")[:2] == (0, "1 installed model is whole.\n")
    assert run(capsys, "where")[1].strip() == str(tmp_path / "weights")
    assert run(capsys, "remove", "a")[:2] == (0, "a is removed.\n")
    assert run(capsys, "remove", "a")[0] == 4


def test_damage_ends_with_the_code_for_weights_and_says_what_to_run(capsys, made, tmp_path):
    run(capsys, "install", "a", "--from", made)
    (path,) = (tmp_path / "weights").rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-1])
    code, out, err = run(capsys, "verify")
    assert (code, out) == (4, f"changed: {path}\n")
    assert "vdepth weights install a" in err
    assert "damaged" in run(capsys, "list")[1]


def test_strays_are_named_but_no_failure(capsys, made, tmp_path):
    run(capsys, "install", "a", "--from", made)
    (tmp_path / "weights" / "dropped.pt").touch()
    code, out, _ = run(capsys, "verify")
    assert code == 0
    assert f"stray: {tmp_path / 'weights' / 'dropped.pt'}" in out


def test_one_failure_does_not_stop_the_others_and_gives_the_code(capsys, made):
    code, out, err = run(capsys, "install", "c", "nonsense", "a", "--from", made)
    assert code == 4, "the first failure's"
    assert "a is installed" in out
    assert "NC-1" in err
    assert "nonsense" in err
    assert run(capsys, "install", "nonsense", "c", "--from", made)[0] == 2


def test_consent(capsys, made):
    assert run(capsys, "install", "c", "--from", made, "--accept-license", "a")[0] == 4
    code, out, _ = run(capsys, "install", "c", "--from", made, "--accept-license", "c")
    assert code == 0
    assert "NC-1" in out


def test_bars_follow_the_stages():
    from rich.console import Console

    out = io.StringIO()
    bars = _Bars("m", Console(file=out, force_terminal=True, highlight=False, width=100))
    with bars.bars:
        bars.stage("download", 2000)
        bars.advance("download", 1500)
        bars.stage("download", 4000)  # the size became known
        bars.advance("download", 1000)
        bars.warn("a sentence [in brackets]")
        bars.stage("check other", None)
        bars.bars.refresh()
        text = out.getvalue()
    for words in ("Downloading m", "4.0 kB", "Checking other", "a sentence [in brackets]"):
        assert words in text


def test_help_needs_nothing_heavy():
    code = (
        "import sys\nfrom vdepth_core.cli.weights import weights_app\n"
        "try:\n    weights_app(['install', '--help'])\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "heavy = {'torch', 'transformers', 'huggingface_hub', 'safetensors', 'httpx2'} & sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def script(*arguments):
    """Runs ``install_weights.py`` from elsewhere."""
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


def test_the_script_installs_the_published_checkpoint(shared, tmp_path, monkeypatch):
    monkeypatch.setenv("VDEPTH_WEIGHTS", str(tmp_path))
    done = script("tcmonodepth-small", "--from", shared / "weights")
    assert done.returncode == 0, done.stderr
    assert "tcmonodepth-small is installed" in done.stdout
    assert "whole" in script("--verify").stdout
    assert script("--where").stdout.strip() == str(tmp_path)
    assert script("--list").stdout == vdepth("weights", "list", check=0).stdout


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["a", "b"], ["weights", "install", "--", "a", "b"]),
        (["--verify"], ["weights", "verify"]),
        (["--verify", "a"], ["weights", "verify", "--", "a"]),
        (["--remove", "a"], ["weights", "remove", "--", "a"]),
        (["--list"], ["weights", "list"]),
        (["--where"], ["weights", "where"]),
        (
            ["a", "--from", "x", "--accept-license", "a", "--accept-license", "b", "--force"],
            ["weights", "install", "--from", "x", "--accept-license", "a", "--accept-license", "b", "--force",
             "--", "a"],
        ),
    ],
)  # fmt: skip
def test_the_script_means_the_command(given, meant):
    assert load_script().arguments_of(given) == meant


@pytest.mark.parametrize(
    "given", [[], ["--remove"], ["--list", "a"], ["--verify", "--force"], ["--list", "--where"]]
)
def test_the_script_refuses_what_makes_no_sense(given, capsys):
    with pytest.raises(SystemExit) as stop:
        load_script().arguments_of(given)
    assert stop.value.code == 2


def load_script():
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("install_weights", SCRIPT)
    loaded = module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded
