"""The seams hold: another package adds a model, method, refiner and exporter, each by one file and one line.

And whatever is registered keeps to the contract of its kind.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chrono_fakes import FakeClip
from commands import Ended
from generated import RampModel, write_movie
from processes import run
from pydantic import BaseModel
from rolling_fakes import FakeSnippets, Footage
from windowed_fakes import FakeWindows

import vdepth_core
from vdepth_core.adaptation.recipes import RECIPES
from vdepth_core.errors import UsageError
from vdepth_core.jobs.config import JobOptions
from vdepth_core.methods.registry import METHODS
from vdepth_core.options import Options, extended, limits_of, written_options
from vdepth_core.output.exports.export import export
from vdepth_core.output.exports.registry import EXPORTERS
from vdepth_core.progress import Progress
from vdepth_core.protocols import Method, RefiningMethod
from vdepth_core.refiners.registry import REFINERS
from vdepth_core.store import DepthStore

FILES = {
    "slope.py": '''
        """A model: metres that grow from 4 at the top to 8 at the bottom."""
        from vdepth_core.types import ModelSpec

        class Slope:
            spec = ModelSpec("slope", "depth", "metric", "CC0", True, multiple=8, native_size=64)

            def __init__(self, device):
                self.device = device

            def predict(self, frames):
                import torch

                rows, columns = frames.shape[2:]
                return torch.linspace(4, 8, rows)[None, :, None].repeat(len(frames), 1, columns)

        def load(path, device, dtype):
            return Slope(device)

        load.spec = Slope.spec
    ''',
    "nearer.py": '''
        """A method: frame by frame, and everything nearer than the model says."""
        from pydantic import Field

        from vdepth_core.methods.frames import predict_shot, to_disparity
        from vdepth_core.methods.options import Batch
        from vdepth_core.methods.per_frame import PerFrame
        from vdepth_core.options import Options
        from vdepth_core.types import ShotAlignment

        class NearerOptions(Options):
            times: float = Field(default=2.0, ge=1, le=9, description="How much nearer, 1 to 9.")
            batch: Batch = None

        class Nearer(PerFrame):
            name = "nearer"
            Options = NearerOptions

            def __init__(self, options):
                self.options = options

            def run(self, shot, model, store, progress):
                predict_shot(shot, model, store, progress, self.options.batch)

            def settle(self, shot, spec, store, progress):
                for index in store.final.missing():
                    with progress.step("settle"):
                        said = to_disparity(store.raw.read(index), spec)
                        store.final.write(index, said * self.options.times)
                return ShotAlignment((self.options.times,) * store.count, (0.0,) * store.count)
    ''',
    "doubled.py": '''
        """A refiner: maps of twice the size, and farther."""
        from pydantic import Field

        from vdepth_core.options import Options

        class DoubledOptions(Options):
            farther: int = Field(default=1, ge=1, le=9, description="How much farther, 1 to 9.")

        class Doubled:
            name = "doubled"
            needs_model = False
            Options = DoubledOptions

            def __init__(self, options):
                self.options = options

            def size(self, info, spec, size):
                return size[0] * 2, size[1] * 2

            def refine(self, shot, model, store, out, progress):
                for index in out.missing():
                    maps = store.final.read(index).repeat(2, 1).repeat(2, 2)
                    out.write(index, maps / self.options.farther)
    ''',
    "table.py": '''
        """An exporter: the mean depth of each frame."""
        from pydantic import Field

        from vdepth_core.options import Options

        class TableOptions(Options):
            digits: int = Field(default=2, ge=0, le=9, description="Digits, 0 to 9.")

        class Table:
            name = "table"
            Options = TableOptions

            def __init__(self, options):
                self.options = options

            def export(self, sequence, out, progress):
                progress.stage("export", len(sequence))
                rows = [f"{number} {z.mean():.{self.options.digits}f}" for number, z in
                        zip(sequence.numbers, sequence)]
                (out / "table.txt").write_text("\\n".join(rows))
                return [out / "table.txt"]
    ''',
    "taken.py": '''
        """A method with an option that would be --start-frame."""
        from pydantic import Field

        from plugged.nearer import Nearer
        from vdepth_core.options import Options

        class TakenOptions(Options):
            frame: int = Field(default=1, ge=0, le=9, description="Which, 0 to 9.")

        class Taken(Nearer):
            name = "start"
            Options = TakenOptions
    ''',
}
LINES = """
[vdepth_core.models]
slope = plugged.slope:load
lost = plugged.nowhere:load

