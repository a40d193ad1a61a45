"""A thousand GPUs over ten thousand shots, on the books that real runs are kept in.

    python benchmarks/scale_simulation.py [--gpus 1000] [--shots 10000] [--clips 600] [--model-ms 40 1000]

Who gets what next, and what a loss costs, is decided by the `Dispatcher` that ``vdepth estimate --ray`` uses;
only the workers are made up. Their times are of 1080p frames and measured: CPU a frame by `overhead.py`, a
task's own and an event's here, before the simulation. What no machine here can tell, the network's time a
frame on your GPU, is an option. Shots are as long as in cut films (log-normal, three seconds in the middle),
clips have from one shot to hundreds. ``ratio`` is the share of all GPU time that predicted (1: all of it),
for the slowest network, with five machines in a hundred lost on the way.

Printed: time, utilisation, tail (from when the last task began to the end), what losses cost, how busy the
command's own process is, and at how many GPUs storage, its file operations or that process are full.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from footage import StandIn, machine, make_clip

from vdepth_core.jobs.accelerator import ModelShelf
from vdepth_core.jobs.assemble import finish
from vdepth_core.jobs.batch import estimate_clips
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.jobs.events import FrameDone
from vdepth_core.jobs.fleet.dispatch import Dispatcher
from vdepth_core.jobs.fleet.run import Fleet
from vdepth_core.jobs.fleet.tasks import Outcome, Task
from vdepth_core.jobs.fleet.watch import Watch
from vdepth_core.jobs.parts import Part
from vdepth_core.types import Shot

CPU_MS, SCAN_MS = 139.5, 4.3  # of a frame at 1080p: all stages but the network's, and the scan's
FRAME_MB, FRAME_OPS = (
    1.8,
    8,
)  # written a frame: two EXRs in PXR24; files made, flushed, renamed, journal lines
STORE_GBS, STORE_OPS = 10.0, 100_000.0  # a file server that a thousand GPUs would have
MACHINE = 8  # GPUs
BACK_S = 600.0  # until a lost machine is replaced
STEP = 8  # frames: where a very long shot may be cut


@dataclass
class Times:
    """Seconds, but for `event`: CPU of the command's process; `rest` is a frame's after its range."""

    frame: float
    start: float
    finish: float
    event: float
    rest: float = 0.0


@dataclass
class Found:
    """What a simulation shows."""

    seconds: float = 0.0
    useful: float = 0.0
    tail: float = 0.0
    lost: int = 0
    again: float = 0.0
    tasks: int = 0
    driver: float = 0.0


@dataclass
class _Gpu:
    free: float = 0.0
    alive: bool = True
    life: int = 0
    at: dict[Task, tuple[float, float]] = field(default_factory=dict)  # begin, end


def films(clips: int, shots: int, chance: random.Random) -> list[list[int]]:
    """Lengths of shots, clip by clip."""
    weights = [chance.lognormvariate(0, 1.2) for _ in range(clips)]
    scale = (shots - clips) / sum(weights)
    counts = [1 + round(weight * scale) for weight in weights]
    return [[max(8, round(chance.lognormvariate(4.28, 0.8))) for _ in range(count)] for count in counts]


def simulate(lengths: list[list[int]], gpus: int, times: Times, losses: float, seed: int) -> Found:
    """Runs all clips on so many GPUs; a share ``losses`` of the machines dies once."""
    chance, found = random.Random(seed), Found()
    frames = [sum(shots) for shots in lengths]
    books = Dispatcher([float(count) for count in frames], width=gpus)
    crew = {f"{number}": _Gpu() for number in range(gpus)}
    for name in crew:
        books.joined(name, f"machine {int(name) // MACHINE}")
    about = sum(frames) * times.frame / gpus
    done_of: dict[Task, float] = {}  # of what was lost: what the store keeps
    ranged: set[tuple[int, int]] = set()  # shots that were predicted in ranges
    happens: list[tuple[float, int, str, object]] = []
    machines = range(-(-gpus // MACHINE))
    for number in chance.sample(machines, round(losses * len(machines) + 0.49) if losses else 0):
        heapq.heappush(happens, (chance.uniform(0, about), len(happens), "dies", number))
    last, now, count = 0.0, 0.0, len(happens)
    while not books.finished:
        began = time.process_time()
        given = books.take(now)
        found.driver += time.process_time() - began
        for name, task in given:
            gpu, kept = crew[name], done_of.pop(task, 0.0)
            rest = task.stage == "shots" and task.frames is None and (task.clip, task.shots[0]) in ranged
            work = sum(lengths[task.clip][slice(*task.shots)]) * times.rest
            work = (work if rest else cost(task, lengths, frames, times)) - kept
            begin = now + times.start
            if (
                task.stage in ("clip", "shots") and not rest
            ):  # the others leave the GPU to the worker's second task
                begin = max(gpu.free, begin)
                gpu.free = begin + work
            gpu.at[task] = begin, begin + work
            found.tasks += 1
            count += 1
            heapq.heappush(happens, (begin + work, count, "ends", (name, gpu.life, task)))
        last = now if given else last
        now, _, what, whom = heapq.heappop(happens)
        began = time.process_time()
        if what == "ends":
            name, life, task = whom
            gpu = crew[name]
            if gpu.life != life:
                continue
            if task.frames is not None:
                ranged.add((task.clip, task.shots[0]))
            begin, end = gpu.at.pop(task)
            found.useful += (end - begin) if task.stage in ("shots", "clip") else 0.0
            cut = (
                tuple(Shot(n, 0, 0) for n in range(0))
                if task.stage != "plan"
                else shots_of(lengths[task.clip])
            )
            outcome = Outcome(finished=task.stage in ("clip", "finish"), shots=cut, step=STEP)
            books.ended(name, task, outcome, now)
        else:
            numbers = range(whom * MACHINE, min((whom + 1) * MACHINE, gpus))
            for name in map(str, numbers):
                gpu = crew[name]
                if what == "dies":
                    for task, (begin, _) in gpu.at.items():
                        done_of[task] = max(0.0, now - begin)
                        found.useful += done_of[task] if task.stage in ("clip", "shots") else 0.0
                    gpu.alive, gpu.at, gpu.life = False, {}, gpu.life + 1
                    found.lost += len(books.lost(name, guilty=False, now=now))
                else:
                    gpu.alive, gpu.free = True, now
                    books.joined(name, f"machine {whom}")
            if what == "dies":
                count += 1
                heapq.heappush(happens, (now + BACK_S, count, "back", whom))
        found.driver += time.process_time() - began
    found.seconds, found.tail = now, now - last
    return found


def cost(task: Task, lengths: list[list[int]], frames: list[int], times: Times) -> float:
    """Seconds of a task on a GPU, without its start."""
    if task.stage == "plan":
        return frames[task.clip] * SCAN_MS / 1000
    if task.stage == "finish":
        return frames[task.clip] * times.finish
    if task.frames is not None:
        return (task.frames[1] - task.frames[0]) * times.frame
    start, stop = task.shots if task.stage == "shots" else (0, None)
    return sum(lengths[task.clip][start:stop]) * times.frame


def shots_of(lengths: list[int]) -> tuple[Shot, ...]:
    """Shots one after the other."""
    made, start = [], 0
    for number, length in enumerate(lengths):
        made.append(Shot(number, start, start + length))
        start += length
    return tuple(made)


def measured() -> Times:
    """Times of this machine: a part of a job that is done already, a job's end, an event that passes."""
    with tempfile.TemporaryDirectory() as folder:
        shelf, frames = ModelShelf(), 48
        shelf.put("stand-in", "cpu", "fp32", StandIn(0.001))
        config = EstimateConfig(method="temporal", model="stand-in", device="cpu", dtype="fp32", size=128)
        clip, out = make_clip(Path(folder) / "clip.mp4", 320, 180, frames, 4), Path(folder) / "out"
        for _ in range(2):
            began = time.process_time()
            estimate_clips([clip], out, config, shelf=shelf, part=Part(share=(1, 1)))
            start = time.process_time() - began
        began = time.process_time()
        finish(out)
        end = (time.process_time() - began) / frames
        watch, task = Watch([(clip, out)], lambda event: event.model_dump_json()), Task(0, "clip")
        began = time.process_time()
        for number in range(2000):
            watch.told(
                task, FrameDone(clip=str(clip), index=number, number=number, path=f"{out}/{number}.exr")
            )
        event = (time.process_time() - began) / 2000
    return Times(0.0, start, end, event)


