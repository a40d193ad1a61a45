"""A model comes from a hub as from a plain host: resumed, checked, and every refusal explained."""

from __future__ import annotations

import hashlib
import itertools
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from weights.file_server import FakeHub, Fault, Page, Repository
from weights.listener import Listener

from vdepth_core.errors import Cancelled, WeightsError
from vdepth_core.progress import Progress
from vdepth_core.weights.fetch import http as network
from vdepth_core.weights.fetch.hub import HubFetch, fetch_from_hub, hub_sizes

NAME = "depth/tiny"
MODEL = random.Random(1).randbytes(200_000)
PART = random.Random(2).randbytes(5_000)
FILES = {
    "config.json": b'{"a": 1}',
    "model.safetensors": MODEL,
    "unet/config.json": b'{"b": 2}',
    "unet/part one.safetensors": PART,
    "README.md": b"words",
}


@pytest.fixture
def repo(hub: FakeHub) -> Repository:
    return hub.add_repo(NAME, Repository(dict(FILES)))


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "model"


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(folder, *words, repo=NAME, revision="main", files=("*",)) -> WeightsError:
    """The fetch fails with one sentence and a hint that hold ``words``, and nothing is left behind."""
    with pytest.raises(WeightsError) as error:
        fetch_from_hub(repo, revision, files, folder)
    assert all(word in str(error.value) for word in words), str(error.value)
    assert error.value.hint
    assert not folder.exists() or contents(folder) == {}
    return error.value


def test_the_fake_hub_is_good_enough_for_the_library_itself(hub, repo, tmp_path):
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils import disable_progress_bars

    with disable_progress_bars():
        for name, data in FILES.items():
            path = hf_hub_download(NAME, name, cache_dir=tmp_path / "cache", endpoint=hub.url)
            assert Path(path).read_bytes() == data
            assert repo.commit in path


def test_all_files_arrive_and_nothing_else(hub, repo, folder, capfd):
    listener = Listener()
    fetch = fetch_from_hub(NAME, "main", ["*"], folder, progress=listener, stage="fetch")
    sizes = {name: len(data) for name, data in FILES.items()}
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in FILES.items()}
    assert fetch == HubFetch(repo.commit, sizes, hashes)
    assert contents(folder) == FILES
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "model.safetensors",
        "unet",
        "README.md",
    }
    assert listener.stages == [("fetch", sum(sizes.values()))]
    assert listener.done == sum(sizes.values())
    assert capfd.readouterr() == ("", "")  # no bars, no warnings
    agents = [asked.headers["user-agent"] for asked in hub.asked]
    assert all(re.fullmatch(r"vdepth/[^,]+hf_hub/[^,]+", agent) for agent in agents)


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["model.safetensors"], ["model.safetensors"]),
        (["*.safetensors"], ["model.safetensors", "unet/part one.safetensors"]),
        (["unet/*", "unet/config.json"], ["unet/config.json", "unet/part one.safetensors"]),
        (["config.json"], ["config.json"]),
        (["?onfig.json", "README.[a-m]d"], ["config.json", "README.md"]),
    ],
)
def test_names_and_patterns(hub, repo, folder, files, names):
    assert sorted(fetch_from_hub(NAME, "main", files, folder).sizes) == sorted(names)
    assert contents(folder) == {name: FILES[name] for name in names}
    assert hub_sizes(NAME, "main", files) == {name: len(FILES[name]) for name in names}


def test_sizes_are_told_before_anything_is_fetched(hub, repo, server):
    assert hub_sizes(NAME, "main", ["*"]) == {name: len(data) for name, data in FILES.items()}
    assert [asked.path.split("?")[0] for asked in hub.asked] == [f"/api/models/{NAME}/revision/main"]
    assert server.asked == []


def test_a_hub_that_does_not_say_sizes(hub, repo, folder):
    repo.sizes = False
    listener = Listener()
    assert hub_sizes(NAME, "main", ["*"]) == dict.fromkeys(FILES)
    assert fetch_from_hub(NAME, "main", ["*"], folder, progress=listener).sizes["config.json"] == 8
    assert contents(folder) == FILES
    assert listener.stages == [("download", None)]


def test_a_tag_and_a_commit(hub, repo, folder):
    repo.revisions = ("main", "v1.0")
    assert fetch_from_hub(NAME, "v1.0", ["config.json"], folder).commit == repo.commit
    assert fetch_from_hub(NAME, repo.commit, ["config.json"], folder).commit == repo.commit
    assert all(f"/resolve/{repo.commit}/" in asked.path for asked in hub.of("resolve"))


# Resuming


