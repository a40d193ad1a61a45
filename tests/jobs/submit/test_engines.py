"""Jobs for render farms: what their own tools make of them, and that any file name survives."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from vdepth_core.errors import JobConflictError, UsageError
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.jobs.submit.chunks import FarmJob, farm_job
from vdepth_core.jobs.submit.engines import ENGINES, write_job

NAMES = ["-x a'b.mov", 'q"$HOME`id`.mov', "ü 日本;rm -rf #!.mov", "%d{a}*?\\n.mov", "plain.mov"]


@pytest.fixture
def farm(tmp_path: Path) -> FarmJob:
    """A job of clips with terrible names, run by a program that notes its words."""
    folder = tmp_path / "clips & more"
    folder.mkdir()
    clips = []
    for name in NAMES:
        (folder / name).write_bytes(b"")
        clips.append(folder / name)
    noting = tmp_path / "bin dir" / "vdepth"
    noting.parent.mkdir()
    # One file a run: what a farm runs at once must not write over each other.
    noting.write_text(
        textwrap.dedent(
            f"""\
            #!{sys.executable} -IS
            import json, os, sys
            with open(os.path.join({str(tmp_path / "said")!r}, f"{{os.getpid()}}.json"), "w") as file:
                json.dump(sys.argv[1:], file)
            bad = os.environ.get("BAD_SHOT")
            sys.exit(bool(bad) and any(bad in word for word in sys.argv))
            """
        )
    )
    noting.chmod(noting.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "said").mkdir()
    options = ["--near", "0.5", "--model", "/m/my 'model'"]
    config = EstimateConfig.parse(near=0.5)
    return farm_job(clips, tmp_path / "out put", config, options, shares=2, program=[str(noting)])


def said(tmp_path: Path) -> list[list[str]]:
    """What the program was asked for, in order."""
    return sorted(json.loads(path.read_text()) for path in (tmp_path / "said").iterdir())


def expected(job: FarmJob) -> list[list[str]]:
    """What it should be."""
    assert job.finish is not None
    return sorted([*(job.words(chunk)[1:] for chunk in job.chunks), job.finish[1:]])


def test_a_chunk_is_what_a_person_would_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    job = farm_job(
        [Path("-a.mov"), Path("b.mov")], Path("depth"), EstimateConfig.parse(), ["--normals"], shares=3
    )
    assert job.words(job.chunks[1]) == [
        "vdepth", "estimate", f"{tmp_path}/-a.mov", "-o", f"{tmp_path}/depth/-a",
        "--normals", "--shard", "2/3",
    ]  # fmt: skip
    assert len(job.chunks) == 6
    assert job.finish == ["vdepth", "finish", f"{tmp_path}/depth"]
    whole = farm_job([Path("a.mov")], Path("depth"), EstimateConfig.parse(), [])
    assert [whole.words(chunk) for chunk in whole.chunks] == [
        ["vdepth", "estimate", f"{tmp_path}/a.mov", "-o", f"{tmp_path}/depth"]
    ]
    assert whole.finish is None


@pytest.mark.skipif(not shutil.which("make"), reason="make is not here")
def test_make_runs_every_chunk_then_the_end(farm: FarmJob, tmp_path: Path) -> None:
    write_job("make", farm, tmp_path / "job")
    subprocess.run(["make", "-s", "-C", str(tmp_path / "job"), "-j", "2"], check=True)
    assert said(tmp_path) == expected(farm)
    lines = (tmp_path / "job" / "commands.txt").read_text().splitlines()
    assert [shlex.split(line) for line in lines] == [farm.words(chunk) for chunk in farm.chunks]


@pytest.mark.skipif(not shutil.which("make"), reason="make is not here")
def test_one_bad_shot_does_not_keep_the_others_apart(farm: FarmJob, tmp_path: Path) -> None:
    write_job("make", farm, tmp_path / "job")
    run = subprocess.run(
        ["make", "-s", "-C", str(tmp_path / "job"), "-j", "2"],
        check=False, capture_output=True, env={**os.environ, "BAD_SHOT": "plain.mov"},
    )  # fmt: skip
    assert run.returncode != 0
    assert said(tmp_path) == expected(farm)


def test_a_line_break_is_refused_where_lines_count(tmp_path: Path) -> None:
    job = farm_job([tmp_path / "a\nb.mov"], tmp_path, EstimateConfig.parse(), [])
    with pytest.raises(UsageError, match="line break"):
        ENGINES["make"].files(job)


@pytest.mark.skipif(os.name == "nt", reason="Slurm runs on POSIX")
def test_slurm_arrays_are_bash_and_their_end_waits(farm: FarmJob, tmp_path: Path) -> None:
    paths, how = write_job("slurm", farm, tmp_path / "job")
    for path in paths:
        subprocess.run(["bash", "-n", str(path)], check=True)
    stub = tmp_path / "stub" / "sbatch"
    stub.parent.mkdir()
    stub.write_text(  # runs an array's tasks one by one, and tells a number
        textwrap.dedent(
            f"""\
            #!/bin/bash
            echo "$@" >> {shlex.quote(str(tmp_path / "sent"))}
            script="${{@: -1}}"
            range=$(sed -n 's/^#SBATCH --array=0-//p' "$script")
            for number in $(seq 0 "${{range:-0}}"); do SLURM_ARRAY_TASK_ID=$number bash "$script"; done
            echo "77;cluster"
            """
        )
    )
    stub.chmod(0o755)
    environment = {**os.environ, "PATH": f"{stub.parent}:{os.environ['PATH']}"}
    subprocess.run([*shlex.split(how), "--partition=gpu"], check=True, env=environment)
    assert said(tmp_path) == expected(farm)
    sent = (tmp_path / "sent").read_text().splitlines()
    assert sent == [
        "--parsable --partition=gpu estimate_1.sbatch",
        "--dependency=afterany:77 --partition=gpu finish.sbatch",
    ]
    assert "--gpus=1" in (tmp_path / "job" / "estimate_1.sbatch").read_text()


def test_slurm_arrays_stay_below_its_limit(tmp_path: Path) -> None:
    job = farm_job([tmp_path / "a.mov"], tmp_path, EstimateConfig.parse(device="cpu"), [], shares=2500)
    files = ENGINES["slurm"].files(job)
    arrays = [text for name, text in files.items() if name.startswith("estimate_")]
    assert ["--array=0-999" in text for text in arrays] == [True, True, False]
    assert not any("gpus" in text for text in arrays)


def test_openjd_checks_summarizes_and_runs_the_template(farm: FarmJob, tmp_path: Path) -> None:
    pytest.importorskip("openjd.cli", reason="openjd-cli is not installed")
    (template, *_), _ = write_job("openjd", farm, tmp_path / "job")

    def openjd(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "openjd", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    openjd("check", str(template))
    assert "Total tasks: 11" in openjd("summary", str(template))
    openjd("run", str(template), "--step", "Finish", "--run-dependencies")
    assert said(tmp_path) == expected(farm)


def test_openjd_takes_a_thousand_clips_a_step_and_refuses_its_own_variables(tmp_path: Path) -> None:
    clips = [tmp_path / f"{number}.mov" for number in range(2300)]
    job = farm_job(clips, tmp_path, EstimateConfig.parse(), [])
    template = json.loads(ENGINES["openjd"].files(job)["template.json"])
    ranges = [step["parameterSpace"]["taskParameterDefinitions"][0]["range"] for step in template["steps"]]
    assert [len(values) for values in ranges] == [1000, 1000, 300]
    bad = farm_job([tmp_path / "{{Param.X}}.mov"], tmp_path, EstimateConfig.parse(), [])
    with pytest.raises(UsageError, match="OpenJD"):
        ENGINES["openjd"].files(bad)


FLAMENCO = """
const fs = require("fs"), { spawnSync } = require("child_process");
const tasks = [], types = {};
global.author = {
    Task: (name, type) => ({ name, type, commands: [], dependencies: [],
        addCommand(command) { this.commands.push(command) },
        addDependency(task) { this.dependencies.push(task) } }),
    Command: (name, parameters) => ({ name, parameters }),
};
const [script, body] = process.argv.slice(2);
const compile = new Function(fs.readFileSync(script, "utf8") + "; return [JOB_TYPE, compileJob]");
const [type, compileJob] = compile();
const job = JSON.parse(fs.readFileSync(body, "utf8"));
for (const setting of type.settings)
    if (setting.required && typeof job.settings[setting.key] !== setting.type) throw setting.key;
