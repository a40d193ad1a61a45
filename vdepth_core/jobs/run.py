"""One clip, one job: the only place that knows the whole way from clip to files.

Shots go through the stages of `shots` and `writer`, each stage on another shot:

* scan cuts the clip into shots, a cheap pass that runs ahead;
* infer predicts shot by shot, in the clip's turn on the accelerator;
* settle co-aligns and filters a predicted shot;
* refine, for methods that do, needs the accelerator once more;
* write maps disparity to depth, up-samples and writes a settled shot.

Each picks up where the job folder says it stopped; all of them are deterministic.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from ..budget import MB, at_most, give_back
from ..checksums import Checksums
from ..clip import ClipReader, ShotView, fingerprint
from ..errors import BusyError, InputError, UsageError
from ..files import make_folder, require_folder
from ..models.device import cpu_threads, set_threads
from ..output.locks import planning
from ..output.manifest import Manifest
from ..output.naming import JobNames, frame_path, manifest_path
from ..plugins import answering
from ..store import DepthStore
from ..types import Shot
from ..version import __version__
from . import ranges
from . import shots as stages
from .accelerator import Accelerator, ModelShelf
from .adapting import adapted_config
from .assemble import assemble
from .config import EstimateConfig
from .events import Done, JobProgress, PartDone, Started, Warning_
from .folder import JobFolder, finished_manifest, folder_checksums, read_scan, tidy
from .numbering import end_of
from .parts import Part, Piece
from .pipeline import Channel, run_stages
from .plan import Plan, make_plan
from .record import ClipRecord
from .results import ShotResult
from .writer import ShotWriter, job_names, sequence_settings

_POLL_S = 0.2
_SHOTS_AHEAD = 2  # waiting between two threads: bounds open files
_REFINE, _PREDICT = range(2)  # which of a clip's shots gets the accelerator first
_Work = tuple[Shot, DepthStore]
# What a stage of a boosted clip holds for a pixel of a frame (pictures in a decoder, one ahead, one at work,
# and what becomes of it), and how much stages may hold.
_STAGE_BYTES, _STAGES_BYTES = 40, 2048 * MB


class ClipJob:
    """Estimates one clip into one folder; `run` does everything and may be called once.

    Attributes:
        step: Of a part, once it ran: multiples of how many frames a shot may be cut at; 0: shots stay whole.
    """

    def __init__(
        self,
        path: Path,
        out: Path,
        config: EstimateConfig,
        progress: JobProgress,
        shelf: ModelShelf,
        accelerator: Accelerator,
        turn: int,
        others: Sequence[Path] = (),
        part: Part | None = None,
    ) -> None:
        """Takes what the job needs.

        Args:
            path: The clip.
            out: Its folder.
            config: The options as given.
            progress: Told about everything.
            shelf: Where models come from.
            accelerator: What runs them.
            turn: Which of the accelerator's clips this is.
            others: Files of clips that nothing may be written beside.
            part: Which shots to do; None: all, and the end of the job too.
        """
        self.path, self.out, self.config, self.progress = path, out, config, progress
        self._shelf, self._accelerator, self._turn = shelf, accelerator, turn
        self._others, self._part = others, part
        self._seconds: dict[str, float] = {}
        self._thread_count: int | None = None
        self._totals: dict[str, int] = {}
        self.step = 0

    def run(self, *, overwrite: bool = False) -> Manifest | None:
        """Runs or resumes the job; returns its manifest, or None after a part of it.

        Args:
            overwrite: Whether another job in the folder gives way.

        Raises:
            VdepthError: one of its subclasses says what is wrong; everything finished stays on disk.
        """
        began = time.monotonic()
        require_folder(self.out)
        self._adapt(overwrite)
        checksums = folder_checksums(self.out)
        plan = make_plan(
            self.path, self.out, self.config, self._shelf, checksums, self.progress, overwrite=overwrite
        )
        self.progress.check()  # a job that has not begun leaves its folder alone
        manifest = finished_manifest(self.out, plan.record.job, checksums)
        if manifest is not None:
            # Nothing is written, so nothing is asked of the folder.
            self._tell_started(plan, resumed=True, finished=True)
            tidy(self.out, plan.record.job, keep_store=plan.config.keep_store)
        elif self._part is not None:
            self._run_part(plan, self._part, checksums, overwrite)
            return None
        else:
            with self._open(plan, checksums) as folder:
                self._begin(plan, folder, overwrite)
                self._work(plan, folder, None)
                self._check_unchanged(plan, checksums)
                assert plan.clip.facts is not None
                self._seconds["total"] = time.monotonic() - began
                manifest = assemble(folder, plan.record, plan.clip.facts, self._seconds)
        self.progress.tell(Done(clip=self.progress.clip, manifest=str(manifest_path(self.out))))
        return manifest

    def _adapt(self, overwrite: bool) -> None:
        """Has the clip's own weights made first, if that was asked for."""
        if self.config.adapt is None:
            return
        if self._part is not None:
            raise UsageError(
                "Shots are estimated by one model: it cannot be adapted in every shard.",
                "Adapt once with vdepth adapt, and give its weights as --model.",
            )
        with self._turn_for(True, _PREDICT):
            make_folder(self.out)
            self.config = adapted_config(self.path, self.out, self.config, self.progress, overwrite=overwrite)

    def _run_part(self, plan: Plan, part: Part, checksums: Checksums, overwrite: bool) -> None:
        """Does some shots, while other processes do others; whoever comes first makes the plan for all."""
        self.step = ranges.step_of(plan)
        with planning(self.out, self.progress), self._open(plan, checksums, shared=True) as folder:
            self._begin(plan, folder, overwrite)
            scan = list(self._shots(plan, folder))
            pieces = part.pieces(scan, self.step)
            cut = [
                piece for piece in pieces if not piece.whole and not self._result(plan, folder, piece.shot)
            ]
            if pieces:
                self._set_threads(plan, folder)
        if cut:
            self._count({"infer": sum(piece.stop - piece.start for piece in cut)})
        for piece in cut:
            self._predict_range(plan, piece)
        alone = part.frames is not None  # whoever gave out a range by itself goes on with its shot
        done = [piece.shot.index for piece in pieces if piece not in cut and not alone]
        if done:
            with planning(self.out, self.progress):
                folder = self._open_shots(plan, checksums, range(done[0], done[-1] + 1))
            self._work_on(plan, folder, scan[done[0] : done[-1] + 1])
        mine = dict.fromkeys(piece.shot for piece in cut if not alone)
        done += [shot.index for shot in mine if self._go_on(plan, shot, checksums)]
        if pieces:
            self._check_unchanged(plan, checksums)
        clip = self.progress.clip
        self.progress.tell(PartDone(clip=clip, out=str(self.out), shots=sorted(set(done)), of=len(scan)))

    def _predict_range(self, plan: Plan, piece: Piece) -> None:
        """Predicts some frames of a shot whose others other processes predict."""
        if ranges.is_predicted(plan, self.out, piece):
            self.progress.skip("infer", piece.stop - piece.start)
            return
        with planning(self.out, self.progress):
            lock = ranges.lock_range(self.out, piece)
        try:
            with ranges.open_range(plan, self.out, piece) as store, ClipReader(plan.clip) as reader:
                with self._turn_for(True, _PREDICT):
                    if self._thread_count is not None:
                        set_threads(self._thread_count)
                    frames, view = range(piece.start, piece.stop), ShotView(reader, piece.shot)
                    stages.predict_range(plan, view, store, frames, self.progress)
                ranges.set_predicted(plan, store, piece)
        finally:
            lock.release()

    def _go_on(self, plan: Plan, shot: Shot, checksums: Checksums) -> bool:
        """Does the rest of a shot if its last range is predicted now and nobody else is at it."""
        with planning(self.out, self.progress):
            if not ranges.all_predicted(plan, self.out, shot):
                return False
            try:
                folder = self._open_shots(plan, checksums, range(shot.index, shot.index + 1))
            except BusyError:
                return False
        self._work_on(plan, folder, [shot])
        return True

    def _work_on(self, plan: Plan, folder: JobFolder, shots: Sequence[Shot]) -> None:
        """Brings shots that follow each other to their end; their ranges were counted when they were done."""
        with folder:
            left = [shot for shot in shots if not ranges.all_predicted(plan, self.out, shot)]
            self._count({"infer": sum(map(len, left))})
            self._work(plan, folder, range(shots[0].index, shots[-1].index + 1))
            for shot in shots:
                ranges.drop_ranges(self.out, shot)

    def _open_shots(self, plan: Plan, checksums: Checksums, shots: range) -> JobFolder:
        return JobFolder(self.out, self._names(plan), plan.clip.files, checksums, shots)

    def _result(self, plan: Plan, folder: JobFolder, shot: Shot) -> ShotResult | None:
        """What is left of a shot that is finished."""
        result = folder.result(shot.index, plan.record.job)
        return result if result is not None and result.shot == shot else None

    def _count(self, frames: dict[str, int]) -> None:
        """Tells of so many more frames in some stages."""
        for stage, count in frames.items():
            self._totals[stage] = self._totals.get(stage, 0) + count
            self.progress.stage(stage, self._totals[stage])

    def _open(self, plan: Plan, checksums: Checksums, *, shared: bool = False) -> JobFolder:
        files = (*plan.clip.files, *self._others)
        return JobFolder(self.out, self._names(plan), files, checksums, shared=shared)

    def _names(self, plan: Plan) -> JobNames:
        scan = plan.clip.facts or read_scan(self.out, plan.record.predictions)
        return job_names(plan.clip.info, plan.config, scan)

    def _begin(self, plan: Plan, folder: JobFolder, overwrite: bool) -> None:
        resumed = folder.claim(plan.record, overwrite=overwrite)
        self._tell_started(plan, resumed)
        for sentence in plan.record.warnings:
            self.progress.warn(sentence)
        self._say_what_changed(plan, resumed)
        scan = folder.load_scan(plan.record.predictions)
        if scan is not None:
            plan.clip.facts = scan
        if not resumed:
            self._check_space(plan, folder)

    def _tell_started(self, plan: Plan, resumed: bool, *, finished: bool = False) -> None:
        spec = plan.spec
        self.progress.tell(
            Started(
                clip=self.progress.clip,
                vdepth=__version__,
                job=plan.record.job,
                out=str(self.out),
                preset=plan.config.preset,
                method=plan.method.name,
                model=spec.name,
                license=plan.record.terms[0],
                device=plan.device,
                size=plan.size,
                frames=plan.clip.info.frames_declared,
                resumed=resumed,
                finished=finished,
            )
        )

    def _say_what_changed(self, plan: Plan, resumed: bool) -> None:
        """Not a warning to keep: what comes out is what a fresh run gives."""
        before, now = plan.before, plan.record
        if resumed and before is not None and before.job != now.job:
            message = f"The clip changed: {before.clip.changes(now.clip)} will be predicted again."
            self.progress.tell(Warning_(clip=self.progress.clip, message=message))

    def _check_unchanged(self, plan: Plan, checksums: Checksums) -> None:
        """Before the manifest says that all is done: files that changed meanwhile may be in it half and half.

        Raises:
            InputError: the clip is not what it was when the job began.
        """
        source = fingerprint(plan.clip, *plan.frames, checksums=checksums, progress=self.progress)
        now = ClipRecord.of(plan.clip.info, source)
        if now.digest != plan.record.clip.digest:
            raise InputError(
                f"The clip changed while it was worked on: {plan.record.clip.changes(now)}.",
                "Run the same command again; what did not change is kept.",
            )

    def _check_space(self, plan: Plan, folder: JobFolder) -> None:
        info, (start, stop) = plan.clip.info, plan.frames
        frames = max(0, min(stop or info.frames_declared or 0, info.frames_declared or stop or 0) - start)
        store = frames * plan.size[0] * plan.size[1] * 9  # raw and final float32, luma uint8
        if plan.refiner is not None:
            height, width = plan.refiner.size(info, plan.spec, plan.size)
            store += frames * height * width * 4
        pictures = frames * info.width * info.height * 3  # 12 bytes a pixel before compression
        folder.need(store + pictures)

    def _shots(self, plan: Plan, folder: JobFolder) -> Iterator[Shot]:
        """The clip's shots, each as soon as it is known; they are kept for whoever comes next."""
        clip, (start, stop) = plan.clip, plan.frames
        if clip.facts is not None:
            yield from clip.facts.shots
            return
        yield from clip.scan(shots=plan.config.shots, start=start, stop=stop, progress=self.progress)
        assert clip.facts is not None
        folder.save_scan(plan.record.predictions, clip.facts)
        folder.check_names(self._names(plan))

    def _threads(self, plan: Plan, folder: JobFolder) -> int:
        """How many the network runs on: what the job was begun with, or what is measured now."""
        if self._thread_count is None:
            self._thread_count = plan.record.threads
        if self._thread_count is None:
            with answering(*plan.plugins("model")):
                self._thread_count = cpu_threads(plan.load(), plan.size, self.progress)
            folder.record(plan.record.model_copy(update={"threads": self._thread_count}))
        return self._thread_count

    def _work(self, plan: Plan, folder: JobFolder, part: range | None) -> None:
        """Brings every shot of the clip, or of a part of it, to its end."""
        shots: Channel[Shot] = Channel(self.progress)
        predicted: Channel[_Work] = Channel(self.progress, _SHOTS_AHEAD)
        settled: Channel[_Work] = Channel(self.progress, _SHOTS_AHEAD)
        refined: Channel[_Work] = Channel(self.progress, _SHOTS_AHEAD)
        refines = stages.refines(plan)
        ready = refined if refines else settled
        scanned = threading.Event()
        open_stores: set[DepthStore] = set()
        info = plan.clip.info
        # Two stages at once would exceed the memory: they take turns, a shot each, and the scan goes first.
        alone = refines > 0 and at_most(2, _STAGE_BYTES * info.width * info.height, _STAGES_BYTES) < 2

        def await_scan() -> None:
            while not scanned.wait(_POLL_S):
                self.progress.check()

        @contextmanager
        def room(frames: ClipReader | ShotWriter) -> Iterator[None]:
            if not alone:
                yield
                return
            with self._accelerator.memory(self.progress):
                try:
                    yield
                finally:
                    frames.close()  # a decoder that waits holds as much as one at work
                    give_back()

        def scan() -> None:
            began = time.monotonic()
            for shot in self._shots(plan, folder):
                if part is None or shot.index in part:
                    shots.put(shot)
            self._seconds["scan"] = time.monotonic() - began
            self._check_scan(plan, part, refines)
            scanned.set()
            shots.end()

        def infer() -> None:
            if alone:
                await_scan()
            with ClipReader(plan.clip) as reader:
                for shot in shots:
                    result = self._result(plan, folder, shot)
                    if result is not None and folder.whole(result):
                        self._skip(shot, "infer", "settle", *(["refine"] if refines else []), "write")
                        self._tell_frames(plan, result)
                        continue
                    store = stages.open_store(plan, folder, shot)
                    open_stores.add(store)
                    if stages.is_settled(store):
                        self._skip(shot, "infer")
                    else:
                        ranges.gather_ranges(plan, self.out, shot, store)
                        with room(reader), self._turn_for(True, _PREDICT):
                            self._set_threads(plan, folder)
                            stages.predict(plan, ShotView(reader, shot), store, self.progress)
                    predicted.put((shot, store))
            predicted.end()

        def settle() -> None:
            for shot, store in predicted:
                if stages.is_settled(store):
                    self._skip(shot, "settle")
                else:
                    stages.settle(plan, shot, store, self.progress)
                settled.put((shot, store))
            settled.end()

        def refine() -> None:
            with ClipReader(plan.clip) as reader:
                for shot, store in settled:
                    if stages.is_refined(store):
                        for _ in range(refines):
                            self._skip(shot, "refine")
                    else:
                        needed = stages.needs_model(plan, store)
                        with room(reader), self._turn_for(needed, _REFINE):
                            if needed:
                                self._set_threads(plan, folder)
                            stages.refine(plan, ShotView(reader, shot), store, self.progress)
                    refined.put((shot, store))
            refined.end()

        def write() -> None:
            if plan.config.cfr:  # only the scan knows when a frame ends
                await_scan()
            with ShotWriter(plan, folder, self.progress) as writer:
                for shot, store in ready:
                    with store, room(writer):
                        writer.finish(shot, store)
                    open_stores.discard(store)

        try:
            last = (refine, write) if refines else (write,)
            run_stages(self.path.name, self.progress, scan, infer, settle, *last)
        finally:
            for store in open_stores:  # those a failure left behind
                store.close()

    def _turn_for(self, needed: bool, rank: int) -> AbstractContextManager[None]:
        return self._accelerator.turn(self._turn, rank, self.progress) if needed else nullcontext()

    def _tell_frames(self, plan: Plan, result: ShotResult) -> None:
        """Whoever watches hears of every frame, the finished ones too."""
        kind = sequence_settings(plan.config).kinds[0]
        for shown in result.shown:
            path = frame_path(self.out, plan.clip.info.name, kind, shown.number)
            self.progress.frame_done(shown.frame, shown.number, path)

    def _set_threads(self, plan: Plan, folder: JobFolder) -> None:
        if plan.device == "cpu":
            set_threads(self._threads(plan, folder))

    def _skip(self, shot: Shot, *names: str) -> None:
        for name in names:
            self.progress.skip(name, len(shot))

    def _check_scan(self, plan: Plan, part: range | None, refines: int) -> None:
        facts = plan.clip.facts
        assert facts is not None
        for warning in facts.warnings:
            self.progress.warn(warning)
        end = end_of(facts, plan.clip.info.rate)
        plan.numbering.check_shown(facts.times[facts.shots[0].start], end)
        total = sum(len(shot) for shot in facts.shots if part is None or shot.index in part)
        if part is None:
            self._count({"infer": total})
        self._count({"settle": total, "write": total} | ({"refine": total * refines} if refines else {}))
