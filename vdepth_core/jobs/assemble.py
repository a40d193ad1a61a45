"""The end of a job: preview, report and manifest from what its shots left, whoever finished them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from ..checksums import Checksums
from ..clip import ClipScan, fingerprint, open_clip
from ..errors import InputError, UsageError
from ..files import write_bytes
from ..output.channels import SequenceKind
from ..output.journal import WORK, not_ours
from ..output.manifest import (
    FramesEntry,
    Manifest,
    ModelEntry,
    found_manifest,
    write_manifest,
)
from ..output.naming import ADAPTED, JobNames, frame_pattern, manifest_path, preview_path, report_path
from ..output.preview import join_films
from ..output.report import ReportCollector
from ..progress import Progress
from ..runs import in_words, runs
from .folder import JobFolder, finished_manifest, folder_checksums, read_scan, tidy
from .numbering import Numbering
from .record import ClipRecord, JobRecord, read_record
from .results import ShotResult
from .writer import sequence_settings


def assemble(
    folder: JobFolder, record: JobRecord, scan: ClipScan, seconds: dict[str, float] | None = None
) -> Manifest:
    """Writes preview, report and manifest of a job whose shots are all finished.

    Files of a former job that this one has no new ones for are removed before the manifest says that all is
    done: a job killed in between removes the rest when it goes on.

    Args:
        folder: The job's.
        record: The job.
        scan: The clip's shots.
        seconds: How long what is no stage of a shot took.

    Raises:
        InputError: a shot is not finished.
        ResourceError: the disk is full or not writable.
    """
    results = _finished(folder, record, scan)
    out, place = folder.out, folder.place
    preview = preview_path(out, results[0].still)
    if results[0].still:
        write_bytes(preview, folder.film(results[0].entry.index, still=True).read_bytes(), place)
    else:
        shown = [result for result in results if result.shown]
        films = [(folder.film(result.entry.index, still=False), _begin(results, result)) for result in shown]
        join_films(films, preview, place)
    manifest = _manifest(record, scan, results, seconds or {})
    own = Path(str(record.chosen.model)).resolve() == (out / ADAPTED).resolve()
    assert record.source is not None
    report = ReportCollector(Fraction(record.source.pixel_aspect))
    for result in results:
        report.add_shot(result.shot, result.alignment)
        report.take(result.pictures, len(result.shown))
    report.write(report_path(out), manifest, place)
    files = {name: entry for result in results for name, entry in result.files.items()}
    for path in (preview, report_path(out)):
        entry = folder.journal.owned(path.name)
        if entry is None:
            raise not_ours([path])
        files[path.name] = entry
    manifest = manifest.model_copy(update={"files": dict(sorted(files.items())), "adapted": own})
    before = found_manifest(manifest_path(folder.work), record.job)
    if before is not None and before == manifest.model_copy(update={"timings": before.timings}):
        manifest = before  # it was assembled before, and took what it took
    names = {*files, manifest_path(out).name}
    folder.retire(names)
    folder.keep(manifest)
    write_manifest(manifest, manifest_path(out), place)
    folder.conclude(names)
    if not record.chosen.keep_store:
        folder.drop_stores()
    return manifest


def finish(out: Path, progress: Progress | None = None) -> Manifest:
    """Assembles what ``vdepth estimate --shard`` or ``--shots`` wrote, in whatever processes and order.

    The clip need not be there any more; that it changed since is told.

    Args:
        out: The job's folder.
        progress: Hears of a clip that changed, and is asked for cancellation.

    Returns:
        The manifest; that of a finished job whose files are all there as it is.

    Raises:
        InputError: there is no job, or some of its shots are not finished.
        JobConflictError: another process works in the folder.
        ResourceError: the disk is full or not writable.
    """
    progress = progress or Progress()
    record = read_record(out)
    if record is None or record.source is None:
        raise InputError(
            f"{out} holds no job that vdepth estimate began.", "Give the folder of vdepth estimate -o."
        )
    checksums = folder_checksums(out)
    changed = _changed(record, checksums, progress)
    if changed:
        progress.warn(
            f"The clip changed since its depth was predicted ({changed}); what is finished is depth of the "
            "clip as it was. vdepth estimate --overwrite predicts it again."
        )
    manifest = finished_manifest(out, record.job, checksums)
    if manifest is not None:
        tidy(out, record.job)
        return manifest
    scan = read_scan(out, record.predictions)
    if scan is None:
        raise InputError(
            f"The shots of the job in {out} are not known yet.",
            "Run vdepth estimate with --shard 1/N first, or without it to do everything.",
        )
    progress.check()
    with JobFolder(out, _names(record, scan), (), checksums) as folder:
        return assemble(folder, record, scan)


def jobs_in(out: Path) -> list[Path]:
    """Folders of the jobs of a command: ``out`` itself, or those right below it where it has none.

    Args:
        out: What was given as ``-o``.
    """
    below = (path for path in out.iterdir() if path.is_dir()) if out.is_dir() else ()
    return [out] if (out / WORK).is_dir() else sorted(filter(read_record, below)) or [out]


def _changed(record: JobRecord, checksums: Checksums, progress: Progress) -> str:
    """What of the clip is not as the job saw it; empty where nothing is, or the clip is gone."""
    assert record.source is not None
    try:
        clip = open_clip(Path(record.source.path), **record.given.clip_options())
        source = fingerprint(clip, *record.identity["frames"], checksums=checksums, progress=progress)
    except (InputError, UsageError):
        return ""
    now = ClipRecord.of(clip.info, source)
    return record.clip.changes(now) if now.digest != record.clip.digest else ""


def _finished(folder: JobFolder, record: JobRecord, scan: ClipScan) -> list[ShotResult]:
    """The results of all shots.

    Raises:
        InputError: one is not there, or files of it are not.
    """
    results, missing = [], []
    for shot in scan.shots:
        result = folder.result(shot.index, record.job)
        if result is None or result.shot != shot or not folder.whole(result):
            missing.append(shot.index)
        else:
            results.append(result)
    if missing:
        count, verb = len(scan.shots), "is" if len(missing) == 1 else "are"
        shots = " ".join(map(in_words, runs(missing)))
        raise InputError(
            f"{len(missing)} of the {count} shot{'s' * (count != 1)} in {folder.out}, counted from 0 as "
            f"by --shots, {verb} not finished: {shots}.",
            "Run the shares that did not end again, or the same vdepth estimate with --shots A-B, then "
            "vdepth finish.",
        )
    return results


def _begin(results: Sequence[ShotResult], result: ShotResult) -> Fraction:
    """The second of the preview at which a shot begins."""
    first = next(earlier.shown[0] for earlier in results if earlier.shown)
    return result.shown[0].seconds - first.seconds


def _names(record: JobRecord, scan: ClipScan) -> JobNames:
    rate, cfr = Fraction(record.identity["rate"]), record.chosen.cfr
    numbering = Numbering(0, record.identity["start_frame"], Fraction(cfr) if cfr else rate, bool(cfr))
    numbers = numbering.shown(scan, rate)
    sequence = record.source is not None and record.source.kind == "sequence"
    still = sequence and not cfr and len(numbers) == 1
    return JobNames(record.clip.name, _kinds(record), numbers.start, numbers.stop, still)


def _kinds(record: JobRecord) -> tuple[SequenceKind, ...]:
    return sequence_settings(record.chosen).kinds


def _manifest(
    record: JobRecord, scan: ClipScan, results: Sequence[ShotResult], seconds: dict[str, float]
) -> Manifest:
    assert record.source is not None
    assert record.spec is not None
    shown = [frame for result in results for frame in result.shown]
    times, pts = [frame.time for frame in shown], [frame.pts for frame in shown]
    spent = dict(seconds)
    for result in results:
        for stage, value in result.seconds.items():
            spent[stage] = spent.get(stage, 0.0) + value
    said = [*record.warnings, *scan.warnings, *(line for result in results for line in result.warnings)]
    return Manifest(
        job=record.job,
        clip=record.source.model_copy(update={"pts": pts, "times": times}),
        frames=FramesEntry(
            first=results[0].entry.start,
            stop=results[-1].entry.stop,
            start_number=shown[0].number,
            count=len(shown),
        ),
        shots=[result.entry for result in results],
        model=ModelEntry.of(record.spec, *record.terms),
        method=str(record.chosen.method),
        camera=results[0].entry.camera,
        sequences={kind: frame_pattern(record.clip.name, kind) for kind in _kinds(record)},
        preview=preview_path(Path(), results[0].still).name,
        report=report_path(Path()).name,
        configuration=record.chosen.model_dump(mode="json"),
        warnings=list(dict.fromkeys(said)),
        timings={name: round(value, 3) for name, value in spent.items()},
    )
