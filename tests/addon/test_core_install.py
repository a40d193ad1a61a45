"""Installing the core into an environment of its own: real environments, tiny wheels, no network."""

import json
import os
import sys
import time
from pathlib import Path

import pytest
from wheels import fake_core, fake_torch

from blender_addon.core_process import install
from blender_addon.core_process.environment import CoreError, find_core
from blender_addon.core_process.install import (
    Installation,
    Plan,
    Torch,
    choose_base,
    managed_python,
    wheel_in,
)
from blender_addon.core_process.process import kill_all


@pytest.fixture(autouse=True)
def _no_other_wheels(monkeypatch):
    """Whatever pip knows of this machine."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name in [name for name in os.environ if name.startswith("PIP_") and name != "PIP_CONFIG_FILE"]:
        monkeypatch.delenv(name)


@pytest.fixture
def constraints(tmp_path):
    """Pins torch, as the bundled file does."""
    path = tmp_path / "constraints.txt"
    path.write_text("# tested with\ntorch==2.13.0\ntorchvision==9\n")
    return path


@pytest.fixture
def plan(tmp_path, constraints):
    """An offline installation from ``tmp_path/house``."""
    wheel = fake_core(tmp_path / "bundled", "0.1.3")
    yield Plan(tmp_path / "managed", wheel, constraints, Torch.CPU, tmp_path / "house")
    kill_all()


@pytest.fixture
def base(tmp_path):
    """A Python whose environments have the pip of this one: to unpack and compile another takes seconds."""
    if os.name == "nt":
        return Path(sys.executable)
    import pip

    script, packages = tmp_path / "python3", Path(pip.__file__).parents[1]
    parts = " ".join(f"'{packages / name}'" for name in ("pip", f"pip-{pip.__version__}.dist-info"))
    script.write_text(
        f"#!/bin/sh\n'{sys.executable}' \"$@\" --without-pip || exit\n"
        f'for folder; do :; done; ln -sf {parts} "$folder"/lib/python*/site-packages/\n'
    )
    script.chmod(0o755)
    return script


def finish(installation: Installation) -> list[str]:
    """Runs it to the end."""
    said = []
    while installation.running:
        said += installation.lines()
        time.sleep(0.02)
    return said


def test_a_failed_installation_is_not_used_and_the_next_one_goes_on(plan, base, tmp_path):
    (tmp_path / "house").mkdir()
    first = Installation(plan, base, tmp_path / "log")
    finish(first)
    reason = "Cannot install vdepth==0.1.0 because these package versions have conflicting dependencies"
    assert str(first.error) == f"Installing the core failed: {reason}. Press Install Core to go on."
    assert managed_python(plan.managed) is None
    made = (plan.folder / "pyvenv.cfg").stat().st_ino

    fake_torch(tmp_path / "house", "2.13.0")
    (plan.managed / "0.0.9-cpu").mkdir()
    (plan.managed / "0.0.9-cpu" / "pyvenv.cfg").touch()
    (plan.managed / "mine").mkdir()
    second = Installation(plan, base, tmp_path / "log")
    said = finish(second)
    assert second.error is None
    assert any("Successfully installed torch-2.13.0 vdepth-0.1.0" in line for line in said)
    assert any("No matching distribution found for onnxruntime" in line for line in said)  # it does without
    assert json.loads(said[-1])["vdepth"] == "0.1.3"
    assert managed_python(plan.managed) == plan.folder
    assert (plan.folder / "pyvenv.cfg").stat().st_ino == made
    assert sorted(path.name for path in plan.managed.iterdir()) == ["0.1.0-cpu", "current.json", "mine"]
    core = find_core("", managed_python(plan.managed))
    assert (core.path, core.version, core.source) == (plan.python, "0.1.3", "managed")


NO_TORCH = "No matching distribution found for torch"
FULL = "Could not install packages: [Errno 28] No space left on device"


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (
            ["ERROR: Cannot install a and b.", "ERROR: ResolutionImpossible: visit x"],
            "Cannot install a and b",
        ),
        ([f"ERROR: {FULL}", "", "Cleaning up."], FULL),
        (["Error: Command 'ensurepip' returned 1."], "Error: Command 'ensurepip' returned 1"),
        ([], "it said nothing"),
    ],
)
def test_the_reason_is_the_line_that_helps(log, reason):
    assert install._reason(log) == reason


@pytest.mark.parametrize(
    ("log", "host"),
    [
        (
            [
                "Looking in indexes: https://me:secret@download.pytorch.org/whl/cpu",
                "WARNING: Retrying: Failed to establish a new connection: x",
                f"ERROR: {NO_TORCH}",
            ],
            "download.pytorch.org",
        ),
        (["WARNING: HTTPSConnectionPool(host='files.example', port=443): Read timed out."], "files.example"),
        (["WARNING: Retrying: NameResolutionError(failed)", "ERROR: No matching distribution"], "pypi.org"),
    ],
)
def test_a_network_that_is_not_reached_is_said_with_what_to_do_without(log, host):
    failure = install._failure("Installing torch", log)
    assert failure.code == "network"
    assert str(failure).startswith(f"{host} cannot be reached: ")
    assert "name a folder of wheels or a Python that has vdepth" in str(failure)
    assert str(failure).count(". ") == 0  # one sentence


def test_pip_without_a_network_says_so_and_the_log_keeps_every_step(plan, tmp_path, monkeypatch):
    say = [sys.executable, "-c", "print('made it')"]
    index = ["--index-url", "http://127.0.0.1:9/simple", "--retries", "1", "--disable-pip-version-check"]
    pip = [sys.executable, "-m", "pip", "install", "--target", str(tmp_path / "to"), *index, "torch"]
    steps = [install.Step("Making an environment", say), install.Step("Installing torch", pip)]
    monkeypatch.setattr(Plan, "steps", lambda self, base: list(steps))
    installation = Installation(plan, Path(sys.executable), tmp_path / "log")
    finish(installation)
    assert str(installation.error).startswith("127.0.0.1 cannot be reached: mend the network")
    log = (tmp_path / "log").read_text()
    assert log.index("made it") < log.index("pip install") < log.index("No matching distribution")


def test_steps_end_at_the_first_failure(plan, tmp_path):
    installation = Installation(plan, tmp_path / "python-is-gone", tmp_path / "log")
    assert not installation.running
    assert str(installation.error) == "Making an environment failed: No such file or directory."


def test_another_version_of_the_core_is_not_marked_as_installed(plan, tmp_path, monkeypatch):
    answer = 'print(\'{"vdepth": "0.2.0", "events": 1}\')'
    steps = [install.Step("Checking the core", [sys.executable, "-c", answer])]
    monkeypatch.setattr(Plan, "steps", lambda self, base: steps)
    installation = Installation(plan, Path(sys.executable), tmp_path / "log")
    finish(installation)
    assert "is version 0.2.0, this add-on is version 0.1.0" in str(installation.error)
    assert managed_python(plan.managed) is None


def test_cancel_stops_and_no_other_step_follows(plan, tmp_path, monkeypatch):
    wait = [sys.executable, "-c", "import time; print('at it', flush=True); time.sleep(60)"]
    never = [sys.executable, "-c", f"open({str(tmp_path / 'never')!r}, 'w')"]
    steps = [install.Step("Installing torch", wait), install.Step("Never", never)]
    monkeypatch.setattr(Plan, "steps", lambda self, base: list(steps))
    installation = Installation(plan, Path(sys.executable), tmp_path / "log")
    while not installation.lines():
        time.sleep(0.02)
    assert installation.title == "Installing torch"
    began = time.monotonic()
    installation.cancel()
    finish(installation)
    assert time.monotonic() - began < 5
    assert installation.error.code == "cancelled"
    assert not (tmp_path / "never").exists()


def test_a_repair_starts_afresh(plan, tmp_path, monkeypatch):
    plan.folder.mkdir(parents=True)
    (plan.folder / "damaged").touch()
    (plan.managed / install.CURRENT).write_text(json.dumps({"environment": plan.name}))
    monkeypatch.setattr(Plan, "steps", lambda self, base: [install.Step("Wait", [sys.executable, "-c", ""])])
    Installation(plan, Path(sys.executable), tmp_path / "log").kill()
    assert not plan.folder.exists()
    assert managed_python(plan.managed) is None


def test_torch_comes_alone_from_its_index_and_the_rest_from_pypi(tmp_path, constraints):
    plan = Plan(tmp_path / "managed", tmp_path / "vdepth.whl", constraints)
    base = Path("/usr/bin/python3")
    make, torch, core, faster, check = (step.command for step in plan.steps(base))
    assert make == [str(base), "-I", "-m", "venv", str(tmp_path / "managed" / "0.1.0-cpu")]
    assert torch[-4:] == ["--no-deps", "--index-url", "https://download.pytorch.org/whl/cpu", "torch==2.13.0"]
    assert core[-3:] == ["--constraint", str(constraints), str(tmp_path / "vdepth.whl")]
    assert "--index-url" not in core
    assert faster == [*core[:-1], f"{tmp_path / 'vdepth.whl'}[fast]"]
    assert [step.title for step in plan.steps(base) if step.optional] == [
        "Installing what is faster on a CPU"
    ]
    assert check[-2:] == ["--version", "--json"]


def test_pypi_and_wheel_folders_need_no_step_for_torch(tmp_path, constraints):
    for plan in (
        Plan(tmp_path, tmp_path / "w", constraints, Torch.PYPI),
        Plan(tmp_path, tmp_path / "w", constraints, Torch.CUDA, tmp_path / "house"),
    ):
        titles = [step.title for step in plan.steps(Path("python"))]
        fast = ["Installing what is faster on a CPU"] if plan.torch is Torch.PYPI else []
        assert titles == ["Making an environment", "Installing the core", *fast, "Checking the core"]
    offline = plan.steps(Path("python"))[1].command
    assert ["--no-index", "--find-links", str(tmp_path / "house")] == offline[-6:-3]


def test_only_a_python_is_ever_started_as_a_base(tmp_path):
    blender = tmp_path / "blender"
    blender.write_text(f"#!/bin/sh\ntouch {tmp_path / 'started'}\n")
    blender.chmod(0o755)
    old = tmp_path / "python3.10"
    old.write_text("#!/bin/sh\necho 3 10\n")
    old.chmod(0o755)
    assert choose_base([str(blender), str(old), sys.executable]) == Path(sys.executable)
    assert not (tmp_path / "started").exists()
    with pytest.raises(CoreError, match=r"No Python 3\.11 or newer"):
        choose_base([str(blender), str(old), ""])


def test_the_add_on_finds_the_core_it_carries(tmp_path):
    wheel = fake_core(tmp_path / "wheels_core", "0.1.0")
    assert wheel_in(tmp_path) == (wheel, tmp_path / "wheels_core" / "constraints.txt")
    with pytest.raises(CoreError, match="does not carry the core"):
        wheel_in(tmp_path / "elsewhere")
