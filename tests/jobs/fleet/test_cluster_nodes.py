"""A Ray cluster of several nodes: one dies, one has a full disk, a clip is poison, the command is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from generated import write_movie
from jobs.test_run import OPTIONS, digest
from jobs.test_run import run as run_here

pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="Ray's cluster of several nodes does not run on Windows"),
]

SHELF = textwrap.dedent(
    """
    import os, resource, signal, time
    from generated import RampModel
    from vdepth_core.jobs.accelerator import ModelShelf

    class Model(RampModel):
        def predict(self, frames):
            time.sleep(0.05 * len(frames))
            if frames.shape[-1] > 250:  # the wide clip takes its process with it
                os.kill(os.getpid(), signal.SIGKILL)
            return super().predict(frames)

    def shelf():
        if os.environ.get("FULL_DISK"):  # of this node
            resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, resource.RLIM_INFINITY))
        made = ModelShelf()
        made.put("ramp", "cpu", "fp32", Model())
        return made
    """
)

COMMAND = textwrap.dedent(
    """
    import sys
    from dataclasses import replace
    from ramp_shelf import shelf
    from vdepth_core.cli import estimate, main
    from vdepth_core.jobs.cluster import RayCrew

    def crew(setup, devices, cluster):
        return RayCrew(setup=replace(setup, shelf=shelf), **cluster)

    estimate._crew = crew
    main.main()
    """
)


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head without room for workers; the test adds nodes."""
    paths = os.pathsep.join([str(Path(__file__).parents[2]), str(tmp_path)])
    monkeypatch.setenv("PYTHONPATH", paths)  # for Ray's workers, too
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")
    (tmp_path / "ramp_shelf.py").write_text(SHELF)
    (tmp_path / "command.py").write_text(COMMAND)
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield made
    made.shutdown()


def test_a_node_dies_a_disk_is_full_a_clip_is_poison_and_the_command_is_killed(
    cluster: Any, tmp_path: Path
) -> None:
    clips = [write_movie(tmp_path / f"c{number}.mp4", 8, size=(96, 64)) for number in range(4)]
    clips.append(write_movie(tmp_path / "take.mp4", 48))  # one shot, done in ranges
    poison = write_movie(tmp_path / "poison.mp4", 3, size=(512, 64))
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert [result.error for result in run_here(clips, whole)] == [None] * 5
    dying = cluster.add_node(num_cpus=1)
    cluster.add_node(num_cpus=1, env_vars={"FULL_DISK": "1"})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    options = [word for name, value in OPTIONS.items() for word in (f"--{name}", str(value))]
    words = [sys.executable, str(tmp_path / "command.py"), "estimate", *map(str, [*clips, poison])]
    words += ["-o", str(out), *options, "--ray", cluster.address, "--ray-workers", "4", "--events"]

    first: list[dict[str, Any]] = []
    with subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True) as command:
        assert command.stdout is not None
        for line in command.stdout:
            first.append(json.loads(line))
            kinds = [event["event"] for event in first]
            if kinds[-1] == "frame" and kinds.count("frame") == 3:
                cluster.remove_node(dying, allow_graceful=False)
            if kinds.count("done") == 2:
                break
        command.send_signal(signal.SIGKILL)
    finished = {event["clip"] for event in first if event["event"] == "done"}

    again = subprocess.run(words, capture_output=True, text=True, check=False, timeout=400)
    told = [json.loads(line) for line in again.stdout.splitlines()]
    assert again.returncode == 5, again.stderr[-2000:]
    errors = {event["clip"]: event for event in told if event["event"] == "error"}
    assert set(errors) == {str(poison)}
    assert errors[str(poison)]["message"].startswith("Its worker died 3 times while it did nothing else")
    assert "run it alone to see" in errors[str(poison)]["hint"]
    assert {event["clip"] for event in told if event["event"] == "done"} == set(map(str, clips))
    for clip in clips:
        assert digest(out / clip.stem) == digest(whole / clip.stem)
    # What was finished is not begun again.
    of_finished = [event for event in told if event.get("clip") in finished]
    assert all(event["finished"] for event in of_finished if event["event"] == "started")
    assert {event["event"] for event in of_finished} <= {"started", "done"}
    warned = [event["message"] for event in [*first, *told] if event["event"] == "warning"]
    assert any(message.endswith("failed twice in a row and gets no more work.") for message in warned)
    assert any("A worker died at it" in message for message in warned)
