"""Random worlds around a job's folder: the user's files, links, old results; the user acts, then vdepth.

A world keeps its own books about which files vdepth made: whatever a verb added or changed, as long as the
user has not touched it since. Everything else is foreign, and no verb may change, move or remove it.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from generated import RampModel, write_movie

from vdepth_core.jobs.accelerator import ModelShelf
from vdepth_core.jobs.batch import ClipResult, estimate_clips
from vdepth_core.jobs.config import EstimateConfig
from vdepth_core.output.exr import write_exr
from vdepth_core.output.journal import FileEntry
from vdepth_core.output.manifest import read_manifest

Fact = tuple[object, ...]
NAMES = [
    "manifest.json", "preview.mp4", "report.html", "shot_depth.1001.exr", "shot_depth.1003.exr",
    "shot_disparity.1002.exr", "shot_layers.1001.exr", "shot_normal.1001.exr", "shot_depth.0001.exr",
    "p_depth.0002.exr", "other_depth.1001.exr", "notes.txt", "Manifest.JSON", "shot_depth.1001.exr.bak",
    ".shot_depth.1001.exr.123-456.tmp", ".vdepth", "job.json", "shot_0000", "sub",
]  # fmt: skip
WORK_NAMES = ["notes.txt", "shot_0000/plate.exr", "tmp/notes.tmp", "tmp/shot.exr", "shot_notes.txt"]
KINDS = ("file", "file", "file", "file", "link", "dangling", "hard", "folder")
LINKED = ["job.json", "lock", "journal.jsonl", "scan.json", "shot_0000", "tmp", "shot_0000/raw.f32"]
OPTIONS: list[dict[str, object]] = [
    {}, {}, {"near": 2.0}, {"layered": True}, {"normals": True}, {"frames": "0-1"}, {"keep_store": True},
    {"method": "temporal"}, {"cfr": "48"}, {"start_frame": 1003}, {"frames": "1"}, {"frames": "7-9"},
]  # fmt: skip


class Killed(BaseException):
    """The process is dead: nothing it still tries reaches the disk."""


class Clips:
    """The clips all worlds copy."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True)
        self.movies = [write_movie(root / name, 3, size=(64, 48)) for name in ("shot.mp4", "other.mp4")]
        self.frames = []
        for number in range(1, 4):
            self.frames.append(root / f"p.{number:04d}.png")
            picture = np.random.default_rng(number).integers(0, 255, (48, 64, 3), np.uint8)
            cv2.imwrite(str(self.frames[-1]), picture)