[vdepth_core.methods]
nearer = plugged.nearer:Nearer
start = plugged.taken:Taken
lost = plugged.nowhere:Lost

[vdepth_core.refiners]
doubled = plugged.doubled:Doubled
lost = plugged.nowhere:Lost

[vdepth_core.exporters]
table = plugged.table:Table
odd = builtins:dict
"""
ANEW = """
import sys
for name in [name for name in sys.modules if name.startswith("vdepth_core")]:
    del sys.modules[name]  # it asks packages for options when it is loaded
sys.path.insert(0, {!r})
"""
RUN = """
import contextlib, io, json, sys
from vdepth_core.cli.main import main

said = []
for words in json.loads(sys.argv[1]):
    sys.argv = ["vdepth", *words]
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            main()
        except SystemExit as stop:
            code = stop.code
    heavy = sorted({"torch", "cv2", "av"} & sys.modules.keys())
    said.append((code, out.getvalue(), err.getvalue(), heavy))
print(json.dumps(said))
"""


def vdepth(folder: Path, *commands: str, alone: bool = False) -> list[tuple[int, str, str, list[str]]]:
    """What the command says where the package is installed: exit code, output, errors, what is loaded.

    Args:
        folder: Where packages lie.
        *commands: Without ``vdepth``.
        alone: Run where nothing is loaded yet.
    """
    words = json.dumps([command.format(folder).split() for command in commands])
    done: Ended | subprocess.CompletedProcess[str]
    if alone:
        environment = {**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "80"}
        command = [sys.executable, "-c", RUN, words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    else:
        done = run(ANEW.format(str(folder)) + RUN, words, env={"COLUMNS": "80"})
    assert done.returncode == 0, done.stderr
    return [tuple(said) for said in json.loads(done.stdout)]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What installing the package leaves, and a clip beside it."""
    folder = tmp_path_factory.mktemp("site")
    info = folder / "plugged-1.0.dist-info"
    for made in (info, folder / "plugged"):
        made.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(LINES)
    for name, text in FILES.items():
        (folder / "plugged" / name).write_text(text.replace("\n        ", "\n").lstrip())
    write_movie(folder / "clip.mp4", 3)
    return folder


def test_another_package_adds_one_of_each(installed: Path) -> None:
    job = "estimate {0}/clip.mp4 --device cpu --model slope -o {0}/out"
    asked, of_export = vdepth(installed, "estimate --help", "export --help", alone=True)
    listed, done, refined, exported, lost, start, odd, wrong = vdepth(
        installed,
        "models",
        f"{job} --method nearer --nearer-times 4",
        f"{job}_refined --method nearer --nearer-times 4 --refiner doubled --doubled-farther 3",
        "export {0}/out --to table --table-digits 3",
        f"{job} --method lost",
        f"{job} --method start",
        "export {0}/out --to odd",
        f"{job} --method nearer --nearer-times 10",
    )
    words = " ".join(asked[1].split())
    assert asked[0] == 0
    assert "framewise, temporal, rolling, windowed, chrono, lost, nearer or start" in words
    assert "Method nearer: --nearer-times <float> How much nearer, 1 to 9. [default: 2.0]" in words
    assert "Methods framewise, temporal, rolling, windowed, nearer: --batch" in words
    assert "Refiner doubled: --doubled-farther <int> How much farther, 1 to 9. [default: 1]" in words
    assert asked[3] == []  # a plug-in that keeps what is heavy out of its file does not make help slow
    assert "--table-digits <int> Digits, 0 to 9. [default: 2]" in " ".join(of_export[1].split())
    assert of_export[3] == []

    assert listed[0] == 0
    assert "slope" in listed[1]
    assert "Methods: framewise, temporal, rolling, windowed, chrono, nearer.\n" in listed[1]
    assert "Refiners: boost, doubled.\n" in listed[1]
    assert (
        "Export formats: png16, npz, mp4, mp4-edit, ply, usd, glb, gaussians, colmap, nerfstudio, table.\n"
        in listed[1]
    )
    assert listed[2].count("plugged.nowhere") >= 3  # reported, and nobody minds
    assert "--start-frame, which is another option" in listed[2]
    assert "The format plug-in odd (builtins:dict) does not load" in listed[2]

    assert done[0] == 0, done[2]
    sequence = vdepth_core.read_sequence(installed / "out")
    assert (sequence.manifest.method, sequence.manifest.model.name) == ("nearer", "slope")
    assert sequence.manifest.configuration["nearer_times"] == 4
    np.testing.assert_allclose(np.stack(list(sequence)).mean(), 6 / 4, rtol=0.02)
    assert refined[0] == 0, refined[2]
    farther = vdepth_core.read_sequence(installed / "out_refined")
    np.testing.assert_allclose(np.stack(list(farther)).mean(), 3 * 6 / 4, rtol=0.02)
    assert exported[0] == 0, exported[2]
    rows = (installed / "out" / "export_table" / "table.txt").read_text().split("\n")
    assert [float(row.split()[1]) for row in rows] == [round(float(z.mean()), 3) for z in sequence]

    for refused in (lost, start, odd):
        assert refused[0] == 2, refused
        assert "does not load" in refused[2]
    assert wrong[0] == 2
    assert "--nearer-times 10.0 is not possible: it must be a number, at least 1 and at most 9." in wrong[2]


