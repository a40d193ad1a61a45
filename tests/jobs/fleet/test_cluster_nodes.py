"""A Ray cluster of several nodes, of which one dies and one has a full disk: the bytes of one run."""

from __future__ import annotations

import json
import os
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
    import os, resource, time
    from generated import RampModel
    from vdepth_core.jobs.accelerator import ModelShelf

    class Model(RampModel):
        def predict(self, frames):
            time.sleep(0.05 * len(frames))
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


def test_a_node_dies_and_another_has_a_full_disk(cluster: Any, tmp_path: Path) -> None:
    clips = [write_movie(tmp_path / f"c{number}.mp4", 8) for number in range(3)]
    clips.append(write_movie(tmp_path / "take.mp4", 48))  # one shot, done in ranges
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert [result.error for result in run_here(clips, whole)] == [None] * 4
    dying = cluster.add_node(num_cpus=1)
    cluster.add_node(num_cpus=1, env_vars={"FULL_DISK": "1"})
    cluster.add_node(num_cpus=2)
    options = [word for name, value in OPTIONS.items() for word in (f"--{name}", str(value))]
    words = [sys.executable, str(tmp_path / "command.py"), "estimate", *map(str, clips), "-o", str(out)]
    words += [*options, "--ray", cluster.address, "--ray-workers", "4", "--events"]
    told: list[dict[str, Any]] = []
    with subprocess.Popen(words, stdout=subprocess.PIPE) as command:
        assert command.stdout is not None
        for line in command.stdout:
            told.append(json.loads(line))
            if dying is not None and told[-1]["event"] == "frame":
                cluster.remove_node(dying, allow_graceful=False)
                dying = None
    assert command.returncode == 0, told[-3:]
    assert sum(event["event"] == "done" for event in told) == 4
    for clip in clips:
        assert digest(out / clip.stem) == digest(whole / clip.stem)
    assert [event["message"] for event in told if event["event"] == "warning"]