def test_a_cut_connection_and_a_busy_hub_are_no_end(hub, repo, folder, server, pauses):
    busy = Fault(status=429, headers={"Retry-After": "6"})
    hub.faults = iter([Fault(status=503), busy])
    hub.large(MODEL).faults = iter([Fault(cut=50_000), busy, Fault(cut=100_000)])
    listener = Listener()
    fetch_from_hub(NAME, "main", ["*"], folder, progress=listener)
    assert contents(folder) == FILES
    sha = hashlib.sha256(MODEL).hexdigest()
    assert [asked.sent for asked in server.of(sha)] == [50_000, 0, 100_000, 50_000]
    assert len(listener.warnings) == 2
    assert 12 <= sum(pauses) < 13


def test_a_stopped_fetch_keeps_what_is_there(hub, repo, folder, server):
    small = len(FILES["config.json"])
    hub.large(MODEL).faults = iter([Fault(cut=50_000)])
    with pytest.raises(Cancelled):
        fetch_from_hub(NAME, "main", ["*"], folder, progress=Listener(small + 50_000))
    assert sorted(contents(folder)) == [
        "config.json",
        "model.safetensors.part",
        "model.safetensors.part.json",
    ]
    hub.asked.clear()
    server.asked.clear()
    listener = Listener()
    fetch_from_hub(NAME, "main", ["*"], folder, progress=listener)
    assert contents(folder) == FILES
    assert [asked.sent for asked in server.asked] == [150_000, len(PART)]
    assert not [asked for asked in hub.asked if asked.path.endswith(f"/{repo.commit}/config.json")]
    assert listener.done == listener.stages[0][1] == sum(map(len, FILES.values()))


def test_a_killed_process_leaves_what_the_next_one_goes_on_with(hub, repo, folder, server):
    hub.large(MODEL).faults = iter([Fault(stall=120_000)])
    code = "import sys, pathlib\nfrom vdepth_core.weights.fetch.hub import fetch_from_hub\n"
    code += "fetch_from_hub(sys.argv[1], 'main', ['*'], pathlib.Path(sys.argv[2]))"
    process = subprocess.Popen([sys.executable, "-c", code, NAME, str(folder)])
    part = folder / "model.safetensors.part"
    deadline = time.monotonic() + 30
    while not (part.is_file() and part.stat().st_size == 120_000) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.wait()
    server.asked.clear()
    fetch_from_hub(NAME, "main", ["*"], folder)
    assert contents(folder) == FILES
    assert server.asked[0].sent == len(MODEL) - 120_000


def test_a_finished_folder_is_checked_and_not_fetched_again(hub, repo, folder, server):
    first = fetch_from_hub(NAME, "main", ["*"], folder)
    (folder / "config.json").write_bytes(b'{"a": 2}')  # same size, other content
    (folder / "model.safetensors").write_bytes(bytes(len(MODEL)))
    hub.asked.clear()
    assert fetch_from_hub(NAME, "main", ["*"], folder) == first
    assert contents(folder) == FILES
    assert [asked.path.rsplit("/", 1)[1] for asked in hub.of("resolve")] == [
        "config.json",
        "model.safetensors",
    ]


# The wrong content


def test_a_large_file_of_wrong_content(hub, repo, folder):
    hub.large(MODEL).faults = iter([Fault(body=bytes(len(MODEL)))])
    refused(folder, "model.safetensors is not the expected file", files=["model.safetensors"])


def test_a_small_file_of_wrong_content(hub, repo, folder):
    hub.pages["/config.json"] = Page(b'{"a": 3}')
    refused(folder, "config.json of depth/tiny is not the file the hub lists", files=["config.json"])


def test_a_file_of_wrong_size(hub, repo, folder):
    hub.large(MODEL).body = MODEL[:-1]
    refused(folder, "199,999 bytes, not the expected 200,000", files=["model.safetensors"])


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/../../evil",
        "/tmp/evil",
        "a//evil",
        "./evil",
        "..\\evil",
        "C:evil",
        "C:\\evil",
        "a\nb",
        "..",
    ],
)
def test_names_that_lead_out_of_the_folder_are_refused(hub, repo, folder, name):
    repo.files[name] = b"evil"
    refused(folder, repr(name), "outside")
    assert hub.of("resolve") == []
    assert (
        fetch_from_hub(NAME, "main", ["config.json"], folder).commit == repo.commit
    )  # not asked for, no harm


# Refusals


def test_nothing_of_that_name(hub, repo, folder):
    refused(folder, "no repository depth/none", "private", "HF_TOKEN", repo="depth/none")
    refused(folder, "no revision v9", revision="v9")
    refused(folder, "no file other.safetensors", files=["config.json", "other.safetensors"])
    refused(folder, "no file *.ckpt", files=["*.ckpt"])
    refused(folder, "owner/name", repo="depth/ti ny/x")