def plan_of(clips: int) -> tuple[float, float]:
    """CPU seconds and MiB to settle folders and order of so many clips."""
    import tracemalloc

    with tempfile.TemporaryDirectory() as folder:
        names = [Path(folder) / f"film_{number:05d}.mov" for number in range(clips)]
        for name in names:
            name.write_bytes(b"x")
        tracemalloc.start()
        began = time.process_time()
        fleet = Fleet(names, Path(folder) / "out", EstimateConfig(), None)
        Dispatcher([1.0] * len(fleet.setup.guarded), width=8)
        seconds, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return seconds, peak / 2**20


def table(lengths: list[list[int]], times: Times, most: int, seed: int) -> tuple[float, Found]:
    """Prints a line a simulation; returns the one of all GPUs with a few losses, and what it used of them."""
    chosen, frames = (0.0, Found()), sum(map(sum, lengths))
    for gpus in sorted({most // 10, most // 3, most}):
        for losses in (0.0, 0.05, 0.2):
            found = simulate(lengths, gpus, times, losses, seed)
            busy = (found.driver + frames * times.event) / found.seconds
            used = found.useful / (found.seconds * gpus)
            print(
                f"    {gpus:4d} {losses:4.0%}: {found.seconds / 60:6.1f} min, {used:4.0%} used, tail "
                f"{found.tail:4.0f} s, {found.tasks} tasks, {found.lost} begun again, command {busy:.1%} busy"
            )
            if gpus == most and losses == 0.05:
                chosen = used, found
    return chosen


def limits(lengths: list[list[int]], times: Times) -> None:
    """Prints at how many GPUs something else is full."""
    rate, longest = 1 / times.frame, max(map(sum, lengths))
    operations = STORE_OPS / (rate * FRAME_OPS)
    print(f"    GPUs that fill storage of {STORE_GBS:g} GB/s: {STORE_GBS * 1e3 / (rate * FRAME_MB):.0f}")
    print(f"    GPUs that fill its {STORE_OPS:g} file operations a second: {operations:.0f}")
    print(f"    GPUs that fill the command's process, with --events: {1 / (rate * times.event):.0f}")
    shot = max(max(shots) for shots in lengths)
    print(f"    the longest shot ({shot} frames), cut where it pays: {shot * times.frame / 60:.1f} min")
    print(
        f"    the longest clip ({longest} frames): {longest * SCAN_MS / 1000:.0f} s to plan, "
        f"{longest * times.finish:.0f} s to end, each on one worker"
    )


def main() -> None:
    """Prints what was measured, the table, the limits and the JSON line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gpus", type=int, default=1000)
    parser.add_argument("--shots", type=int, default=10_000)
    parser.add_argument("--clips", type=int, default=600)
    parser.add_argument(
        "--model-ms", type=float, nargs="+", default=[40.0, 1000.0], help="the network's time a frame"
    )
    parser.add_argument("--cores", type=float, default=12.0, help="CPU cores a GPU")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for count in (100, 1000):
        seconds, peak = plan_of(count)
        print(f"plan of {count} clips: {seconds:.2f} CPU s, {peak:.1f} MiB")
    known = measured()
    print(
        f"CPU of a task's own {known.start * 1e3:.0f} ms, of the end {known.finish * 1e3:.2f} ms a frame, of "
        f"an event {known.event * 1e6:.0f} us"
    )
    lengths = films(options.clips, options.shots, random.Random(options.seed))
    frames = sum(map(sum, lengths))
    print(f"{options.clips} clips, {sum(map(len, lengths))} shots, {frames} frames")
    for model_ms in options.model_ms:
        rest = CPU_MS / options.cores / 1000
        times = replace(known, frame=max(model_ms / 1000, rest), rest=rest)
        print(f"a frame takes {times.frame * 1e3:.1f} ms; GPUs, machines lost:")
        ratio, kept = table(lengths, times, options.gpus, options.seed)
        limits(lengths, times)
    facts = {
        "benchmark": "scale_simulation",
        "ratio": round(ratio, 3),
        "ours": round(kept.seconds, 1),
        "baseline": round(frames * times.frame / options.gpus, 1),
        "unit": "s, against all GPUs busy from beginning to end",
        "machine": machine(),
    }
    print(json.dumps(facts))


if __name__ == "__main__":
    main()
