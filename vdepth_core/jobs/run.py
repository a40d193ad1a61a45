"""One clip, one job: the only place that knows the whole way from clip to files.

Four threads, queues between them, each on another shot:

* scan cuts the clip into shots, a cheap pass that runs ahead;
* infer predicts shot by shot, on the accelerator;
* settle co-aligns and filters a predicted shot;
* write maps disparity to depth, up-samples and writes a settled shot.

Each picks up where the job folder says it stopped; all of them are deterministic.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from ..checksums import Checksums
from ..clip import ClipReader, ShotView, fingerprint
from ..clip.timing import last_duration
from ..errors import Cancelled, InputError
from ..models.device import cpu_threads, set_threads
from ..output.manifest import Manifest, write_manifest
from ..output.naming import manifest_path
from ..store import DepthStore
from ..types import DepthModel, Method, Shot, ShotAlignment
from ..version import __version__
from .accelerator import ModelShelf, Turns
from .config import EstimateConfig
from .events import Done, JobProgress, Started, Warning_
from .folder import JobFolder, folder_checksums, found_manifest, manifests, tidy
from .plan import Plan, make_plan
from .record import ClipRecord
from .writer import ClipWriter, job_names

_POLL_S = 0.2
_SHOTS_AHEAD = 2  # waiting between two threads: bounds open files
Item = TypeVar("Item")
_Predicted = tuple[Shot, DepthStore]
_Settled = tuple[Shot, DepthStore, ShotAlignment]


class ClipJob:
    """Estimates one clip into one folder; `run` does everything and may be called once."""

    def __init__(
        self,
        path: Path,
        out: Path,
        config: EstimateConfig,
        progress: JobProgress,
        shelf: ModelShelf,
        turns: Turns,
        turn: int,
        others: Sequence[Path] = (),
    ) -> None:
        """Takes what the job needs; ``others`` are files of clips that nothing may be written beside."""
        self.path, self.out, self.config, self.progress = path, out, config, progress
        self._shelf, self._turns, self._turn = shelf, turns, turn
        self._others = others
        self._seconds: dict[str, float] = {}
        self._failure: BaseException | None = None
        self._open_stores: set[DepthStore] = set()
        self._scanned = threading.Event()

    def run(self, *, overwrite: bool = False) -> Manifest:
        """Runs or resumes the job.

        Raises:
            VdepthError: one of its subclasses says what is wrong; everything finished stays on disk.
        """
        try:
            return self._run(overwrite)
        finally:
            self._turns.pass_on(self._turn)

    def _run(self, overwrite: bool) -> Manifest:
        began = time.monotonic()
        checksums = folder_checksums(self.out)
        plan = make_plan(
            self.path, self.out, self.config, self._shelf, checksums, self.progress, overwrite=overwrite
        )
        self.progress.check()  # a job that has not begun leaves its folder alone
        manifest = self._finished(plan, checksums)
        if manifest is not None:  # nothing is written, so nothing is asked of the folder
            self._tell_started(plan, resumed=True)
            if not plan.config.keep_store:
                tidy(self.out, plan.record.job)
        else:
            names = job_names(plan.clip.info, plan.config)
            with JobFolder(self.out, names, (*plan.clip.files, *self._others), checksums) as folder:
                manifest = self._work(plan, folder, began, overwrite)
        self.progress.tell(Done(clip=self.progress.clip, manifest=str(manifest_path(self.out))))
        return manifest

    def _work(self, plan: Plan, folder: JobFolder, began: float, overwrite: bool) -> Manifest:
        resumed = folder.claim(plan.record, overwrite=overwrite)
        self._tell_started(plan, resumed)
        for sentence in plan.warnings:
            self.progress.warn(sentence)
        if resumed and (manifest := self._manifest_lost(plan, folder)):
            write_manifest(manifest, manifest_path(self.out), folder.place)
            if not plan.config.keep_store:
                folder.drop_stores()
            return manifest
        self._say_what_changed(plan, resumed)
        scan = folder.load_scan(plan.record.job)
        if scan is not None:
            plan.clip.facts = scan
        if not resumed:
            self._check_space(plan, folder)
        writer = ClipWriter(
            plan.clip, folder, plan.record, plan.model.spec, plan.camera, plan.method.name, self.progress
        )
        try:
            self._pipeline(plan, folder, writer)
        except BaseException:
            writer.abandon()
            raise
        self._check_unchanged(plan, folder.checksums)
        self._seconds["total"] = time.monotonic() - began
        manifest = writer.finish(self._seconds)
        if not plan.config.keep_store:
            folder.drop_stores()
        return manifest

    def _tell_started(self, plan: Plan, resumed: bool) -> None:
        spec = plan.model.spec
        self.progress.tell(
            Started(
                clip=self.progress.clip,
                vdepth=__version__,
                job=plan.record.job,
                out=str(self.out),
                preset=plan.config.preset,
                method=plan.method.name,
                model=spec.name,
                license=spec.license,
                device=plan.device,
                size=plan.size,
                frames=plan.clip.info.frames_declared,
                resumed=resumed,
            )
        )

    def _finished(self, plan: Plan, checksums: Checksums) -> Manifest | None:
        """The manifest, if this very job is complete: every file it names is there and whole."""
        manifest = found_manifest(manifest_path(self.out), plan.record.job)
        return manifest if manifest and manifest.complete(self.out, checksums) else None

    def _manifest_lost(self, plan: Plan, folder: JobFolder) -> Manifest | None:
        """The second manifest of this very job, where nothing but the first was lost or damaged."""
        for path in manifests(self.out):
            manifest = found_manifest(path, plan.record.job)
            if manifest and manifest.complete(self.out, folder.checksums):
                return manifest
        return None

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
        pictures = frames * info.width * info.height * 3  # 12 bytes a pixel before compression
        folder.need(store + pictures)

    def _pipeline(self, plan: Plan, folder: JobFolder, writer: ClipWriter) -> None:
        shots: queue.Queue[Shot | None] = queue.Queue()
        predicted: queue.Queue[_Predicted | None] = queue.Queue(_SHOTS_AHEAD)
        settled: queue.Queue[_Settled | None] = queue.Queue(_SHOTS_AHEAD)
        threads = [
            self._thread("scan", lambda: self._scan(plan, folder, shots)),
            self._thread("settle", lambda: self._settle(predicted, settled, plan.method, plan.model)),
            self._thread("write", lambda: self._write(settled, plan.config, writer)),
        ]
        try:
            with self._guard():
                self._turns.wait(self._turn, self.progress)
                self._infer(plan, folder, shots, predicted)
        finally:
            self._turns.pass_on(self._turn)
            self._put(predicted, None)
            for thread in threads:
                thread.join()
            for store in self._open_stores:  # those a failure left behind
                store.close()
        if self._failure is not None:
            raise self._failure

    def _scan(self, plan: Plan, folder: JobFolder, shots: queue.Queue[Shot | None]) -> None:
        clip, (start, stop) = plan.clip, plan.frames
        try:
            with self._timed("scan"):
                if clip.facts is None:
                    for shot in clip.scan(
                        shots=plan.config.shots, start=start, stop=stop, progress=self.progress
                    ):
                        shots.put(shot)
                    assert clip.facts is not None
                    folder.save_scan(plan.record.job, clip.facts)
                else:
                    for shot in clip.facts.shots:
                        shots.put(shot)
            facts = clip.facts
            assert facts is not None
            for warning in facts.warnings:
                self.progress.warn(warning)
            end = facts.times[-1] + last_duration(facts.times, 1 / clip.info.rate)
            plan.numbering.check_shown(facts.times[facts.shots[0].start], end)
            total = sum(len(shot) for shot in facts.shots)
            for stage in ("infer", "settle", "write"):
                self.progress.stage(stage, total)
            self._scanned.set()
        finally:
            shots.put(None)

    def _infer(
        self,
        plan: Plan,
        folder: JobFolder,
        shots: queue.Queue[Shot | None],
        predicted: queue.Queue[_Predicted | None],
    ) -> None:
        if plan.device == "cpu":
            set_threads(self._threads(plan, folder))
        with ClipReader(plan.clip) as reader:
            for shot in self._drain(shots):
                store = DepthStore(
                    folder.store(shot.index), len(shot), *plan.size, **plan.record.made_of(shot)
                )
                self._open_stores.add(store)
                with self._timed("infer"):
                    plan.method.run(ShotView(reader, shot), plan.model, store, self.progress)
                self._put(predicted, (shot, store))

    def _threads(self, plan: Plan, folder: JobFolder) -> int:
        """How many the network runs on: what the job was begun with, or what is measured now."""
        if plan.record.threads is not None:
            return plan.record.threads
        threads = cpu_threads(plan.model, plan.size, self.progress)
        folder.record(plan.record.model_copy(update={"threads": threads}))
        return threads

    def _settle(
        self,
        predicted: queue.Queue[_Predicted | None],
        settled: queue.Queue[_Settled | None],
        method: Method,
        model: DepthModel,
    ) -> None:
        for shot, store in self._drain(predicted):
            with self._timed("settle"):
                alignment = method.settle(shot, model.spec, store, self.progress)
            self._put(settled, (shot, store, alignment))
        self._put(settled, None)

    def _write(
        self, settled: queue.Queue[_Settled | None], config: EstimateConfig, writer: ClipWriter
    ) -> None:
        while config.cfr and not self._scanned.wait(_POLL_S):  # only the scan knows when a frame ends
            self.progress.check()
        for shot, store, alignment in self._drain(settled):
            with store, self._timed("write"):
                writer.write_shot(shot, store, alignment)
            self._open_stores.discard(store)

    def _thread(self, name: str, work: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            with self._guard():
                work()

        thread = threading.Thread(target=guarded, name=f"{name} {self.path.name}")
        thread.start()
        return thread

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """Keeps the first real failure and stops the other threads."""
        try:
            yield
        except BaseException as error:
            if self._failure is None or isinstance(self._failure, Cancelled):
                self._failure = error
            self.progress.cancel()

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self._seconds[stage] = self._seconds.get(stage, 0.0) + time.monotonic() - began

    def _put(self, items: queue.Queue[Item | None], item: Item | None) -> None:
        """Puts into a bounded queue unless its reader is gone."""
        while not self.progress.cancelled:
            try:
                items.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return

    def _drain(self, items: queue.Queue[Item | None]) -> Iterator[Item]:
        """Items until None, waking up to notice a cancelled job."""
        while True:
            self.progress.check()
            try:
                item = items.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            if item is None:
                return
            yield item
