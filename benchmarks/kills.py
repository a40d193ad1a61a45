"""Kills a job at random moments and lets it go on: is the result that of an uninterrupted run, to the byte?

    python benchmarks/kills.py [--kills 102] [--seed 0] [--only windowed,chrono]

Ten configurations through the command line. With the embedded model: temporal, framewise, layered with
normals, constant rate, image sequence, boosted, and a batch that replaces another job; with small random
checkpoints: windowed, its stream, and chrono. Each is run once
without a stop. Then it is started and killed (SIGKILL) again and again, at moments spread over the whole
run, until it has had its share of kills, and may finish. ``ours`` counts results that differ. POSIX only:
each run is a fork of this process, so that a hundred of them do not import torch a hundred times.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import select
import signal
import sys
import tempfile
import time
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import torch
from footage import machine

from vdepth_core.cli import main as cli
from vdepth_core.jobs import batch  # noqa: F401  all that a run needs, imported once
from vdepth_core.models.registry import load_model
from vdepth_core.models.tiny import make_tiny

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from generated import write_movie

COMMON = ["--model", "embedded", "--device", "cpu", "--size", "64", "--events"]


@dataclass
class Configuration:
    """One kind of job."""

    name: str
    clips: list[Path]
    options: list[str]
    before: list[str] | None = None  # options of the job it replaces
    seconds: float = 0.0
    kills: int = 0
    late: int = 0  # kills that came after the end
    same: bool = False
    faults: list[str] = field(default_factory=list)


def start(arguments: list[str]) -> tuple[int, int]:
    """Runs ``vdepth`` with arguments in a fork; returns its process and the reading end of its stdout."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    code = 1
    try:
        os.dup2(writing, 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.argv = ["vdepth", *arguments]
        cli.main()
        code = 0
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    finally:
        os._exit(code)


def drain(reading: int, until: float | None = None) -> bytes:
    """What a run says, up to its end or a moment."""
    said = b""
    while until is None or time.monotonic() < until:
        ready, _, _ = select.select([reading], [], [], None if until is None else 0.001)
        if ready:
            data = os.read(reading, 1 << 16)
            if not data:
                break
            said += data
    return said


def finish(arguments: list[str]) -> float:
    """Runs to the end; returns the seconds it took.

    Raises:
        RuntimeError: it failed.
    """
    began = time.monotonic()
    pid, reading = start(arguments)
    said = drain(reading)
    os.close(reading)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        raise RuntimeError(f"{arguments}: exit code {code}: {said[-600:].decode(errors='replace')}")
    return time.monotonic() - began


def kill(arguments: list[str], seconds: float) -> bool:
    """Starts a run and kills it after ``seconds``; returns whether it was still running."""
    pid, reading = start(arguments)
    drain(reading, time.monotonic() + seconds)
    os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(reading)
    return code == -signal.SIGKILL


def digest(out: Path) -> dict[str, str]:
    """Hash of every file outside the work folders, timings apart."""
    found = {}
    for path in sorted(out.rglob("*")):
        if ".vdepth" in path.parts or not path.is_file():
            continue
        data = path.read_bytes()
        if path.name == "manifest.json":
            facts = json.loads(data)
            del facts["timings"]
            data = json.dumps(facts, sort_keys=True).encode()
        found[str(path.relative_to(out))] = hashlib.sha256(data).hexdigest()
    return found


def leftovers(out: Path) -> list[str]:
    """What a finished job should not leave in its work folder."""
    known = {"lock", "journal.jsonl", "job.json", "scan.json", "tmp", "seen.json", "manifest.json", "results"}
    paths = [path for work in out.rglob(".vdepth") for path in work.rglob("*")]
    return [str(path) for path in paths if path.name not in known and path.parent.name != "results"]


def torture(job: Configuration, root: Path, kills: int, chance: random.Random) -> None:
    """Kills a job ``kills`` times, lets it finish, and compares."""
    arguments = ["estimate", *map(str, job.clips), *COMMON, *job.options]
    whole = root / job.name / "whole"
    finish([*arguments, "-o", str(whole)])
    job.seconds = finish([*arguments, "-o", str(root / job.name / "again")])  # everything is warm now
    expected, turn = digest(whole), 0
    while job.kills < kills:
        out = root / job.name / str(turn)
        turn += 1
        if job.before is not None:
            finish(["estimate", *map(str, job.clips), *COMMON, *job.before, "-o", str(out)])
        # A few kills a folder: a job that is killed more often than it gets on would never see its end.
        for _ in range(min(chance.choice((1, 2, 3, 4)), kills - job.kills)):
            if kill([*arguments, "-o", str(out)], chance.uniform(0.02, 1.0) * job.seconds):
                job.kills += 1
            else:
                job.late += 1
        finish([*arguments, "-o", str(out)])
        found = digest(out)
        wrong = [name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)]
        job.faults += [f"{out}: {name}" for name in wrong] + leftovers(out)
        for folder in sorted(work.parent for work in out.rglob(".vdepth")):
            finish(["verify", str(folder)])
    job.same = not job.faults


