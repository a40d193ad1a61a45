"""Damaged inputs through every verb that reads files: no traceback, internal error, hang, or 1.5 GB.

    python benchmarks/fuzz.py [--inputs 300] [--first 0] [--seed 0]

Movies of several codecs, image sequences, the files `evaluate` reads and finished jobs are cut, flipped,
zeroed, swapped for others, replaced by folders and text, and given to ``inspect``, ``estimate``,
``evaluate``, ``export`` and ``verify``. ``ours`` counts runs that broke a rule: an undocumented exit code,
a sentence that is none, half a minute, too much memory, or a file changed that no verb may change.
POSIX only: each run is a fork of this process, which has imported everything and started no thread.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import importlib
import json
import os
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from footage import machine
from fuzz_damage import damage
from fuzz_samples import CLIPS, JOB, JOB_OPTIONS, MAPS, make_samples

import vdepth_core
from vdepth_core.cli import main as cli
from vdepth_core.models.registry import load_model

DOCUMENTED = {0, 2, 3, 4, 5}
MOST_BYTES, MOST_SECONDS = 1.5e9, 30
_EXPORTS = ("png16", "npz", "mp4", "mp4-edit")


def import_all() -> None:
    """Imports what a run may need once, so that forks need not; none trains, or runs a diffusion model."""
    root = Path(vdepth_core.__file__).parent
    for path in sorted(root.rglob("*.py")):
        name = ".".join(path.relative_to(root.parent).with_suffix("").parts)
        if not re.search(r"\.(training|adaptation|diffusion|frame_times|__main__|__init__)", name):
            importlib.import_module(name)
    for name in ("cv2", "av", "OpenEXR", "OpenImageIO", "PyOpenColorIO", "scenedetect"):
        importlib.import_module(name)


@dataclass(frozen=True)
class Run:
    """One run of ``vdepth``: what it was given, how it ended, what it said and used."""

    arguments: list[str]
    code: int
    said: str
    seconds: float
    peak: int

    def faults(self) -> list[str]:
        """The rules it broke."""
        found = [] if self.code in DOCUMENTED else [f"exit code {self.code}"]
        found += [word for word in ("Traceback", "Internal error", "Exception ignored") if word in self.said]
        if self.peak > MOST_BYTES:
            found.append(f"{self.peak / 1e9:.2f} GB")
        if self.seconds > MOST_SECONDS:
            found.append("a hang")
        if self.code and not any(word in self.said for word in ("vdepth: ", "Failed: ", "Usage: ")):
            found.append("no sentence")
        return found


def in_fork(work: Callable[[], None], log: Path) -> tuple[int, float, int]:
    """Does ``work`` in a fork that writes into ``log``: exit code (-9: it hung), seconds, peak bytes."""
    began, pid = time.monotonic(), os.fork()
    if not pid:
        code = 1
        try:
            file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(file, 1)
            os.dup2(file, 2)
            work()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 1
        except BaseException:
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(code)
    while True:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            scale = 1 if sys.platform == "darwin" else 1024
            return os.waitstatus_to_exitcode(status), time.monotonic() - began, usage.ru_maxrss * scale
        if time.monotonic() - began > MOST_SECONDS:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def vdepth(*arguments: str | Path, log: Path) -> Run:
    """Runs a verb."""
    words = [str(word) for word in arguments]

    def work() -> None:
        sys.argv = ["vdepth", *words]
        cli.main()

    code, seconds, peak = in_fork(work, log)
    return Run(words, code, log.read_text(errors="replace"), seconds, peak)


def digest(root: Path) -> dict[str, str]:
    """What stands in a tree: the hash of every file, where every link leads, every folder."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(root))] = f"-> {path.readlink()}"
        else:
            data = path.read_bytes() if path.is_file() else b"a folder"
            found[str(path.relative_to(root))] = hashlib.sha256(data).hexdigest()
    return found


def runs_of(
    kind: str, input_: Path, samples: Path, out: Path, chance: random.Random
) -> list[list[str | Path]]:
    """The commands that an input of a kind goes through."""
    if kind in CLIPS:
        runs: list[list[str | Path]] = [["inspect", input_]]
        runs.append(["estimate", input_, "-o", out, *JOB_OPTIONS])
        if chance.random() < 0.2:
            runs.append(["evaluate", samples / "pred.npz", samples / "truth.npz", "--clip", input_])
        return runs
    if kind in MAPS:
        sound = samples / "truth.npz"
        both = [[input_, sound], [sound, input_]] if chance.random() < 0.5 else [[sound, input_]]
        return [["evaluate", *pair, "--quantity", "depth"] for pair in both]
    to = chance.choice(_EXPORTS)
    return [
        ["verify", input_],
        ["export", input_, "--to", to, "-o", out],
        ["evaluate", input_, samples / "truth.npz"],
        ["estimate", samples / "shot.mp4", "-o", input_, *JOB_OPTIONS],
    ]