job.addTask = (task) => tasks.push(task);
compileJob(job);
const done = new Set();
for (const task of tasks) {
    if (!task.dependencies.every((other) => done.has(other))) throw "too early: " + task.name;
    for (const command of task.commands) {
        if (command.name !== "exec") throw command.name;
        if (spawnSync(command.parameters.exe, command.parameters.args).status) throw task.name;
    }
    done.add(task);
}
"""


@pytest.mark.skipif(not shutil.which("node"), reason="node is not here")
def test_flamencos_job_type_makes_the_tasks_in_their_order(farm: FarmJob, tmp_path: Path) -> None:
    (script, body), _ = write_job("flamenco", farm, tmp_path / "job")
    stub = tmp_path / "manager.js"
    stub.write_text(FLAMENCO)
    subprocess.run(["node", str(stub), str(script), str(body)], check=True)
    assert said(tmp_path) == expected(farm)


OUTLINE = """
import json, os, sys
os.chdir(sys.argv[2])
import outline
job = outline.load_outline(sys.argv[1])
job.setup()
estimate, finish = job.get_layer("estimate"), job.get_layer("finish")
assert [depend.get_depend_on_layer().get_name() for depend in finish.get_depends()] == ["estimate"]
count = len(estimate.get_arg("commands"))
assert str(estimate.get_frame_range()) == f"1-{count}", estimate.get_frame_range()
for frame in range(1, count + 1):
    estimate.execute(frame)
finish.execute(1)
"""


def test_opencues_outline_loads_and_its_layers_run(farm: FarmJob, tmp_path: Path) -> None:
    pytest.importorskip("FileSequence", reason="opencue_pyoutline is not installed")
    (script, *_), _ = write_job("opencue", farm, tmp_path / "job")
    environment = {**os.environ, "HOME": str(tmp_path), "USER": "artist"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", OUTLINE, str(script), str(tmp_path)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert said(tmp_path) == expected(farm)


def test_files_of_others_stay(farm: FarmJob, tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "Makefile").write_text("mine")
    with pytest.raises(JobConflictError, match="something else"):
        write_job("make", farm, tmp_path / "job")
    assert (tmp_path / "job" / "Makefile").read_text() == "mine"
    assert not (tmp_path / "job" / "commands.txt").exists()


def test_an_engine_that_does_not_exist(farm: FarmJob, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no engine slrm"):
        write_job("slrm", farm, tmp_path)
