"""A small Ray cluster: killed actors, a poisonous clip, a killed command; the bytes of one run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from generated import write_movie
from jobs.test_run import digest
from jobs.test_run import run as run_here

pytest.importorskip("ray", reason="Ray is not installed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="SIGKILL does not exist on Windows"),
]

SHELF = textwrap.dedent(
    """
    import os, signal, time
    from generated import RampModel
    from vdepth_core.jobs.accelerator import ModelShelf

    class Model(RampModel):
        def predict(self, frames):
            time.sleep(0.03 * len(frames))
            if frames.shape[-1] > 250:  # the wide clip takes its process with it
                os.kill(os.getpid(), signal.SIGKILL)
            return super().predict(frames)

    def shelf():
        made = ModelShelf()
        made.put("ramp", "cpu", "fp32", Model())
        return made
    """
)

COMMAND = textwrap.dedent(
    """
    import json, os, signal, sys
    from dataclasses import replace
    from pathlib import Path
    import psutil
    from jobs.test_run import OPTIONS
    from ramp_shelf import shelf
    from vdepth_core.cli.display import EventLines
    from vdepth_core.jobs.cluster import LOCAL, RayCrew
    from vdepth_core.jobs.config import EstimateConfig
    from vdepth_core.jobs.events import FrameDone

    from vdepth_core.jobs.fleet.run import Fleet

    killed = []

    lines, said = EventLines(), []

    def heard(event):
        lines.on_event(event)
        if isinstance(event, FrameDone) and not killed:
            workers = [child for child in psutil.Process().children(recursive=True)
                       if "VdepthWorker" in " ".join(child.cmdline())]
            killed.append(workers[0].pid)
            os.kill(workers[0].pid, signal.SIGKILL)

    clips = [Path(name) for name in json.loads(sys.argv[1])]
    fleet = Fleet(clips, Path(sys.argv[2]), EstimateConfig.parse(**OPTIONS), heard)
    crew = RayCrew(LOCAL, replace(fleet.setup, shelf=shelf), workers=2)
    ray, close = crew._ray, crew.close

    def closing(**words):
        there, left = ray.cluster_resources(), ray.available_resources()
        said.append({"held": there["object_store_memory"] - left["object_store_memory"]})
        close(**words)

    crew.close = closing
    with lines:
        for result in fleet.run(crew):
            said.append({"clip": str(result.clip), "error": result.error and result.error.message})
    for each in said:
        print(json.dumps(each))
    """
)


def test_kills_of_actors_and_of_the_command_and_a_poisonous_clip(tmp_path: Path) -> None:
    clips = [write_movie(tmp_path / f"c{number}.mp4", 6, size=(64, 64)) for number in range(2)]
    clips.append(write_movie(tmp_path / "long.mp4", 16, shots=4))
    poison = write_movie(tmp_path / "poison.mp4", 3, size=(512, 64))
    whole, out = tmp_path / "whole", tmp_path / "out"
    (tmp_path / "ramp_shelf.py").write_text(SHELF)
    script = tmp_path / "command.py"
    script.write_text(COMMAND)
    words = [sys.executable, str(script), json.dumps([*map(str, clips), str(poison)]), str(out)]
    paths = os.pathsep.join([str(Path(__file__).parents[2]), str(tmp_path)])  # for Ray's workers, too
    env = {**os.environ, "PYTHONPATH": paths}

    with subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True, env=env) as first:
        assert first.stdout is not None
        frames = 0
        for line in first.stdout:
            frames += json.loads(line).get("event") == "frame"
            if frames == 4:
                break
        first.send_signal(signal.SIGKILL)
    assert [result.error for result in run_here([*clips, poison], whole)] == [
        None
    ] * 4  # beside what is dying
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=240, env=env)
    assert done.returncode == 0, done.stderr[-2000:]
    said = [json.loads(line) for line in done.stdout.splitlines()]
    errors = {
        Path(facts["clip"]).name: facts["error"]
        for facts in said
        if "error" in facts and "event" not in facts
    }
    assert errors.pop("poison.mp4").startswith("Its worker died 3 times")
    assert set(errors.values()) == {None}
    for clip in clips:
        assert digest(out / clip.stem) == digest(whole / clip.stem)
    assert [facts["held"] for facts in said if "held" in facts] == [0.0]  # Ray's store never held a thing
    assert len([facts for facts in said if facts.get("event") == "done"]) == 3
    deadline = time.monotonic() + 20
    while left := subprocess.run(["pgrep", "-f", str(script)], capture_output=True, check=False).stdout:
        assert time.monotonic() < deadline, left
        time.sleep(0.2)
