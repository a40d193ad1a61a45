"""Which source decides a shot's scale, how far the others are off, and what is refused.

The sources are asked in the order of their trust; the first that says all decides, and nothing is averaged.
One that says a part only (a distance, where a shift is unknown, too) has the scale, and the next that can
says the rest: of two ends only one, the far one, as more would not be met.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..align.metric import SPREAD, Line, MetricFit, fit_metric, tells_shift
from ..errors import UsageError
from ..output.metric_entry import ShotMetric, SourceEntry
from .evidence import AROUND, Evidence
from .values import ShotValues

APART = 0.05
"""Relative difference of depths from which on sources disagree."""
ROUGHEST = 0.5
"""Relative error of the median point from which on a line fits nothing: the embedded model's worst clip
has .42, points at random mostly .6 with a scale and shift, 1 with a scale."""
_ROUGH = 0.25  # of the same: told
_ABSURD = np.log(1.5)  # a measured distance that is off by more is another pixel's, or mistyped
_STEP = 1.15  # how much farther things beside a known distance may be
_BEYOND = 0.01  # share of the pixels that may lie beyond infinity without a word
_LOOKED_AT = 8  # frames, for that share


_Told = tuple[Evidence, MetricFit | None]


@dataclass(frozen=True)
class _Choice:
    """What decides a shot.

    Attributes:
        name: In words.
        fit: Its line.
        by: The sources whose distances are met.
        told: All sources beside their own lines; ends apart where only one decides.
    """

    name: str
    fit: MetricFit
    by: tuple[Evidence, ...]
    told: list[_Told]


@dataclass(frozen=True)
class Decision:
    """What becomes of a shot.

    Attributes:
        entry: For the manifest.
        warnings: Sentences for the user.
    """

    entry: ShotMetric
    warnings: tuple[str, ...]

    @property
    def line(self) -> Line:
        """From the shot's numbers to metric ones."""
        return Line(self.entry.scale, self.entry.shift)


def decide(shot: ShotValues, sources: Sequence[Evidence]) -> Decision:
    """Decides a shot.

    Args:
        shot: Which one.
        sources: What is known of it, most trusted first; those without points say nothing.

    Raises:
        UsageError: what is known does not determine the scale, or contradicts itself.
        InputError: a depth file is missing or damaged.
    """
    told = [one for one in sources if len(one)]
    for one in told:
        _check_consistent(shot, one)
    fits = [fit_metric(one.x, one.target, shot.shifted, shot.span) for one in told]
    chosen = _chosen(shot, told, fits)
    if chosen is None:
        if shot.sequence.manifest.model.space != "metric":
            raise UsageError(
                f"Nothing says how far things are in {shot.words}.",
                "Give a --known-distance in one of its frames, or --model.",
            )
        entry = ShotMetric(
            index=shot.entry.index, source="its own model", scale=1, shift=0, residual=0, inliers=1, points=0
        )
        return Decision(entry, ())
    name, fit = chosen.name, chosen.fit
    line = fit.line
    if shot.in_depth and float(line(np.array(shot.ends[0]))) <= 0:
        raise UsageError(
            f"By {name}, the nearest things in {shot.words} would lie behind the camera.",
            "Give a known distance to one of them.",
        )
    entries = [_compared(shot, line, one, own) for one, own in chosen.told]
    entry = ShotMetric(
        index=shot.entry.index, source=name, scale=line.scale, shift=line.shift, residual=fit.residual,
        inliers=fit.inliers, points=fit.points, sources=entries,
    )  # fmt: skip
    warnings = [
        _roughness(shot, chosen),
        *(_disagreement(shot, chosen, one) for one in entries),
        *_steps(shot, line, told),
        *_beyond(shot, line, name),
    ]
    return Decision(entry, tuple(filter(None, warnings)))


def _chosen(shot: ShotValues, told: list[Evidence], fits: list[MetricFit | None]) -> _Choice | None:
    """What decides; None: nothing was told."""
    if not told:
        return None
    place = next((place for place, one in enumerate(told) if one.absolute), None)
    if place is None:
        raise UsageError(
            "The unit of the camera solve is not known.",
            "Say how many metres one of its units is with --unit, or give a --known-distance.",
        )
    pairs = list(zip(told, fits, strict=True))
    anchor, fit = pairs[place]
    if fit is not None:
        _check_fits(shot, anchor, fit)
        return _Choice(anchor.name, fit, (anchor,), pairs)
    if tells_shift(anchor.x, shot.span):
        raise _contradiction(shot, anchor)
    for one, own in pairs:
        if one is anchor:
            continue
        if anchor.said and one.said and one.absolute:
            choice = _with_an_end(shot, anchor, one, pairs)
            if choice is not None:
                return choice
        elif own is not None:
            _check_fits(shot, one, own)
            return _Choice(
                f"{anchor.name}, shift by {one.name}", _through(anchor, one, own), (anchor,), pairs
            )
    falling = next((one for one in told if one is not anchor and tells_shift(one.x, shot.span)), None)
    raise _underdetermined(shot, anchor) if falling is None else _contradiction(shot, falling)


