"""One clip, one job: the only place that knows the whole way from clip to files.

Four threads, queues between them, each on another shot:

* scan cuts the clip into shots, a cheap pass that runs ahead;
* infer predicts shot by shot, on the accelerator;
* settle co-aligns and filters a predicted shot;
* write maps disparity to depth, up-samples and writes a settled shot.

Each picks up where the job folder says it stopped; all of them are deterministic.
"""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

from ..clip import Clip, ClipReader, ShotView, fingerprint, open_clip
from ..clip.scan import ClipScan
from ..errors import Cancelled, InputError
from ..methods.registry import create_method
from ..methods.rolling import Rolling
from ..models.preprocess import network_size
from ..models.registry import list_models, pick_device
from ..models.threads import set_threads
from ..output.manifest import Manifest, read_manifest
from ..output.naming import manifest_path
from ..store import DepthStore
from ..types import DepthModel, Method, ModelSpec, Shot, ShotAlignment
from ..version import __version__
from .config import EstimateConfig
from .events import Done, Started
from .folder import JobFolder
from .numbering import Numbering
from .presets import resolve
from .reporting import JobProgress
from .shelf import ModelShelf, Turns, cpu_threads
from .writing import ClipWriter, job_names

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
        clip = open_clip(self.path, rate=Fraction(self.config.rate) if self.config.rate else None)
        device = pick_device(self.config.device)
        config = resolve(self.config, list_models(), device)
        assert config.model is not None
        assert config.method is not None
        model = self._shelf.get(config.model, device, config.dtype, config.predicts, config.compile)
        method = create_method(
            config.method,
            stabilize=config.stabilize,
            rolling_preset=config.rolling_preset,
            rolling_steps=config.rolling_steps,
            rolling_refine_steps=config.rolling_refine_steps,
            rolling_refine_length=config.rolling_refine_length,
            seed=config.seed,
        )
        method.check(model)
        info = clip.info
        sizing = _sizing(method, model.spec)
        size = network_size(info.width, info.height, info.pixel_aspect, sizing, config.size)
        source = fingerprint(self.path)
        job = config.job_hash(source, model.spec.weights_sha256)
        started = Started(
            clip=self.progress.clip,
            vdepth=__version__,
            job=job,
            out=str(self.out),
            preset=config.preset,
            method=method.name,
            model=model.spec.name,
            license=model.spec.license,
            device=device,
            size=size,
            frames=info.frames_declared,
            resumed=True,
        )
        self.progress.check()  # a job that has not begun leaves its folder alone
        if manifest := self._finished(job):  # nothing is written, so nothing is asked of the folder
            self.progress.tell(started)
            self.progress.tell(Done(clip=self.progress.clip, manifest=str(manifest_path(self.out))))
            return manifest
        with JobFolder(self.out, job_names(info, config), (*clip.files, *self._others)) as folder:
            facts = {"config": config.model_dump(mode="json"), "source": source, "vdepth": __version__}
            resumed = folder.claim(job, facts, overwrite=overwrite)
            self.progress.tell(started.model_copy(update={"resumed": resumed}))
            for note in info.notes:
                self.progress.warn(note)
            if model.spec.fixed_size and self.config.size:
                rows, columns = model.spec.fixed_size
                self.progress.warn(
                    f"{model.spec.name} sees pictures of {columns}x{rows} only; --size is ignored."
                )
            self._restore_scan(clip, folder)
            if not resumed:
                self._check_space(folder, clip, size)
            writer = ClipWriter(clip, folder, config, model.spec, method.name, job, source, self.progress)
            try:
                self._pipeline(clip, folder, config, model, method, size, writer)
            except BaseException:
                writer.abandon()
                raise
            self._seconds["total"] = time.monotonic() - began
            manifest = writer.finish(self._seconds)
            if not config.keep_store:
                folder.drop_stores()
        self.progress.tell(Done(clip=self.progress.clip, manifest=str(manifest_path(self.out))))
        return manifest

    def _finished(self, job: str) -> Manifest | None:
        """The manifest, if this very job is complete: every file it names is there and whole."""
        try:
            manifest = read_manifest(manifest_path(self.out))
        except InputError:
            return None
        return manifest if manifest.job == job and manifest.complete(self.out) else None

    def _restore_scan(self, clip: Clip, folder: JobFolder) -> None:
        saved = folder.load("scan.json")
        if saved is not None:
            clip.facts = ClipScan.from_json(json.dumps(saved))

    def _check_space(self, folder: JobFolder, clip: Clip, size: tuple[int, int]) -> None:
        frames = clip.facts.frames if clip.facts else clip.info.frames_declared or 0
        if self.config.frames:
            first, stop = Numbering.of(clip.info, self.config).indices(self.config.frames)
            frames = min(frames, (stop or frames) - first)
        store = frames * size[0] * size[1] * 9  # raw and final float32, luma uint8
        pictures = frames * clip.info.width * clip.info.height * 3  # 12 bytes a pixel before compression
        folder.need(store + pictures)

    def _pipeline(
        self,
        clip: Clip,
        folder: JobFolder,
        config: EstimateConfig,
        model: DepthModel,
        method: Method,
        size: tuple[int, int],
        writer: ClipWriter,
    ) -> None:
        shots: queue.Queue[Shot | None] = queue.Queue()
        predicted: queue.Queue[_Predicted | None] = queue.Queue(_SHOTS_AHEAD)
        settled: queue.Queue[_Settled | None] = queue.Queue(_SHOTS_AHEAD)
        threads = [
            self._thread("scan", lambda: self._scan(clip, folder, config, shots)),
            self._thread("settle", lambda: self._settle(predicted, settled, method, model)),
            self._thread("write", lambda: self._write(settled, config, writer)),
        ]
        try:
            with self._guard():
                self._turns.wait(self._turn, self.progress)
                self._infer(clip, folder, config.device, model, method, size, shots, predicted)
        finally:
            self._turns.pass_on(self._turn)
            self._put(predicted, None)
            for thread in threads:
                thread.join()
            for store in self._open_stores:  # those a failure left behind
                store.close()
        if self._failure is not None:
            raise self._failure

    def _scan(
        self, clip: Clip, folder: JobFolder, config: EstimateConfig, shots: queue.Queue[Shot | None]
    ) -> None:
        try:
            with self._timed("scan"):
                if clip.facts is None:
                    start, stop = Numbering.of(clip.info, config).indices(config.frames)
                    for shot in clip.scan(shots=config.shots, start=start, stop=stop, progress=self.progress):
                        shots.put(shot)
                    assert clip.facts is not None
                    folder.save("scan.json", json.loads(clip.facts.to_json()))
                else:
                    for shot in clip.facts.shots:
                        shots.put(shot)
            assert clip.facts is not None
            for warning in clip.facts.warnings:
                self.progress.warn(warning)
            total = sum(len(shot) for shot in clip.facts.shots)
            for stage in ("infer", "settle", "write"):
                self.progress.stage(stage, total)
            self._scanned.set()
        finally:
            shots.put(None)

    def _infer(
        self,
        clip: Clip,
        folder: JobFolder,
        device: str,
        model: DepthModel,
        method: Method,
        size: tuple[int, int],
        shots: queue.Queue[Shot | None],
        predicted: queue.Queue[_Predicted | None],
    ) -> None:
        if device == "cpu":
            set_threads(cpu_threads(model, size))
        with ClipReader(clip) as reader:
            for shot in self._drain(shots):
                store = DepthStore(folder.store(shot.index), len(shot), *size)
                self._open_stores.add(store)
                with self._timed("infer"):
                    method.run(ShotView(reader, shot), model, store, self.progress)
                self._put(predicted, (shot, store))

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


def _sizing(method: Method, spec: ModelSpec) -> ModelSpec:
    """The spec that decides the network's input: RollingDepth's presets name the longer side themselves."""
    if isinstance(method, Rolling):
        return replace(spec, native_size=method.preset.longest_edge, native_side="longer")
    return spec
