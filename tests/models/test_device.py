"""What a machine remembers of models between jobs."""

import json

import platformdirs
import pytest
from generated import RampModel

from vdepth_core.models.device import cpu_threads
from vdepth_core.progress import Progress


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", "{", '{"ramp": "two"}'])
def test_a_damaged_memory_of_thread_counts_is_made_anew(tmp_path, monkeypatch, content):
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda _: str(tmp_path))
    monkeypatch.setattr("vdepth_core.models.device._cores", lambda: 2)  # so that there is a choice
    memory = tmp_path / "threads.json"
    memory.write_text(content)
    threads = cpu_threads(RampModel(), (64, 64), Progress())
    assert threads >= 1
    assert threads in json.loads(memory.read_text()).values()