def test_a_listed_file_that_is_not_there(hub, repo, folder):
    find = hub.find
    hub.find = lambda asked: Fault(status=404) if "/resolve/" in asked.path else find(asked)
    refused(folder, "has no config.json (404")


@pytest.mark.parametrize("token", [None, "someone"])
def test_a_gated_repository(hub, repo, folder, monkeypatch, token):
    repo.gated, repo.token = True, "member"
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    error = refused(folder, "licence", f"{hub.url}/{NAME}", "HF_TOKEN", "is restricted", files=["model*"])
    assert token is None or token not in str(error)
    monkeypatch.setenv("HF_TOKEN", "member")
    fetch_from_hub(NAME, "main", ["model*"], folder)
    assert contents(folder) == {"model.safetensors": MODEL}


def test_a_private_repository_and_a_stored_token(hub, repo, folder, server, tmp_path):
    repo.token = "member"
    refused(folder, "private", "HF_TOKEN")
    (tmp_path / "no-token").write_text("member\n")
    fetch_from_hub(NAME, "main", ["*"], folder)
    assert contents(folder) == FILES
    assert {asked.headers["authorization"] for asked in hub.of("resolve")} == {"Bearer member"}
    assert not [asked for asked in server.asked if "authorization" in asked.headers]  # another host


def test_a_token_that_is_not_valid(hub, repo, folder, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "wrong")
    refused(folder, "does not accept the token", "Unset HF_TOKEN")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_without_reasons(hub, repo, folder, status):
    hub.faults = iter([Fault(status=status)])
    refused(folder, f"refuses access to {NAME} ({status})", "HF_TOKEN")


def test_too_many_requests(hub, repo, folder):
    hub.faults = itertools.repeat(Fault(status=429, headers={"Retry-After": "3600"}))
    refused(folder, "slow down", "60 minutes", "HF_TOKEN")
    assert len(hub.asked) == 1


def test_a_hub_in_trouble(hub, repo, folder):
    hub.faults = itertools.repeat(Fault(status=502))
    refused(folder, "has trouble", "502", "later")
    assert len(hub.asked) == network.ATTEMPTS


def test_nobody_there(quiet_network, folder, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    refused(folder, "127.0.0.1 cannot be reached", "--from FOLDER")


@pytest.mark.parametrize("answer", [b"<html>Welcome to our hotel", b"[]", b"{}", b'{"id": "a", "sha": "b"}'])
def test_something_else_answers(hub, repo, folder, answer):
    hub.find = lambda asked: Page(answer)
    refused(folder, "does not answer as a Hugging Face hub", "HF_ENDPOINT")


@pytest.mark.parametrize("size", ["many", -1, 1.5])
def test_a_listing_that_makes_no_sense(hub, repo, folder, size):
    text = '{"id": "a", "sha": "b", "siblings": [{"rfilename": "c", "size": %s}]}'
    hub.find = lambda asked: Page((text % str(size).replace("many", '"many"')).encode())
    refused(folder, "does not answer as a Hugging Face hub")


@pytest.mark.parametrize("endpoint", ["hf-mirror.com", "ftp://x"])
def test_an_endpoint_that_is_no_address(quiet_network, folder, monkeypatch, endpoint):
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    refused(folder, f"HF_ENDPOINT is {endpoint}")


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_mode(hub, repo, folder, monkeypatch, name):
    monkeypatch.setenv(name, "1")
    refused(folder, "offline", "HF_HUB_OFFLINE", "--from FOLDER")
    with pytest.raises(WeightsError, match="offline"):
        hub_sizes(NAME, "main", ["*"])
    assert hub.asked == []
    monkeypatch.setenv(name, "0")
    fetch_from_hub(NAME, "main", ["*"], folder)


def test_offline_mode_that_was_on_when_the_library_was_imported(hub, repo, folder, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    refused(folder, "offline", "HF_HUB_OFFLINE", "--from FOLDER")


def test_a_proxy_that_cannot_be_used(hub, repo, folder, monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    refused(folder, "proxy settings")


def test_cancelling_before_anything_happens(hub, repo, folder):
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        fetch_from_hub(NAME, "main", ["*"], folder, progress=progress)
    assert hub.asked == []


def test_the_library_loads_only_when_it_is_used():
    code = "import sys, vdepth_core.weights.fetch.hub, vdepth_core.weights.fetch.download\n"
    code += "loaded = {'huggingface_hub', 'httpx2', 'torch'} & sys.modules.keys()\nassert not loaded, loaded"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