def attack(index: int, seed: int, samples: Path, root: Path) -> tuple[str, list[Run], list[str]]:
    """Makes one damaged input and sends it through its verbs: what it was, the runs, the faults."""
    chance = random.Random(f"{seed} {index}")
    kind = [*CLIPS, *MAPS, *[JOB] * 6][index % (len(CLIPS) + len(MAPS) + 6)]
    folder = root / str(index)
    input_ = folder / kind
    folder.mkdir()
    (shutil.copytree if (samples / kind).is_dir() else shutil.copyfile)(samples / kind, input_)
    files = sorted(path for path in input_.rglob("*") if path.is_file()) if input_.is_dir() else [input_]
    if kind == JOB:  # of every sort of file one, or its frames would be most of them
        files = sorted({re.sub(r"\d+", "#", path.name): path for path in files}.values())
    victim = chance.choice(files)
    what = damage(victim, [path for path in sorted(samples.rglob("*")) if path.is_file()], chance)
    runs, faults, before = [], [], digest(folder)
    for number, arguments in enumerate(runs_of(kind, input_, samples, root / f"{index}.out", chance)):
        run = vdepth(*arguments, log=root / f"{index}.{number}.log")
        runs.append(run)
        faults += [f"{fault}: {' '.join(run.arguments)}\n{run.said[-1500:]}" for fault in run.faults()]
        if not (kind == JOB and run.arguments[0] == "estimate") and digest(folder) != before:
            faults.append(f"changed its input: {' '.join(run.arguments)}")
    shutil.rmtree(folder)
    shutil.rmtree(root / f"{index}.out", ignore_errors=True)
    return f"{victim.relative_to(folder)} {what}", runs, faults


def main() -> None:
    """Runs all inputs and prints what broke a rule, then the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--inputs", type=int, default=300)
    parser.add_argument("--first", type=int, default=0, help="the number of the first input")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--say", action="store_true", help="print what each run said")
    options = parser.parse_args()
    torch.set_num_threads(1)  # forks must not inherit half a pool of threads
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    runs: list[Run] = []
    broken = 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        os.environ["XDG_CACHE_HOME"] = str(root / "cache")
        import_all()
        load_model("embedded", "cpu")
        samples, log = root / "samples", root / "log"
        code, _, base = in_fork(lambda: make_samples(samples), log)
        if code or vdepth("estimate", samples / "shot.mp4", "-o", samples / JOB, *JOB_OPTIONS, log=log).code:
            sys.exit(f"The samples cannot be made: {log.read_text()}")
        pristine = digest(samples)
        for index in range(options.first, options.first + options.inputs):
            what, done, faults = attack(index, options.seed, samples, root)
            runs += done
            broken += len(faults)
            if options.say or faults:
                codes = " ".join(f"{run.arguments[0]} {run.code}" for run in done)
                print(f"{index}: {what}: {codes}", *faults, sep="\n    ", flush=True)
            for run in done if options.say else ():
                print("    " + run.said.strip()[-400:].replace("\n", "\n    "), flush=True)
        if digest(samples) != pristine:
            broken += 1
            print("A sound input was changed.")
    codes = sorted(collections.Counter((run.arguments[0], run.code) for run in runs).items())
    print(*(f"{verb} {code}: {count}" for (verb, code), count in codes), sep=", ")
    slowest, largest = max(runs, key=lambda run: run.seconds), max(runs, key=lambda run: run.peak)
    print(f"slowest {slowest.seconds:.1f} s: {' '.join(slowest.arguments[:2])}")
    print(
        f"largest {largest.peak / 1e9:.2f} GB (samples {base / 1e9:.2f}): {' '.join(largest.arguments[:2])}"
    )
    facts = {
        "benchmark": "fuzz", "ratio": round(largest.peak / MOST_BYTES, 3), "ours": broken,
        "baseline": len(runs), "unit": f"faults, of so many runs of {options.inputs} inputs",
        "machine": machine(),
    }  # fmt: skip
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