def configurations(root: Path) -> list[Configuration]:
    """The ten kinds of job and their clips."""
    import cv2
    import numpy as np

    root.mkdir(parents=True)
    movie = write_movie(root / "shot.mp4", 16, shots=2)
    other = write_movie(root / "other.mp4", 12)
    large = write_movie(root / "large.mp4", 8, size=(640, 448))
    plates = root / "plates"
    plates.mkdir()
    long = write_movie(root / "long.mp4", 80, shots=2, size=(98, 62))
    for family in ("video-depth-anything", "chronodepth"):
        make_tiny(family, root / family)
    windows = ["--method", "windowed", "--model", str(root / "video-depth-anything"), "--size", "42"]
    chrono = ["--method", "chrono", "--model", str(root / "chronodepth"), "--chrono-steps", "1"]
    wide = np.random.default_rng(0).integers(0, 255, (8, 20, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    for number in range(12):
        cv2.imwrite(str(plates / f"p.{number + 1:04d}.png"), wide[:, number : number + 96])
    return [
        Configuration("temporal", [movie], ["--method", "temporal"]),
        Configuration("framewise", [movie], ["--method", "framewise", "--compression", "zips"]),
        Configuration("layers", [movie], ["--method", "framewise", "--layered", "--normals"]),
        Configuration("cfr", [movie], ["--method", "temporal", "--cfr", str(Fraction(60))]),
        Configuration("sequence", [plates], ["--method", "temporal", "--normals"]),
        Configuration("boost", [large], ["--method", "temporal", "--boost"]),
        Configuration(
            "batch", [movie, other, plates], ["--method", "framewise", "--overwrite", "--near", "2"],
            before=["--method", "framewise", "--normals"],
        ),
        Configuration("windowed", [long], windows),
        Configuration("stream", [movie], [*windows, "--stream"]),
        Configuration("chrono", [movie], chrono),
    ]  # fmt: skip


def main() -> None:
    """Runs all configurations and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=102)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="names of configurations, with commas")
    options = parser.parse_args()
    torch.set_num_threads(1)  # forks must not inherit half a pool of threads
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        os.environ["XDG_CACHE_HOME"] = str(root / "cache")
        load_model("embedded", "cpu")
        names = options.only.split(",")
        jobs = [job for job in configurations(root / "clips") if not options.only or job.name in names]
        for job in jobs:
            torture(job, root, -(-options.kills // len(jobs)), chance)
            print(
                f"{job.name:10} {job.seconds:5.1f} s, {job.kills} kills, {job.late} came too late, "
                + ("verified, same" if job.same else "DIFFERENT"),
                *job.faults, sep="\n    ", flush=True,
            )  # fmt: skip
    print(
        json.dumps(
            {
                "benchmark": "kills", "ratio": 0.0 if all(job.same for job in jobs) else 1.0,
                "ours": sum(not job.same for job in jobs), "baseline": sum(job.kills for job in jobs),
                "unit": "configurations that differ, of so many kills", "machine": machine(),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