class World:
    """One random world below ``root``; ``told`` counts what became of its jobs."""

    def __init__(self, root: Path, clips: Clips, seed: int, told: Counter[str]) -> None:
        self.root, self.chance, self.told = root, random.Random(seed), told
        self.history: list[str] = [f"seed {seed}"]
        self.ours: set[Path] = set()
        self.spoiled: dict[Path, str] = {}  # damaged file of ours -> what it holds now
        self.torn = False  # somebody damaged a journal: what it knew may stay behind
        (root / "clips").mkdir(parents=True)
        (root / "precious").mkdir()
        for name in ("x", "run.json", "raw.f32", "job.json"):
            (root / "precious" / name).write_bytes(self.chance.randbytes(40))
        self.movies = [Path(shutil.copy2(movie, root / "clips")) for movie in clips.movies]
        plates = root / "clips" / "p"
        plates.mkdir()
        for frame in clips.frames:
            shutil.copy2(frame, plates)
        self.clips = [*self.movies, plates]
        self.outs = [root / "out", root / "clips", plates, root / "batch"]
        self.out = self.outs[0]
        self.acts: list[tuple[int, Callable[[], None]]] = [
            (4, self.add_file), (1, self.remove_work), (1, self.link_work), (2, self.damage_job),
            (1, self.damage_journal), (3, self.edit), (2, self.spoil), (1, self.swap), (1, self.remove),
            (2, self.add_to_work), (2, self.link_in_work), (1, self.copy_results),
        ]  # fmt: skip

    def live(self, turns: int) -> None:
        """The user and vdepth act in turn; in one world the user does a few kinds of things only."""
        self.acts = self.chance.sample(self.acts, self.chance.choice((1, 2, 3, 6)))
        for _ in range(turns):
            for _ in range(self.chance.choice((0, 1, 1, 2, 3))):
                weights, acts = zip(*self.acts, strict=True)
                (act,) = self.chance.choices(acts, weights)
                act()
            self.verb()

    # What the user does. Nothing of this goes through a link out of the world.

    def add_file(self) -> None:
        out = self.chance.choice((self.out, self.out, self.root / "batch" / "shot"))
        path = out / self.chance.choice(NAMES)
        if self._is_folder(out) and not os.path.lexists(path):
            self._make(path)

    def add_to_work(self) -> None:
        path = self.out / ".vdepth" / self.chance.choice(WORK_NAMES)
        inside = self._is_folder(self.out / ".vdepth") and not path.parent.is_symlink()
        if inside and not os.path.lexists(path):
            path.parent.mkdir(exist_ok=True)
            self._make(path, kinds=("file",))

    def link_in_work(self) -> None:
        path = self.out / ".vdepth" / self.chance.choice(LINKED)
        if self._is_folder(self.out / ".vdepth") and self._is_folder(path.parent):
            self._forget(path)
            kind = self.chance.choice(("hard", "link", "link"))
            target = self.root / "precious" if path.suffix == "" else self.root / "precious" / "x"
            if kind == "hard" and target.is_file():
                os.link(target, path)
            else:
                path.symlink_to(target)
            self.history.append(f"link {path}")

    def remove_work(self) -> None:
        if self._is_folder(self.out / ".vdepth"):
            self._forget(self.out / ".vdepth")
            self.ours -= {path for path in self.ours if path.parent == self.out}
            self.history.append("remove .vdepth")

    def link_work(self) -> None:
        work = self.out / ".vdepth"
        if self._is_folder(work) and not (self.root / "moved").exists():
            work.rename(self.root / "moved")
            work.symlink_to(self.root / "moved")
            self.ours -= {path for path in self.ours if path.is_relative_to(self.out)}
            self.history.append("move .vdepth behind a link")

    def damage_job(self) -> None:
        path = self.out / ".vdepth" / self.chance.choice(("job.json", "scan.json"))
        if path in self.ours and path.is_file():
            content = self.chance.choice((b"", b"{", b"[]", b'{"job": 3}', None))
            path.unlink()
            if content is not None:
                path.write_bytes(content)
            self.history.append(f"damage {path.name}: {content!r}")

    def damage_journal(self) -> None:
        path = self.out / ".vdepth" / "journal.jsonl"
        if path in self.ours and path.is_file():
            data = bytearray(path.read_bytes())
            if self.chance.random() < 0.5:
                del data[self.chance.randrange(len(data) + 1) :]
            elif data:
                data[self.chance.randrange(len(data))] = self.chance.randrange(256)
            path.write_bytes(data)
            self.torn = True
            self.history.append("damage the journal")

    def edit(self) -> None:
        path = self._result()
        if path is not None:
            facts, data = path.stat(), path.read_bytes()
            path.write_bytes(self._edited(path, data))
            if self.chance.random() < 0.5:
                os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
            self.ours.discard(path)
            self.spoiled.pop(path, None)
            self.history.append(f"edit {path.name}")

    def _edited(self, path: Path, data: bytes) -> bytes:
        """What somebody makes of a result: still readable, or something else altogether."""
        if self.chance.random() < 0.3:
            return self.chance.randbytes(len(data))
        match path.suffix:
            case ".exr" if self.chance.random() < 0.5:  # a word of the header, as long as before
                return data.replace(b"ramp", b"mine", 1)
            case ".exr":
                write_exr(path, {"Y": np.full((48, 64), self.chance.random(), np.float32)}, {})
                return path.read_bytes()
            case ".json":
                return json.dumps(json.loads(data) | {"mine": 1}).encode()
            case ".html":
                return data.replace(b"<body", b"<!-- mine --><body", 1)
        return data + b"mine"

    def spoil(self) -> None:
        path = self._result()
        if path is not None:
            data = bytearray(path.read_bytes())
            data[self.chance.randrange(len(data))] ^= 1 + self.chance.randrange(255)
            path.write_bytes(data[: self.chance.choice((len(data), len(data) // 2))])
            self.spoiled[path] = hashlib.sha256(path.read_bytes()).hexdigest()
            self.history.append(f"spoil {path.name}")

    def swap(self) -> None:
        path = self._result()
        if path is not None:
            self._forget(path)
            self._make(path, kinds=("link", "hard", "folder"))

    def remove(self) -> None:
        path = self._result()
        if path is not None:
            self._forget(path)
            self.history.append(f"remove {path.name}")

    def copy_results(self) -> None:
        copy = self.root / "copy"
        if self._is_folder(self.out) and not copy.exists():
            shutil.copytree(self.out, copy, symlinks=True, ignore=shutil.ignore_patterns(".vdepth"))
            self.outs[0] = self.out = copy
            self.history.append("copy the results without .vdepth")

    # What vdepth does.

    def verb(self) -> None:
        """One command, then the books are balanced.

        Raises:
            AssertionError: something foreign changed, or a finished job does not keep its word.
        """
        chance = self.chance
        clips = [chance.choice(self.clips)]
        out = chance.choices(self.outs[:3], (16, 1, 1))[0]
        if chance.random() < 0.15:
            clips, out = [*self.movies, self.clips[2]], self.outs[3]
        options, overwrite = chance.choice(OPTIONS), chance.random() < 0.5
        ending = chance.choice(("", "", "", "cancel", "kill", "kill"))
        self.history.append(
            f"estimate {[c.name for c in clips]} -o {out.name} {options} overwrite={overwrite} {ending}"
        )
        before, foreign = facts_of(self.root), self.foreign()
        results = self._run(clips, out, options, overwrite, ending)
        after = facts_of(self.root)
        story = "\n  ".join(self.history)
        for path in foreign:
            now = after.get(path)
            assert now == before[path], f"{path} was {before[path]}, is {now}\n  {story}"
        for path, content in self.spoiled.items():  # may be written again, but what it held is not lost
            held = {fact[-1] for place, fact in after.items() if place == path or "damaged" in place.parts}
            assert content in held or path not in before, f"{path} was spoiled and is gone\n  {story}"
        same = {path for path, fact in after.items() if before.get(path) == fact}
        self.spoiled = {path: held for path, held in self.spoiled.items() if path in same}
        self.ours = {path for path in self.ours if path in after}
        self.ours |= {path for path, fact in after.items() if before.get(path) != fact}
        for result in results:
            code = "done" if result.error is None else result.error.code
            self.told["killed" if ending == "kill" and code == "internal" else code] += 1
            assert code != "internal" or ending == "kill", f"{result.error}\n  {story}"
            if result.error is None:
                self._check_done(result, after, story)

    def foreign(self) -> set[Path]:
        """Everything that vdepth did not make, or that was changed since."""
        return {path for path in facts_of(self.root) if path not in self.ours}

    def _check_done(self, result: ClipResult, after: dict[Path, Fact], story: str) -> None:
        beside = result.clip if result.clip.is_dir() else result.clip.parent
        assert result.out != beside, f"beside the clip\n  {story}"
        manifest = read_manifest(result.out / "manifest.json")
        for name, entry in manifest.files.items():
            if result.out / name in self.ours and result.out / name not in self.spoiled:
                assert FileEntry.of(result.out / name) == entry, f"{name}\n  {story}"
        kept = {result.out / name for name in (*manifest.files, "manifest.json")}
        left = (
            {path for path in self.ours if path.parent == result.out and path.is_file()}
            - kept
            - set(self.spoiled)
        )
        assert self.torn or not left, f"left behind: {left}\n  {story}"

    def _run(
        self, clips: list[Path], out: Path, options: dict[str, object], overwrite: bool, ending: str
    ) -> list[ClipResult]:
        model = _Stopping(self.chance.randrange(4)) if ending == "cancel" else RampModel()
        shelf = ModelShelf()
        shelf.put("ramp", "cpu", "fp32", model)
        chosen = {"method": "framewise", **options}
        config = EstimateConfig.parse(model="ramp", device="cpu", dtype="fp32", size=64, **chosen)
        with dying(int(self.chance.expovariate(1 / 25)) if ending == "kill" else None):
            return estimate_clips(clips, out, config, overwrite=overwrite, shelf=shelf)

    def _make(self, path: Path, kinds: tuple[str, ...] = KINDS) -> None:
        kind = self.chance.choice(kinds)
        if kind == "file":
            path.write_bytes(self.chance.randbytes(self.chance.randrange(60)))
        elif kind == "hard":
            os.link(self.root / "precious" / "x", path)
        elif kind == "folder":
            path.mkdir()
            (path / "inside").write_bytes(b"theirs")
        else:
            target = "x" if self.chance.random() < 0.5 else ""
            path.symlink_to(self.root / ("nowhere" if kind == "dangling" else "precious") / target)
        self.ours.discard(path)
        self.history.append(f"{kind} {path.relative_to(self.root)}")

    def _forget(self, path: Path) -> None:
        if self._is_folder(path):
            shutil.rmtree(path)
        elif os.path.lexists(path):
            path.unlink()
        self.ours -= {known for known in self.ours if known.is_relative_to(path)}
        self.spoiled = {known: held for known, held in self.spoiled.items() if not known.is_relative_to(path)}

    def _result(self) -> Path | None:
        found = sorted(path for path in self.ours if path.parent == self.out and path.is_file())
        return self.chance.choice(found) if found else None

    @staticmethod
    def _is_folder(path: Path) -> bool:
        return path.is_dir() and not any(part.is_symlink() for part in (path, path.parent))


class _Stopping(RampModel):
    """A user who interrupts after so many frames."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._after = after

    def predict(self, frames):
        if self.seen + len(frames) > self._after:
            raise KeyboardInterrupt
        return super().predict(frames)


@contextmanager
def dying(moment: int | None) -> Iterator[None]:
    """Lets the process die, as far as the disk can tell, at one of its next acts on files."""
    if moment is None:
        yield
        return
    names = ("link", "replace", "rename", "unlink", "rmdir", "mkdir", "fsync")
    real, count = {name: getattr(os, name) for name in names}, [0]

    def dead(name: str) -> Callable[..., object]:
        def act(*arguments: object, **more: object) -> object:
            count[0] += 1
            if count[0] > moment:
                raise Killed
            return real[name](*arguments, **more)

        return act

    for name in names:
        setattr(os, name, dead(name))
    try:
        yield
    finally:
        for name in names:
            setattr(os, name, real[name])


def facts_of(root: Path) -> dict[Path, Fact]:
    """Kind, content and time of everything below ``root``; of a folder only that it is there."""
    found: dict[Path, Fact] = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder) / name
            facts = path.lstat()
            if stat.S_ISLNK(facts.st_mode):
                found[path] = ("link", os.readlink(path), facts.st_mtime_ns)
            elif stat.S_ISDIR(facts.st_mode):
                found[path] = ("folder",)
            else:
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                found[path] = ("file", facts.st_mtime_ns, facts.st_ino, facts.st_size, content)
    return found
