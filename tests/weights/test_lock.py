"""The lock file survives damage, crowds and crashes."""

import json
import subprocess
import sys
import threading
import time
from datetime import date

import pytest

from vdepth_core.errors import Cancelled, ResourceError, WeightsError
from vdepth_core.progress import Progress
from vdepth_core.weights.lock import LOCK_FILE, LockedFile, LockedWeights, claim, read_lock, write_lock


def weights(name="m", **changes):
    facts = {
        "source": "https://example.org",
        "revision": "",
        "installed": date(2026, 1, 2),
        "license": "MIT",
        "accepted": None,
        "folder": f"{name}/0123456789ab",
        "digest": "0" * 64,
        "files": {"w.safetensors": LockedFile(sha256="1" * 64, size=3)},
        "original": {"w.pt": "2" * 64},
    }
    return LockedWeights(**{**facts, **changes})


def test_what_is_written_is_read(tmp_path):
    assert read_lock(tmp_path / "none") == {}
    one, two = weights("one"), weights("two", accepted=date(2026, 1, 1), revision="a" * 40)
    write_lock(tmp_path / "new", "two", two)
    write_lock(tmp_path / "new", "one", one)
    assert read_lock(tmp_path / "new") == {"one": one, "two": two}
    assert list(read_lock(tmp_path / "new")) == ["one", "two"]
    write_lock(tmp_path / "new", "one", None)
    assert read_lock(tmp_path / "new") == {"two": two}
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [".work", LOCK_FILE]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"weights": {}} x', '{"format": 2, "weights": {}}']
)
def test_damage_is_one_sentence_with_a_way_out(tmp_path, content):
    (tmp_path / LOCK_FILE).write_text(content)
    for attempt in (lambda: read_lock(tmp_path), lambda: write_lock(tmp_path, "m", weights())):
        with pytest.raises(WeightsError, match="damaged") as error:
            attempt()
        assert LOCK_FILE in error.value.message
        assert "Move it away" in error.value.hint
    assert (tmp_path / LOCK_FILE).read_text() == content


@pytest.mark.parametrize(
    "change",
    [
        {"folder": "../elsewhere"},
        {"folder": "/etc"},
        {"files": {"../../etc/passwd": {"sha256": "1" * 64, "size": 3}}},
        {"files": {"w": {"sha256": "short", "size": 3}}},
        {"digest": "x" * 64},
        {"unknown": 1},
    ],
)
def test_entries_that_point_elsewhere_or_make_no_sense_are_damage(tmp_path, change):
    entry = json.loads(weights().model_dump_json()) | change
    (tmp_path / LOCK_FILE).write_text(json.dumps({"format": 1, "weights": {"m": entry}}))
    with pytest.raises(WeightsError, match="damaged"):
        read_lock(tmp_path)


def test_many_processes_lose_no_entry(tmp_path):
    code = (
        "import sys; sys.path.insert(0, 'tests')\n"
        "from pathlib import Path\nfrom weights.test_lock import weights\n"
        "from vdepth_core.weights.lock import write_lock\n"
        "for n in range(15): write_lock(Path(sys.argv[1]), f'm{sys.argv[2]}-{n}', weights())"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(i)]) for i in range(3)]
    while any(run.poll() is None for run in runs):
        read_lock(tmp_path)  # whole at every moment
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert len(read_lock(tmp_path)) == 45


class Watcher(Progress):
    def __init__(self):
        super().__init__()
        self.said = threading.Event()

    def warn(self, message):
        assert "waiting" in message
        self.said.set()


def test_one_waits_for_the_other_and_says_so(tmp_path):
    order, watcher = [], Watcher()

    def second():
        with claim(tmp_path, "m", watcher):
            order.append("second")

    with claim(tmp_path, "m", Progress()):
        thread = threading.Thread(target=second)
        thread.start()
        assert watcher.said.wait(5)
        with claim(tmp_path, "another", Progress()):
            order.append("first")
    thread.join(5)
    assert order == ["first", "second"]


def test_waiting_can_be_cancelled(tmp_path):
    progress = Progress()
    progress.cancel()
    started = time.monotonic()
    with claim(tmp_path, "m", Progress()), pytest.raises(Cancelled), claim(tmp_path, "m", progress):
        pass
    assert time.monotonic() - started < 3


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    assert read_lock(tmp_path / "file") == {}
    with pytest.raises(ResourceError, match="VDEPTH_WEIGHTS"), claim(tmp_path / "file", "m", Progress()):
        pass