def _with_an_end(shot: ShotValues, anchor: Evidence, ends: Evidence, pairs: list[_Told]) -> _Choice | None:
    """Distances that tell no shift, and one end: as many as there are unknowns, so that both are met."""
    parts = ends.parts or (ends,)
    for end in parts:
        both = Evidence(
            "both",
            f"{anchor.name} and {end.name}",
            np.concatenate((anchor.x, end.x)),
            np.concatenate((anchor.target, end.target)),
            said=anchor.said + end.said,
        )
        _check_consistent(shot, both)
        fit = fit_metric(both.x, both.target, shot.shifted, shot.span)
        if fit is not None:
            told = [pair for pair in pairs if pair[0] is not ends]
            place = next(place for place, pair in enumerate(pairs) if pair[0] is ends)
            told[place:place] = [(part, None) for part in parts]
            return _Choice(both.name, fit, (anchor, end), told)
        if tells_shift(both.x, shot.span):
            raise _contradiction(shot, both)
    return None


def _through(anchor: Evidence, shape: Evidence, fit: MetricFit) -> MetricFit:
    """A source's line, scaled to what another has measured."""
    reached = fit.line(anchor.x)
    if not (reached > 0).all():
        lost = anchor.said[int(np.argmin(reached))] if anchor.said else f"what the {anchor.name} sees"
        raise UsageError(
            f"By the {shape.name}, {lost} would be beyond infinity.",
            "Give another known distance at a different depth.",
        )
    factor = float(np.exp(np.mean(np.log(anchor.target / reached))))
    return replace(fit, line=fit.line.times(factor))


def _check_fits(shot: ShotValues, one: Evidence, fit: MetricFit) -> None:
    """Refuses points that the best line misses so far that it says nothing of them."""
    if fit.typical > ROUGHEST:
        raise UsageError(
            f"No scale{' and shift' * shot.shifted} of {shot.words} fits {one.everything}: half of "
            f"them would be off by more than {100 * ROUGHEST:.0f} %.",
            "Check that what you gave is of this clip and these frames, or give a --known-distance instead.",
        )


def _roughness(shot: ShotValues, chosen: _Choice) -> str:
    """A sentence where the line that decides misses many points by much."""
    if chosen.fit.typical <= _ROUGH:
        return ""
    return (
        f"By {chosen.name}, half of what is known of {shot.words} is off by more than "
        f"{100 * chosen.fit.typical:.0f} %: the depth there is rough, or what is known is."
    )


def _contradiction(shot: ShotValues, one: Evidence) -> UsageError:
    many = one.kind == "both" or (one.kind in {"distances", "ends"} and len(one) > 1)
    return UsageError(
        f"The {one.name} contradict{'' if many else 's'} the depth of {shot.words}: what is nearer in it is "
        "not nearer.",
        "Check pixel, frame and distance of each." if one.said else "Check that it is of this clip.",
    )


def _underdetermined(shot: ShotValues, anchor: Evidence) -> UsageError:
    more = "Give a --known-distance at another depth, too, or --near and --far, --points or --model."
    if len(anchor) == 1:
        what = anchor.said[0] if anchor.said else f"One point of the {anchor.name}"
        return UsageError(
            f"{what} does not tell both scale and shift of {shot.words}, which are unknown.",
            more,
        )
    return UsageError(
        f"What is known of {shot.words} is all about equally far, and tells its scale, but not its shift.",
        more,
    )


