"""Weights are installed whole or not at all, whatever happens on the way."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from weights import installing, small_catalogue
from weights.file_server import Fault, Repository
from weights.installing import CONFIG, nothing_is_installed, sha, stop_after_a_third, tree
from weights.listener import Listener
from weights.small_catalogue import STATE, use
from weights.test_prepare import write_text_parts

from vdepth_core.errors import Cancelled, UsageError, WeightsError
from vdepth_core.progress import Progress
from vdepth_core.weights.install import install, installed, remove, verify
from vdepth_core.weights.location import find_weights
from vdepth_core.weights.lock import LOCK_FILE, read_lock

single, several = installing.single, installing.several
fresh_catalogue = small_catalogue.fresh_catalogue
pytestmark = pytest.mark.usefixtures("fresh_catalogue")


def test_a_single_file(single):
    _, folder = single
    assert nothing_is_installed(folder, "one")
    done = install("one")
    assert done.fresh
    assert done.path == find_weights("one")
    assert done.path.name == "w.safetensors"
    assert all(torch.equal(value, STATE[key]) for key, value in load_file(done.path).items())
    assert tree(folder) == {LOCK_FILE, done.path.relative_to(folder).as_posix()}
    assert installed().keys() == {"one"}
    assert verify() == []


def test_a_repository(several):
    repo, folder = several
    done = install("many", progress=(progress := Listener()))
    home = find_weights("many")
    assert done.path == home
    assert done.revision == repo.commit
    assert tree(home) == {"config.json", "model.safetensors", "sub/merges.txt"}
    assert (home / "config.json").read_bytes() == CONFIG
    locked = read_lock(folder)["many"]
    assert locked.original == {name: sha(repo.files[name]) for name in locked.original}
    assert {name: file.sha256 for name, file in locked.files.items()} == {
        name: sha((home / name).read_bytes()) for name in tree(home)
    }
    assert [name for name, _ in progress.stages] == ["download", "convert"]
    assert home.name == locked.digest[:12]


def test_the_same_weights_have_the_same_digest_however_they_came(several, tmp_path, monkeypatch):
    repo, folder = several
    first = install("many") and read_lock(folder)["many"]
    for name, data in repo.files.items():
        (tmp_path / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "copy" / name).write_bytes(data)
    monkeypatch.setenv("VDEPTH_WEIGHTS", str(tmp_path / "others"))
    install("many", source=tmp_path / "copy")
    second = read_lock(tmp_path / "others")["many"]
    assert (first.digest, first.files, first.original) == (second.digest, second.files, second.original)


def test_installing_again_does_nothing(single, server):
    before = install("one")
    server.asked.clear()
    again = install("one")
    assert not again.fresh
    assert (again.path, server.asked) == (before.path, [])
    assert install("one", force=True).fresh
    assert [one.status for one in server.asked] == [200]
    assert verify() == []


def test_damage_is_found_and_repaired_by_installing_again(several):
    _, folder = several
    home = install("many").path
    (home / "config.json").write_bytes(CONFIG.replace(b"tiny", b"huge"))
    (home / "sub/merges.txt").unlink()
    (home / "extra.bin").write_bytes(b"x")
    (folder / "dropped.pt").write_bytes(b"x")
    found = {(finding.path.name, finding.problem) for finding in verify()}
    changed = {("config.json", "changed"), ("merges.txt", "missing")}
    assert found == changed | {("extra.bin", "stray"), ("dropped.pt", "stray")}
    with pytest.raises(WeightsError, match="damaged"):
        find_weights("many")
    progress = Listener()
    repaired = install("many", progress=progress)
    assert repaired.fresh
    assert "damaged" in progress.warnings[0]
    assert [finding.path.name for finding in verify()] == ["dropped.pt"]
    assert not home.exists()


def test_a_file_of_another_size_is_not_loaded(single):
    path = install("one").path
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=r"w\.safetensors is missing or has another size") as error:
        find_weights("one")
    assert "vdepth weights install one" in error.value.hint


def test_verify_by_name(single):
    with pytest.raises(WeightsError, match="not installed"):
        verify(["one"])
    with pytest.raises(UsageError):
        verify(["nonsense"])
    install("one")
    assert verify(["one"]) == []


def test_remove_takes_all_of_it_and_nothing_else(single, tmp_path):
    _, folder = single
    home = install("one").path.parent
    (home.parent / "mine.txt").write_text("keep me")
    remove("one")
    assert nothing_is_installed(folder, "one") is False
    assert tree(folder) == {LOCK_FILE, "one/mine.txt"}
    with pytest.raises(WeightsError, match="not installed"):
        remove("one")
    with pytest.raises(UsageError):
        remove("nonsense")


def test_bundled_weights_need_no_installing(tmp_path, monkeypatch):
    monkeypatch.setenv("VDEPTH_WEIGHTS", str(tmp_path / "w"))
    done = install("embedded")
    assert not done.fresh
    assert done.path.is_file()
    with pytest.raises(UsageError, match="part of vdepth"):
        remove("embedded")
    assert not (tmp_path / "w").exists()


# Licences


def test_non_commercial_weights_need_consent_by_name(single, tmp_path, monkeypatch, server):
    entry = {"files": [{"path": "w.pt", "url": server.url + "/w.pt"}], "commercial": False, "license": "NC-1"}
    folder = use(monkeypatch, tmp_path, {"one": entry, "two": entry})
    for accept in ((), ("two",)):
        with pytest.raises(WeightsError, match=r"NC-1 \(https://example\.org/mit\)") as error:
            install("one", accept=accept)
        assert "--accept-license one" in error.value.hint
    assert (server.asked, folder.exists()) == ([], False)
    with pytest.raises(WeightsError) as error:
        find_weights("one")
    assert "--accept-license one" in error.value.hint
    install("one", accept=["one"])
    assert read_lock(folder)["one"].accepted is not None
    assert install("one", force=True).fresh, "agreed to once is agreed to"
    entry["license"] = "NC-2"
    use(monkeypatch, tmp_path, {"one": entry})
    with pytest.raises(WeightsError, match="NC-2"):
        install("one", force=True)


def test_use_restrictions_are_mentioned_and_need_no_consent(single, tmp_path, monkeypatch, server):
    entry = {"files": [{"path": "w.pt", "url": server.url + "/w.pt"}], "license": "RAIL", "notice": "be good"}
    folder = use(monkeypatch, tmp_path, {"one": entry})
    install("one", progress=(progress := Listener()))
    assert progress.warnings == ["A Model is under RAIL (https://example.org/mit): be good."]
    assert read_lock(folder)["one"].accepted is None


# The network


def test_a_stopped_download_goes_on(single, server):
    page, folder = single
    stop_after_a_third(page)
    assert nothing_is_installed(folder, "one")
    server.asked.clear()
    assert install("one").fresh
    assert "range" in server.asked[0].headers
    assert sum(one.sent for one in server.asked) < len(page.body)
    assert verify() == []


def test_a_cut_connection_goes_on_by_itself(single, server):
    page, _ = single
    page.faults = iter([Fault(cut=200), Fault(cut=500, reset=True)])
    assert install("one").fresh
    assert len(server.asked) >= 3


@pytest.mark.parametrize("status", [401, 403, 404])
def test_refusals_are_told_and_leave_nothing(single, status):
    page, folder = single
    page.faults = iter([Fault(status=status)] * 9)
    with pytest.raises(WeightsError, match=str(status)):
        install("one")
    assert tree(folder) == set()


@pytest.mark.parametrize("status", [429, 500, 503])
def test_trouble_that_passes(single, status, pauses):
    page, _ = single
    page.faults = iter([Fault(status=status)] * 2)
    assert install("one").fresh
    page.faults = iter([Fault(status=status)] * 99)
    before = find_weights("one").read_bytes()
    with pytest.raises(WeightsError, match=str(status)):
        install("one", force=True)
    assert find_weights("one").read_bytes() == before


def test_a_slow_server(single):
    page, _ = single
    page.slice, page.pause = len(page.body) // 8, 0.02
    assert install("one").fresh


def test_a_server_that_falls_silent(single, monkeypatch):
    page, _ = single
    monkeypatch.setattr("vdepth_core.weights.fetch.http.READ_TIMEOUT_S", 0.2)
    page.faults = iter([Fault(stall=300)])
    assert install("one").fresh


def test_other_content_is_refused_and_the_old_version_stays(single):
    page, folder = single
    before = install("one").path
    page.body = bytes([page.body[0] ^ 1]) + page.body[1:]
    page.etag = '"v2"'
    with pytest.raises(WeightsError, match="SHA-256"):
        install("one", force=True)
    assert find_weights("one") == before
    assert verify() == []
    assert tree(folder) == {LOCK_FILE, before.relative_to(folder).as_posix()}


def test_a_login_page_is_no_configuration(several, hub):
    repo, folder = several
    repo.files["config.json"] = b"<html>Please log in</html>"
    with pytest.raises(WeightsError, match=r"config\.json"):
        install("many")
    assert tree(folder) == set()


@pytest.mark.usefixtures("several")
def test_another_hash_than_the_catalogue_says(tmp_path, monkeypatch):
    entry = {
        "repo": "org/many",
        "revision": "main",
        "files": [{"path": "sub/merges.txt", "sha256": "0" * 64}],
    }
    folder = use(monkeypatch, tmp_path, {"many": entry})
    with pytest.raises(WeightsError, match="not the published file"):
        install("many")
    assert tree(folder) == set()


def test_a_new_commit_replaces_the_old_version_only_when_it_is_there(several, hub):
    repo, _ = several
    old = install("many").path
    repo.files["config.json"] = b'{"kind": "new"}'
    hub.large(repo.files["sub/merges.txt"]).faults = iter([Fault(status=404)])
    with pytest.raises(WeightsError, match="404"):
        install("many", force=True)
    assert find_weights("many") == old
    new = install("many", force=True)
    assert json.loads((new.path / "config.json").read_text()) == {"kind": "new"}
    assert not old.exists()
    assert verify() == []


def test_the_same_commit_must_hold_the_same_files(several, hub, monkeypatch):
    repo, _ = several
    commit = repo.commit
    old = install("many").path
    repo.files["config.json"] = b'{"kind": "evil"}'
    monkeypatch.setattr(Repository, "commit", commit)
    with pytest.raises(WeightsError, match="has changed at its source"):
        install("many", force=True)
    assert find_weights("many") == old
    assert verify() == []
    remove("many")
    assert install("many").fresh


def test_a_new_pinned_revision_is_installed_without_force(several, tmp_path, monkeypatch):
    repo, _ = several
    install("many")
    entry = {"repo": "org/many", "files": [{"path": "config.json"}, {"path": "sub/merges.txt"}]}
    use(monkeypatch, tmp_path, {"many": {**entry, "revision": repo.commit}})
    assert install("many").fresh, "other files are wanted now"
    assert not install("many").fresh
    repo.files["config.json"] = b"{}"
    use(monkeypatch, tmp_path, {"many": {**entry, "revision": repo.commit}})
    assert install("many").fresh


# From a folder


@pytest.fixture
def published(tmp_path, single):
    """A folder with the file of ``one`` under another published name, and no network."""
    page, _ = single
    (tmp_path / "from").mkdir()
    (tmp_path / "from" / "w.pt").write_bytes(page.body)
    page.faults = iter([Fault(status=500)] * 99)
    return tmp_path / "from"


def test_from_a_folder_without_network(published, server):
    assert install("one", source=published).fresh
    assert server.asked == []
    assert verify() == []
    assert [path.name for path in published.iterdir()] == ["w.pt"]


def test_from_a_single_file_of_any_name(published):
    (published / "w.pt").rename(published / "w (1).pt")
    assert install("one", source=published / "w (1).pt").fresh


def test_other_published_names_and_links(published, tmp_path, monkeypatch):
    (published / "w.pt").rename(tmp_path / "real.bin")
    (published / "alias.pt").symlink_to(tmp_path / "real.bin")
    entry = {
        "files": [{"path": "w.pt", "aliases": ["other.pt", "alias.pt"]}],
        "obtain": "https://example.org",
    }
    use(monkeypatch, tmp_path, {"one": entry})
    path = install("one", source=published).path
    assert path.is_file()
    assert not path.is_symlink()
    assert (published / "alias.pt").is_symlink()


def test_a_folder_that_lacks_files_says_which(several, tmp_path):
    _, folder = several
    (tmp_path / "from").mkdir()
    (tmp_path / "from/config.json").write_bytes(CONFIG)
    with pytest.raises(WeightsError, match=r"pytorch_model\.bin, sub/merges\.txt"):
        install("many", source=tmp_path / "from")
    with pytest.raises(WeightsError, match="does not exist"):
        install("many", source=tmp_path / "nowhere")
    assert tree(folder) == set()


def test_a_wrong_file_from_a_folder_is_refused_and_kept(published, single):
    data = bytearray((published / "w.pt").read_bytes())
    data[50] ^= 1
    (published / "w.pt").write_bytes(data)
    with pytest.raises(WeightsError, match="SHA-256"):
        install("one", source=published)
    (published / "w.pt").write_bytes(data[:-1])
    with pytest.raises(WeightsError, match="bytes"):
        install("one", source=published)
    assert (published / "w.pt").read_bytes() == data[:-1]
    assert tree(single[1]) == set()


def test_weights_without_an_address_say_where_a_person_gets_them(tmp_path, monkeypatch):
    entry = {"files": [{"path": "w.pt"}], "obtain": "https://example.org/share"}
    folder = use(monkeypatch, tmp_path, {"one": entry})
    with pytest.raises(WeightsError) as error:
        install("one")
    for word in ("w.pt", "https://example.org/share", "--from"):
        assert word in error.value.hint
    assert tree(folder) == set()


def test_the_published_checkpoint(tmp_path, monkeypatch, shared):
    monkeypatch.setenv("VDEPTH_WEIGHTS", str(tmp_path))
    done = install("tcmonodepth-small", source=shared / "weights")
    assert done.fresh
    assert done.license == "MIT"
    assert verify() == []


# What families need done


def test_what_is_computed_at_install_belongs_to_it(tmp_path, monkeypatch):
    (tmp_path / "from").mkdir()
    write_text_parts(tmp_path / "from")
    paths = sorted(p.relative_to(tmp_path / "from").as_posix() for p in (tmp_path / "from").rglob("*.*"))
    files = [{"path": path} for path in paths]
    entry = {"family": "rollingdepth", "repo": "org/r", "revision": "main", "files": files}
    folder = use(monkeypatch, tmp_path, {"one": entry})
    home = install("one", source=tmp_path / "from").path
    assert "empty_prompt.safetensors" in read_lock(folder)["one"].files
    assert "empty_prompt.safetensors" not in read_lock(folder)["one"].original
    assert verify() == []
    (home / "empty_prompt.safetensors").unlink()
    assert [finding.problem for finding in verify()] == ["missing"]


def test_weights_whose_preparation_fails_are_not_installed(tmp_path, monkeypatch):
    (tmp_path / "from").mkdir()
    (tmp_path / "from/config.json").write_bytes(CONFIG)
    entry = {
        "family": "rollingdepth",
        "repo": "org/r",
        "revision": "main",
        "files": [{"path": "config.json"}],
    }
    folder = use(monkeypatch, tmp_path, {"one": entry})
    with pytest.raises(WeightsError, match="text_encoder"):
        install("one", source=tmp_path / "from")
    assert tree(folder) == set()


def test_cancelling_between_steps(several):
    _, folder = several

    class Stop(Progress):
        def stage(self, name: str, total: int | None) -> None:
            if name == "convert":
                self.cancel()

    with pytest.raises(Cancelled):
        install("many", progress=Stop())
    assert nothing_is_installed(folder, "many")
    assert (folder / ".work/many/fetched/config.json").is_file()
    assert install("many").fresh
    assert isinstance(find_weights("many"), Path)
