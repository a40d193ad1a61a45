"""Several clips in one command, two in flight: while one is written, the next is on the accelerator.

Clips take their turn on the accelerator in the order given. One that fails is reported and does not stop the
others.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..budget import keep_pages
from ..errors import Cancelled, UsageError, VdepthError, as_vdepth_error
from ..output.manifest import Manifest
from ..progress import cancelling
from .accelerator import Accelerator, ModelShelf
from .config import EstimateConfig
from .events import JobProgress, OnEvent, Warning_
from .gathering import Gathered, gather
from .parts import Part
from .run import ClipJob

_log = logging.getLogger(__name__)
_IN_FLIGHT = 2


@dataclass
class ClipResult:
    """What became of one clip: a manifest, an error, or neither after a part of a job.

    A clip that other processes did has none either: its manifest lies in its folder.
    """

    clip: Path
    out: Path
    manifest: Manifest | None = None
    error: VdepthError | None = None


def estimate(
    clip: str | Path,
    out: str | Path,
    config: EstimateConfig | Mapping[str, Any] | None = None,
    on_event: OnEvent | None = None,
) -> Manifest:
    """Estimates depth for one clip and writes its EXR sequences, manifest, preview and report into ``out``.

    The same call resumes a job that was interrupted; a finished job returns at once.

    Args:
        clip: A movie, an image of a sequence, or a folder with one.
        out: Output folder of this clip.
        config: Options named as in `EstimateConfig` (``{"preset": "best", "near": 0.5}``); ``overwrite`` is
            one more.
        on_event: Called with every event of the protocol, from several threads but never two at a time.

    Returns:
        The manifest, as written to ``out/manifest.json``.

    Raises:
        VdepthError: one of its subclasses says what is wrong and what to do.

    Examples:
        >>> import vdepth_core
        >>> manifest = vdepth_core.estimate("shot.mov", "depth/", {"near": 0.5, "far": 20})
        >>> manifest.method, manifest.model.name, manifest.count
        ('temporal', 'embedded', 6)
        >>> manifest.sequences["depth"], manifest.numbers[0]
        ('shot_depth.####.exr', 1001)
    """
    options = dict(config) if isinstance(config, Mapping) else {}
    overwrite = bool(options.pop("overwrite", False))
    parsed = config if isinstance(config, EstimateConfig) else EstimateConfig.parse(**options)
    result = estimate_clips([Path(clip)], Path(out), parsed, on_event=on_event, overwrite=overwrite)[0]
    if result.error is not None:
        raise result.error
    assert result.manifest is not None
    return result.manifest


def estimate_clips(
    clips: Sequence[Path],
    out: Path,
    config: EstimateConfig,
    *,
    on_event: OnEvent | None = None,
    overwrite: bool = False,
    signals: bool = False,
    shelf: ModelShelf | None = None,
    part: Part | None = None,
) -> list[ClipResult]:
    """Runs one job a clip; a single clip works in ``out``, several in one subfolder each.

    Args:
        clips: The clips, in order; names that mean the same clip are one.
        out: Output folder.
        config: The same configuration for all.
        on_event: See `estimate`.
        overwrite: Replace a job of another configuration.
        signals: Let Ctrl-C and SIGTERM cancel cleanly (main thread only).
        shelf: Models already loaded; None starts an empty shelf.
        part: Which shots of each clip to do; None: all, and then assemble what they left.

    Returns:
        One result a clip, in order.

    Raises:
        UsageError: no clips given.
    """
    keep_pages()
    tell = one_at_a_time(on_event)
    gathered = gather_clips(clips, out, config, tell)
    results = [ClipResult(clip.path, clip.folder) for clip in gathered]
    progress = [JobProgress(str(result.clip), tell) for result in results]
    with cancelling(*progress) if signals else contextlib.nullcontext():
        _run_all(results, progress, config, overwrite, shelf or ModelShelf(), guarded(gathered), part)
    return results


def one_at_a_time(on_event: OnEvent | None) -> OnEvent:
    """``on_event`` for several threads.

    Args:
        on_event: See `estimate`; None: nobody listens.
    """
    told = threading.Lock()

    def tell(event: Any) -> None:
        with told:
            if on_event is not None:
                on_event(event)

    return tell


def gather_clips(clips: Sequence[Path], out: Path, config: EstimateConfig, tell: OnEvent) -> list[Gathered]:
    """The clips of a command with their folders; tells which of the names mean one clip.

    Args:
        clips, out, config: As of `estimate_clips`.
        tell: Hears of it.

    Raises:
        UsageError: no clips given.
    """
    if not clips:
        raise UsageError("No clip given.", "Name at least one movie or image sequence.")
    gathered = gather(clips, out, config.every_file, config.still)
    for clip in gathered:
        if len(clip.names) > 1:
            message = f"{len(clip.names)} of the names given mean this clip; it is done once."
            if len(clip.names) < clip.files:
                message = (
                    f"The {len(clip.names)} names given are of this clip, which has {clip.files} images; "
                    "all of it is done, once. --frames A-B does a part, --still each image by itself."
                )
            tell(Warning_(clip=str(clip.path), message=message))
    return gathered


def guarded(gathered: Sequence[Gathered]) -> list[Path]:
    """Files that no job of the command may write beside: one of each folder that holds clips, and links.

    Args:
        gathered: Its clips.
    """
    plain: dict[Path, Path] = {}
    links = []
    for clip in gathered:
        if clip.first.is_symlink():
            links.append(clip.first)
        else:
            plain.setdefault(clip.first.parent, clip.first)
    return [*plain.values(), *links]


def _run_all(
    results: list[ClipResult],
    progress: list[JobProgress],
    config: EstimateConfig,
    overwrite: bool,
    shelf: ModelShelf,
    firsts: Sequence[Path],
    part: Part | None,
) -> None:
    slots = threading.Semaphore(_IN_FLIGHT)
    accelerator = Accelerator()
    threads = []
    try:
        for number, (result, own) in enumerate(zip(results, progress, strict=True)):
            slots.acquire()
            if own.cancelled:  # a clip that has not begun does not begin: its folder stays as it is
                result.error = Cancelled("Cancelled.", "Run the same command again to go on.")
                own.fail(result.error)
                slots.release()
                continue
            job = ClipJob(result.clip, result.out, config, own, shelf, accelerator, number, firsts, part)
            thread = threading.Thread(
                target=_run_one, args=(job, result, overwrite, slots), name=f"job-{number}"
            )
            thread.start()
            threads.append(thread)
        for thread in threads:
            thread.join()
    except BaseException:  # Ctrl-C without signal handlers: stop cleanly before passing it on
        for own in progress:
            own.cancel()
        for thread in threads:
            thread.join()
        raise


def _run_one(job: ClipJob, result: ClipResult, overwrite: bool, slots: threading.Semaphore) -> None:
    try:
        result.manifest = job.run(overwrite=overwrite)
    except BaseException as error:
        _log.debug("job for %s failed", result.clip, exc_info=True)
        result.error = as_vdepth_error(error)
        job.progress.fail(result.error)
    finally:
        slots.release()
