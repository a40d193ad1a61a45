"""Full disks, kills and crowds: the old version stays, or the new one is there, and a download goes on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple

import pytest
from weights import installing, small_catalogue
from weights.installing import nothing_is_installed, stop_after_a_third, tree

from vdepth_core.errors import ResourceError
from vdepth_core.weights.install import install, remove, verify
from vdepth_core.weights.location import find_weights
from vdepth_core.weights.lock import LOCK_FILE

single, several, plain = installing.single, installing.several, installing.plain
fresh_catalogue = small_catalogue.fresh_catalogue
pytestmark = pytest.mark.usefixtures("fresh_catalogue")


def test_too_little_space_is_told_before_anything_is_fetched(single, monkeypatch, server):
    _, folder = single
    usage = namedtuple("usage", "total used free")(10**9, 10**9 - 1000, 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ResourceError, match="free"):
        install("one")
    assert (server.asked, tree(folder)) == ([], set())


def test_a_disk_that_fills_up_while_the_version_is_built(several, monkeypatch):
    repo, folder = several
    old = install("many").path

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    repo.files["config.json"] = b"{}"
    monkeypatch.setattr("vdepth_core.files.os.replace", full)
    with pytest.raises(ResourceError, match="No space left"):
        install("many", force=True)
    monkeypatch.undo()
    monkeypatch.setenv("VDEPTH_WEIGHTS", str(folder))
    assert find_weights("many") == old


def test_a_lock_file_that_cannot_be_written_leaves_the_old_version(several, monkeypatch):
    repo, folder = several
    old = install("many").path
    before = tree(folder)
    repo.files["config.json"] = b"{}"

    def refuse(*_):
        raise ResourceError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr("vdepth_core.weights.install.write_lock", refuse)
        with pytest.raises(ResourceError):
            install("many", force=True)
    assert find_weights("many") == old
    assert {path for path in tree(folder) if not path.startswith(".work/")} == before
    assert install("many", force=True).fresh
    assert verify() == []


def run(folder, name, *lines):
    """Starts ``install(name)`` in a process of its own, which first does ``lines``."""
    code = "\n".join(
        [
            "import sys, time",
            "from pathlib import Path",
            "from vdepth_core.weights import catalogue, install as module, staging",
            "catalogue.CATALOGUE = Path(sys.argv[1]) / 'catalogue.toml'",
            *lines,
            "module.install(sys.argv[2])",
        ]
    )
    return subprocess.Popen([sys.executable, "-c", code, str(folder.parent), name], stderr=subprocess.PIPE)


def kill_when(process, condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never came so far"
        assert process.poll() is None, process.communicate()[1].decode()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_kill_during_the_download_leaves_nothing_loadable_and_resumes(single, server, tmp_path):
    page, folder = single
    page.slice, page.pause = len(page.body) // 4, 0.4
    part = folder / ".work/one/fetched/w.pt.part"
    kill_when(run(folder, "one"), lambda: part.is_file() and part.stat().st_size >= page.slice)
    assert nothing_is_installed(folder, "one")
    assert [finding.problem for finding in verify()] == ["unfinished"]
    server.asked.clear()
    page.pause = 0
    assert install("one").fresh
    assert server.asked[0].headers["range"].startswith("bytes=")
    assert verify() == []


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
@pytest.mark.parametrize("moment", ["_build", "write_lock", "_sweep"])
def test_a_kill_after_the_download_keeps_either_version(plain, moment):
    repo, folder = plain
    old = install("many").path
    repo.files["config.json"] = b'{"kind": "new"}'
    stop = [
        f"real = module.{moment}",
        "def hang(*args, **kwargs):",
        *(["    real(*args, **kwargs)"] if moment == "_build" else []),
        "    (Path(sys.argv[1]) / 'there').touch(); time.sleep(60)",
        f"module.{moment} = hang",
        "old = module.install; module.install = lambda name: old(name, force=True)",
    ]
    kill_when(run(folder, "many", *stop), (folder.parent / "there").exists)
    kind = json.loads((find_weights("many") / "config.json").read_text())["kind"]
    assert kind == ("new" if moment == "_sweep" else "tiny")
    assert not {finding.problem for finding in verify()} & {"missing", "changed"}
    assert install("many", force=True).fresh
    assert verify() == []
    assert not old.exists()


def test_two_processes_install_the_same(plain, hub, server):
    repo, folder = plain
    page = hub.large(repo.files["sub/merges.txt"])
    page.slice, page.pause = len(page.body) // 4, 0.1
    both = [run(folder, "many") for _ in range(2)]
    errors = [process.communicate()[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert sum(one.sent for one in server.asked) == len(page.body), "one fetches, the other waits"
    assert verify() == []


def test_what_a_dead_install_of_something_else_left_is_not_used(single, server):
    page, folder = single
    stop_after_a_third(page)
    note = folder / ".work/one/source"
    os.utime(note, (0, 0))
    server.asked.clear()
    assert install("one").fresh
    assert "range" not in server.asked[0].headers
    stop_after_a_third(page, force=True)
    note.write_text("https://another.example/w.pt")
    server.asked.clear()
    assert install("one", force=True).fresh
    assert "range" not in server.asked[0].headers


def test_remove_also_clears_an_unfinished_install(single):
    page, folder = single
    stop_after_a_third(page)
    assert tree(folder)
    remove("one")
    assert tree(folder) == {LOCK_FILE}