SEAMS = (METHODS, REFINERS, EXPORTERS, RECIPES)
REGISTERED = [(seam, name) for seam in SEAMS for name in seam.names()]


@pytest.mark.parametrize(("seam", "name"), REGISTERED, ids=lambda value: getattr(value, "kind", value))
def test_options_say_what_they_are(seam: Any, name: str) -> None:
    options: type[BaseModel] = seam.options_of(name)
    assert options.model_config["frozen"]
    assert options.model_config["extra"] == "forbid"
    extended(JobOptions, name, options)  # no name that is another option's
    for field, info in options.model_fields.items():
        assert info.description, field
        assert info.description.endswith("."), field
        shared = info.alias in JobOptions.model_fields
        assert shared or info.annotation not in (int, float) or limits_of(options, field), field
    made = options()
    thing = seam.create(name, made)
    assert thing.name == name
    assert type(thing).Options is options
    assert seam.read(name, written_options(name, made)) == made


@pytest.mark.parametrize("name", METHODS.names())
def test_every_method_keeps_to_the_contract(name: str, tmp_path: Path) -> None:
    method = METHODS.create(name, METHODS.options_of(name)())
    assert isinstance(method, Method)
    assert METHODS.create(name, method.options).options == method.options  # resolved once and for all
    assert method.dtype("cpu") in (None, "fp32")
    shot, model = Footage(5), _one_it_takes(method)
    height, width = method.input_size(shot.info, model.spec, 48)
    assert (height % model.spec.multiple, width % model.spec.multiple) == (0, 0)
    assert method.disk_space(model.spec, 0, height, width) == 0
    assert method.disk_space(model.spec, 5, height, width) >= 0
    found = []
    for _ in range(2):  # the second time, all is done
        with DepthStore(tmp_path / "job", len(shot), *shot.size) as store:
            method.run(shot, model, store, Progress())
            alignment = method.settle(shot.shot, model.spec, store, Progress())
            if isinstance(method, RefiningMethod) and method.refines:
                method.refine(shot, model, store, Progress())
            found.append(store.final.read(0, len(shot)))
        assert len(alignment.scale) == len(alignment.shift) == len(shot)
        assert all(len(curve) == len(shot) for curve in alignment.curves.values())
    assert np.isfinite(found[0]).all()
    assert found[0].tobytes() == found[1].tobytes()
    assert shot.decoded == list(range(5))


def _one_it_takes(method: Method) -> Any:
    for model in (RampModel(), FakeSnippets(), FakeClip(), FakeWindows()):
        try:
            method.check(model)  # type: ignore[arg-type]
        except UsageError:
            continue
        return model
    raise AssertionError(f"{method.name} takes none of the models here")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    options = {"method": "framewise", "model": "embedded", "device": "cpu", "size": 64}
    vdepth_core.estimate(write_movie(folder / "clip.mp4", 2), folder / "out", options)
    return folder / "out"


@pytest.mark.parametrize("name", EXPORTERS.names())
def test_every_exporter_keeps_to_the_contract(name: str, finished: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}
    files = export(finished, name, tmp_path)
    assert files
    folders = {"colmap", "nerfstudio"}  # formats that are laid out in folders
    assert all(tmp_path in path.parents for path in files)
    assert name in folders or {path.parent for path in files} == {tmp_path}
    assert all(path.stat().st_size for path in files)
    assert {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()} == before
    with pytest.raises(UsageError, match="--frobnicate makes no difference"):
        export(finished, name, tmp_path, frobnicate=1)


def test_options_that_share_a_name_say_so() -> None:
    class Mine(Options):
        frame: int = 1

    with pytest.raises(ValueError, match="--start-frame, which is another option"):
        extended(JobOptions, "start", Mine)