def _check_consistent(shot: ShotValues, one: Evidence) -> None:
    """Refuses few exact points that contradict the depth, or each other."""
    if len(one) < 2 or not one.said:
        return
    order = np.argsort(one.x)
    x, target = one.x[order], one.target[order]
    said = [one.said[place] for place in order]
    for low in range(len(x)):
        for high in range(low + 1, len(x)):
            same = x[high] - x[low] < SPREAD * shot.span
            if shot.shifted and same:
                wrong = abs(np.log(target[high] / target[low])) > _ABSURD
                words = "lie about equally far in the depth"
            elif shot.shifted:
                # No line goes through two that are the other way round; through more it may.
                wrong = target[high] < target[low] / np.exp(_ABSURD * (len(x) > 2))
                words = "lie the other way round in the depth"
            else:
                wrong = abs(np.log(target[high] / target[low] * x[low] / x[high])) > _ABSURD
                ratio = x[high] / x[low]
                words = f"are {ratio:.3g} to 1 in the depth"
            if wrong:
                raise UsageError(
                    f"{said[high]} and {said[low]} contradict the depth of {shot.words}: they {words}.",
                    "Check pixel, frame and distance of both.",
                )


def _compared(shot: ShotValues, line: Line, one: Evidence, own: MetricFit | None) -> SourceEntry:
    """A source beside what was chosen."""
    reached = line(one.x)
    usable = reached > 0
    off = np.log(one.target[usable] / reached[usable])  # of depth or inverse depth
    off = off if shot.in_depth else -off
    middle = float(np.median(off)) if len(off) else 0.0
    nearest, farthest = middle, middle
    if len(off):
        order = np.argsort(one.x[usable]) if shot.in_depth else np.argsort(-one.x[usable])
        third = max(1, len(order) // 3)
        nearest, farthest = (float(np.median(off[part])) for part in (order[:third], order[-third:]))
    level = 0.0 if one.absolute else middle
    return SourceEntry(
        name=one.name,
        points=len(one),
        scale=None if own is None else own.line.scale,
        shift=None if own is None else own.line.shift,
        residual=None if own is None else own.residual,
        inliers=None if own is None else own.inliers,
        farther=float(np.expm1(middle)) if one.absolute else None,
        nearest=float(np.expm1(nearest - level)),
        farthest=float(np.expm1(farthest - level)),
    )


def _disagreement(shot: ShotValues, chosen: _Choice, one: SourceEntry) -> str:
    """A sentence where a source is too far off what was chosen."""
    parts = (one.farther or 0.0, one.nearest, one.farthest)
    if max(map(abs, parts)) <= APART:
        return ""
    by = {source.name: source for source in chosen.by}
    if one.name in by:
        return (
            f"No scale{' and shift' * shot.shifted} of {shot.words} meets {by[one.name].everything}: "
            f"the nearest would be {_by(one.nearest)}, the farthest {_by(one.farthest)} than the depth is "
            "now."
        )
    name = " and ".join(by)
    if one.name in {"near", "far"}:
        return (
            f"In {shot.words}, the {one.name} end is {_by(one.farther or 0.0)} by --{one.name} than by "
            f"{name}, which decided."
        )
    whole = f"{_by(one.farther)} " if one.farther is not None else "bent "
    return (
        f"In {shot.words}, things are {whole}by {one.name} than by {name} (the nearest {_by(one.nearest)}, "
        f"the farthest {_by(one.farthest)}); {name} decided."
    )


def _by(part: float) -> str:
    return f"{100 * abs(part):.0f} % {'farther' if part > 0 else 'nearer'}"


def _steps(shot: ShotValues, line: Line, told: list[Evidence]) -> list[str]:
    """Known distances at an edge of the depth, where a pixel more or less is something else."""
    found = []
    for one in told:
        for said, around in zip(one.said, () if one.around is None else one.around, strict=False):
            ends = shot.metres(line(around))
            if ends.max() > _STEP * ends.min():
                found.append(
                    f"{said} is at an edge of the depth: within {AROUND} pixels it goes from "
                    f"{ends.min():.3g} to {ends.max():.3g} m. A pixel in the middle of something is surer."
                )
    return found


def _beyond(shot: ShotValues, line: Line, name: str) -> list[str]:
    """Where much would be farther than infinity."""
    if shot.in_depth or float(line(np.array(shot.ends[1]))) > 0:
        return []
    beyond = total = 0
    for number in shot.spread_over(_LOOKED_AT):
        x = shot.x(number)[::4, ::4]
        total += int(np.isfinite(x).sum())
        beyond += int((line(x) <= 0).sum())
    if beyond <= _BEYOND * max(total, 1):
        return []
    return [
        f"By {name}, {100 * beyond / total:.0f} % of {shot.words} are beyond infinity and have no depth. If "
        "that is not sky, give a known distance to something far, or one distance and --far."
    ]
